//! Sales and refusals by day, site type and region: every shard counts the same days, and their counts
//! are added while they pass by, in order. [`Merge`] is pure.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use quorate_proto::{
    admin::{DailyCounts, DenialCount, ReportDailyRequest, ReportDailyResponse},
    ids::{ProgramId, ShardId},
    status::ErrorReason,
};
use tonic::Status;

use super::Report;
use crate::{
    directory::View,
    limits,
    model::{
        report::{DayCounts, DayKey, ListDays},
        stock::Page,
    },
    service::{dates, errors},
};

/// As yyyymmdd: no calendar here reaches further.
const LAST_DATE: u32 = 99_991_231;

/// Which days of which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service::admin) struct Days {
    program: ProgramId,
    /// As yyyymmdd, inclusive.
    first: u32,
    last: u32,
}

impl Days {
    pub(in crate::service::admin) fn read(
        message: &ReportDailyRequest,
        view: &View,
    ) -> Result<Days, Status> {
        let program = ProgramId::parse(&message.program).ok();
        let program = program.and_then(|id| view.program(&id)).ok_or_else(|| {
            let text = "there is no such program";
            errors::wrong_field(ErrorReason::UnknownProgram, "program", text)
        })?;
        let date = |field, text: &str, open| match text {
            "" => Ok(open),
            text => dates::date(field, text).map(dates::number),
        };
        let days = Days {
            program: program.id,
            first: date("first_date", &message.first_date, 0)?,
            last: date("last_date", &message.last_date, LAST_DATE)?,
        };
        match days.first <= days.last {
            true => Ok(days),
            false => {
                let text = "must not be before `first_date`";
                Err(errors::invalid("last_date", text))
            }
        }
    }
}

/// Ends with the last day, or with the first error.
pub(in crate::service::admin) fn daily(
    report: Arc<Report>,
    days: Days,
) -> impl Stream<Item = Result<ReportDailyResponse, Status>> + Send + 'static {
    let shards = report.shards();
    let page_rows = limits::DAY_ROWS_HELD / shards.len().max(1);
    let page_rows = page_rows.clamp(limits::DAY_PAGE_ROWS_MIN, limits::PAGE_ROWS as usize);
    // At most PAGE_ROWS, which is one.
    let limit = page_rows as u32;
    let start = (report, Merge::of(shards.len()));
    stream::try_unfold(start, move |(report, mut merge)| async move {
        loop {
            refill(&report, days, limit, &mut merge).await?;
            let rows = merge.take(limits::PAGE_ROWS as usize);
            if !rows.is_empty() {
                let response = ReportDailyResponse {
                    days: rows.into_iter().map(message).collect(),
                };
                return Ok(Some((response, (report, merge))));
            }
            if merge.is_over() {
                report.check_whole().await?;
                return Ok(None);
            }
        }
    })
}

/// Asks for the next page of every shard of which nothing is left here.
async fn refill(report: &Report, days: Days, limit: u32, merge: &mut Merge) -> Result<(), Status> {
    let shards = report.shards();
    let ask = |(index, after): (usize, Bytes)| {
        let shard: ShardId = shards[index];
        async move {
            let list = ListDays {
                program: days.program,
                first_date: days.first,
                last_date: days.last,
                after,
                limit,
            };
            let page = report.page(shard, &list).await?;
            Ok::<_, Status>((index, page))
        }
    };
    let mut pages = stream::iter(merge.wanted())
        .map(ask)
        .buffer_unordered(limits::REPORT_SHARDS_AT_ONCE);
    while let Some((index, page)) = pages.try_next().await? {
        merge.put(index, page);
    }
    Ok(())
}

/// The shards' rows, each in order, and how far they have come.
struct Merge {
    shards: Vec<Progress>,
}

struct Progress {
    rows: VecDeque<(DayKey, DayCounts)>,
    /// Where the next page begins; `None`: there is none.
    next: Option<Bytes>,
}

impl Merge {
    fn of(shards: usize) -> Merge {
        let begin = |_| Progress {
            rows: VecDeque::new(),
            next: Some(Bytes::new()),
        };
        Merge {
            shards: (0..shards).map(begin).collect(),
        }
    }

    /// The shards of which a page is needed, and where it begins.
    fn wanted(&self) -> Vec<(usize, Bytes)> {
        let shards = self.shards.iter().enumerate();
        shards
            .filter(|(_, shard)| shard.rows.is_empty())
            .filter_map(|(index, shard)| Some((index, shard.next.clone()?)))
            .collect()
    }

    fn put(&mut self, index: usize, page: Page<(DayKey, DayCounts)>) {
        let shard = &mut self.shards[index];
        shard.rows.extend(page.rows);
        shard.next = (!page.next.is_empty()).then_some(page.next);
    }

