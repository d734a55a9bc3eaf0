//! `quorate admin report daily`.

use clap::Args;
use jiff::tz::TimeZone;
use quorate_client::model::{DailyCounts, DenialReason};
use quorate_proto::ids::ProgramId;

use super::{ReportArgs, print, time_limit};
use crate::{
    exit::{Exit, Failure},
    reach::Reach,
    rows::{Column, Row, number, text},
};

#[derive(Args, Debug)]
pub(crate) struct DailyArgs {
    #[command(flatten)]
    report: ReportArgs,

    /// The program, whose days these are [default: the context's]
    #[arg(long, value_name = "ID")]
    program: Option<ProgramId>,
}

pub(super) async fn run(args: DailyArgs, reach: &Reach) -> Result<Exit, Failure> {
    let program = reach.program(args.program)?;
    let args = args.report;
    args.check()?;
    let rows = reach
        .operator()?
        .report_daily(program, args.from, args.to, time_limit(reach))
        .await?;
    print(rows, &args, reach, "nothing was sold or refused").await
}

impl Row for DailyCounts {
    const COLUMNS: &'static [Column] = &[
        text("date", 10),
        text("region", 14),
        text("type", 4),
        number("online", 9),
        number("units", 9),
        number("paper", 7),
        number("units", 7),
        number("paper %", 7),
        number("over", 5),
        number("undone", 6),
        number("denied", 8),
        text("why", 0),
    ];
    /// Refusals have one column a reason, so that every day has the same columns.
    const CSV: &'static [&'static str] = &[
        "date",
        "region",
        "site_type",
        "online_sales",
        "online_units",
        "paper_sales",
        "paper_units",
        "over_quota_sales",
        "voids",
        "voided_units",
        "denied",
        "denied_over_limit",
        "denied_not_your_day",
        "denied_already_visited",
        "denied_program_closed",
        "denied_site_type_not_allowed",
        "denied_proxy_not_allowed",
        "denied_quantity_too_large",
        "denied_site_suspended",
    ];

    fn cells(&self, _: &TimeZone) -> Vec<String> {
        let percent = self.paper_percent();
        let why = self.denials.iter();
        let why: Vec<_> = why
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        vec![
            self.date.to_string(),
            match self.region.is_empty() {
                true => "-".to_owned(),
                false => self.region.clone(),
            },
            self.site_type.clone(),
            self.online_sales.to_string(),
            self.online_units.to_string(),
            self.paper_sales.to_string(),
            self.paper_units.to_string(),
            percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1}")),
            self.over_quota_sales.to_string(),
            self.voids.to_string(),
            self.denied().to_string(),
            why.join(", "),
        ]
    }

    fn csv(&self, _: &TimeZone) -> Vec<String> {
        let mut cells = vec![
            self.date.to_string(),
            self.region.clone(),
            self.site_type.clone(),
        ];
        let counts = [
            self.online_sales,
            self.online_units,
            self.paper_sales,
            self.paper_units,
            self.over_quota_sales,
            self.voids,
            self.voided_units,
            self.denied(),
        ];
        let by_reason = DenialReason::ALL.map(|reason| self.denials.get(reason.name()));
        let by_reason = by_reason.map(|count| count.copied().unwrap_or(0));
        cells.extend(counts.iter().chain(&by_reason).map(u64::to_string));
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_column() {
        let day = DailyCounts {
            date: jiff::civil::date(2020, 3, 11),
            region: "서울특별시".to_owned(),
            site_type: "01".to_owned(),
            online_sales: 3,
            online_units: 6,
            paper_sales: 1,
            paper_units: 2,
            over_quota_sales: 1,
            voids: 0,
            voided_units: 0,
            denials: DenialReason::ALL
                .iter()
                .zip(1..)
                .map(|(reason, count)| (reason.name().to_owned(), count))
                .collect(),
        };
        let cells = day.csv(&TimeZone::UTC);
        let head: Vec<_> = DailyCounts::CSV
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        let of = |name: &str| {
            let at = head.iter().position(|head| head == name);
            &*cells[at.expect("a column")]
        };
        assert_eq!(cells.len(), head.len());
        for (reason, count) in DenialReason::ALL.iter().zip(1..) {
            let column = format!("denied_{}", reason.name().to_lowercase());
            assert_eq!(of(&column), count.to_string(), "{column}");
        }
        assert_eq!((of("denied"), of("paper_units")), ("36", "2"));
        let shown = day.cells(&TimeZone::UTC);
        assert_eq!(
            (shown.len(), &*shown[7]),
            (DailyCounts::COLUMNS.len(), "25.0")
        );
    }
}
