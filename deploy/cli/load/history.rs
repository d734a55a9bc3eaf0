//! What the clients did and saw, as JSON lines, for a checker to judge later.
//!
//! The format is that of `docs/history.md`; `quorate-check` judges it. A person is an index into the population,
//! never an ID. Times are microseconds from the start of the run.

use std::{
    collections::BTreeSet,
    fmt,
    fs::File,
    io::{self, BufWriter, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use quorate_client::{
    ReadError, WriteError,
    model::{Decision, Position, Purchase, Recorded, Sales, Verdict},
};
use quorate_proto::ids::RequestId;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::tally::micros;

/// What is kept in memory before it is written: all of a short run. The cluster may be on this machine, and what is
/// written beside it holds up its syncs.
const BUFFER_BYTES: usize = 256 << 20;

/// Where the records go. Failures to write are kept and reported at the end.
pub(crate) struct HistoryFile {
    started: Duration,
    state: Mutex<State>,
}

struct State {
    file: BufWriter<File>,
    failure: Option<io::Error>,
    /// Whoever was asked about.
    persons: BTreeSet<u64>,
}

/// One call, as the client knows it.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    /// Calls of one client do not overlap.
    pub(crate) client: u64,
    pub(crate) person: u64,
    pub(crate) quantity: u32,
    /// `None` for a check or a list.
    pub(crate) request_id: Option<RequestId>,
    /// Monotonic time.
    pub(crate) start: Duration,
    /// Monotonic time.
    pub(crate) end: Duration,
}

impl HistoryFile {
    /// Starts a file. `limit`: units that the rule in force allows.
    pub(crate) fn create(path: &Path, limit: u32, started: Duration) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?);
        let rule = json!({ "limit": limit, "window": "as_answered" });
        writeln!(file, "{}", json!({ "history": 1, "rules": [rule] }))?;
        Ok(Self {
            started,
            state: Mutex::new(State {
                file,
                failure: None,
                persons: BTreeSet::new(),
            }),
        })
    }

    pub(crate) fn checked(&self, call: Call, answer: &Result<Verdict, ReadError>) {
        let asked = Asked::Check {
            quantity: call.quantity,
        };
        let reply = match answer {
            Ok(verdict) => Reply::Verdict(decided(verdict, false)),
            Err(error) => Reply::NotDone { cause: Text(error) },
        };
        self.write(call, asked, reply);
    }

    pub(crate) fn sold(&self, call: Call, answer: &Result<Recorded, WriteError>) {
        let asked = Asked::Sell {
            request: call.request_id.map(Text),
            quantity: call.quantity,
        };
        let reply = match answer {
            Ok(recorded) => Reply::Verdict(decided(&recorded.verdict, recorded.repeated_answer)),
            Err(error @ WriteError::OutcomeUnknown { .. }) => Reply::Unknown { cause: Text(error) },
            Err(error) => Reply::NotDone { cause: Text(error) },
        };
        self.write(call, asked, reply);
    }

    pub(crate) fn listed(&self, call: Call, sales: &Sales) {
        let reply = Reply::Listed {
            purchases: sales.purchases.iter().map(purchase).collect(),
            position: position(sales.position),
        };
        self.write(call, Asked::List, reply);
    }

    /// Whoever was asked about so far.
    pub(crate) fn persons(&self) -> BTreeSet<u64> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.persons.clone()
    }

    /// Writes what is still in memory.
    pub(crate) fn finish(self) -> io::Result<()> {
        let state = self
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        match state.failure {
            Some(failure) => Err(failure),
            None => state
                .file
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?
                .sync_all(),
        }
    }

    fn write(&self, call: Call, asked: Asked, reply: Reply<'_>) {
        let line = Line {
            client: call.client,
            start_us: micros(call.start.saturating_sub(self.started)),
            end_us: micros(call.end.saturating_sub(self.started)),
            citizen: call.person,
            call: asked,
            reply,
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.persons.insert(call.person);
        if state.failure.is_none() {
            state.failure = line.write(&mut state.file).err();
        }
    }
}

/// A line of the file.
#[derive(Serialize)]
struct Line<'a> {
    client: u64,
    start_us: u64,
    end_us: u64,
    citizen: u64,
    call: Asked,
    reply: Reply<'a>,
}

