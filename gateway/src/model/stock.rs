//! A site's stock: what a site changes by itself, and what is read of it.

use bytes::Bytes;
use quorate_proto::{
    ids::{DeviceId, ProductId, RequestId, SiteCode},
    v1::{AdjustmentReason, SaleKind},
};

use super::{Place, Site, place_of};

/// Change the stock of a site, or what it tells the public.
pub(crate) struct ChangeStock {
    pub(crate) request_id: RequestId,
    pub(crate) site: SiteCode,
    pub(crate) device: DeviceId,
    pub(crate) change: StockChange,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StockChange {
    /// Units that came in.
    Received(ProductId, u32),
    /// A correction by so many units, which is not 0; why; and a note.
    Adjusted(ProductId, i32, AdjustmentReason, String),
    /// Units that number tickets take.
    Held(ProductId, u32),
    /// Whether the sale is stopped.
    Stopped(ProductId, bool),
    /// A line for the public; empty: none.
    Notice(String),
}

/// Read a site and its stock.
pub(crate) struct FindStock {
    pub(crate) site: SiteCode,
}

/// List one page of a site's own sales, oldest first.
pub(crate) struct ListSiteSales {
    pub(crate) site: SiteCode,
    /// By time of sale, Unix milliseconds; the end is exclusive.
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    /// Where the page before ended; empty: the first page.
    pub(crate) after: Bytes,
    pub(crate) limit: u32,
}

/// Suspend a site, or lift its suspension.
pub(crate) struct SuspendSite {
    pub(crate) site: SiteCode,
    pub(crate) suspended: bool,
}

impl ChangeStock {
    pub(crate) fn place(&self) -> Place {
        place_of(&self.site)
    }
}

impl FindStock {
    pub(crate) fn place(&self) -> Place {
        place_of(&self.site)
    }
}

impl ListSiteSales {
    pub(crate) fn place(&self) -> Place {
        place_of(&self.site)
    }
}

impl SuspendSite {
    pub(crate) fn place(&self) -> Place {
        place_of(&self.site)
    }
}

/// One product at one site. On hand = received + adjusted − sold + voided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stock {
    pub(crate) received: u64,
    pub(crate) adjusted: i64,
    pub(crate) sold: u64,
    pub(crate) voided: u64,
    pub(crate) on_hand: i64,
    pub(crate) held: u32,
    pub(crate) sales_stopped: bool,
    pub(crate) last_received_ms: Option<i64>,
    pub(crate) updated_at_ms: i64,
}

/// Answer to [`ChangeStock`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StockChanged {
    Done {
        /// As it is now; `None` for a notice.
        stock: Option<Stock>,
        repeated_answer: bool,
    },
    /// Nothing was written: there is no such site.
    SiteUnknown,
}

/// Answer to [`FindStock`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoundStock {
    /// `None`: no such site.
    pub(crate) site: Option<Site>,
    pub(crate) suspended: bool,
    pub(crate) notice: String,
    pub(crate) products: Vec<(String, Stock)>,
    /// The shard's time, Unix milliseconds.
    pub(crate) clock_ms: i64,
}

/// Answer to [`SuspendSite`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SiteSuspended {
    Changed,
    /// It was so already.
    Unchanged,
    /// No such site.
    SiteUnknown,
}

/// A part of a long list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    /// Where the next page goes on; empty: this was the last.
    pub(crate) next: Bytes,
}

/// One sale in its site's list. Names no buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SiteSale {
    pub(crate) request_id: RequestId,
    pub(crate) sold_at_ms: i64,
    pub(crate) product: String,
    pub(crate) quantity: u32,
    pub(crate) kind: SaleKind,
    pub(crate) voided_at_ms: Option<i64>,
    /// Paper sales only: units above the ration.
    pub(crate) over_by: u32,
}
