//! `quorate stock`: the stock of the context's own site.

mod show;

use clap::{Args, Subcommand, ValueEnum};
use futures_util::StreamExt as _;
use jiff::civil::Date;
use quorate_client::model::{Adjustment, AdjustmentReason};
use quorate_proto::ids::ProductId;

use crate::{
    admin::parse_date,
    citizen::{NewRequest, parse_quantity},
    exit::{EXIT_CODES_HELP, Exit, Failure},
    reach::Reach,
    rows::{RowFormat, Rows},
};

#[derive(Debug, Subcommand)]
pub(crate) enum StockCommand {
    /// Enter goods that came in
    #[command(after_help = EXIT_CODES_HELP)]
    Receive(ReceiveArgs),
    /// Correct the count, such as `adjust -3 --reason damaged`
    #[command(after_help = EXIT_CODES_HELP)]
    Adjust(AdjustArgs),
    /// Say how many units the number tickets take that were handed out
    #[command(after_help = EXIT_CODES_HELP)]
    Hold(HoldArgs),
    /// Stop the sale: the public sees it at once
    #[command(after_help = EXIT_CODES_HELP)]
    Stop(ChangeArgs),
    /// Sell again
    #[command(after_help = EXIT_CODES_HELP)]
    Resume(ChangeArgs),
    /// Tell the public something, such as "tickets from 08:30"; an empty text takes it away
    #[command(after_help = EXIT_CODES_HELP)]
    Notice(NoticeArgs),
    /// What is there
    Show,
    /// The site's own sales of a day, oldest first
    Sales(SalesArgs),
}

/// Which product, and under which request.
#[derive(Args, Debug)]
pub(crate) struct ChangeArgs {
    /// The product [default: the first of the first program, by id]
    #[arg(long, value_name = "ID")]
    product: Option<ProductId>,

    #[command(flatten)]
    request: NewRequest,
}

