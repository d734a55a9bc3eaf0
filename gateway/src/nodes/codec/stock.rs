//! Questions about a site's stock as they go to its shard.

use quorate_proto::{
    ids::Epoch,
    internal::{self, query_reply, shard_command},
    storage::{self, command, outcome, stock_change},
};

use super::{Operation, SMALL_BYTES, query, request_id, write};
use crate::{
    model::stock::{
        ChangeStock, FindStock, FoundStock, ListSiteSales, Page, SiteSale, SiteSuspended,
        StockChange, StockChanged, SuspendSite,
    },
    nodes::decode::{BadAnswer, Wire, stock as decode},
};

impl Operation for ChangeStock {
    type Answer = StockChanged;
    const WRITES: bool = true;

    fn bytes(&self) -> usize {
        SMALL_BYTES
            + match &self.change {
                StockChange::Adjusted(_, _, _, note) => note.len(),
                StockChange::Notice(notice) => notice.len(),
                StockChange::Received(..) | StockChange::Held(..) | StockChange::Stopped(..) => 0,
            }
    }

    fn encode(&self, epoch: Epoch) -> shard_command::Body {
        use stock_change::Change;
        let (product, change) = match &self.change {
            StockChange::Received(product, units) => (Some(product), Change::Received(*units)),
            StockChange::Adjusted(product, delta, reason, note) => {
                let adjustment = storage::StockAdjustment {
                    delta: *delta,
                    // Numbers of an enum of ours: small and not negative.
                    reason: i32::from(*reason).unsigned_abs(),
                    note: note.clone(),
                };
                (Some(product), Change::Adjusted(adjustment))
            }
            StockChange::Held(product, units) => (Some(product), Change::Held(*units)),
            StockChange::Stopped(product, stopped) => {
                (Some(product), Change::SalesStopped(*stopped))
            }
            StockChange::Notice(notice) => (None, Change::Notice(notice.clone())),
        };
        let change = storage::StockChange {
            request_id: request_id(&self.request_id),
            product: product.map_or_else(String::new, ToString::to_string),
            change: Some(change),
            // The shard's own time.
            at_ms: 0,
            device_id: self.device.as_str().to_owned(),
        };
        write(
            epoch,
            command::Body::ChangeStock(storage::ChangeStock {
                site_code: self.site.as_str().to_owned(),
                change: Some(change),
            }),
        )
    }

    fn decode(wire: Wire) -> Result<StockChanged, BadAnswer> {
        match wire {
            Wire::Outcome(outcome::Body::Stock(stock)) => Ok(decode::stock_changed(stock)),
            _ => Err(BadAnswer::Kind),
        }
    }
}

impl Operation for SuspendSite {
    type Answer = SiteSuspended;
    const WRITES: bool = true;

    fn encode(&self, epoch: Epoch) -> shard_command::Body {
        let suspend = storage::SuspendSite {
            site_code: self.site.as_str().to_owned(),
            suspended: self.suspended,
        };
        write(epoch, command::Body::SuspendSite(suspend))
    }

    fn decode(wire: Wire) -> Result<SiteSuspended, BadAnswer> {
        match wire {
            Wire::Outcome(outcome::Body::Stock(stock)) => Ok(decode::site_suspended(&stock)),
            _ => Err(BadAnswer::Kind),
        }
    }
}

impl Operation for FindStock {
    type Answer = FoundStock;
    const WRITES: bool = false;

    fn encode(&self, _: Epoch) -> shard_command::Body {
        query(query::Body::Stock(internal::StockQuery {
            site_code: self.site.as_str().to_owned(),
        }))
    }

    fn decode(wire: Wire) -> Result<FoundStock, BadAnswer> {
        match wire {
            Wire::Read(query_reply::Body::Stock(stock)) => decode::found_stock(stock),
            _ => Err(BadAnswer::Kind),
        }
    }
}

impl Operation for ListSiteSales {
    type Answer = Page<SiteSale>;
    const WRITES: bool = false;

    fn encode(&self, _: Epoch) -> shard_command::Body {
        query(query::Body::SiteSales(internal::SiteSalesQuery {
            site_code: self.site.as_str().to_owned(),
            from_ms: self.from_ms,
            to_ms: self.to_ms,
            after: self.after.clone(),
            limit: self.limit,
        }))
    }

    fn decode(wire: Wire) -> Result<Page<SiteSale>, BadAnswer> {
        match wire {
            Wire::Read(query_reply::Body::SiteSales(page)) => decode::site_sales(page),
            _ => Err(BadAnswer::Kind),
        }
    }
}
