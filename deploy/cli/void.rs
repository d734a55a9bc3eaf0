//! `quorate void`: undo a sale of this site, on the day of that sale.

use clap::Args;
use quorate_client::{
    model::{Undo, VoidOutcome},
    new_request_id,
};
use quorate_proto::ids::ProgramId;

use crate::{
    citizen::{CitizenArg, RequestIdArg},
    exit::{Exit, Failure},
    reach::Reach,
    show,
};

#[derive(Args, Debug)]
pub(crate) struct VoidArgs {
    #[command(flatten)]
    citizen: CitizenArg,

    /// The request id of the sale to undo
    #[arg(long, value_name = "UUID")]
    sale: RequestIdArg,

    /// The program [default: the context's]
    #[arg(long, value_name = "ID")]
    program: Option<ProgramId>,

    /// A UUID that names this void; the same one repeats the same answer [default: a new one]
    #[arg(long, value_name = "UUID")]
    request_id: Option<RequestIdArg>,
}

pub(crate) async fn run(args: VoidArgs, reach: &Reach) -> Result<Exit, Failure> {
    let RequestIdArg(sale_request_id) = args.sale;
    let undo = Undo {
        citizen: args.citizen.read(&reach.context.value.id_scheme)?,
        program: reach.program(args.program)?,
        sale_request_id,
    };
    let request_id = match args.request_id {
        Some(RequestIdArg(request_id)) => request_id,
        None => new_request_id(&reach.env),
    };
    let terminal = reach.terminal()?;
    let voided = terminal.void(request_id, &undo, reach.time_limit).await?;
    reach.output.print(&voided, |painter| {
        show::void(&voided, &reach.time_zone, painter)
    })?;
    Ok(match voided.outcome {
        VoidOutcome::Voided => Exit::Ok,
        VoidOutcome::Refused(_) => Exit::Denied,
    })
}
