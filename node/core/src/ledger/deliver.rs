//! Sales reach the stock of their sites: what the citizens' shards wrote to their outboxes is applied here,
//! each row once, and what has been applied everywhere is forgotten there.
//!
//! Invariants: a row is applied if and only if it lies behind the watermark of its source, which then moves
//! past it in the same batch; the rows of one delivery that lie behind the watermark are all rows for this
//! shard up to its end, so a repeated, overtaken or overlapping delivery applies nothing twice and loses
//! nothing. A site that was never imported keeps its stock all the same.

use std::collections::{BTreeMap, btree_map::Entry};

use quorate_proto::ids::{ProductId, ProgramId, RequestId, ShardId, SiteKey};

use super::{
    batch::Step,
    outcome::Outcome,
    record::{OutboxKind, OutboxRow, SaleKind},
    state,
    stock::StockRecord,
};
use crate::{
    codec::{self, DecodeError},
    error::CoreError,
    keys, limits,
    planted::{self, Bug},
    view::{Overlay, View},
};

/// Rows of one shard's outbox for sites of this shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverStock {
    /// Whose outbox.
    pub source: ShardId,
    /// No row for this shard up to and including this one is missing, unless it was delivered before.
    pub through: u64,
    /// Ascending.
    pub rows: Vec<DeliveredRow>,
}

/// One row and its place in its outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveredRow {
    /// Sequence number, from 1.
    pub seq: u64,
    /// What happened.
    pub row: OutboxRow,
}

/// One sale in its site's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteSale {
    /// Under which program.
    pub program: ProgramId,
    /// Of what.
    pub product: ProductId,
    /// Units.
    pub quantity: u32,
    /// How it came in.
    pub kind: SaleKind,
    /// When it was undone, Unix milliseconds.
    pub voided_at_ms: Option<i64>,
    /// Units beyond the ration; paper only.
    pub over_by: u32,
}

/// A sale of a site's list with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedSale {
    /// Names the sale.
    pub request_id: RequestId,
    /// When it was made, Unix milliseconds.
    pub sold_at_ms: i64,
    /// The sale.
    pub sale: SiteSale,
}

impl StockRecord {
    fn count(&mut self, row: &OutboxRow, now_ms: i64) {
        let units = u64::from(row.quantity);
        match row.kind {
            OutboxKind::Sold => self.sold += units,
            OutboxKind::Voided => self.voided += units,
        }
        self.updated_at_ms = now_ms;
    }
}

/// Applies what lies behind the watermark. One site that is not this shard's refuses the whole delivery.
pub(super) fn deliver(
    step: &mut Step<'_, '_>,
    delivery: &DeliverStock,
) -> Result<Outcome, CoreError> {
    let sites = delivery.rows.iter();
    let sites: Vec<SiteKey> = sites.map(|it| SiteKey::of(&it.row.site_code)).collect();
    for site in &sites {
        if let Err(error) = step.check_owner(site.position()) {
            return Ok(error.into());
        }
    }
    let watermark = state::load_watermark(&*step.overlay, step.shard, delivery.source)?;
    let mut stocks: BTreeMap<(SiteKey, ProductId), StockRecord> = BTreeMap::new();
    let behind = delivery.rows.iter().zip(sites);
    let is_new = |seq: u64| seq > watermark || planted::is(Bug::OutboxTwice);
    for (DeliveredRow { row, .. }, site) in behind.filter(|(it, _)| is_new(it.seq)) {
        let stock = match stocks.entry((site, row.product)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let known = state::load_stock(&*step.overlay, &keys::stock(&site, &row.product))?;
                let known = known.unwrap_or_default();
                if hour(known.updated_at_ms) < hour(step.now_ms) {
                    drop_old_sales(step, &site)?;
                }
                place.insert(known)
            }
        };
        stock.count(row, step.now_ms);
        list(step, &site, row)?;
    }
    for ((site, product), stock) in &stocks {
        state::store_stock(step.overlay, keys::stock(site, product), stock);
    }
    if delivery.through > watermark {
        state::store_watermark(step.overlay, step.shard, delivery.source, delivery.through);
    }
    Ok(Outcome::Done)
}

