//! Keys of what a shard keeps of its sites: `0x03 ‖ kind (1) ‖ ring position (8) ‖ rest of key (8) ‖ …`.
//!
//! Sites have a family of their own, each kind together and in ring order: a list of sites, or of the paper
//! sales beyond the ration, is read without passing over a thousand times as many citizens. The position
//! leads within a kind, so a split moves no bytes here either.

use quorate_proto::{
    ids::{ProductId, RequestId, SiteCode, SiteKey},
    ring::RingRange,
};

use super::StateKind;

pub(super) const SITES: u8 = 0x03;

const SITE: u8 = 0x01;
const STOCK: u8 = 0x02;
const JOURNAL: u8 = 0x03;
const SALE: u8 = 0x04;
const OVER_QUOTA: u8 = 0x05;

/// Every kind, in key order.
const KINDS: [u8; 5] = [SITE, STOCK, JOURNAL, SALE, OVER_QUOTA];

/// Bytes in front of what differs by kind: family, kind, position and rest.
const PREFIX: usize = 2 + 16;

/// Bytes of the key of a sale in its site's list: prefix, time, request id.
const SALE_KEY: usize = PREFIX + 8 + 16;

/// One site, by its code.
#[must_use]
pub fn site(code: &SiteCode) -> Vec<u8> {
    site_at(&SiteKey::of(code))
}

/// One site.
#[must_use]
pub fn site_at(site: &SiteKey) -> Vec<u8> {
    prefix(SITE, site, 0)
}

/// One product at one site.
#[must_use]
pub fn stock(site: &SiteKey, product: &ProductId) -> Vec<u8> {
    let mut key = prefix(STOCK, site, product.as_bytes().len());
    key.extend_from_slice(product.as_bytes());
    key
}

/// The `[first, end)` range of every product at one site.
#[must_use]
pub fn stocks(site: &SiteKey) -> (Vec<u8>, Vec<u8>) {
    let first = prefix(STOCK, site, 0);
    let end = behind(&first);
    (first, end)
}

/// What one site changed by itself.
#[must_use]
pub fn journal(site: &SiteKey) -> Vec<u8> {
    prefix(JOURNAL, site, 0)
}

/// One sale in its site's list.
#[must_use]
pub fn site_sale(site: &SiteKey, sold_at_ms: i64, request: RequestId) -> Vec<u8> {
    sale_key(SALE, site, sold_at_ms, request)
}

/// The `[first, end)` range of a site's sales made at `from_ms` or later and before `to_ms`.
#[must_use]
pub fn site_sales(site: &SiteKey, from_ms: i64, to_ms: i64) -> (Vec<u8>, Vec<u8>) {
    (timed(SALE, site, from_ms), timed(SALE, site, to_ms))
}

/// One paper sale beyond the ration, in its site's list of those.
#[must_use]
pub fn over_quota(site: &SiteKey, sold_at_ms: i64, request: RequestId) -> Vec<u8> {
    sale_key(OVER_QUOTA, site, sold_at_ms, request)
}

/// The `[first, end)` range of a site's paper sales beyond the ration made before `to_ms`.
#[must_use]
pub fn over_quotas(site: &SiteKey, to_ms: i64) -> (Vec<u8>, Vec<u8>) {
    (prefix(OVER_QUOTA, site, 0), timed(OVER_QUOTA, site, to_ms))
}

/// The `[first, end)` ranges of everything of the sites on this part of the ring, in key order.
#[must_use]
pub fn site_ranges(range: RingRange) -> Vec<(Vec<u8>, Vec<u8>)> {
    KINDS.map(|kind| kind_range(kind, range)).into()
}

/// The `[first, end)` range of the site records on this part of the ring.
#[must_use]
pub fn sites_in(range: RingRange) -> (Vec<u8>, Vec<u8>) {
    kind_range(SITE, range)
}

/// The `[first, end)` range of all stock on this part of the ring.
#[must_use]
pub fn stocks_in(range: RingRange) -> (Vec<u8>, Vec<u8>) {
    kind_range(STOCK, range)
}

/// The `[first, end)` range of the paper sales beyond the ration on this part of the ring.
#[must_use]
pub fn over_quota_in(range: RingRange) -> (Vec<u8>, Vec<u8>) {
    kind_range(OVER_QUOTA, range)
}

/// The `[first, end)` range of all site records and all stock, of every shard: what the public sees
/// of a site.
#[must_use]
pub fn shown() -> (Vec<u8>, Vec<u8>) {
    (vec![SITES, SITE], vec![SITES, STOCK + 1])
}

/// The site that a key of this family belongs to.
#[must_use]
pub fn site_of(key: &[u8]) -> Option<SiteKey> {
    if key.first() != Some(&SITES) {
        return None;
    }
    let bytes = key.get(2..PREFIX)?;
    <[u8; 16]>::try_from(bytes).ok().map(SiteKey::new)
}

/// The product of a stock key.
#[must_use]
pub fn product_of(key: &[u8]) -> Option<ProductId> {
    if kind(key) != Some(StateKind::Stock) {
        return None;
    }
    let text = std::str::from_utf8(&key[PREFIX..]).ok()?;
    ProductId::parse(text).ok()
}

/// When the sale of this key was made, and its request id.
#[must_use]
pub fn sale_of(key: &[u8]) -> Option<(i64, RequestId)> {
    if !matches!(
        kind(key),
        Some(StateKind::SiteSale | StateKind::OverQuotaSale)
    ) {
        return None;
    }
    let (time, request) = key[PREFIX..].split_first_chunk::<8>()?;
    let sold_at_ms = i64::try_from(u64::from_be_bytes(*time)).ok()?;
    Some((sold_at_ms, RequestId::try_from(request).ok()?))
}

/// What a key of this family holds.
pub(super) fn kind(key: &[u8]) -> Option<StateKind> {
    match (*key.get(1)?, key.len()) {
        (SITE, PREFIX) => Some(StateKind::Site),
        (STOCK, 19..) => Some(StateKind::Stock),
        (JOURNAL, PREFIX) => Some(StateKind::StockJournal),
        (SALE, SALE_KEY) => Some(StateKind::SiteSale),
        (OVER_QUOTA, SALE_KEY) => Some(StateKind::OverQuotaSale),
        _ => None,
    }
}

/// The smallest key behind every key that starts with `prefix`. The family's first byte never overflows.
fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

fn kind_range(kind: u8, range: RingRange) -> (Vec<u8>, Vec<u8>) {
    let mut first = vec![SITES, kind];
    first.extend_from_slice(&range.first().get().to_be_bytes());
    let mut last = vec![SITES, kind];
    last.extend_from_slice(&range.last().get().to_be_bytes());
    (first, behind(&last))
}

fn sale_key(kind: u8, site: &SiteKey, sold_at_ms: i64, request: RequestId) -> Vec<u8> {
    let mut key = timed(kind, site, sold_at_ms);
    key.extend_from_slice(request.as_bytes());
    key
}

/// Times sort as they count: none is negative, and one that is asked for counts as 0.
fn timed(kind: u8, site: &SiteKey, at_ms: i64) -> Vec<u8> {
    let mut key = prefix(kind, site, 8 + 16);
    key.extend_from_slice(&u64::try_from(at_ms).unwrap_or(0).to_be_bytes());
    key
}

fn prefix(kind: u8, site: &SiteKey, more: usize) -> Vec<u8> {
    let mut key = Vec::with_capacity(PREFIX + more);
    key.extend_from_slice(&[SITES, kind]);
    key.extend_from_slice(&site.get());
    key
}
