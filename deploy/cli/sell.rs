//! `quorate sell`: decide and record in one step.

use clap::Args;
use quorate_client::model::Decision;

use crate::{
    citizen::NewRequest,
    exit::{Exit, Failure},
    reach::Reach,
    sale::SaleArgs,
    show,
};

#[derive(Args, Debug)]
pub(crate) struct SellArgs {
    #[command(flatten)]
    sale: SaleArgs,

    #[command(flatten)]
    request: NewRequest,
}

pub(crate) async fn run(args: SellArgs, reach: &Reach) -> Result<Exit, Failure> {
    let sale = args.sale.read(reach)?;
    let request_id = args.request.id(&reach.env);
    let terminal = reach.terminal()?;
    let recorded = terminal.record(request_id, &sale, reach.time_limit).await?;
    reach.output.print(&recorded, |painter| {
        show::sale(&recorded, sale.quantity, &reach.time_zone, painter)
    })?;
    Ok(match recorded.verdict.decision {
        Decision::Granted => Exit::Ok,
        Decision::Denied(_) => Exit::Denied,
    })
}
