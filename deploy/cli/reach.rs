//! From the command line to a connection: the context is found, read, and opened as a terminal or as an
//! operator.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use quorate_client::{Connection, ConnectionOptions, Operator, Terminal};
use quorate_link::{Env, TlsClient};
use quorate_proto::ids::ProgramId;

use crate::{
    cli::Global,
    config::{
        self, Loaded,
        context::{ContextFile, DEMO_CONTEXT},
    },
    exit::Failure,
    output::Output,
    time::Span,
};

/// What every command that talks to a cluster needs.
pub(crate) struct Reach {
    pub(crate) context: Loaded<ContextFile>,
    pub(crate) time_zone: TimeZone,
    /// For one call, retries included.
    pub(crate) time_limit: Span,
    pub(crate) output: Output,
    pub(crate) env: Env,
}

impl Reach {
    pub(crate) fn new(global: &Global, output: Output, env: Env) -> Result<Self, Failure> {
        let path = context_path(global.context.as_deref())?;
        Self::of_context(&path, global, output, env)
    }

    /// Of a context that was not named on the command line.
    pub(crate) fn of_context(
        path: &Path,
        global: &Global,
        output: Output,
        env: Env,
    ) -> Result<Self, Failure> {
        let context = config::load::<ContextFile>(path)?;
        Ok(Self {
            time_zone: context.time_zone()?,
            context,
            time_limit: global.timeout,
            output,
            env,
        })
    }

    /// The program that is meant.
    pub(crate) fn program(&self, named: Option<ProgramId>) -> Result<ProgramId, Failure> {
        match named {
            Some(program) => Ok(program),
            None => Ok(self.context.program()?),
        }
    }

    /// Where the public is told of the stock.
    pub(crate) fn public_address(&self) -> Result<String, Failure> {
        let first = self.context.value.public.first().cloned();
        first.ok_or_else(|| {
            Failure::from(self.context.invalid("`public` names no listener"))
                .next("add the `host:port` of a gateway that serves the public")
        })
    }

    /// A connection as terminals make it.
    pub(crate) fn connection(&self) -> Result<Connection, Failure> {
        let tls = TlsClient::anonymous(&self.context.ca_pem()?, &self.env);
        self.open(&tls.map_err(|error| self.context.invalid(format!("`ca`: {error}")))?)
    }

    /// The terminal of the context.
    pub(crate) fn terminal(&self) -> Result<Terminal, Failure> {
        let identity = self.context.terminal()?.ok_or_else(|| {
            Failure::from(
                self.context
                    .invalid("there is no [terminal] in this context"),
            )
            .next("enrol a device with `quorate admin device enroll` and add it")
        })?;
        Ok(Terminal::new(self.connection()?, identity))
    }

    /// The operator of the context.
    pub(crate) fn operator(&self) -> Result<Operator, Failure> {
        let material = self.context.operator()?.ok_or_else(|| {
            Failure::from(
                self.context
                    .invalid("there is no [operator] in this context"),
            )
            .next("add the paths of an operator's certificate and key")
        })?;
        let tls = TlsClient::new(&material, &self.env);
        let tls = tls.map_err(|error| self.context.invalid(format!("`operator`: {error}")))?;
        Ok(Operator::new(self.open(&tls)?))
    }

    fn open(&self, tls: &TlsClient) -> Result<Connection, Failure> {
        let gateways = &self.context.value.gateways;
        let options = ConnectionOptions::default();
        Ok(Connection::open(gateways, tls, options, self.env.clone())?)
    }
}

fn context_path(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    let demo = PathBuf::from(DEMO_CONTEXT);
    if demo.exists() {
        return Ok(demo);
    }
    Err(
        Failure::usage(format!("no cluster is named: there is no ./{DEMO_CONTEXT}")).next(
            "start `quorate demo` here, or name a context file with --context or QUORATE_CONTEXT",
        ),
    )
}
