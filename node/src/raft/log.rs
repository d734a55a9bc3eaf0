//! The log of one group: a tail in memory over rows written by the node's log committer.
//!
//! State owned: the log's bounds, its last vote, and a cache of recent entries that always holds every
//! entry not yet durable.
//!
//! Invariants: an entry can be read as soon as `append` returns; it leaves the cache only once durable;
//! changes reach the disk in the order they were made; a vote is readable only when durable.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::{Stream, StreamExt as _, stream};
use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use quorate_core::planted::{self, Bug};
use quorate_core::{codec, keys};
use quorate_proto::ids::ShardId;
use quorate_proto::storage as pb;

use super::codec::{
    decode_entry, encode_entry, log_id_from_proto, log_id_to_proto, vote_from_proto, vote_to_proto,
};
use super::types::{Entry, LogId, TypeConfig, Vote};
use crate::limits;
use crate::storage::{Engine, Family, LogOp, LogQueue, RowOp, StorageError};

/// The log of one group. Cheap to clone; every clone is the same log.
#[derive(Clone)]
pub(crate) struct GroupLog {
    shared: Arc<Shared>,
}

struct Shared {
    group: ShardId,
    engine: Arc<dyn Engine>,
    queue: LogQueue,
    tail: Mutex<Tail>,
}

/// What is known of the log without reading the disk.
#[derive(Default)]
struct Tail {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    /// Consecutive entries up to the end of the log.
    cache: VecDeque<Cached>,
    cache_bytes: usize,
    /// The last entry, or the purged one if there is none.
    last: Option<LogId>,
    /// Numbers appends, so that an entry written twice is known by its latest write.
    appends: u64,
    appends_durable: u64,
}

struct Cached {
    entry: Entry,
    bytes: usize,
    append: u64,
}

impl Tail {
    /// Index of the first cached entry; one past the end of the log if none is cached.
    fn cache_first(&self) -> u64 {
        self.cache.front().map_or_else(
            || next_index(&self.last),
            |cached| cached.entry.log_id.index,
        )
    }

    fn push(&mut self, entry: Entry, bytes: usize) {
        self.last = Some(entry.log_id);
        self.cache_bytes += bytes;
        let append = self.appends;
        self.cache.push_back(Cached {
            entry,
            bytes,
            append,
        });
    }

    fn evict(&mut self) {
        while self.cache_bytes > limits::LOG_CACHE_BYTES {
            match self.cache.front() {
                Some(cached) if cached.append <= self.appends_durable => self.pop_front(),
                _ => return,
            }
        }
    }

    fn pop_front(&mut self) {
        if let Some(cached) = self.cache.pop_front() {
            self.cache_bytes -= cached.bytes;
        }
    }

    fn truncate(&mut self, last: Option<LogId>) {
        let keep_below = next_index(&last);
        while let Some(cached) = self.cache.back() {
            if cached.entry.log_id.index < keep_below {
                break;
            }
            self.cache_bytes -= cached.bytes;
            self.cache.pop_back();
        }
        self.last = last;
    }

    fn purge(&mut self, upto: LogId) {
        while let Some(cached) = self.cache.front() {
            if cached.entry.log_id.index > upto.index {
                break;
            }
            self.pop_front();
        }
        self.purged = Some(upto);
        if next_index(&self.last) <= upto.index {
            self.last = Some(upto);
        }
    }
}

fn next_index(id: &Option<LogId>) -> u64 {
    id.as_ref().map_or(0, |id| id.index + 1)
}

impl GroupLog {
    /// Loads the bounds of the group's log from disk.
    pub(crate) fn open(
        group: ShardId,
        engine: Arc<dyn Engine>,
        queue: LogQueue,
    ) -> Result<Self, StorageError> {
        let purged: Option<pb::LogId> = read_fact(&*engine, &keys::raft::purged(group))?;
        let committed: Option<pb::LogId> = read_fact(&*engine, &keys::raft::committed(group))?;
        let vote: Option<pb::Vote> = read_fact(&*engine, &keys::raft::vote(group))?;
        let purged = purged.as_ref().map(log_id_from_proto);
        let tail = Tail {
            vote: vote.as_ref().map(vote_from_proto),
            committed: committed.as_ref().map(log_id_from_proto),
            purged,
            last: last_entry_id(&*engine, group, next_index(&purged))?.or(purged),
            ..Tail::default()
        };
        Ok(Self {
            shared: Arc::new(Shared {
                group,
                engine,
                queue,
                tail: Mutex::new(tail),
            }),
        })
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.shared
            .tail
            .lock()
            .expect("no holder of the tail panics")
    }

