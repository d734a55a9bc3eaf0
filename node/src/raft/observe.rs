//! What a replica looks like from outside, in full: for judges of a whole cluster.
//!
//! Everything is read, nothing is changed, and no answer to a caller depends on it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, unfold};
use openraft::async_runtime::WatchReceiver as _;
use openraft::type_config::alias::WatchReceiverOf;
use openraft::{RaftMetrics, ServerState};
use quorate_core::CoreError;
use quorate_core::checkpoint;
use quorate_core::ledger::{self, ShardTotals};
use quorate_proto::ids::{Epoch, NodeId, ReplicaId, ShardId};
use quorate_proto::ring::RingRange;
use tokio::sync::watch;

use super::books::Outbox;
use super::codec::{AppliedPoint, encode_entry};
use super::group::Group;
use super::types::{Host, LogId, TypeConfig};
use crate::storage::StorageError;

/// A place in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// Of the leader that proposed the entry.
    pub term: u64,
    /// That leader's replica.
    pub leader: u64,
    /// Counts entries from 0.
    pub index: u64,
}

fn position(id: &LogId) -> LogPosition {
    LogPosition {
        term: id.leader_id.term,
        leader: id.leader_id.node_id,
        index: id.index,
    }
}

/// One entry of a replica's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservedEntry {
    /// Where it is.
    pub position: LogPosition,
    /// Equal for equal entries; the same in every run.
    pub digest: u64,
}

/// The whole state of a replica in short: equal at equal places on every replica of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedState {
    /// The place it stands at; `None`: nothing was ever applied.
    pub at: Option<LogPosition>,
    /// SHA-256 over every row.
    pub digest: [u8; 32],
    /// The part of the ring that it owns, and the generation of that; `None`: none yet.
    pub owns: Option<(RingRange, Epoch)>,
    /// Counted since the shard was created.
    pub totals: ShardTotals,
}

/// The newest and the oldest rows of an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObservedOutbox {
    /// The newest row.
    pub newest: u64,
    /// Every row up to this one is known to be applied by its target.
    pub acknowledged: u64,
    /// Every row up to this one is deleted.
    pub trimmed: u64,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedReplica {
    /// Its group.
    pub shard: ShardId,
    /// Which of the group's replicas.
    pub replica: ReplicaId,
    /// The term of its vote, which is synced.
    pub term: u64,
    /// For whom it voted in that term: a replica.
    pub voted_for: u64,
    /// Whether that replica is known to have won.
    pub vote_committed: bool,
    /// Whether this replica leads in its term, as it knows.
    pub leads: bool,
    /// The sets of voters: two while they change, each of which must agree.
    pub voters: Vec<Vec<u64>>,
    /// The entry that names them, committed or not; `None`: nobody has named any.
    pub voters_at: Option<LogPosition>,
    /// Every replica that it knows of, and its node.
    pub members: BTreeMap<u64, NodeId>,
    /// Index of the last entry of its log, synced or not.
    pub last_index: Option<u64>,
    /// Up to here it knows entries as committed.
    pub committed: Option<LogPosition>,
    /// Up to here entries are applied.
    pub applied: Option<LogPosition>,
    /// Up to here what was applied survives a power cut.
    pub durable: Option<LogPosition>,
    /// Up to here entries are deleted from the log.
    pub purged: Option<u64>,
    /// Its outbox.
    pub outbox: ObservedOutbox,
    /// Set once it has stopped for good.
    pub failure: Option<String>,
}

impl Group {
    /// The replica as it is now.
    pub(crate) fn observe(&self) -> ObservedReplica {
        let metrics = self.raft().metrics().borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        let voters = membership.get_joint_config().iter();
        let outbox = *self.state().books().outbox().borrow();
        ObservedReplica {
            shard: self.shard(),
            replica: self.replica(),
            term: metrics.vote.leader_id.term,
            voted_for: metrics.vote.leader_id.node_id,
            vote_committed: metrics.vote.committed,
            leads: metrics.state == ServerState::Leader
                && metrics.current_leader == Some(metrics.id),
            voters: voters.map(|set| set.iter().copied().collect()).collect(),
            voters_at: metrics.membership_config.log_id().as_ref().map(position),
            members: membership
                .nodes()
                .map(|(replica, host)| (*replica, Host::node(*host)))
                .collect(),
            last_index: metrics.last_log_index,
            committed: metrics.local_committed.as_ref().map(position),
            applied: self.state().point().log_id.as_ref().map(position),
            durable: self.state().durable_point().log_id.as_ref().map(position),
            purged: self.purged_index(),
            outbox: ObservedOutbox {
                newest: outbox.newest,
                acknowledged: outbox.acknowledged,
                trimmed: outbox.trimmed,
            },
            failure: self.leadership().borrow().failure.clone(),
        }
    }

    /// The replica now and whenever any of it has changed; ends when the replica stops.
    pub(crate) fn observations(self: &Arc<Self>) -> BoxStream<'static, ObservedReplica> {
        let changes = Changes {
            metrics: self.raft().metrics(),
            applied: self.state().watch_applied(),
            durable: self.state().watch_durable(),
            outbox: self.state().books().outbox(),
        };
        let seen = unfold(
            (Arc::downgrade(self), changes, true),
            |(group, mut changes, first)| async move {
                if !first {
                    changes.next().await?;
                }
                let observed = group.upgrade()?.observe();
                Some((observed, (group, changes, false)))
            },
        );
        seen.boxed()
    }

    /// Entries `[first, end)` of the log as they can be read here; fewer if some are purged or not there.
    pub(crate) fn observe_entries(
        &self,
        first: u64,
        end: u64,
    ) -> Result<Vec<ObservedEntry>, StorageError> {
        let entries = self.read_log(first, end)?;
        let observed = entries.iter().map(|entry| {
            // Fixed keys: the same in every process.
            let mut hasher = DefaultHasher::new();
            hasher.write(&encode_entry(entry));
            ObservedEntry {
                position: position(&entry.log_id),
                digest: hasher.finish(),
            }
        });
        Ok(observed.collect())
    }

    /// The whole state, now. Reads every row: for small states.
    pub(crate) fn observe_state(&self) -> Result<ObservedState, CoreError> {
        self.state().read(|view, point| {
            let summary = checkpoint::summarize(view, self.shard())?;
            let facts = ledger::facts(view, self.shard())?;
            Ok(ObservedState {
                at: point.map(position),
                digest: summary.digest,
                owns: facts.range().map(|range| (range, facts.epoch())),
                totals: summary.totals,
            })
        })
    }
}

/// What a replica changes by.
struct Changes {
    metrics: WatchReceiverOf<TypeConfig, RaftMetrics<TypeConfig>>,
    applied: watch::Receiver<u64>,
    durable: watch::Receiver<AppliedPoint>,
    outbox: watch::Receiver<Outbox>,
}

impl Changes {
    /// Waits for the next change; `None`: there will be none.
    async fn next(&mut self) -> Option<()> {
        let changed = tokio::select! {
            biased;
            changed = self.metrics.changed() => changed.is_ok(),
            changed = self.applied.changed() => changed.is_ok(),
            changed = self.durable.changed() => changed.is_ok(),
            changed = self.outbox.changed() => changed.is_ok(),
        };
        // Who looks now sees all of them.
        self.applied.mark_unchanged();
        self.durable.mark_unchanged();
        self.outbox.mark_unchanged();
        changed.then_some(())
    }
}
