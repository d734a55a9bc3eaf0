//! Answers what a site sold, and what was sold on paper beyond the ration, page by page.

use quorate_proto::ids::SiteKey;

use super::{
    deliver::ListedSale,
    query::{OverQuotaQuery, SiteSalesQuery},
    record::{ShardFacts, SiteProfile},
    state,
};
use crate::{
    codec::{self, DecodeError},
    error::CoreError,
    keys, limits,
    view::View,
};

/// One page of a site's sales, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteSalesAnswer {
    /// The sales.
    pub sales: Vec<ListedSale>,
    /// Where the next page goes on; empty: this was the last.
    pub next: Vec<u8>,
}

/// One page of a shard's paper sales beyond the ration, site by site.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OverQuotaAnswer {
    /// The sales; the site is `None` where it was never imported.
    pub sales: Vec<(Option<SiteProfile>, ListedSale)>,
    /// Where the next page goes on; empty: this was the last. A page may be empty and not the last.
    pub next: Vec<u8>,
}

/// One page of a site's sales.
pub(super) fn site_sales(
    view: &dyn View,
    query: &SiteSalesQuery,
) -> Result<SiteSalesAnswer, CoreError> {
    let site = SiteKey::of(&query.site_code);
    let (first, end) = keys::site_sales(&site, query.from_ms, query.to_ms);
    let limit = query.limit as usize;
    let rows = state::page(view, &behind(first, &query.after), &end, limit)?.0;
    Ok(SiteSalesAnswer {
        next: next(&rows, limit),
        sales: state::decoded(rows, listed)?,
    })
}

/// One page of paper sales beyond the ration. Those made at other times are passed over, so many at once
/// that one question never holds up the shard.
pub(super) fn over_quota(
    view: &dyn View,
    facts: &ShardFacts,
    query: &OverQuotaQuery,
) -> Result<OverQuotaAnswer, CoreError> {
    let Some(range) = facts.range else {
        return Ok(OverQuotaAnswer::default());
    };
    let (first, end) = keys::over_quota_in(range);
    let limit = query.limit as usize;
    let mut rows = state::page(
        view,
        &behind(first, &query.after),
        &end,
        limits::LISTED_SCANNED_MAX,
    )?
    .0;
    let mut next = next(&rows, limits::LISTED_SCANNED_MAX);
    let asked = |key: &[u8]| {
        keys::sale_of(key)
            .is_none_or(|(sold_at_ms, _)| (query.from_ms..query.to_ms).contains(&sold_at_ms))
    };
    rows.retain(|(key, _)| asked(key));
    if rows.len() > limit {
        rows.truncate(limit);
        next = self::next(&rows, limit);
    }
    let mut sales: Vec<(Option<SiteProfile>, ListedSale)> = Vec::with_capacity(rows.len());
    let mut last_site: Option<(SiteKey, Option<SiteProfile>)> = None;
    for (key, value) in rows {
        let site = keys::site_of(&key);
        let site = site.ok_or_else(|| damaged(&key, DecodeError::missing("site of a sale")))?;
        let sale = listed(&key, &value).map_err(|fault| damaged(&key, fault))?;
        // The sales of a site lie together.
        let profile = match last_site.take() {
            Some((last, profile)) if last == site => profile,
            _ => state::load_site(view, &keys::site_at(&site))?.map(|site| site.profile),
        };
        last_site = Some((site, profile.clone()));
        sales.push((profile, sale));
    }
    Ok(OverQuotaAnswer { sales, next })
}

fn listed(key: &[u8], value: &[u8]) -> Result<ListedSale, DecodeError> {
    let (sold_at_ms, request_id) =
        keys::sale_of(key).ok_or(DecodeError::missing("time and name of a sale"))?;
    Ok(ListedSale {
        request_id,
        sold_at_ms,
        sale: codec::decode_site_sale(value)?,
    })
}

fn damaged(key: &[u8], fault: DecodeError) -> CoreError {
    let key = key.to_vec();
    CoreError::Damaged { key, fault }
}

/// A page goes on behind the last key of the one before, and never in front of the range asked for.
fn behind(first: Vec<u8>, after: &[u8]) -> Vec<u8> {
    if after < first.as_slice() {
        return first;
    }
    let mut behind = after.to_vec();
    behind.push(0);
    behind
}

/// Where a page goes on: behind its last row, if it is full.
fn next(rows: &[(Vec<u8>, Vec<u8>)], max: usize) -> Vec<u8> {
    match rows.last() {
        Some((key, _)) if rows.len() >= max => key.clone(),
        _ => Vec::new(),
    }
}
