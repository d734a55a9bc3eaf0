//! `quorate check`: may this person take some more?

use clap::Args;
use quorate_client::model::Decision;
use quorate_proto::ids::ProgramId;

use crate::{
    citizen::{CitizenArg, parse_quantity},
    exit::{Exit, Failure},
    reach::Reach,
    show,
};

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    citizen: CitizenArg,

    /// Units
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true, value_parser = parse_quantity)]
    qty: u32,

    /// The program [default: the context's]
    #[arg(long, value_name = "ID")]
    program: Option<ProgramId>,
}

pub(crate) async fn run(args: CheckArgs, reach: &Reach) -> Result<Exit, Failure> {
    let citizen = args.citizen.read(&reach.context.value.id_scheme)?;
    let sale = reach.sale(citizen, args.program, args.qty)?;
    let verdict = reach.terminal()?.check(&sale, reach.time_limit).await?;
    reach.output.print(&verdict, |painter| {
        show::check(&verdict, args.qty, &reach.time_zone, painter)
    })?;
    Ok(match verdict.decision {
        Decision::Granted => Exit::Ok,
        Decision::Denied(_) => Exit::Denied,
    })
}
