//! Both sides of the stock identity, as one shard holds them: what its citizens bought where, and what its
//! sites have.
//!
//! Sold and voided are counted here from the citizens' records and from what was retired of them, never from
//! the outbox: the comparison with the sites' stock then covers the outbox, its courier and its delivery.

use std::collections::BTreeMap;

use quorate_proto::ids::{ProductId, ShardId, SiteCode, SiteKey};

use crate::{
    codec::{self, DecodeError},
    keys::{self, StateKind},
    ledger::{CitizenRecord, DeliveredRow, Program, RetiredUnits, StockRecord},
};

/// What one shard has to say about stock at one log index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StockAudit {
    /// The shard's clock, Unix milliseconds.
    pub clock_ms: i64,
    /// Its sites' stock, in the order of their keys.
    pub stock: Vec<AuditedStock>,
    /// What has been applied here of each source's outbox.
    pub watermarks: Vec<(ShardId, u64)>,
    /// Units that its citizens bought, live and retired, by site and product.
    pub sold: BTreeMap<(SiteCode, ProductId), RetiredUnits>,
    /// Rows of its outbox that are still there.
    pub rows: Vec<DeliveredRow>,
}

/// One product at one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditedStock {
    /// The site.
    pub site: SiteKey,
    /// Its code; `None`: it was never imported.
    pub code: Option<SiteCode>,
    /// The product.
    pub product: ProductId,
    /// As kept.
    pub stock: StockRecord,
}

/// Gathers an audit from the rows of a shard, in key order.
#[derive(Debug, Default)]
pub(crate) struct Auditor {
    audit: StockAudit,
    /// Site records lie in front of all stock.
    codes: BTreeMap<SiteKey, SiteCode>,
}

impl Auditor {
    pub(crate) fn finish(mut self, clock_ms: i64) -> StockAudit {
        self.audit.clock_ms = clock_ms;
        self.audit
    }

    /// Takes a citizen's sales under a program.
    pub(crate) fn add_citizen(&mut self, record: &CitizenRecord, program: &Program) {
        for sale in &record.sales {
            let product = sale.product.unwrap_or_else(|| program.first_product());
            let units = self.audit.sold.entry((sale.site.code, product));
            let units = units.or_default();
            units.sold += u64::from(sale.quantity);
            if sale.voided_at_ms().is_some() {
                units.voided += u64::from(sale.quantity);
            }
        }
    }

    /// Takes any other row that has to do with stock.
    pub(crate) fn add_row(
        &mut self,
        kind: StateKind,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), DecodeError> {
        let named = || DecodeError::invalid("key", "does not name what it should");
        match kind {
            StateKind::Retired => {
                let place = keys::site_of_retired(key).ok_or_else(named)?;
                let retired = codec::decode_retired_units(value)?;
                let units = self.audit.sold.entry(place).or_default();
                units.sold += retired.sold;
                units.voided += retired.voided;
            }
            StateKind::Watermark => {
                let source = keys::source_of_watermark(key).ok_or_else(named)?;
                let watermark = codec::decode_watermark(value)?;
                self.audit.watermarks.push((source, watermark));
            }
            StateKind::Outbox => self.audit.rows.push(DeliveredRow {
                seq: keys::outbox_sequence(key).ok_or_else(named)?,
                row: codec::decode_outbox_row(value)?,
            }),
            StateKind::Site => {
                let site = keys::site_of(key).ok_or_else(named)?;
                let record = codec::decode_site(value.to_vec())?;
                self.codes.insert(site, record.profile.code);
            }
            StateKind::Stock => {
                let site = keys::site_of(key).ok_or_else(named)?;
                self.audit.stock.push(AuditedStock {
                    site,
                    code: self.codes.get(&site).copied(),
                    product: keys::product_of(key).ok_or_else(named)?,
                    stock: codec::decode_stock(value.to_vec())?,
                });
            }
            _ => {}
        }
        Ok(())
    }
}