    /// Index of the last purged entry, if any is.
    pub(super) fn purged(&self) -> Option<u64> {
        self.tail().purged.map(|id| id.index)
    }

    async fn queue_rows(&self, rows: Vec<RowOp>) -> Result<(), StorageError> {
        self.shared.queue.push(LogOp { rows, done: None }).await
    }

    /// Entries of `[first, end)`, no more than about `bytes_max` of them but at least one.
    pub(super) fn read(
        &self,
        first: u64,
        end: u64,
        bytes_max: usize,
    ) -> Result<Vec<Entry>, StorageError> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        let cached_from = {
            let tail = self.tail();
            let first = first.max(next_index(&tail.purged));
            let cached_from = tail.cache_first();
            if first >= cached_from {
                let skip = usize::try_from(first - cached_from).unwrap_or(usize::MAX);
                for cached in tail.cache.iter().skip(skip) {
                    if cached.entry.log_id.index >= end || (bytes >= bytes_max && bytes > 0) {
                        break;
                    }
                    bytes += cached.bytes;
                    entries.push(cached.entry.clone());
                }
                return Ok(entries);
            }
            cached_from
        };
        let stopped = self.read_rows(first, end.min(cached_from), bytes_max, &mut entries)?;
        if !stopped && end > cached_from {
            entries.extend(self.read(cached_from, end, bytes_max)?);
        }
        Ok(entries)
    }

    /// Reads from disk; true if it stopped because of `bytes_max`.
    fn read_rows(
        &self,
        first: u64,
        end: u64,
        bytes_max: usize,
        entries: &mut Vec<Entry>,
    ) -> Result<bool, StorageError> {
        const FULL: &str = "enough has been read";
        let mut bytes = 0;
        let scanned = self.shared.engine.scan(
            Family::Log,
            &keys::raft::entry(self.shared.group, first),
            &keys::raft::entry(self.shared.group, end),
            &mut |key, value| {
                if bytes >= bytes_max {
                    return Err(StorageError::new(FULL, ""));
                }
                bytes += value.len();
                entries.push(decode_entry(value).map_err(|e| damaged(key, e))?);
                Ok(())
            },
        );
        match scanned {
            Err(error) if error.action == FULL => Ok(true),
            other => other.map(|()| false),
        }
    }
}

fn damaged(key: &[u8], error: impl std::fmt::Display) -> StorageError {
    let row: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    StorageError::new("reading the log", format!("row {row} is damaged: {error}"))
}

fn read_fact<M: prost::Message + Default>(
    engine: &dyn Engine,
    key: &[u8],
) -> Result<Option<M>, StorageError> {
    engine
        .get(Family::Log, key)?
        .map(|bytes| codec::open("log fact", &bytes).map_err(|e| damaged(key, e)))
        .transpose()
}

/// The id of the last entry on disk. Every entry is checked on the way: a hole or damage stops the node.
fn last_entry_id(
    engine: &dyn Engine,
    group: ShardId,
    first: u64,
) -> Result<Option<LogId>, StorageError> {
    let mut last: Option<LogId> = None;
    let scanned = engine.scan(
        Family::Log,
        &keys::raft::entry(group, first),
        &keys::raft::entry(group, u64::MAX),
        &mut |key, value| {
            let id = decode_entry(value).map_err(|e| damaged(key, e))?.log_id;
            let expected = last.map_or(first, |id| id.index + 1);
            if id.index != expected {
                let found = format!("entry {expected} is missing before {}", id.index);
                return Err(damaged(key, found));
            }
            last = Some(id);
            Ok(())
        },
    );
    if !planted::is(Bug::TailCut) {
        scanned?;
    }
    Ok(last)
}