#[derive(Args, Debug)]
pub(crate) struct ReceiveArgs {
    /// Units, 1 to 1,000,000
    #[arg(value_name = "N", allow_negative_numbers = true, value_parser = parse_quantity)]
    units: u32,

    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct AdjustArgs {
    /// Units more or less, such as +2 or -5
    #[arg(value_name = "±N", allow_negative_numbers = true, value_parser = parse_delta)]
    delta: i32,

    /// Why
    #[arg(long, value_enum)]
    reason: Reason,

    /// More about it; needed with `--reason other`
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    note: String,

    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Reason {
    /// Counted again
    Counted,
    /// Damaged goods
    Damaged,
    /// Given back to the supplier
    Returned,
    /// Given to, or taken from, another site
    Transferred,
    /// The note says what
    Other,
}

#[derive(Args, Debug)]
pub(crate) struct HoldArgs {
    /// Units, 0 to 1,000,000
    #[arg(value_name = "N", allow_negative_numbers = true, value_parser = parse_held)]
    units: u32,

    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct NoticeArgs {
    /// At most 200 bytes
    text: String,

    #[command(flatten)]
    request: NewRequest,
}

#[derive(Args, Debug)]
pub(crate) struct SalesArgs {
    /// Today or yesterday, such as 2020-03-11 [default: today]
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    date: Option<Date>,

    /// How rows are printed [default: as -o says]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<RowFormat>,
}

fn parse_delta(text: &str) -> Result<i32, &'static str> {
    text.parse()
        .map_err(|_| "a change is a whole number with its sign, such as +2 or -5")
}

fn parse_held(text: &str) -> Result<u32, &'static str> {
    text.parse()
        .map_err(|_| "what is held is a whole number, 0 or more")
}

pub(crate) async fn run(command: StockCommand, reach: &Reach) -> Result<Exit, Failure> {
    let (env, limit) = (&reach.env, reach.time_limit);
    let terminal = reach.terminal()?;
    let (headline, changed) = match command {
        StockCommand::Receive(ReceiveArgs { units, change }) => {
            let id = change.request.id(env);
            let changed = terminal.receive_stock(id, change.product, units, limit);
            (format!("RECEIVED: {units}"), changed.await?)
        }
        StockCommand::Adjust(args) => {
            let id = args.change.request.id(env);
            let adjustment = Adjustment {
                product: args.change.product,
                delta: args.delta,
                reason: args.reason.into(),
                note: args.note,
            };
            let changed = terminal.adjust_stock(id, &adjustment, limit).await?;
            (format!("ADJUSTED: {:+}", args.delta), changed)
        }
        StockCommand::Hold(HoldArgs { units, change }) => {
            let id = change.request.id(env);
            let changed = terminal.hold_stock(id, change.product, units, limit);
            (format!("HELD: {units}"), changed.await?)
        }
        StockCommand::Stop(change) => {
            let id = change.request.id(env);
            let changed = terminal.stop_sales(id, change.product, limit).await?;
            (
                "STOPPED: the public sees that the sale is stopped".to_owned(),
                changed,
            )
        }
        StockCommand::Resume(change) => {
            let id = change.request.id(env);
            let changed = terminal.resume_sales(id, change.product, limit).await?;
            (
                "RESUMED: the public sees the stock again".to_owned(),
                changed,
            )
        }
        StockCommand::Notice(NoticeArgs { text, request }) => {
            let set = terminal.set_notice(request.id(env), &text, limit).await?;
            reach
                .output
                .print(&set, |painter| show::notice(&set, &text, painter))?;
            return Ok(Exit::Ok);
        }
        StockCommand::Show => {
            let stock = terminal.stock(limit).await?;
            reach.output.print(&stock, |painter| {
                show::site(&stock, &reach.time_zone, painter)
            })?;
            return Ok(Exit::Ok);
        }
        StockCommand::Sales(args) => return sales(args, reach).await,
    };
    reach.output.print(&changed, |painter| {
        show::changed(&headline, &changed, &reach.time_zone, painter)
    })?;
    Ok(Exit::Ok)
}

async fn sales(args: SalesArgs, reach: &Reach) -> Result<Exit, Failure> {
    let terminal = reach.terminal()?;
    let sales = terminal.site_sales(args.date, reach.time_limit).await?;
    let mut sales = std::pin::pin!(sales);
    let mut out = Rows::to_stdout(reach.output, args.format, &reach.time_zone);
    while let Some(sale) = sales.next().await {
        if !out.print(&sale?)? {
            return Ok(Exit::Ok);
        }
    }
    out.end::<quorate_client::model::SiteSale>("nothing sold on that day")?;
    Ok(Exit::Ok)
}

impl From<Reason> for AdjustmentReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Counted => Self::Counted,
            Reason::Damaged => Self::Damaged,
            Reason::Returned => Self::Returned,
            Reason::Transferred => Self::Transferred,
            Reason::Other => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parse(line: &str) -> Result<StockCommand, String> {
        let words = ["quorate", "stock"].into_iter().chain(line.split(' '));
        match Cli::try_parse_from(words) {
            Ok(Cli {
                command: Command::Stock(command),
                ..
            }) => Ok(command),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn signs_are_numbers_and_not_options() {
        for (line, delta) in [
            ("adjust -5 --reason damaged", -5),
            ("adjust +2 --reason counted", 2),
        ] {
            match parse(line) {
                Ok(StockCommand::Adjust(args)) => assert_eq!(args.delta, delta),
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, word) in [
            ("receive many", "whole number"),
            ("receive -1", "whole number"),
            ("adjust 5", "--reason"),
            ("adjust five --reason counted", "sign"),
            ("adjust 5 --reason stolen", "damaged"),
            ("hold -1", "0 or more"),
            ("receive 5 --product Kf94!", "--product"),
            ("receive 5 --request-id 17", "--request-id"),
            ("sales --date 11.3.", "2020-03-11"),
            ("sell 5", "unrecognized subcommand"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(word), "{line}: {error}");
        }
    }
}
