//! Sales made on paper: what a counter writes down, and what becomes of it.

use std::fmt;

use quorate_proto::ids::{GroundId, ProductId, ProgramId, RequestId};
use serde::Serialize;

use super::{DenialReason, NationalId, Position, Warning};

/// A sale that was made without an answer from a gateway.
#[derive(Clone, Debug)]
pub struct PaperSale {
    /// Names the sale for ever. Where an online sale was tried first and its outcome is unknown: that one's.
    pub request_id: RequestId,
    /// Counts the device's slips from 1; 0: typed in from a list on paper.
    pub sequence: u64,
    /// Whose ration.
    pub citizen: NationalId,
    /// Of which program.
    pub program: ProgramId,
    /// `None`: the program's first.
    pub product: Option<ProductId>,
    /// Whole units.
    pub quantity: u32,
    /// Unix milliseconds, by the device's clock.
    pub sold_at_ms: i64,
    /// The ground on which somebody else bought.
    pub proxy_ground: Option<GroundId>,
}

/// What a slip became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(
    rename_all = "SCREAMING_SNAKE_CASE",
    tag = "outcome",
    content = "rejection"
)]
pub enum SlipOutcome {
    /// Recorded, within the ration.
    Accepted,
    /// Recorded before; counted once.
    Duplicate,
    /// Recorded, beyond the ration.
    OverQuotaRecorded,
    /// Not recorded, and never will be.
    Rejected(SlipRejection),
    /// Not known to be recorded: hand it in again.
    NotDecided,
}

impl SlipOutcome {
    /// Whether handing it in again would change nothing.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Accepted | Self::Duplicate | Self::OverQuotaRecorded | Self::Rejected(_) => true,
            Self::NotDecided => false,
        }
    }

    /// As in `quorate.v1.SlipOutcome`, without the prefix.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Duplicate => "DUPLICATE",
            Self::OverQuotaRecorded => "OVER_QUOTA_RECORDED",
            Self::Rejected(_) => "REJECTED",
            Self::NotDecided => "NOT_DECIDED",
        }
    }
}

/// Why a slip was not recorded. Closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SlipRejection {
    /// Sold longer ago than 35 days.
    TooOld,
    /// Sold in the future.
    InTheFuture,
    /// Not written by a device of the session's site.
    ForeignDevice,
    /// The signature is not the device's.
    BadSignature,
    /// The sealed ID cannot be opened.
    UnreadableId,
    /// It was opened and is no ID.
    InvalidId,
    /// There is no such program.
    UnknownProgram,
    /// The program has no such product.
    UnknownProduct,
    /// No sale has such a quantity.
    InvalidQuantity,
    /// The request id names another sale of the same person.
    RequestIdConflict,
    /// A field is missing or cannot be read.
    Malformed,
}

impl SlipRejection {
    /// Every rejection.
    pub const ALL: [Self; 11] = [
        Self::TooOld,
        Self::InTheFuture,
        Self::ForeignDevice,
        Self::BadSignature,
        Self::UnreadableId,
        Self::InvalidId,
        Self::UnknownProgram,
        Self::UnknownProduct,
        Self::InvalidQuantity,
        Self::RequestIdConflict,
        Self::Malformed,
    ];

    /// As in `quorate.v1.SlipRejection`, without the prefix.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooOld => "TOO_OLD",
            Self::InTheFuture => "IN_THE_FUTURE",
            Self::ForeignDevice => "FOREIGN_DEVICE",
            Self::BadSignature => "BAD_SIGNATURE",
            Self::UnreadableId => "UNREADABLE_ID",
            Self::InvalidId => "INVALID_ID",
            Self::UnknownProgram => "UNKNOWN_PROGRAM",
            Self::UnknownProduct => "UNKNOWN_PRODUCT",
            Self::InvalidQuantity => "INVALID_QUANTITY",
            Self::RequestIdConflict => "REQUEST_ID_CONFLICT",
            Self::Malformed => "MALFORMED",
        }
    }

    /// The rejection of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|rejection| rejection.name() == name)
    }
}

impl fmt::Display for SlipRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooOld => "sold more than 35 days ago",
            Self::InTheFuture => "sold in the future: is the clock right?",
            Self::ForeignDevice => "not written by a device of this site",
            Self::BadSignature => "the signature is not the device's",
            Self::UnreadableId => "the sealed ID cannot be opened",
            Self::InvalidId => "the ID is none",
            Self::UnknownProgram => "there is no such program",
            Self::UnknownProduct => "the program has no such product",
            Self::InvalidQuantity => "no sale has such a quantity",
            Self::RequestIdConflict => "its request id names another sale of the same person",
            Self::Malformed => "a field is missing or cannot be read",
        })
    }
}

/// What the gateway said of one slip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlipAnswer {
    /// Of the slip.
    #[serde(serialize_with = "super::verdict::as_text")]
    pub request_id: RequestId,
    /// Of the slip.
    pub sequence: u64,
    /// What it became.
    #[serde(flatten)]
    pub outcome: SlipOutcome,
    /// Recorded although the rule would have denied it for another reason than the quantity.
    pub irregularity: Option<DenialReason>,
    /// Units above what was left at the time of the sale.
    pub over_by: u32,
    /// Units still available now.
    pub remaining: u32,
    /// What is wrong, in words, where it was rejected or not decided.
    pub detail: String,
    /// What to look at.
    pub warnings: Vec<Warning>,
    /// Where it was decided; `None` if it was not, and of an answer that was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejections_are_found_by_name() {
        for rejection in SlipRejection::ALL {
            assert_eq!(SlipRejection::from_name(rejection.name()), Some(rejection));
        }
        assert_eq!(SlipRejection::from_name("UNSPECIFIED"), None);
    }
}
