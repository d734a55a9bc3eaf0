//! What a cluster said of itself after a run, and what its population is: lines behind the records.

use quorate_proto::ids::RequestId;
use serde::{Deserialize, Serialize};

use crate::history::Purchase;

/// One line behind the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fact {
    /// A citizen's year of birth, where rules look at it.
    Born {
        /// Index into the population.
        citizen: u64,
        /// Of birth.
        year: u16,
    },
    /// A site's stock, after everything has reached it.
    Shelf(Shelf),
    /// What the cluster counts. Only where nothing but this history's calls was ever sold there.
    Totals(Totals),
    /// The state of one replica.
    Replica(Replica),
}

/// What a site says of its only product and of its sales, and what its clients know of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shelf {
    /// Its code.
    pub site: String,
    /// Who stands there: what these clients sold was sold there, and nothing else was.
    pub clients: Vec<u32>,
    /// Units that were brought in, as those who did so know.
    pub brought: u64,
    /// Sum of all adjustments, as those who made them know.
    pub counted: i64,
    /// Shown: units that came in.
    pub received: u64,
    /// Shown: sum of all adjustments.
    pub adjusted: i64,
    /// Shown: units sold.
    pub sold: u64,
    /// Shown: units given back.
    pub voided: u64,
    /// Shown: units there.
    pub on_hand: i64,
    /// Shown: every sale made there.
    pub listed: Vec<Purchase>,
}

/// Counted by the cluster since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Sales granted; slips are not among them.
    pub grants: u64,
    /// Units of them.
    pub units_granted: u64,
    /// Slips recorded.
    pub slips: u64,
    /// Units of them.
    pub units_on_slips: u64,
    /// Sales and slips undone.
    pub voids: u64,
    /// Units of them.
    pub units_voided: u64,
}

/// The state of one replica at one place of its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replica {
    /// The Raft group.
    pub shard: u32,
    /// The node that holds it.
    pub node: u64,
    /// Applied index.
    pub index: u64,
    /// Digest of the state there. Replicas at one index have the same.
    pub digest: String,
}

impl Shelf {
    /// A listed sale.
    #[must_use]
    pub const fn sale(request: RequestId, quantity: u32, voided: bool) -> Purchase {
        Purchase {
            request,
            quantity,
            voided,
        }
    }
}
