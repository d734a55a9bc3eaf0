//! Paper sales beyond the ration, shard by shard; within a shard, as it keeps them.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, future, stream};
use quorate_proto::{
    admin::{OverQuotaSale, ReportOverQuotaRequest, ReportOverQuotaResponse},
    ids::ShardId,
};
use tonic::Status;

use super::Report;
use crate::{
    limits,
    model::{
        report::{self, ListOverQuota},
        stock::Page,
    },
    service::{convert, errors},
};

/// By time of sale, Unix milliseconds; the end is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service::admin) struct Span {
    from_ms: i64,
    to_ms: i64,
}

impl Span {
    pub(in crate::service::admin) fn read(
        message: &ReportOverQuotaRequest,
    ) -> Result<Span, Status> {
        let read = |field, time: &Option<prost_types::Timestamp>, open| match time {
            None => Ok(open),
            Some(time) => convert::unix_ms(time)
                .ok_or_else(|| errors::invalid(field, "is not an instant of this calendar")),
        };
        let span = Span {
            from_ms: read("from", &message.from, 0)?,
            to_ms: read("to", &message.to, i64::MAX)?,
        };
        match span.from_ms < span.to_ms {
            true => Ok(span),
            false => Err(errors::invalid(
                "to",
                "must be later than `from`, which it excludes",
            )),
        }
    }

    fn ask(self, after: Bytes) -> ListOverQuota {
        ListOverQuota {
            from_ms: self.from_ms,
            to_ms: self.to_ms,
            after,
            limit: limits::PAGE_ROWS,
        }
    }
}

type Rows = Page<report::OverQuotaSale>;

/// Ends with the last shard, or with the first error.
pub(in crate::service::admin) fn over_quota(
    report: Arc<Report>,
    span: Span,
) -> impl Stream<Item = Result<ReportOverQuotaResponse, Status>> + Send + 'static {
    let end = {
        let report = report.clone();
        async move { report.check_whole().await }
    };
    // The first pages of a few shards are asked for ahead; most shards have no other.
    let asking = report.clone();
    let first_pages = stream::iter(report.shards())
        .map(move |shard| {
            let report = asking.clone();
            async move {
                let first = report.page(shard, &span.ask(Bytes::new())).await?;
                Ok::<_, Status>((shard, first))
            }
        })
        .buffered(limits::REPORT_SHARDS_AT_ONCE);
    let pages = first_pages
        .map_ok(move |(shard, first)| pages(report.clone(), shard, span, first))
        .try_flatten()
        .try_filter(|page| future::ready(!page.rows.is_empty()))
        .map_ok(|page| ReportOverQuotaResponse {
            sales: page.rows.into_iter().map(message).collect(),
        });
    let error_at_the_end =
        stream::once(end).filter_map(|checked| future::ready(checked.err().map(Err)));
    pages.chain(error_at_the_end)
}

/// The first page of a shard and all behind it.
fn pages(
    report: Arc<Report>,
    shard: ShardId,
    span: Span,
    first: Rows,
) -> impl Stream<Item = Result<Rows, Status>> + Send {
    let behind = first.next.clone();
    let rest = stream::try_unfold((report, behind), move |(report, behind)| async move {
        if behind.is_empty() {
            return Ok(None);
        }
        let page = report.page(shard, &span.ask(behind)).await?;
        let behind = page.next.clone();
        Ok(Some((page, (report, behind))))
    });
    stream::once(future::ready(Ok(first))).chain(rest)
}

fn message(row: report::OverQuotaSale) -> OverQuotaSale {
    OverQuotaSale {
        site_code: row.site_code,
        site_name: row.site_name,
        site_type: row
            .site_type
            .map_or_else(String::new, |kind| kind.to_string()),
        region: row.region,
        product: row.sale.product,
        sold_at: Some(convert::timestamp(row.sale.sold_at_ms)),
        quantity: row.sale.quantity,
        over_by: row.sale.over_by,
        request_id: row.sale.request_id.to_string(),
        voided_at: row.sale.voided_at_ms.map(convert::timestamp),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use prost_types::Timestamp;
    use quorate_proto::status::{METADATA_FIELD, metadata_of};

    use super::*;

    fn at(seconds: i64, nanos: i32) -> Option<Timestamp> {
        Some(Timestamp { seconds, nanos })
    }

    fn read(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<(i64, i64), String> {
        match Span::read(&ReportOverQuotaRequest { from, to }) {
            Ok(span) => Ok((span.from_ms, span.to_ms)),
            Err(status) => Err(metadata_of(&status, METADATA_FIELD).unwrap()),
        }
    }

    #[test]
    fn spans_are_open_or_in_order() {
        assert_eq!(read(None, None), Ok((0, i64::MAX)));
        assert_eq!(read(at(1, 500_000_000), at(2, 0)), Ok((1500, 2000)));
        let wrong = [
            (at(2, 0), at(2, 0), "to"),
            (at(3, 0), at(2, 0), "to"),
            (at(1, -1), None, "from"),
            (None, at(1, 1_000_000_000), "to"),
            (at(i64::MAX, 0), None, "from"),
        ];
        for (from, to, field) in wrong {
            assert_eq!(read(from, to), Err(field.to_owned()), "{from:?} {to:?}");
        }
    }
}
