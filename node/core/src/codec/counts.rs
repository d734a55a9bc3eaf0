//! What is counted for reports ↔ its messages.

use quorate_proto::{internal, storage as pb};

use super::DecodeError;
use crate::ledger::{
    DailyAnswer, DailyRow, DayCounts, ReasonCounts, RetiredUnits, ShadowCounts, ShadowRow,
};

pub(super) fn day_to_proto(counts: &DayCounts) -> pb::DayCounts {
    pb::DayCounts {
        online_sales: counts.online_sales,
        online_units: counts.online_units,
        paper_sales: counts.paper_sales,
        paper_units: counts.paper_units,
        over_quota_sales: counts.over_quota_sales,
        voids: counts.voids,
        units_voided: counts.units_voided,
        denials: counts.denials.to_vec(),
    }
}

pub(super) fn day_from_proto(message: &pb::DayCounts) -> Result<DayCounts, DecodeError> {
    Ok(DayCounts {
        online_sales: message.online_sales,
        online_units: message.online_units,
        paper_sales: message.paper_sales,
        paper_units: message.paper_units,
        over_quota_sales: message.over_quota_sales,
        voids: message.voids,
        units_voided: message.units_voided,
        denials: reasons(&message.denials)?,
    })
}

pub(super) fn shadow_to_proto(counts: &ShadowCounts) -> pb::ShadowCounts {
    pb::ShadowCounts {
        evaluated: counts.evaluated,
        would_deny: counts.would_deny.to_vec(),
        would_grant: counts.would_grant,
    }
}

pub(super) fn shadow_from_proto(message: &pb::ShadowCounts) -> Result<ShadowCounts, DecodeError> {
    Ok(ShadowCounts {
        evaluated: message.evaluated,
        would_deny: reasons(&message.would_deny)?,
        would_grant: message.would_grant,
    })
}

pub(super) fn retired_to_proto(units: &RetiredUnits) -> pb::RetiredUnits {
    pb::RetiredUnits {
        sold: units.sold,
        voided: units.voided,
    }
}

pub(super) fn retired_from_proto(message: &pb::RetiredUnits) -> RetiredUnits {
    RetiredUnits {
        sold: message.sold,
        voided: message.voided,
    }
}

pub(super) fn daily_to_proto(answer: DailyAnswer) -> internal::DailyAnswer {
    let row = |row: DailyRow| internal::DailyRow {
        date: row.day.date,
        site_type: row.day.site_type.get().into(),
        region: row.day.region.to_string(),
        counts: Some(day_to_proto(&row.counts)),
    };
    internal::DailyAnswer {
        days: answer.rows.into_iter().map(row).collect(),
        next: answer.next.into(),
    }
}

pub(super) fn shadows_to_proto(rows: &[ShadowRow]) -> internal::ShadowAnswer {
    let row = |row: &ShadowRow| internal::ShadowRow {
        rule: row.rule.to_string(),
        counts: Some(shadow_to_proto(&row.counts)),
    };
    internal::ShadowAnswer {
        rules: rows.iter().map(row).collect(),
    }
}

/// Counts by reason. Rows written before a reason was known are shorter.
pub(super) fn reasons(message: &[u64]) -> Result<ReasonCounts, DecodeError> {
    let mut counts = ReasonCounts::default();
    let Some(known) = counts.get_mut(..message.len()) else {
        return Err(DecodeError::invalid(
            "denials",
            "count a reason that is not known here",
        ));
    };
    known.copy_from_slice(message);
    Ok(counts)
}
