//! Arguments that several commands share: a national ID, a quantity, a request id.

use std::{io, str::FromStr};

use clap::Args;
use quorate_client::model::NationalId;
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
        if *self.id != "-" {
            return Ok(NationalId::new(scheme, &**self.id));
        }
        let mut line = Zeroizing::new(String::new());
        io::stdin()
            .read_line(&mut line)
            .map_err(|error| Failure::usage(format!("cannot read the ID: {error}")))?;
        let id = line.trim();
        if id.is_empty() || id.chars().count() > ID_LINE_MAX {
            return Err(Failure::usage("standard input holds no ID").next("give it one line"));
        }
        Ok(NationalId::new(scheme, id))
    }
}

/// Whole units. Whether so many may be sold is for the cluster to say.
pub(crate) fn parse_quantity(text: &str) -> Result<u32, &'static str> {
    text.parse()
        .map_err(|_| "a quantity is a whole number, 1 or more")
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
