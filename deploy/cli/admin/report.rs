//! `quorate admin report`: what was sold and refused, printed as the shards answer.

mod daily;
mod over_quota;

use std::time::Duration;

use clap::{Args, Subcommand};
use futures_util::{Stream, StreamExt as _};
use jiff::civil::Date;
use quorate_client::AdminError;

use crate::{
    exit::{EXIT_CODES_HELP, Exit, Failure},
    reach::Reach,
    rows::{Row, RowFormat, Rows},
};

/// A report reads every shard; the usual time limit of a call says nothing about it.
const REPORT_TIME_MIN: Duration = Duration::from_secs(300);

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Paper sales that exceeded the ration: where, when, by how much
    #[command(after_help = EXIT_CODES_HELP)]
    OverQuota(over_quota::OverQuotaArgs),
    /// Sales and refusals by day, region and kind of site
    #[command(after_help = EXIT_CODES_HELP)]
    Daily(daily::DailyArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// First day, such as 2020-03-09, in the context's time zone
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    from: Option<Date>,

    /// Last day, inclusive
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    to: Option<Date>,

    /// How rows are printed [default: as -o says]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<RowFormat>,
}

pub(crate) async fn run(command: ReportCommand, reach: &Reach) -> Result<Exit, Failure> {
    match command {
        ReportCommand::OverQuota(args) => over_quota::run(args, reach).await,
        ReportCommand::Daily(args) => daily::run(args, reach).await,
    }
}

impl ReportArgs {
    fn check(&self) -> Result<(), Failure> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from > to => Err(Failure::usage(format!(
                "the first day, {from}, is after the last, {to}"
            ))
            .next("exchange --from and --to")),
            _ => Ok(()),
        }
    }
}

/// Reads "2020-03-11".
pub(crate) fn parse_date(text: &str) -> Result<Date, &'static str> {
    let date: Result<Date, _> = text.parse();
    // The library reads other forms as well.
    let date = date.ok().filter(|date| date.to_string() == text);
    date.ok_or("a date is written as 2020-03-11")
}

fn time_limit(reach: &Reach) -> Duration {
    reach.time_limit.max(REPORT_TIME_MIN)
}

/// Prints rows as they come; those of one message leave together.
async fn print<R: Row>(
    rows: impl Stream<Item = Result<R, AdminError>>,
    args: &ReportArgs,
    reach: &Reach,
    nothing: &str,
) -> Result<Exit, Failure> {
    let mut out = Rows::to_stdout(reach.output, args.format, &reach.time_zone);
    let mut rows = std::pin::pin!(rows.ready_chunks(ROWS_FLUSHED));
    while let Some(ready) = rows.next().await {
        for row in ready {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    out.flush()?;
                    return Err(broken_off(error));
                }
            };
            if !out.print(&row)? {
                return Ok(Exit::Ok);
            }
        }
        out.flush()?;
    }
    out.end::<R>(nothing)?;
    Ok(Exit::Ok)
}

/// Rows that leave together at most.
const ROWS_FLUSHED: usize = 500;

fn broken_off(error: AdminError) -> Failure {
    let cause = Failure::from(error);
    let what = format!("the report is not whole: {}", cause.what);
    Failure { what, ..cause }
        .next("ask for it again once the shard is back: `quorate admin status`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_in_one_way() {
        assert!(parse_date("2020-03-11").is_ok());
        for wrong in [
            "2020-3-11",
            "11.3.2020",
            "2020-03-11T00:00",
            "today",
            "2020-02-30",
        ] {
            assert!(parse_date(wrong).is_err(), "{wrong}");
        }
    }
}
