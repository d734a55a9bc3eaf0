//! What must hold at every moment of every run, one law a file.
//!
//! The driver feeds what it sees: every replica whenever it changes, every message between nodes, every view,
//! every acknowledgement. State owned: what each law has to remember, and what was found. Laws of whole
//! histories are judged by the crate `quorate-check`. Deliberately absent: tolerance, and any influence on the run.

mod acknowledged;
mod applied;
mod committed;
mod elections;
mod identity;
mod log_matching;
mod members;
mod outbox;
mod purge;
mod ranges;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quorate_node::seams::{ObservedEntry, ObservedReplica, ObservedState};
use quorate_proto::ids::ShardId;
use quorate_proto::internal::{PeerFrame, SnapshotHeader, append_reply, envelope};
use quorate_proto::storage::ClusterView;

use crate::net::Place;
use crate::net::peers::Overhear;

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The law.
    pub law: &'static str,
    /// What was seen.
    pub detail: String,
}

/// One life of one node, from its start to its death.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life {
    /// The node.
    pub node: Place,
    /// Of its disk: another one after the disk was lost.
    pub disk: u64,
    /// Counts the starts of all nodes.
    pub start: u64,
}

/// What is on a disk of an entry, whatever happens to the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisk {
    /// The entry, of this term.
    Entry(u64),
    /// Deleted, because the state holds it.
    Purged,
    /// Not there.
    Missing,
}

/// Looks at disks as they would be after a power cut now.
pub trait Disks: Send + Sync + 'static {
    /// What a node's disk holds of an entry.
    fn entry(&self, node: Place, shard: ShardId, index: u64) -> OnDisk;

    /// The vote on a node's disk: its term, and for whom.
    fn vote(&self, node: Place, shard: ShardId) -> Option<(u64, u64)>;

    /// Up to which entry a node's disk holds the applied state; `None`: it holds none. While a snapshot is being put
    /// in place of the state, that is where the snapshot stands: a restart finishes it.
    fn applied(&self, node: Place, shard: ShardId) -> Option<u64>;
}

/// Every law together. Cheap to clone.
#[derive(Clone)]
pub struct Judges {
    shared: Arc<Shared>,
}

struct Shared {
    disks: Arc<dyn Disks>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    acknowledged: acknowledged::Acknowledged,
    elections: elections::Elections,
    identity: identity::Identity,
    log_matching: log_matching::LogMatching,
    committed: committed::Committed,
    applied: applied::Applied,
    ranges: ranges::Ranges,
    outbox: outbox::Outbox,
    /// Who must agree in each group.
    members: BTreeMap<ShardId, members::Members>,
    found: Vec<Finding>,
}

impl Judges {
    /// Nothing has been seen yet.
    pub fn new(disks: Arc<dyn Disks>) -> Self {
        Self {
            shared: Arc::new(Shared {
                disks,
                state: Mutex::default(),
            }),
        }
    }

    /// What was found so far.
    #[must_use]
    pub fn found(&self) -> Vec<Finding> {
        self.lock().found.clone()
    }

    /// Whether anything was found.
    #[must_use]
    pub fn has_found(&self) -> bool {
        !self.lock().found.is_empty()
    }

    /// Something that the driver itself has found.
    pub fn find(&self, law: &'static str, detail: String) {
        self.lock().found.push(Finding { law, detail });
    }

    /// How many leaders there have been, beyond the first of each group.
    #[must_use]
    pub fn elections(&self) -> u64 {
        self.lock().elections.count()
    }

    /// A replica as it is now, with the entries of its log that are new since it was last seen in this life.
    pub fn replica(&self, life: Life, seen: &ObservedReplica, entries: &[ObservedEntry]) {
        let mut state = self.lock();
        let State {
            acknowledged,
            elections,
            identity,
            log_matching,
            committed,
            applied,
            outbox,
            members,
            found,
            ..
        } = &mut *state;
        let disks = &*self.shared.disks;
        acknowledged.replica(life, seen, found);
        identity.replica(life, seen, found);
        elections.replica(life, seen, found);
        log_matching.entries(life, seen, entries, found);
        applied.replica(life, seen, found);
        purge::replica(disks, life, seen, found);
        outbox.replica(life, seen, found);
        committed.replica(life, seen, log_matching, found);
        let members = members.entry(seen.shard).or_default();
        members.replica(seen);
        // What is applied was committed, whether the replica says so yet or not.
        for at in [seen.committed, seen.applied].into_iter().flatten() {
            committed.durable(disks, members, seen.shard, at.index, at.term, found);
        }
    }

