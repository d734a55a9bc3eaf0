//! What nodes say of whole shards.

use quorate_proto::{ids::SiteType, internal, storage, v1::DenialReason};

use super::{BadAnswer, denial_reason, site_type, stock::site_sale};
use crate::model::{
    report::{DayCounts, DayKey, OverQuotaSale, ShadowCount},
    stock::Page,
};

pub(crate) fn over_quota(
    answer: internal::OverQuotaAnswer,
) -> Result<Page<OverQuotaSale>, BadAnswer> {
    let rows = answer.sales.into_iter().map(|row| {
        let site = row.site.ok_or(BadAnswer::Missing("site"))?;
        Ok(OverQuotaSale {
            site_code: site.code,
            site_name: site.name,
            site_type: SiteType::try_from(site.site_type).ok(),
            region: site.region,
            sale: site_sale(row.sale.ok_or(BadAnswer::Missing("sale"))?)?,
        })
    });
    Ok(Page {
        rows: rows.collect::<Result<_, _>>()?,
        next: answer.next,
    })
}

pub(crate) fn days(answer: internal::DailyAnswer) -> Result<Page<(DayKey, DayCounts)>, BadAnswer> {
    let rows = answer.days.into_iter().map(|row| {
        let key = DayKey {
            date: row.date,
            site_type: site_type(row.site_type)?,
            region: row.region,
        };
        let counts = row.counts.ok_or(BadAnswer::Missing("counts"))?;
        Ok((key, day_counts(counts)?))
    });
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    // Shards are merged row by row, which needs each in order.
    if !rows.is_sorted_by(|(one, _), (next, _)| one < next) {
        return Err(BadAnswer::Value("order of days"));
    }
    Ok(Page {
        rows,
        next: answer.next,
    })
}

fn day_counts(counts: storage::DayCounts) -> Result<DayCounts, BadAnswer> {
    let denials = by_reason(&counts.denials)?;
    Ok(DayCounts {
        online_sales: counts.online_sales,
        online_units: counts.online_units,
        paper_sales: counts.paper_sales,
        paper_units: counts.paper_units,
        over_quota_sales: counts.over_quota_sales,
        voids: counts.voids,
        voided_units: counts.units_voided,
        denials,
    })
}

pub(crate) fn shadows(
    answer: internal::ShadowAnswer,
) -> Result<Vec<(String, ShadowCount)>, BadAnswer> {
    let rules = answer.rules.into_iter().map(|row| {
        let counts = row.counts.ok_or(BadAnswer::Missing("counts"))?;
        let counts = ShadowCount {
            evaluated: counts.evaluated,
            would_deny: by_reason(&counts.would_deny)?.into_iter().collect(),
            would_grant: counts.would_grant,
        };
        Ok((row.rule, counts))
    });
    rules.collect()
}

/// What was counted, indexed by the number of its reason.
fn by_reason(counts: &[u64]) -> Result<Vec<(DenialReason, u64)>, BadAnswer> {
    let counted = counts.iter().zip(0..).filter(|(count, _)| **count > 0);
    counted
        .map(|(count, number)| Ok((denial_reason(number)?, *count)))
        .collect()
}