impl Line<'_> {
    fn write(&self, file: &mut impl io::Write) -> io::Result<()> {
        serde_json::to_writer(&mut *file, self)?;
        file.write_all(b"\n")
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Asked {
    Check {
        quantity: u32,
    },
    Sell {
        request: Option<Text<RequestId>>,
        quantity: u32,
    },
    List,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Reply<'a> {
    Verdict(Decided),
    Listed {
        purchases: Vec<Bought>,
        position: Place,
    },
    Unknown {
        cause: Text<&'a dyn fmt::Display>,
    },
    NotDone {
        cause: Text<&'a dyn fmt::Display>,
    },
}

#[derive(Serialize)]
struct Decided {
    #[serde(skip_serializing_if = "Option::is_none")]
    denied: Option<&'static str>,
    remaining: u32,
    limit: u32,
    window_ms: Option<[i64; 2]>,
    decided_ms: i64,
    purchases: Vec<Bought>,
    repeated: bool,
    position: Place,
}

/// Request, quantity, and whether it was undone.
type Bought = (Text<RequestId>, u32, bool);

/// Shard, term, index, ordinal.
type Place = (u32, u64, u64, u32);

/// What is written as it is shown.
struct Text<T>(T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

fn decided(verdict: &Verdict, repeated: bool) -> Decided {
    Decided {
        denied: match verdict.decision {
            Decision::Granted => None,
            Decision::Denied(reason) => Some(reason.name()),
        },
        remaining: verdict.remaining,
        limit: verdict.limit,
        window_ms: verdict
            .window
            .map(|window| [window.start.as_millisecond(), window.end.as_millisecond()]),
        decided_ms: verdict.decided_at.as_millisecond(),
        purchases: verdict.purchases.iter().map(purchase).collect(),
        repeated,
        position: position(verdict.position),
    }
}

fn purchase(purchase: &Purchase) -> Bought {
    let voided = purchase.voided_at.is_some();
    (Text(purchase.request_id), purchase.quantity, voided)
}

fn position(position: Position) -> Place {
    (
        position.shard,
        position.term,
        position.log_index,
        position.ordinal,
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use jiff::Timestamp;
    use quorate_client::model::DenialReason;
    use quorate_harness::history::{self, History, Reply};

    use super::*;

    const POSITION: Position = Position {
        shard: 1,
        term: 2,
        log_index: 3,
        ordinal: 4,
    };

    #[test]
    fn the_checker_reads_what_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.jsonl");
        let file = HistoryFile::create(&path, 2, Duration::from_secs(5)).unwrap();
        let request_id = RequestId::from_bytes([3; 16]).unwrap();
        let call = Call {
            client: 7,
            person: 42,
            quantity: 1,
            request_id: Some(request_id),
            start: Duration::from_secs(6),
            end: Duration::from_secs(7),
        };
        let verdict = Verdict {
            decision: Decision::Denied(DenialReason::OverLimit),
            remaining: 0,
            limit: 2,
            next_eligible: None,
            window: None,
            rule_version: "1".to_owned(),
            decided_at: Timestamp::UNIX_EPOCH,
            purchases: Vec::new(),
            position: POSITION,
            warnings: Vec::new(),
        };
        let recorded = Recorded {
            request_id,
            repeated_answer: true,
            verdict: verdict.clone(),
        };
        file.sold(call, &Ok(recorded));
        let cause = "connection lost".to_owned();
        let unknown = WriteError::OutcomeUnknown { request_id, cause };
        file.sold(call, &Err(unknown));
        let check = Call {
            request_id: None,
            ..call
        };
        file.checked(check, &Ok(verdict));
        let sales = Sales {
            purchases: Vec::new(),
            position: POSITION,
            warnings: Vec::new(),
        };
        file.listed(check, &sales);
        assert_eq!(file.persons(), [42].into());
        file.finish().unwrap();

        let history = History::load(&path).unwrap();
        assert_eq!(history.rules.rules[0].limit, 2);
        let [sold, unknown, checked, listed] = &history.records[..] else {
            panic!("four records: {history:?}");
        };
        assert_eq!((sold.client, sold.citizen), (7, 42));
        assert_eq!((sold.start_us, sold.end_us), (1_000_000, 2_000_000));
        assert_eq!(sold.call.request(), Some(request_id));
        assert!(sold.reply.repeated());
        let position = history::Position {
            shard: 1,
            term: 2,
            index: 3,
            ordinal: 4,
        };
        assert_eq!(sold.reply.position(), Some(position));
        assert!(matches!(unknown.reply, Reply::Unknown { .. }));
        assert_eq!(checked.call, history::Call::Check { quantity: 1 });
        assert_eq!(listed.call, history::Call::List);
        assert_eq!(listed.reply.position(), Some(position));
    }
}
