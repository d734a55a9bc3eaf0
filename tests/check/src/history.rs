//! What clients did and what they saw: one record per call.
//!
//! A citizen is an index into the run's population, never an ID. Times are microseconds of one monotonic
//! clock, from the start of the run. A client that resends a request writes one record per call: all calls
//! with one request id are attempts of one operation. `docs/history.md` has the format of the file.

mod read;
mod text;
mod write;

use quorate_proto::ids::RequestId;
use serde::{Deserialize, Serialize};

pub use self::{read::HistoryError, write::Writer};
use crate::{facts::Fact, rules::Rules};

/// The format that this crate reads and writes.
pub const FORMAT: u32 = 1;

/// A run: its rules, everything its clients did, and what the cluster said of itself afterwards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// In force during the run.
    pub rules: Rules,
    /// In no particular order. In a file, record `i` stands in line `i + 2`.
    pub records: Vec<Record>,
    /// In no particular order. In a file they come last.
    pub facts: Vec<Fact>,
}

/// One call and its reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Who called; calls of one client do not overlap.
    pub client: u32,
    /// When the call was made.
    pub start_us: u64,
    /// When the reply was there. Never before `start_us`.
    pub end_us: u64,
    /// Index into the run's population.
    pub citizen: u64,
    /// What was asked.
    pub call: Call,
    /// What was answered.
    pub reply: Reply,
}

/// What a client asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// May this citizen take that many?
    Check {
        /// Units asked for.
        quantity: u32,
    },
    /// Decide and record.
    Sell {
        /// Names the sale through all attempts.
        #[serde(with = "text")]
        request: RequestId,
        /// Units asked for.
        quantity: u32,
    },
    /// A site undoes a sale.
    Void {
        /// Names the void through all attempts.
        #[serde(with = "text")]
        request: RequestId,
        /// The sale to undo.
        #[serde(with = "text")]
        sale: RequestId,
    },
    /// An administrator undoes a sale, of any site and any day.
    Correct {
        /// Names the correction through all attempts.
        #[serde(with = "text")]
        request: RequestId,
        /// The sale to undo.
        #[serde(with = "text")]
        sale: RequestId,
    },
    /// Hand in a sale that was made on paper.
    Slip {
        /// Names the sale through all attempts. It may be that of an attempt online whose answer was lost.
        #[serde(with = "text")]
        request: RequestId,
        /// Units sold.
        quantity: u32,
        /// By the device's clock, Unix milliseconds.
        sold_ms: i64,
    },
    /// What did this citizen buy?
    List,
}

/// What a client saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// To a check or a sale.
    Verdict(Verdict),
    /// To a void or a correction.
    Voided(VoidReply),
    /// To a slip.
    HandedIn(SlipReply),
    /// To a list.
    Listed(ListReply),
    /// The service said that nothing was done, or never heard of it.
    NotDone {
        /// In words.
        cause: String,
    },
    /// It may or may not have been done.
    Unknown {
        /// In words.
        cause: String,
    },
}

/// Where in the log of which shard an answer was decided.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(from = "(u32, u64, u64, u32)", into = "(u32, u64, u64, u32)")]
pub struct Position {
    /// The Raft group.
    pub shard: u32,
    /// Of the entry; for a read, of the leader that answered.
    pub term: u64,
    /// Of the entry; for a read, the applied index it was read at.
    pub index: u64,
    /// Orders the commands of one entry. Says nothing for a read.
    pub ordinal: u32,
}

/// A stretch of time over which sales add up, Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(i64, i64)", into = "(i64, i64)")]
pub struct Window {
    /// First millisecond inside.
    pub start_ms: i64,
    /// First millisecond behind.
    pub end_ms: i64,
}

/// Why a sale was denied, as the contract names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// The window's limit would be exceeded.
    OverLimit,
    /// One visit a window, and there was one.
    AlreadyVisited,
    /// No rule is in force.
    ProgramClosed,
    /// The rotation gives this person another day.
    NotYourDay,
    /// This kind of site takes no part.
    SiteTypeNotAllowed,
    /// This person may not be bought for.
    ProxyNotAllowed,
    /// Above the largest single sale.
    QuantityTooLarge,
    /// The site is suspended.
    SiteSuspended,
}

/// A verdict, reduced to what can be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Why not; `None`: granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<Reason>,
    /// Units still available after this answer.
    pub remaining: u32,
    /// Units the rule allows in the window.
    pub limit: u32,
    /// `None`: no rule is in force.
    pub window_ms: Option<Window>,
    /// Stamped by the leader, Unix milliseconds.
    pub decided_ms: i64,
    /// Sales in the window that are not undone. On a repeated answer: as at the decision.
    pub purchases: Vec<Purchase>,
    /// True if this repeats an earlier answer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeated: bool,
    /// Of this answer's own entry, repeated or not.
    pub position: Position,
}

/// One sale as a reply shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Purchase {
    /// The request that recorded it.
    pub request: RequestId,
    /// Units.
    pub quantity: u32,
    /// Undone since.
    pub voided: bool,
}

