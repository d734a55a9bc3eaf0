//! Asks one replica for both sides of the stock identity at a log index.
//!
//! Laws as for every single call: a time limit, no retries, and what was not heard is unknown.

use std::time::Duration;

use futures_util::StreamExt as _;
use quorate_proto::{
    ids::{NodeId, ProductId, ShardId, SiteCode, SiteKey},
    internal::{self, AuditStockRequest},
    storage,
};

use super::{Nodes, dial::NodeCallError};

/// A site and a product.
pub(crate) type StockPlace = (SiteKey, ProductId);

/// One row of a shard's account of stock.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AuditRow {
    /// The shard's time at the log index, Unix milliseconds.
    Clock(i64),
    /// What one of its sites has, and the site's code, if it was imported.
    Stock(StockPlace, Option<SiteCode>, storage::StockRecord),
    /// What it has applied of another shard's outbox.
    Watermark(ShardId, u64),
    /// Units that its citizens bought at a site, undone ones included, and units undone.
    Sold(SiteCode, ProductId, u64, u64),
    /// A row of its outbox that is still there: sequence number, and units sold or undone.
    Row(u64, SiteCode, ProductId, Moved),
}

/// Units of an outbox row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    Sold(u64),
    Voided(u64),
}

impl Nodes {
    /// Hands every row of a shard's account at `log_index` to `visit`; waits until the replica has come there.
    pub(crate) async fn audit(
        &self,
        node: NodeId,
        shard: ShardId,
        log_index: u64,
        timeout: Duration,
        visit: &mut (dyn FnMut(AuditRow) + Send),
    ) -> Result<(), NodeCallError> {
        let asked = AuditStockRequest {
            shard: shard.get(),
            log_index,
        };
        let connection = self.reach(node)?;
        let account = async {
            let mut parts = connection.audit_stock(asked, timeout).await?;
            while let Some(part) = parts.next().await {
                read(part?, visit).map_err(|why| NodeCallError::Refused(why.to_owned()))?;
            }
            Ok(())
        };
        self.in_time(timeout, account).await
    }
}

/// What cannot be read was sent by a node of another version: the account is then not complete.
pub(crate) fn read(
    part: internal::AuditStockResponse,
    visit: &mut (dyn FnMut(AuditRow) + Send),
) -> Result<(), &'static str> {
    const UNREADABLE: &str = "a row of the account cannot be read";
    let product = |text: &str| ProductId::parse(text).map_err(|_| UNREADABLE);
    let site = |text: &str| SiteCode::parse(text).map_err(|_| UNREADABLE);
    if part.clock_ms != 0 {
        visit(AuditRow::Clock(part.clock_ms));
    }
    for row in part.watermarks {
        visit(AuditRow::Watermark(ShardId(row.shard), row.seq));
    }
    for row in part.stock {
        let key = <[u8; 16]>::try_from(&row.site_key[..]).map_err(|_| UNREADABLE)?;
        let code = match row.site_code.as_str() {
            "" => None,
            text => Some(site(text)?),
        };
        visit(AuditRow::Stock(
            (SiteKey::new(key), product(&row.product)?),
            code,
            row.stock.ok_or(UNREADABLE)?,
        ));
    }
    for row in part.sold {
        let (code, product) = (site(&row.site_code)?, product(&row.product)?);
        visit(AuditRow::Sold(code, product, row.sold, row.voided));
    }
    for delivered in part.rows {
        let row = delivered.row.ok_or(UNREADABLE)?;
        let units = u64::from(row.quantity);
        let moved = match row.kind {
            1 => Moved::Sold(units),
            2 => Moved::Voided(units),
            _ => return Err(UNREADABLE),
        };
        let (code, product) = (site(&row.site_code)?, product(&row.product)?);
        visit(AuditRow::Row(delivered.seq, code, product, moved));
    }
    Ok(())
}