    /// Rows that no page to come can add to, at most so many.
    fn take(&mut self, rows_max: usize) -> Vec<(DayKey, DayCounts)> {
        let mut taken = Vec::new();
        while taken.len() < rows_max && self.wanted().is_empty() {
            let heads = self.shards.iter().filter_map(|shard| shard.rows.front());
            let Some(key) = heads.map(|(key, _)| key).min().cloned() else {
                break;
            };
            let mut sum = DayCounts::default();
            for shard in &mut self.shards {
                if let Some((_, counts)) = shard.rows.pop_front_if(|(head, _)| *head == key) {
                    sum.add(&counts);
                }
            }
            taken.push((key, sum));
        }
        taken
    }

    fn is_over(&self) -> bool {
        let done = |shard: &Progress| shard.rows.is_empty() && shard.next.is_none();
        self.shards.iter().all(done)
    }
}

fn message((key, counts): (DayKey, DayCounts)) -> DailyCounts {
    let denials = counts.denials.into_iter();
    DailyCounts {
        date: dates::text(key.date),
        region: key.region,
        site_type: key.site_type.to_string(),
        online_sales: counts.online_sales,
        online_units: counts.online_units,
        paper_sales: counts.paper_sales,
        paper_units: counts.paper_units,
        over_quota_sales: counts.over_quota_sales,
        voids: counts.voids,
        voided_units: counts.voided_units,
        denials: denials
            .map(|(reason, count)| DenialCount {
                reason: reason.as_str_name().to_owned(),
                count,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use quorate_proto::{
        ids::SiteType,
        status::{METADATA_FIELD, metadata_of, reason_of},
    };

    use super::*;
    use crate::directory::{Program, tests::view};

    fn row(date: u32, region: &str, sales: u64) -> (DayKey, DayCounts) {
        let key = DayKey {
            date,
            site_type: SiteType::PHARMACY,
            region: region.to_owned(),
        };
        let counts = DayCounts {
            online_sales: sales,
            ..DayCounts::default()
        };
        (key, counts)
    }

    fn page(rows: &[(u32, &str, u64)], next: &'static str) -> Page<(DayKey, DayCounts)> {
        Page {
            rows: rows
                .iter()
                .map(|(date, at, n)| row(*date, at, *n))
                .collect(),
            next: Bytes::from_static(next.as_bytes()),
        }
    }

    fn wanted(merge: &Merge) -> Vec<usize> {
        merge.wanted().into_iter().map(|(index, _)| index).collect()
    }

    #[test]
    fn shards_are_added_up_in_order_as_their_pages_come() {
        let mut merge = Merge::of(3);
        assert_eq!(wanted(&merge), [0, 1, 2]);
        merge.put(0, page(&[(1, "A", 1), (1, "B", 2)], "more"));
        merge.put(1, page(&[(1, "B", 10), (2, "A", 20)], ""));
        assert_eq!(
            merge.take(9),
            [],
            "the third shard may count the first day too"
        );
        merge.put(2, page(&[], ""));
        assert_eq!(merge.take(9), [row(1, "A", 1), row(1, "B", 12)]);
        assert_eq!(wanted(&merge), [0], "its next page may hold (2, A)");
        assert!(!merge.is_over());
        merge.put(0, page(&[(2, "A", 3), (3, "A", 4)], ""));
        assert_eq!(merge.take(1), [row(2, "A", 23)]);
        assert_eq!(merge.take(9), [row(3, "A", 4)]);
        assert!(merge.is_over() && wanted(&merge).is_empty());
        assert!(Merge::of(0).is_over());
    }

    #[test]
    fn days_are_read_and_faults_named() {
        let mut view = view(1, "demo", 1);
        view.programs = vec![Program {
            id: ProgramId::parse("mask").unwrap(),
            version: 1,
            zone: jiff::tz::TimeZone::UTC,
            products: Vec::new(),
            definition: std::sync::Arc::default(),
        }];
        let read = |program: &str, first: &str, last: &str| {
            let message = ReportDailyRequest {
                program: program.into(),
                first_date: first.into(),
                last_date: last.into(),
            };
            Days::read(&message, &view)
        };
        let open = read("mask", "", "").unwrap();
        assert_eq!((open.first, open.last), (0, LAST_DATE));
        let one = read("mask", "2020-03-11", "2020-03-11").unwrap();
        assert_eq!((one.first, one.last), (20_200_311, 20_200_311));
        let wrong = [
            (("", "", ""), ErrorReason::UnknownProgram, "program"),
            (("soap", "", ""), ErrorReason::UnknownProgram, "program"),
            (("Mask!", "", ""), ErrorReason::UnknownProgram, "program"),
            (
                ("mask", "today", ""),
                ErrorReason::InvalidField,
                "first_date",
            ),
            (
                ("mask", "", "2020-02-30"),
                ErrorReason::InvalidField,
                "last_date",
            ),
            (
                ("mask", "2020-03-12", "2020-03-11"),
                ErrorReason::InvalidField,
                "last_date",
            ),
        ];
        for ((program, first, last), reason, field) in wrong {
            let status = read(program, first, last).unwrap_err();
            assert_eq!(reason_of(&status), Some(reason), "{program} {first} {last}");
            let named = metadata_of(&status, METADATA_FIELD);
            assert_eq!(named.as_deref(), Some(field));
        }
    }
}
