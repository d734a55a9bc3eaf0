//! A bug in this process, to prove `make chaos` by. Only with the feature `planted-bugs`.

use std::env;

use quorate_proto::planted::{self, Bug};

use crate::exit::Failure;

/// Names the bug.
const VARIABLE: &str = "QUORATE_PLANT";

/// Plants the bug that the environment names, if it names one, in everything that this process does.
pub(crate) fn plant() -> Result<(), Failure> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the program is where the environment is read"
    )]
    let name = env::var_os(VARIABLE);
    let Some(name) = name else {
        return Ok(());
    };
    let Some(bug) = name.to_str().and_then(Bug::of_name) else {
        let failure = Failure::usage(format!("{VARIABLE}: no bug is called {name:?}"));
        let names = Bug::ALL.map(Bug::name).join(", ");
        return Err(failure.next(format!("choose one of {names}")));
    };
    planted::plant_everywhere(bug);
    tracing::warn!("the bug {} is planted in this process", bug.name());
    Ok(())
}
