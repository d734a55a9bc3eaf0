//! Outcomes and answers → their messages. They travel and are never stored.

use bytes::Bytes;
use quorate_proto::{
    internal,
    storage::{self as pb, command_error::Kind, outcome::Body},
    v1,
};

use super::{
    counts::{daily_to_proto, shadows_to_proto},
    deliver::{over_quota_to_proto, site_sales_to_proto, stock_answer_to_proto},
    records::{profile_to_proto, sale_to_proto},
    stock::stock_to_proto,
};
use crate::{
    checkpoint::RecordTotals,
    ledger::{
        Answer, CommandError, CommandErrorKind, DenialReason, Outcome, PutDeviceOutcome,
        SlipOutcome, SlipRejection, SlipResult, StockOutcome, Verdict, VoidRefusal,
    },
};

pub use super::records::totals_to_proto;

/// The result of a command as it travels.
#[must_use]
pub fn outcome_to_proto(outcome: Outcome) -> pb::Outcome {
    let body = match outcome {
        Outcome::Record(record) => Body::Record(pb::RecordOutcome {
            verdict: Some(verdict_to_proto(record.verdict)),
            repeated_answer: record.repeated,
        }),
        Outcome::Slip(slip) => Body::Slip(slip_to_proto(slip)),
        Outcome::Void(void) => Body::Void(pb::VoidOutcome {
            refusal: void.refused.map_or(0, VoidRefusal::number),
            quantity: void.quantity,
            remaining: void.remaining,
            decided_at_ms: void.decided_at_ms,
            repeated_answer: void.repeated,
        }),
        Outcome::PutSites(put) => Body::PutSites(pb::PutSitesOutcome {
            added: put.added,
            replaced: put.replaced,
            unchanged: put.unchanged,
        }),
        Outcome::PutDevice(put) => Body::PutDevice(pb::PutDeviceOutcome {
            already_enrolled: put == PutDeviceOutcome::AlreadyEnrolled,
            site_unknown: put == PutDeviceOutcome::SiteUnknown,
            key_conflict: put == PutDeviceOutcome::KeyConflict,
        }),
        Outcome::Stock(StockOutcome::SiteUnknown) => Body::Stock(pb::StockOutcome {
            site_unknown: true,
            ..pb::StockOutcome::default()
        }),
        Outcome::Stock(StockOutcome::Answered { stock, repeated }) => {
            Body::Stock(pb::StockOutcome {
                stock: stock.as_ref().map(|(_, stock)| stock_to_proto(stock)),
                product: stock.map_or_else(String::new, |(product, _)| product.to_string()),
                repeated_answer: repeated,
                site_unknown: false,
            })
        }
        Outcome::Done => Body::Done(pb::Done {}),
        Outcome::Error(error) => Body::Error(error_to_proto(error)),
    };
    pb::Outcome { body: Some(body) }
}

/// The answer to a query as it travels.
#[must_use]
pub fn answer_to_proto(answer: Answer) -> internal::query_reply::Body {
    use internal::query_reply::Body;
    match answer {
        Answer::Check(verdict) => Body::Check(internal::CheckAnswer {
            verdict: Some(verdict_to_proto(verdict)),
        }),
        Answer::List(sales) => Body::List(internal::ListAnswer {
            sales: sales.into_iter().map(sale_to_proto).collect(),
        }),
        Answer::Device(device) => Body::Device(internal::DeviceAnswer {
            site: device.site.map(profile_to_proto),
            public_key: device
                .public_key
                .map_or_else(Bytes::new, |key| Bytes::copy_from_slice(&key)),
        }),
        Answer::Daily(answer) => Body::Daily(daily_to_proto(answer)),
        Answer::Shadow(rows) => Body::Shadow(shadows_to_proto(&rows)),
        Answer::Stock { site, now_ms } => Body::Stock(stock_answer_to_proto(site, now_ms)),
        Answer::SiteSales(answer) => Body::SiteSales(site_sales_to_proto(answer)),
        Answer::OverQuota(answer) => Body::OverQuota(over_quota_to_proto(answer)),
        Answer::Error(error) => Body::Error(error_to_proto(error)),
    }
}

/// What was counted from the records, as it is reported.
#[must_use]
pub fn record_totals_to_proto(totals: &RecordTotals) -> internal::RecordTotals {
    internal::RecordTotals {
        citizens: totals.citizens,
        sites: totals.sites,
        grants: totals.grants,
        units: totals.units,
        records_over_limit: totals.records_over_limit,
        outbox_rows: totals.outbox_rows,
    }
}

fn verdict_to_proto(verdict: Verdict) -> pb::Verdict {
    pb::Verdict {
        granted: verdict.denied.is_none(),
        reason: verdict.denied.map_or(0, DenialReason::number),
        remaining: verdict.remaining,
        limit: verdict.limit,
        next_eligible_ms: verdict.next_eligible_ms,
        window_start_ms: verdict.window.map_or(0, |window| window.start_ms),
        window_end_ms: verdict.window.map_or(0, |window| window.end_ms),
        rule_version: verdict
            .rule
            .map_or_else(String::new, |rule| rule.to_string()),
        decided_at_ms: verdict.decided_at_ms,
        purchases: verdict.purchases.into_iter().map(sale_to_proto).collect(),
    }
}

fn slip_to_proto(slip: SlipOutcome) -> pb::SlipOutcome {
    let (outcome, rejection) = match slip.result {
        SlipResult::Accepted => (v1::SlipOutcome::Accepted, None),
        SlipResult::Duplicate => (v1::SlipOutcome::Duplicate, None),
        SlipResult::OverQuotaRecorded => (v1::SlipOutcome::OverQuotaRecorded, None),
        SlipResult::Rejected(rejection) => (v1::SlipOutcome::Rejected, Some(rejection)),
    };
    pb::SlipOutcome {
        outcome: outcome as u32,
        rejection: rejection.map_or(0, SlipRejection::number),
        irregularity: slip.irregularity.map_or(0, DenialReason::number),
        over_by: slip.over_by,
        remaining: slip.remaining,
    }
}

fn error_to_proto(error: CommandError) -> pb::CommandError {
    let kind = match error.kind {
        CommandErrorKind::RequestIdConflict => Kind::RequestIdConflict,
        CommandErrorKind::UnknownProgram => Kind::UnknownProgram,
        CommandErrorKind::WrongShard => Kind::WrongShard,
        CommandErrorKind::QuantityTooLarge => Kind::QuantityTooLarge,
        CommandErrorKind::TooMany => Kind::TooMany,
        CommandErrorKind::UnknownProduct => Kind::UnknownProduct,
    };
    pb::CommandError {
        kind: kind.into(),
        detail: error.detail,
    }
}