/// Puts a sale into its site's lists, or marks it there as undone.
fn list(step: &mut Step<'_, '_>, site: &SiteKey, row: &OutboxRow) -> Result<(), CoreError> {
    let kept = |kept_ms: i64| row.sold_at_ms > step.now_ms.saturating_sub(kept_ms);
    let key = keys::site_sale(site, row.sold_at_ms, row.request_id);
    list_at(step.overlay, key, row, kept(limits::SITE_SALES_KEPT_MS))?;
    if row.over_by > 0 {
        let key = keys::over_quota(site, row.sold_at_ms, row.request_id);
        list_at(step.overlay, key, row, kept(limits::RETENTION_MS))?;
    }
    Ok(())
}

fn list_at(
    overlay: &mut Overlay<'_>,
    key: Vec<u8>,
    row: &OutboxRow,
    kept: bool,
) -> Result<(), CoreError> {
    let sale = match row.kind {
        OutboxKind::Sold if kept => Some(SiteSale {
            program: row.program,
            product: row.product,
            quantity: row.quantity,
            kind: row.sale_kind,
            voided_at_ms: None,
            over_by: row.over_by,
        }),
        OutboxKind::Sold => None,
        // A sale that has left the list already stays away.
        OutboxKind::Voided => state::load_site_sale(&*overlay, &key)?.map(|sale| SiteSale {
            voided_at_ms: Some(row.at_ms),
            ..sale
        }),
    };
    if let Some(sale) = sale {
        state::store_site_sale(overlay, key, &sale);
    }
    Ok(())
}

/// Drops what has been listed long enough, a bounded part of it at a time.
fn drop_old_sales(step: &mut Step<'_, '_>, site: &SiteKey) -> Result<(), CoreError> {
    let before = |kept_ms: i64| step.now_ms.saturating_sub(kept_ms);
    let ranges = [
        keys::site_sales(site, 0, before(limits::SITE_SALES_KEPT_MS)),
        keys::over_quotas(site, before(limits::RETENTION_MS)),
    ];
    for (first, end) in ranges {
        let old = state::page(&*step.overlay, &first, &end, limits::LISTED_DROPPED_MAX)?.0;
        for (key, _) in old {
            step.overlay.delete(key);
        }
    }
    Ok(())
}

fn hour(time_ms: i64) -> i64 {
    time_ms / (60 * 60 * 1000)
}

/// Notes that rows have reached their sites, and deletes those that have been known to for a while.
pub(super) fn acknowledge(step: &mut Step<'_, '_>, seq: u64) -> Outcome {
    let facts = &mut step.facts;
    let acknowledged = facts.outbox_acknowledged.max(seq.min(facts.outbox_rows));
    facts.outbox_acknowledged = acknowledged;
    let ripe = step.now_ms.saturating_sub(facts.outbox_trim_since_ms) >= limits::OUTBOX_KEPT_MS;
    if ripe && facts.outbox_trimmed < facts.outbox_trim_next {
        let first = facts.outbox_trimmed + 1;
        let last = facts
            .outbox_trim_next
            .min(facts.outbox_trimmed + limits::OUTBOX_TRIMMED_MAX);
        facts.outbox_trimmed = last;
        for row in first..=last {
            step.overlay.delete(keys::outbox(step.shard, row));
        }
    }
    if facts.outbox_trimmed == facts.outbox_trim_next && acknowledged > facts.outbox_trim_next {
        facts.outbox_trim_next = acknowledged;
        facts.outbox_trim_since_ms = step.now_ms;
    }
    Outcome::Done
}

/// The rows of an outbox behind `after`, in order, at most `max`: what a courier carries next.
///
/// # Errors
/// The state cannot be read, or a row is damaged.
pub fn outbox_rows(
    view: &dyn View,
    shard: ShardId,
    after: u64,
    max: usize,
) -> Result<Vec<DeliveredRow>, CoreError> {
    let first = keys::outbox(shard, after.saturating_add(1));
    let (_, end) = keys::outbox_rows(shard);
    state::decoded(state::page(view, &first, &end, max)?.0, |key, value| {
        let seq = keys::outbox_sequence(key);
        Ok(DeliveredRow {
            seq: seq.ok_or(DecodeError::missing("sequence number"))?,
            row: codec::decode_outbox_row(value)?,
        })
    })
}
