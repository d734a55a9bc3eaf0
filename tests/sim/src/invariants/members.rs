//! Who must agree in a group: the voters that are surely in force, and those that may be.
//!
//! A change of voters holds from when it is proposed. Until it is known to be committed, the voters before it may
//! still be the ones who agreed; from then on they are not. A proposal that another entry has taken the place of
//! never counts again.

use std::collections::BTreeMap;

use quorate_node::seams::{LogPosition, ObservedReplica};
use quorate_proto::ids::ShardId;

use super::{Disks, OnDisk};
use crate::net::Place;

/// Sets of replicas: a majority of each must agree.
pub(super) type Voters = Vec<Vec<u64>>;

/// What must be remembered of one group.
#[derive(Default)]
pub(super) struct Members {
    /// The newest voters that are known to be committed, and the index of the entry that names them.
    settled: Option<(u64, Voters)>,
    /// Up to here there are no newer ones.
    settled_up_to: u64,
    /// Those beyond, which may come into force or be replaced.
    proposed: BTreeMap<LogPosition, Voters>,
    nodes: BTreeMap<u64, Place>,
    /// Replicas whose disk is lost, and up to which entry they had held their log: that counts until they are replaced.
    lost: BTreeMap<u64, u64>,
}

impl Members {
    /// A replica as it is now.
    pub(super) fn replica(&mut self, seen: &ObservedReplica) {
        let nodes = seen.members.iter();
        self.nodes
            .extend(nodes.map(|(replica, node)| (*replica, node.get())));
        let Some(at) = seen.voters_at.filter(|_| !seen.voters.is_empty()) else {
            return;
        };
        let committed = seen.committed.map(|at| at.index);
        match committed {
            Some(committed) if at.index <= committed => {
                if self
                    .settled
                    .as_ref()
                    .is_none_or(|(known, _)| *known < at.index)
                {
                    self.settled = Some((at.index, seen.voters.clone()));
                }
                self.settled_up_to = self.settled_up_to.max(committed);
                self.proposed.retain(|at, _| at.index > committed);
            }
            _ if self.settled.is_none() || at.index > self.settled_up_to => {
                self.proposed.insert(at, seen.voters.clone());
            }
            _ => {}
        }
    }

    /// A replica's disk is lost, on which it had held its log up to this entry.
    pub(super) fn lost(&mut self, replica: u64, held: u64) {
        self.lost.entry(replica).or_insert(held);
    }

    /// The sets of voters of which one must have agreed to whatever is newly committed.
    pub(super) fn in_force(&self) -> impl Iterator<Item = &Voters> {
        let settled = self.settled.as_ref().map(|(_, voters)| voters);
        settled.into_iter().chain(self.proposed.values())
    }

    /// The replicas that anybody knows of.
    pub(super) fn replicas(&self) -> impl Iterator<Item = u64> {
        self.nodes.keys().copied()
    }

    /// Whether a replica holds an entry, of that term if one is named, whatever happens to the power.
    pub(super) fn holds(
        &self,
        disks: &dyn Disks,
        replica: u64,
        shard: ShardId,
        index: u64,
        term: Option<u64>,
    ) -> bool {
        if let Some(held) = self.lost.get(&replica) {
            return index <= *held;
        }
        let node = self.nodes.get(&replica);
        node.is_some_and(|node| match disks.entry(*node, shard, index) {
            OnDisk::Entry(found) => term.is_none_or(|term| found == term),
            OnDisk::Purged => true,
            OnDisk::Missing => false,
        })
    }
}