    /// From which index on entries of a replica are wanted, in this life of its node.
    pub fn entries_wanted(&self, life: Life, shard: ShardId) -> u64 {
        self.lock().log_matching.next(life, shard)
    }

    /// The whole state of a replica where it stands.
    pub fn state(&self, life: Life, shard: ShardId, seen: &ObservedState) {
        let mut state = self.lock();
        let State {
            applied,
            ranges,
            found,
            ..
        } = &mut *state;
        if let Some(at) = seen.at {
            applied.digest(life, shard, at.index, seen.digest, found);
        }
        if let Some((range, epoch)) = seen.owns {
            ranges.owns(life, shard, range, epoch, found);
        }
    }

    /// A client was told that the entry at this place decided its request.
    pub fn acknowledged(&self, shard: ShardId, index: u64, term: u64) {
        let mut state = self.lock();
        let State {
            committed,
            members,
            found,
            ..
        } = &mut *state;
        let members = members.entry(shard).or_default();
        committed.told(&*self.shared.disks, members, shard, index, term, found);
    }

    /// A node has lost its disk, and gets this one.
    pub fn disk_replaced(&self, node: Place, disk: u64) {
        let mut state = self.lock();
        let State {
            acknowledged,
            identity,
            members,
            ..
        } = &mut *state;
        for (shard, replica) in identity.lost(node, disk) {
            let held = acknowledged.held(shard, replica);
            members.entry(shard).or_default().lost(replica, held);
        }
    }

    /// A node tells of this view.
    pub fn view(&self, node: Place, view: &ClusterView) {
        let mut state = self.lock();
        let State { ranges, found, .. } = &mut *state;
        ranges.view(node, view, found);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Overhear for Judges {
    fn frame(&self, from: Place, frame: &PeerFrame) {
        let mut state = self.lock();
        let State {
            acknowledged,
            elections,
            found,
            ..
        } = &mut *state;
        for envelope in &frame.envelopes {
            let shard = ShardId::new(envelope.group);
            let replica = envelope.from_replica;
            let vote = match &envelope.body {
                Some(envelope::Body::Append(append)) => {
                    if let Some(id) = &append.leader_commit {
                        acknowledged.leads(shard, replica, id.index);
                    }
                    if let Some(vote) = &append.vote {
                        elections.leads(shard, replica, vote, found);
                    }
                    &append.vote
                }
                Some(envelope::Body::AppendReply(reply)) => match &reply.result {
                    Some(append_reply::Result::Matched(matched)) => {
                        if let Some(id) = &matched.log_id {
                            acknowledged.tells(shard, replica, id.index);
                        }
                        &None
                    }
                    // Whoever hears of a higher vote gives way to it. Nothing is promised by that.
                    Some(
                        append_reply::Result::Conflict(_) | append_reply::Result::HigherVote(_),
                    )
                    | None => &None,
                },
                Some(envelope::Body::Vote(request)) => &request.vote,
                Some(envelope::Body::VoteReply(reply)) => &reply.vote,
                // What a replica would vote is no vote, and who is to lead must be elected first.
                Some(
                    envelope::Body::PreVote(_)
                    | envelope::Body::TransferLeader(_)
                    | envelope::Body::TransferLeaderReply(_)
                    | envelope::Body::End(_)
                    | envelope::Body::Refused(_),
                )
                | None => &None,
            };
            if let Some(vote) = vote {
                let disks = &*self.shared.disks;
                elections.tells(disks, from, (shard, replica), vote, found);
            }
        }
    }

    fn snapshot(&self, from: Place, header: &SnapshotHeader) {
        let mut state = self.lock();
        let State {
            acknowledged,
            elections,
            found,
            ..
        } = &mut *state;
        let (shard, replica) = (ShardId::new(header.group), header.from_replica);
        if let Some(id) = &header.last_log_id {
            acknowledged.leads(shard, replica, id.index);
        }
        if let Some(vote) = &header.vote {
            let disks = &*self.shared.disks;
            elections.leads(shard, replica, vote, found);
            elections.tells(disks, from, (shard, replica), vote, found);
        }
    }
}

#[cfg(test)]
mod tests;
