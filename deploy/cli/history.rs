//! `quorate history`: what a person bought inside the retention time.

use clap::Args;
use quorate_proto::ids::ProgramId;

use crate::{
    citizen::CitizenArg,
    exit::{Exit, Failure},
    reach::Reach,
    show,
};

#[derive(Args, Debug)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    citizen: CitizenArg,

    /// The program [default: the context's]
    #[arg(long, value_name = "ID")]
    program: Option<ProgramId>,
}

pub(crate) async fn run(args: HistoryArgs, reach: &Reach) -> Result<Exit, Failure> {
    let citizen = args.citizen.read(&reach.context.value.id_scheme)?;
    let program = reach.program(args.program)?;
    let sales = reach
        .terminal()?
        .list(&citizen, program, reach.time_limit)
        .await?;
    reach.output.print(&sales, |painter| {
        show::history(&sales, &reach.time_zone, painter)
    })?;
    Ok(Exit::Ok)
}
