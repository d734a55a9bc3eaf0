//! `quorate admin report over-quota`.

use std::time::Duration;

use clap::Args;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use quorate_client::{
    Operator,
    model::{OverQuotaSale, ShardStatus},
};

use super::{ReportArgs, print, time_limit};
use crate::{
    exit::{Exit, Failure},
    reach::Reach,
    rows::{Column, Row, number, text},
    time,
};

/// A report does not wait longer for sales on their way to their sites.
const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(5);
/// Between two looks at them.
const CATCH_UP_PAUSE: Duration = Duration::from_millis(50);

#[derive(Args, Debug)]
pub(crate) struct OverQuotaArgs {
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn run(args: OverQuotaArgs, reach: &Reach) -> Result<Exit, Failure> {
    let args = args.report;
    args.check()?;
    let from = args.from.map(|from| midnight(from, &reach.time_zone));
    let to = args.to.map(|to| midnight(day_after(to)?, &reach.time_zone));
    let operator = reach.operator()?;
    catch_up(&operator, reach).await?;
    let rows = operator
        .report_over_quota(from.transpose()?, to.transpose()?, time_limit(reach))
        .await?;
    print(rows, &args, reach, "no paper sale exceeded the ration").await
}

/// Waits until what was handed in before now has reached the lists of its sites, which takes a moment.
async fn catch_up(operator: &Operator, reach: &Reach) -> Result<(), Failure> {
    let begun = reach.env.monotonic();
    loop {
        let waited = reach.env.monotonic() - begun;
        let status = operator.status(reach.time_limit).await?;
        let behind = |shard: &&ShardStatus| {
            let pending = shard.outbox_pending > 0;
            let lag = Duration::from_millis(shard.outbox_lag_ms);
            shard.leader_node.is_none() || (pending && lag >= waited)
        };
        let data_shards = status.shards.iter().filter(|shard| shard.shard != 0);
        let behind: Vec<_> = data_shards
            .filter(behind)
            .map(|shard| shard.shard)
            .collect();
        if behind.is_empty() {
            return Ok(());
        }
        if waited >= CATCH_UP_TIME_MAX {
            tracing::warn!(shards = ?behind, "the newest paper sales of these shards may be missing");
            return Ok(());
        }
        reach.env.sleep(CATCH_UP_PAUSE).await;
    }
}

fn midnight(date: Date, zone: &TimeZone) -> Result<Timestamp, Failure> {
    let start = date.to_zoned(zone.clone()).map_err(|_| out_of_time(date))?;
    Ok(start.timestamp())
}

fn day_after(date: Date) -> Result<Date, Failure> {
    date.tomorrow().map_err(|_| out_of_time(date))
}

fn out_of_time(date: Date) -> Failure {
    Failure::usage(format!("the calendar does not reach {date}"))
}

impl Row for OverQuotaSale {
    const COLUMNS: &'static [Column] = &[
        text("sold", 24),
        text("site", 10),
        text("name", 24),
        text("region", 14),
        text("product", 10),
        number("units", 5),
        number("over by", 7),
        text("undone", 24),
        text("request", 36),
    ];
    const CSV: &'static [&'static str] = &[
        "sold_at",
        "site_code",
        "site_name",
        "site_type",
        "region",
        "product",
        "quantity",
        "over_by",
        "voided_at",
        "request_id",
    ];

    fn cells(&self, zone: &TimeZone) -> Vec<String> {
        vec![
            time::short(self.sold_at, zone),
            self.site_code.clone(),
            self.site_name.clone(),
            self.region.clone(),
            self.product.clone(),
            self.quantity.to_string(),
            self.over_by.to_string(),
            self.voided_at
                .map_or_else(String::new, |at| time::short(at, zone)),
            self.request_id.to_string(),
        ]
    }

    fn csv(&self, zone: &TimeZone) -> Vec<String> {
        vec![
            time::rfc3339(self.sold_at, zone),
            self.site_code.clone(),
            self.site_name.clone(),
            self.site_type.clone(),
            self.region.clone(),
            self.product.clone(),
            self.quantity.to_string(),
            self.over_by.to_string(),
            self.voided_at
                .map_or_else(String::new, |at| time::rfc3339(at, zone)),
            self.request_id.to_string(),
        ]
    }
}
