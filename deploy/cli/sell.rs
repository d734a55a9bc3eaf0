//! `quorate sell`: decide and record in one step.

use clap::Args;
use quorate_client::{model::Decision, new_request_id};
use quorate_proto::ids::ProgramId;

use crate::{
    citizen::{CitizenArg, RequestIdArg, parse_quantity},
    exit::{Exit, Failure},
    reach::Reach,
    show,
};

#[derive(Args, Debug)]
pub(crate) struct SellArgs {
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

    /// A UUID that names this sale; the same one repeats the same answer [default: a new one]
    #[arg(long, value_name = "UUID")]
    request_id: Option<RequestIdArg>,
}

pub(crate) async fn run(args: SellArgs, reach: &Reach) -> Result<Exit, Failure> {
    let citizen = args.citizen.read(&reach.context.value.id_scheme)?;
    let sale = reach.sale(citizen, args.program, args.qty)?;
    let request_id = match args.request_id {
        Some(RequestIdArg(request_id)) => request_id,
        None => new_request_id(&reach.env),
    };
    let terminal = reach.terminal()?;
    let recorded = terminal.record(request_id, &sale, reach.time_limit).await?;
    reach.output.print(&recorded, |painter| {
        show::sale(&recorded, args.qty, &reach.time_zone, painter)
    })?;
    Ok(match recorded.verdict.decision {
        Decision::Granted => Exit::Ok,
        Decision::Denied(_) => Exit::Denied,
    })
}
