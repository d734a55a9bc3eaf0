//! Nodes vouch for each other's disks: a disk that was put back from an older copy has forgotten votes and
//! entries that its node has promised, and must not be served from.
//!
//! State owned: how many synced writes this disk has seen, counted in the write itself, and the highest count
//! that each other node has told of its own. Every message between nodes carries both. Invariants: a count
//! is durable before it is told, so nobody can have heard a higher one than the disk holds, unless the disk
//! has lost what was synced; a message is judged before anything in it is acted upon. What others have told
//! is written now and then: after a restart this node may know a little less, never more.
//!
//! Deliberately absent: asking. A node that reaches nobody who knows better cannot find out; then more is lost
//! than one disk.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quorate_core::{codec, keys};
use quorate_proto::ids::NodeId;
use quorate_proto::internal::DiskStatement;
use quorate_proto::storage::{DiskCommits, HeardOfDisk};

use super::engine::{Engine, Family, RowOp, StorageError};
use crate::limits;

/// See the module.
pub(crate) struct Witness {
    incarnation: u64,
    /// Durable on this disk.
    commits: AtomicU64,
    heard: Mutex<BTreeMap<NodeId, HeardOfDisk>>,
}

/// This disk is not as far as its node has told.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "node {by} has heard of {heard} synced writes of this disk, which holds {here}: it is an older copy, or has \
     lost what was synced; move the data directory away and start again, and the cluster replaces this node"
)]
pub(crate) struct OutdatedDisk {
    by: NodeId,
    heard: u64,
    here: u64,
}

impl Witness {
    /// Reads what the disk of this incarnation knows.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub(crate) fn open(engine: &dyn Engine, incarnation: u64) -> Result<Arc<Self>, StorageError> {
        const ACTION: &str = "reading what is known of disks";
        let damaged = |e| StorageError::new(ACTION, e);
        let commits = match engine.get(Family::Log, &keys::raft::disk_commits())? {
            Some(row) => {
                let row: DiskCommits = codec::open("disk commits", &row).map_err(damaged)?;
                row.commits
            }
            None => 0,
        };
        let mut heard = BTreeMap::new();
        let (first, end) = keys::raft::heard_of_disks();
        engine.scan(Family::Log, &first, &end, &mut |key, row| {
            if let Some((_, keys::raft::LogKind::HeardOfDisk(node))) = keys::raft::parse(key) {
                let row = codec::open("heard of disk", row).map_err(damaged)?;
                heard.insert(node, row);
            }
            Ok(())
        })?;
        Ok(Arc::new(Self {
            incarnation,
            commits: AtomicU64::new(commits),
            heard: Mutex::new(heard),
        }))
    }

    /// The count after the write that is about to be synced, and the rows that belong into it.
    pub(super) fn next_commit(&self) -> (u64, Vec<RowOp>) {
        let commits = self.commits.load(Ordering::Acquire) + 1;
        let row = codec::seal(&DiskCommits { commits });
        let mut rows = vec![RowOp::Put(keys::raft::disk_commits(), row)];
        if commits.is_multiple_of(limits::COMMITS_PER_WITNESS) {
            let heard = self.lock();
            rows.extend(heard.iter().map(|(node, heard)| {
                RowOp::Put(keys::raft::heard_of_disk(*node), codec::seal(heard))
            }));
        }
        (commits, rows)
    }

    /// That write is durable; from now on it may be told.
    pub(super) fn committed(&self, commits: u64) {
        self.commits.store(commits, Ordering::Release);
    }

    /// What goes with a message that is made now. `to`: for whom it is, where that is known.
    pub(crate) fn statement(&self, to: Option<NodeId>) -> DiskStatement {
        DiskStatement {
            heard: to.and_then(|node| self.lock().get(&node).copied()),
            own: Some(HeardOfDisk {
                incarnation: self.incarnation,
                commits: self.commits.load(Ordering::Acquire),
            }),
        }
    }

    /// Judges and notes what came with a message, before anything else in it is looked at.
    ///
    /// # Errors
    /// The sender knows this disk to be further than it is: the node must stop.
    pub(crate) fn hear(
        &self,
        from: NodeId,
        statement: Option<&DiskStatement>,
    ) -> Result<(), OutdatedDisk> {
        let Some(statement) = statement else {
            return Ok(());
        };
        let here = self.commits.load(Ordering::Acquire);
        if let Some(heard) = statement.heard
            && heard.incarnation == self.incarnation
            && heard.commits > here
        {
            return Err(OutdatedDisk {
                by: from,
                heard: heard.commits,
                here,
            });
        }
        if let Some(own) = statement.own {
            let mut heard = self.lock();
            let known = heard.entry(from).or_insert(own);
            // Messages of an earlier connection may come late; another incarnation is another disk.
            if known.incarnation != own.incarnation || known.commits < own.commits {
                *known = own;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, HeardOfDisk>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::{RocksEngine, StorageTuning};
    use super::*;

    const THERE: NodeId = NodeId::new(2);

    fn engine(directory: &std::path::Path) -> RocksEngine {
        RocksEngine::open(directory, StorageTuning::default()).unwrap()
    }

    fn commit(engine: &RocksEngine, witness: &Witness) {
        let (commits, rows) = witness.next_commit();
        futures_executor::block_on(engine.write_log(rows, true)).unwrap();
        witness.committed(commits);
    }

    #[test]
    fn an_older_copy_is_found_by_whoever_heard_more() {
        let (disk, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let there = tempfile::tempdir().unwrap();
        let there = Witness::open(&engine(there.path()), 7).unwrap();
        {
            let (engine, older) = (engine(disk.path()), engine(copy.path()));
            let here = Witness::open(&engine, 9).unwrap();
            let copied = Witness::open(&older, 9).unwrap();
            commit(&engine, &here);
            commit(&older, &copied);
            commit(&engine, &here);
            there
                .hear(NodeId::new(1), Some(&here.statement(None)))
                .unwrap();
        }
        let told = there.statement(Some(NodeId::new(1)));
        let here = Witness::open(&engine(disk.path()), 9).unwrap();
        assert_eq!(here.hear(THERE, Some(&told)), Ok(()));
        let copied = Witness::open(&engine(copy.path()), 9).unwrap();
        let outdated = OutdatedDisk {
            by: THERE,
            heard: 2,
            here: 1,
        };
        assert_eq!(copied.hear(THERE, Some(&told)), Err(outdated));
        // An empty disk has an incarnation of its own and has promised nothing.
        let empty = tempfile::tempdir().unwrap();
        let empty = Witness::open(&engine(empty.path()), 10).unwrap();
        assert_eq!(empty.hear(THERE, Some(&told)), Ok(()));
    }

    #[test]
    fn what_was_heard_outlives_a_restart() {
        let disk = tempfile::tempdir().unwrap();
        let told = |commits| DiskStatement {
            own: Some(HeardOfDisk {
                incarnation: 7,
                commits,
            }),
            heard: None,
        };
        {
            let engine = engine(disk.path());
            let witness = Witness::open(&engine, 9).unwrap();
            witness.hear(THERE, Some(&told(5_000))).unwrap();
            // Late, from a connection that is gone.
            witness.hear(THERE, Some(&told(4_000))).unwrap();
            for _ in 0..limits::COMMITS_PER_WITNESS {
                commit(&engine, &witness);
            }
        }
        let witness = Witness::open(&engine(disk.path()), 9).unwrap();
        assert_eq!(witness.statement(Some(THERE)).heard, told(5_000).own);
    }
}
