//! A site's own stock.

use std::fmt;

use jiff::Timestamp;
use quorate_proto::ids::{ProductId, RequestId, SiteType};
use serde::Serialize;

use super::{Position, verdict::as_text};

/// Why a count was corrected. Closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AdjustmentReason {
    /// Counted again.
    Counted,
    /// Damaged goods.
    Damaged,
    /// Given back to the supplier.
    Returned,
    /// Given to, or taken from, another site.
    Transferred,
    /// The note says what.
    Other,
}

/// A correction of a site's count.
#[derive(Clone, Debug)]
pub struct Adjustment {
    /// `None`: the first product of the first program.
    pub product: Option<ProductId>,
    /// Units, not 0.
    pub delta: i32,
    /// Why.
    pub reason: AdjustmentReason,
    /// More about it; needed where the reason is [`AdjustmentReason::Other`].
    pub note: String,
}

/// How a sale came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SaleKind {
    /// Decided and recorded in one step.
    Online,
    /// Made without a connection and handed in later.
    Paper,
}

impl fmt::Display for SaleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Online => "online",
            Self::Paper => "paper",
        })
    }
}

/// One product at one site. On hand = received + adjusted − sold + voided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProductStock {
    /// Its id.
    pub product: String,
    /// Units that came in.
    pub received: u64,
    /// Sum of all adjustments, units.
    pub adjusted: i64,
    /// Units sold, those on paper included.
    pub sold: u64,
    /// Units given back by undone sales.
    pub voided: u64,
    /// Units; below 0 while goods were sold that are not entered yet.
    pub on_hand: i64,
    /// Units that number tickets take.
    pub held: u32,
    /// Units that the public sees: on hand minus held, not less than 0.
    pub available: u64,
    /// Whether the site has stopped its sale.
    pub sales_stopped: bool,
    /// When goods last came in.
    pub last_received_at: Option<Timestamp>,
    /// When anything here last changed.
    pub updated_at: Timestamp,
}

/// The answer to a change of the stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StockChanged {
    /// The request.
    #[serde(serialize_with = "as_text")]
    pub request_id: RequestId,
    /// Whether this answer repeats an earlier one.
    pub repeated_answer: bool,
    /// After the change; on a repeat: as it is now.
    pub stock: ProductStock,
    /// Where it was decided.
    pub position: Position,
}

/// The answer to a new notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoticeSet {
    /// The request.
    #[serde(serialize_with = "as_text")]
    pub request_id: RequestId,
    /// Whether this answer repeats an earlier one.
    pub repeated_answer: bool,
    /// Where it was decided.
    pub position: Position,
}

/// A site and its stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SiteStock {
    /// Its code.
    pub site_code: String,
    /// Its name.
    pub site_name: String,
    /// What kind of site it is.
    #[serde(serialize_with = "as_text")]
    pub site_type: SiteType,
    /// Whether its sales are denied.
    pub suspended: bool,
    /// What it tells the public; empty: nothing.
    pub notice: String,
    /// Everything it has or had.
    pub products: Vec<ProductStock>,
    /// Where it was read.
    pub position: Position,
}

/// One sale in its site's list. Names no buyer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SiteSale {
    /// The request that recorded it.
    #[serde(serialize_with = "as_text")]
    pub request_id: RequestId,
    /// What was sold.
    pub product: String,
    /// Units.
    pub quantity: u32,
    /// When.
    pub sold_at: Timestamp,
    /// How it came in.
    pub kind: SaleKind,
    /// When it was undone, if it was.
    pub voided_at: Option<Timestamp>,
    /// Paper sales only: units above the ration.
    pub over_by: u32,
}
