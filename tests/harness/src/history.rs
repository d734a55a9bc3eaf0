//! What clients did and what they saw: one record per call, in JSON lines.
//!
//! The first line of a file is the [`Rule`] the run was played under. A citizen is an index into the
//! run's population, never an ID. Times are microseconds of one monotonic clock, from the start of the
//! run. A client that resends a request writes one record per call: all calls with one request id are
//! attempts of one operation.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use quorate_proto::ids::RequestId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The ration rule in force during the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Units a citizen may take in one window.
    pub limit: u32,
}

/// One call and its reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// May this citizen take that many?
    Check {
        /// Units asked for.
        quantity: u32,
    },
    /// Decide and record.
    Sell {
        /// Names the sale through all attempts.
        #[serde(with = "request_text")]
        request: RequestId,
        /// Units asked for.
        quantity: u32,
    },
    /// Undo a sale.
    Void {
        /// Names the void through all attempts.
        #[serde(with = "request_text")]
        request: RequestId,
        /// The sale to undo.
        #[serde(with = "request_text")]
        sale: RequestId,
    },
    /// Hand in a sale that was made on paper.
    Slip {
        /// Names the sale through all attempts.
        #[serde(with = "request_text")]
        request: RequestId,
        /// Units sold.
        quantity: u32,
    },
    /// What did this citizen buy?
    List,
}

/// What a client saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To a check or a sale.
    Verdict(Verdict),
    /// To a void.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

/// A verdict, reduced to what can be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Granted or denied.
    pub granted: bool,
    /// Name of the denial reason; empty when granted.
    pub reason: String,
    /// Units still available after this answer.
    pub remaining: u32,
    /// Units the rule allows in the window.
    pub limit: u32,
    /// Unix milliseconds.
    pub window_start_ms: i64,
    /// Unix milliseconds, exclusive.
    pub window_end_ms: i64,
    /// Stamped by the leader, Unix milliseconds.
    pub decided_at_ms: i64,
    /// Sales in the window that are not undone, newest first. On a repeated answer: as at the decision.
    pub purchases: Vec<Purchase>,
    /// True if this repeats an earlier answer.
    pub repeated: bool,
    /// Of this answer's own entry, repeated or not.
    pub position: Position,
}

/// One sale as a reply shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// The request that recorded it.
    #[serde(with = "request_text")]
    pub request: RequestId,
    /// Units.
    pub quantity: u32,
    /// Undone since.
    pub voided: bool,
}

/// The answer to a void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoidReply {
    /// Whether the sale was undone.
    pub voided: bool,
    /// Name of the refusal; empty when voided.
    pub refusal: String,
    /// Units given back.
    pub quantity: u32,
    /// Units available after this answer.
    pub remaining: u32,
    /// Stamped by the leader, Unix milliseconds.
    pub decided_at_ms: i64,
    /// True if this repeats an earlier answer.
    pub repeated: bool,
    /// Of this answer's own entry, repeated or not.
    pub position: Position,
}

/// What became of a slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[serde(rename_all = "snake_case")]
pub enum SlipOutcome {
    /// Recorded, within the ration.
    Accepted,
    /// Recorded, beyond the ration.
    OverQuota,
    /// Recorded by an earlier attempt.
    Duplicate,
    /// Not recorded.
    Rejected,
}

/// The answer to a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListReply {
    /// Every sale inside the retention time, newest first.
    pub purchases: Vec<Purchase>,
    /// Where it was read.
    pub position: Position,
}

/// A run: its rule and everything its clients did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// In force from start to end.
    pub rule: Rule,
    /// In no particular order.
    pub records: Vec<Record>,
}

/// Why a history file cannot be read.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The file could not be opened or read.
    #[error("cannot read the history")]
    Read(#[source] io::Error),
    /// A line is not what it should be.
    #[error("line {line} of the history is not a record")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// The file has no first line.
    #[error("the history is empty")]
    Empty,
}

impl Call {
    /// The request id, for calls that have one.
    #[must_use]
    pub const fn request(&self) -> Option<RequestId> {
        match *self {
            Self::Sell { request, .. }
            | Self::Void { request, .. }
            | Self::Slip { request, .. } => Some(request),
            Self::Check { .. } | Self::List => None,
        }
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
}

impl History {
    /// Writes the file, replacing what was there.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        serde_json::to_writer(&mut file, &self.rule)?;
        for record in &self.records {
            file.write_all(b"\n")?;
            serde_json::to_writer(&mut file, record)?;
        }
        file.write_all(b"\n")?;
        file.flush()
    }

    /// Reads a file that [`History::save`] wrote.
    ///
    /// # Errors
    /// The file cannot be read, or a line is not a record.
    pub fn load(path: &Path) -> Result<Self, HistoryError> {
        let mut lines = BufReader::new(File::open(path).map_err(HistoryError::Read)?)
            .lines()
            .enumerate();
        let (_, first) = lines.next().ok_or(HistoryError::Empty)?;
        let rule = parse(0, &first.map_err(HistoryError::Read)?)?;
        let records = lines
            .map(|(number, line)| parse(number, &line.map_err(HistoryError::Read)?))
            .collect::<Result<_, _>>()?;
        Ok(Self { rule, records })
    }
}

fn parse<'a, T: Deserialize<'a>>(number: usize, line: &'a str) -> Result<T, HistoryError> {
    serde_json::from_str(line).map_err(|source| HistoryError::Line {
        line: number + 1,
        source,
    })
}

/// Request ids are written as UUIDs.
mod request_text {
    use super::{Deserialize, RequestId};

    pub(super) fn serialize<S: serde::Serializer>(
        request: &RequestId,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(request)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<RequestId, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        RequestId::parse(&text).map_err(serde::de::Error::custom)
    }
}
