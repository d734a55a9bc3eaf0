//! `quorate check`: may this person take some more?

use clap::Args;
use quorate_client::model::Decision;

use crate::{
    exit::{Exit, Failure},
    reach::Reach,
    sale::SaleArgs,
    show,
};

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    sale: SaleArgs,
}

pub(crate) async fn run(args: CheckArgs, reach: &Reach) -> Result<Exit, Failure> {
    let sale = args.sale.read(reach)?;
    let verdict = reach.terminal()?.check(&sale, reach.time_limit).await?;
    reach.output.print(&verdict, |painter| {
        show::check(&verdict, sale.quantity, &reach.time_zone, painter)
    })?;
    Ok(match verdict.decision {
        Decision::Granted => Exit::Ok,
        Decision::Denied(_) => Exit::Denied,
    })
}