/// Why a sale was not undone, as the contract names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Refusal {
    /// No such sale inside the retention time.
    SaleNotFound,
    /// Another site made the sale.
    OtherSite,
    /// The day of the sale is over.
    TooLate,
    /// It is undone already.
    AlreadyVoided,
}

/// The answer to a void or a correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoidReply {
    /// Why not; `None`: the sale was undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// Units given back.
    pub quantity: u32,
    /// Units available after this answer.
    pub remaining: u32,
    /// Stamped by the leader, Unix milliseconds.
    pub decided_ms: i64,
    /// True if this repeats an earlier answer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeated: bool,
    /// Of this answer's own entry, repeated or not.
    pub position: Position,
}

/// What became of a slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlipReply {
    /// Recorded now, recorded before, or refused for good.
    pub outcome: SlipOutcome,
    /// Units above what was left at the time of the sale.
    pub over_by: u32,
    /// Units available after this answer.
    pub remaining: u32,
    /// Of this answer's own entry.
    pub position: Position,
}

/// As the contract names it; one that was not decided is [`Reply::NotDone`] or [`Reply::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SlipOutcome {
    /// Recorded, within the ration.
    Accepted,
    /// Recorded, beyond the ration.
    OverQuotaRecorded,
    /// Recorded by an earlier attempt.
    Duplicate,
    /// Not recorded.
    Rejected,
}

/// The answer to a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListReply {
    /// Every sale inside the retention time.
    pub purchases: Vec<Purchase>,
    /// Where it was read.
    pub position: Position,
}

impl History {
    /// A history without facts.
    #[must_use]
    pub fn new(rules: Rules, records: Vec<Record>) -> Self {
        Self {
            rules,
            records,
            facts: Vec::new(),
        }
    }

    /// The line of a record in the file that [`History::save`] writes, counted from 1.
    #[must_use]
    pub const fn line_of(record: usize) -> usize {
        record + 2
    }
}

impl Window {
    /// Whether the instant lies inside.
    #[must_use]
    pub const fn contains(self, at_ms: i64) -> bool {
        self.start_ms <= at_ms && at_ms < self.end_ms
    }
}

impl Call {
    /// The request id, for calls that have one.
    #[must_use]
    pub const fn request(&self) -> Option<RequestId> {
        match *self {
            Self::Sell { request, .. }
            | Self::Void { request, .. }
            | Self::Correct { request, .. }
            | Self::Slip { request, .. } => Some(request),
            Self::Check { .. } | Self::List => None,
        }
    }
}

impl Verdict {
    /// Yes or no.
    #[must_use]
    pub const fn granted(&self) -> bool {
        self.denied.is_none()
    }
}

impl VoidReply {
    /// Whether the sale was undone.
    #[must_use]
    pub const fn voided(&self) -> bool {
        self.refused.is_none()
    }
}

impl SlipOutcome {
    /// Whether the sale is on record.
    #[must_use]
    pub const fn recorded(self) -> bool {
        !matches!(self, Self::Rejected)
    }
}

impl Reply {
    /// Where it was decided, if it was.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        match self {
            Self::Verdict(verdict) => Some(verdict.position),
            Self::Voided(reply) => Some(reply.position),
            Self::HandedIn(reply) => Some(reply.position),
            Self::Listed(reply) => Some(reply.position),
            Self::NotDone { .. } | Self::Unknown { .. } => None,
        }
    }

    /// True if this repeats an earlier answer.
    #[must_use]
    pub const fn repeated(&self) -> bool {
        match self {
            Self::Verdict(verdict) => verdict.repeated,
            Self::Voided(reply) => reply.repeated,
            Self::HandedIn(reply) => matches!(reply.outcome, SlipOutcome::Duplicate),
            Self::Listed(_) | Self::NotDone { .. } | Self::Unknown { .. } => false,
        }
    }

    /// The sales that it shows.
    #[must_use]
    pub fn purchases(&self) -> Option<&[Purchase]> {
        match self {
            Self::Verdict(verdict) => Some(&verdict.purchases),
            Self::Listed(list) => Some(&list.purchases),
            Self::Voided(_) | Self::HandedIn(_) | Self::NotDone { .. } | Self::Unknown { .. } => {
                None
            }
        }
    }
}

impl From<(u32, u64, u64, u32)> for Position {
    fn from((shard, term, index, ordinal): (u32, u64, u64, u32)) -> Self {
        Self {
            shard,
            term,
            index,
            ordinal,
        }
    }
}

impl From<Position> for (u32, u64, u64, u32) {
    fn from(at: Position) -> Self {
        (at.shard, at.term, at.index, at.ordinal)
    }
}

impl From<(i64, i64)> for Window {
    fn from((start_ms, end_ms): (i64, i64)) -> Self {
        Self { start_ms, end_ms }
    }
}

impl From<Window> for (i64, i64) {
    fn from(window: Window) -> Self {
        (window.start_ms, window.end_ms)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}