impl RaftLogReader<TypeConfig> for GroupLog {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (first, end) = bounds(&range);
        Ok(self.read(first, end, usize::MAX)?)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.tail().vote)
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        Ok(self.read(start, end, limits::LOG_READ_BYTES)?)
    }

    /// Streams in pieces, so that a restart does not load the whole log at once.
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (first, end) = bounds(&range);
        let log = self.clone();
        let pieces = stream::unfold(Some((log, first)), move |state| async move {
            let (log, first) = state?;
            if first >= end {
                return None;
            }
            match log.read(first, end, limits::LOG_READ_BYTES) {
                Ok(entries) => {
                    let next = entries.last().map(|entry| entry.log_id.index + 1)?;
                    let items: Vec<_> = entries.into_iter().map(Ok).collect();
                    Some((items, Some((log, next))))
                }
                Err(error) => Some((vec![Err(io::Error::from(error))], None)),
            }
        });
        Box::pin(pieces.flat_map(stream::iter))
    }
}

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let first = match range.start_bound() {
        Bound::Included(first) => *first,
        Bound::Excluded(before) => before + 1,
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last + 1,
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    (first, end)
}

impl RaftLogStorage<TypeConfig> for GroupLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let tail = self.tail();
        Ok(LogState {
            last_purged_log_id: tail.purged,
            last_log_id: tail.last,
        })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let row = RowOp::Put(
            keys::raft::vote(self.shared.group),
            codec::seal(&vote_to_proto(vote)),
        );
        let queue = &self.shared.queue;
        if planted::is(Bug::UnsyncedVote) {
            self.queue_rows(vec![row]).await?;
        } else {
            queue.write_synced("saving a vote", row).await?;
        }
        self.tail().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let Some(committed) = committed else {
            return Ok(());
        };
        self.tail().committed = Some(committed);
        let row = RowOp::Put(
            keys::raft::committed(self.shared.group),
            codec::seal(&log_id_to_proto(&committed)),
        );
        Ok(self.queue_rows(vec![row]).await?)
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.tail().committed)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let (rows, append) = {
            let mut tail = self.tail();
            tail.appends += 1;
            let mut rows = Vec::new();
            for entry in entries {
                let bytes = encode_entry(&entry);
                let key = keys::raft::entry(self.shared.group, entry.log_id.index);
                let index = entry.log_id.index;
                assert!(
                    tail.last.is_none_or(|last| last.index + 1 == index),
                    "a log has no holes: entry {index} must follow {:?}",
                    tail.last
                );
                tail.push(entry, bytes.len());
                rows.push(RowOp::Put(key, bytes));
            }
            (rows, tail.appends)
        };
        if planted::is(Bug::UnsyncedLog) {
            callback.io_completed(Ok(()));
            return Ok(self.queue_rows(rows).await?);
        }
        let log = self.clone();
        let done = Box::new(move |result: Result<(), StorageError>| {
            if result.is_ok() {
                let mut tail = log.tail();
                tail.appends_durable = tail.appends_durable.max(append);
                tail.evict();
            }
            callback.io_completed(result.map_err(io::Error::from));
        });
        let op = LogOp {
            rows,
            done: Some(done),
        };
        Ok(self.shared.queue.push(op).await?)
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let rows = {
            let mut tail = self.tail();
            let end = next_index(&tail.last);
            if next_index(&last_log_id) >= end {
                return Ok(());
            }
            tail.truncate(last_log_id);
            self.delete_rows(next_index(&last_log_id), end)
        };
        Ok(self.queue_rows(rows).await?)
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        let rows = {
            let mut tail = self.tail();
            let first = next_index(&tail.purged);
            // A snapshot may jump far past the end of the log: only rows that exist are deleted.
            let end = next_index(&tail.last).min(log_id.index + 1);
            tail.purge(log_id);
            let mut rows = self.delete_rows(first, end);
            rows.push(RowOp::Put(
                keys::raft::purged(self.shared.group),
                codec::seal(&log_id_to_proto(&log_id)),
            ));
            rows
        };
        Ok(self.queue_rows(rows).await?)
    }
}

impl GroupLog {
    fn delete_rows(&self, first: u64, end: u64) -> Vec<RowOp> {
        (first..end)
            .map(|index| RowOp::Delete(keys::raft::entry(self.shared.group, index)))
            .collect()
    }
}
