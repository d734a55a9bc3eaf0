//! Arguments that several commands share: a national ID, a quantity, a request id.

use std::{io, str::FromStr};

use clap::Args;
use quorate_client::{model::NationalId, new_request_id};
use quorate_link::Env;
use quorate_proto::ids::{RequestId, RequestIdError};
use zeroize::Zeroizing;

use crate::exit::Failure;

/// Longest line that is read as a national ID, characters. The gateway judges what it says.
const ID_LINE_MAX: usize = 256;

#[derive(Args)]
pub(crate) struct CitizenArg {
    /// The national ID as on the card; `-` reads it from standard input, which keeps it out of the
    /// shell's history and the list of processes
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    id: Zeroizing<String>,
}

/// Prints no ID.
impl std::fmt::Debug for CitizenArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CitizenArg").finish_non_exhaustive()
    }
}

impl CitizenArg {
    pub(crate) fn read(self, scheme: &str) -> Result<NationalId, Failure> {
        read_id(&self.id, scheme)
    }
}

/// An ID as it was given; `-` reads the next line of standard input.
pub(crate) fn read_id(given: &str, scheme: &str) -> Result<NationalId, Failure> {
    if given != "-" {
        return Ok(NationalId::new(scheme, given));
    }
    let mut line = Zeroizing::new(String::new());
    io::stdin()
        .read_line(&mut line)
        .map_err(|error| Failure::usage(format!("cannot read the ID: {error}")))?;
    let id = line.trim();
    if id.is_empty() || id.chars().count() > ID_LINE_MAX {
        return Err(Failure::usage("standard input holds no ID").next("give it one line an ID"));
    }
    Ok(NationalId::new(scheme, id))
}

/// Whole units. Whether so many may be sold is for the cluster to say.
pub(crate) fn parse_quantity(text: &str) -> Result<u32, &'static str> {
    text.parse()
        .map_err(|_| "a quantity is a whole number, 1 or more")
}

/// Names a request that writes.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct NewRequest {
    /// A UUID that names this request; the same one repeats the same answer [default: a new one]
    #[arg(long, value_name = "UUID")]
    request_id: Option<RequestIdArg>,
}

impl NewRequest {
    /// The id that was given, or a new one.
    pub(crate) fn id(self, env: &Env) -> RequestId {
        match self.request_id {
            Some(RequestIdArg(request_id)) => request_id,
            None => new_request_id(env),
        }
    }
}

/// A request id as clap reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestIdArg(pub(crate) RequestId);

impl FromStr for RequestIdArg {
    type Err = RequestIdError;

    fn from_str(text: &str) -> Result<Self, RequestIdError> {
        RequestId::parse(text).map(Self)
    }
}
