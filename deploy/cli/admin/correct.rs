//! `quorate admin correct`: undo a sale that should not stand, and keep why.

use clap::Args;
use quorate_client::model::{Correction, VoidOutcome};
use quorate_proto::ids::ProgramId;

use crate::{
    citizen::{CitizenArg, NewRequest, RequestIdArg},
    exit::{Exit, Failure},
    reach::Reach,
    show,
};

#[derive(Args, Debug)]
pub(crate) struct CorrectArgs {
    #[command(flatten)]
    citizen: CitizenArg,

    /// The request id of the sale to undo, as `quorate admin history` lists it
    #[arg(long, value_name = "UUID")]
    sale: RequestIdArg,

    /// Why; stays on record
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// Under which case number; stays on record
    #[arg(long, value_name = "NO")]
    case: String,

    /// The program [default: the context's]
    #[arg(long, value_name = "ID")]
    program: Option<ProgramId>,

    #[command(flatten)]
    request: NewRequest,
}

pub(super) async fn run(args: CorrectArgs, reach: &Reach) -> Result<Exit, Failure> {
    let RequestIdArg(sale_request_id) = args.sale;
    let correction = Correction {
        citizen: args.citizen.read(&reach.context.value.id_scheme)?,
        program: reach.program(args.program)?,
        sale_request_id,
        reason: args.reason,
        case_number: args.case,
    };
    let request_id = args.request.id(&reach.env);
    let voided = reach
        .operator()?
        .correct_sale(request_id, &correction, reach.time_limit)
        .await?;
    reach.output.print(&voided, |painter| {
        show::void(&voided, &reach.time_zone, painter)
    })?;
    Ok(match voided.outcome {
        VoidOutcome::Voided => Exit::Ok,
        VoidOutcome::Refused(_) => Exit::Denied,
    })
}
