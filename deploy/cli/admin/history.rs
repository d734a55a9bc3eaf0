//! `quorate admin history`: what a person bought, for whoever settles a dispute.

use clap::Args;
use quorate_proto::ids::ProgramId;
use serde_json::json;

use crate::{
    citizen::CitizenArg,
    exit::{Exit, Failure},
    reach::Reach,
    show,
};

#[derive(Args, Debug)]
pub(crate) struct AdminHistoryArgs {
    #[command(flatten)]
    citizen: CitizenArg,

    /// The program [default: the context's]
    #[arg(long, value_name = "ID")]
    program: Option<ProgramId>,
}

pub(super) async fn run(args: AdminHistoryArgs, reach: &Reach) -> Result<Exit, Failure> {
    let citizen = args.citizen.read(&reach.context.value.id_scheme)?;
    let program = reach.program(args.program)?;
    let purchases = reach
        .operator()?
        .citizen_sales(&citizen, program, reach.time_limit)
        .await?;
    reach
        .output
        .print(&json!({ "purchases": purchases }), |painter| {
            show::purchases_or_none(&purchases, &reach.time_zone, painter)
        })?;
    Ok(Exit::Ok)
}
