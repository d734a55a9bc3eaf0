//! Sites and their stock as whoever follows them sees them. Nothing is written.

use quorate_proto::{
    ids::{ProductId, SiteKey},
    ring::RingRange,
};

use super::{record::SiteProfile, state, stock::StockRecord};
use crate::{codec, error::CoreError, keys, view::View};

/// A site without its devices, and what it has.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownSite {
    /// Who and where.
    pub profile: SiteProfile,
    /// It may not sell.
    pub suspended: bool,
    /// A line for the public; empty: none.
    pub notice: String,
    /// Last change of profile, suspension or notice, Unix milliseconds.
    pub updated_at_ms: i64,
    /// By product.
    pub products: Vec<(ProductId, StockRecord)>,
}

/// One site; `None` if its profile is not known here, whatever stock is.
///
/// # Errors
/// The state cannot be read, or is damaged.
pub fn shown_site(view: &dyn View, site: &SiteKey) -> Result<Option<ShownSite>, CoreError> {
    let Some(record) = state::load_site(view, &keys::site_at(site))? else {
        return Ok(None);
    };
    Ok(Some(ShownSite {
        profile: record.profile,
        suspended: record.suspended,
        notice: record.notice,
        updated_at_ms: record.updated_at_ms,
        products: state::load_stocks(view, site)?,
    }))
}

/// Sites on this part of the ring in their order, behind `after`, at most `max` of them. Fewer: these were
/// the last.
///
/// # Errors
/// The state cannot be read, or is damaged.
pub fn site_keys(
    view: &dyn View,
    range: RingRange,
    after: Option<SiteKey>,
    max: usize,
) -> Result<Vec<SiteKey>, CoreError> {
    let (mut first, end) = keys::sites_in(range);
    if let Some(after) = after {
        first = keys::site_at(&after);
        first.push(0);
    }
    let rows = state::page(view, &first, &end, max)?.0;
    let sites = rows.into_iter().map(|(key, _)| {
        keys::site_of(&key).ok_or_else(|| CoreError::Damaged {
            fault: codec::DecodeError::invalid("key", "is not that of a site"),
            key,
        })
    });
    sites.collect()
}
