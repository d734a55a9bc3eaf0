//! `quorate void`: undo a sale of this site, on the day of that sale.

use clap::Args;
use quorate_client::model::{Undo, VoidOutcome};
use quorate_proto::ids::ProgramId;

use crate::{
    citizen::{CitizenArg, NewRequest, RequestIdArg},
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

    #[command(flatten)]
    request: NewRequest,
}

pub(crate) async fn run(args: VoidArgs, reach: &Reach) -> Result<Exit, Failure> {
    let RequestIdArg(sale_request_id) = args.sale;
    let undo = Undo {
        citizen: args.citizen.read(&reach.context.value.id_scheme)?,
        program: reach.program(args.program)?,
        sale_request_id,
    };
    let request_id = args.request.id(&reach.env);
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
