//! Committed entries: one index has one committed entry for ever, and it is on the synced disks of a quorum, with
//! all before it, whenever anybody calls it committed or has applied it, or a client was told of it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use quorate_node::seams::ObservedReplica;
use quorate_proto::ids::ShardId;

use super::log_matching::LogMatching;
use super::members::{Members, Voters};
use super::{Disks, Finding, Life};

/// What must be remembered.
#[derive(Default)]
pub(super) struct Committed {
    entries: BTreeMap<(ShardId, u64), (u64, u64)>,
    /// Up to here every commit was found durable.
    checked: BTreeMap<ShardId, u64>,
}

impl Committed {
    pub(super) fn replica(
        &mut self,
        life: Life,
        seen: &ObservedReplica,
        logs: &LogMatching,
        found: &mut Vec<Finding>,
    ) {
        for at in [seen.committed, seen.applied].into_iter().flatten() {
            let leader = (at.term, at.leader);
            let place = (seen.shard, at.index);
            let known = *self.entries.entry(place).or_insert(leader);
            if known == leader {
                continue;
            }
            let digests = [known, leader].map(|leader| logs.digest(seen.shard, at.index, leader));
            found.push(Finding {
                law: "one committed entry",
                detail: format!(
                    "node {} has committed entry {} of shard {} from leader {leader:?}, somebody has it from {known:?} (digests {digests:?})",
                    life.node, at.index, seen.shard
                ),
            });
        }
    }

    /// An entry is called committed, or is applied: it must be on the disks of a majority of every set of voters, and
    /// with it whatever was not called so before.
    pub(super) fn durable(
        &mut self,
        disks: &dyn Disks,
        members: &Members,
        shard: ShardId,
        index: u64,
        term: u64,
        found: &mut Vec<Finding>,
    ) {
        let checked = self.checked.entry(shard).or_default();
        if index <= *checked || members.in_force().next().is_none() {
            return;
        }
        let entries = *checked + 1..=index;
        if is_durable(disks, members, shard, entries, term, found) {
            *checked = index;
        }
    }

    /// A client was told that this entry decided its request: it, and no other, must be on those disks, however long
    /// it has been committed.
    pub(super) fn told(
        &mut self,
        disks: &dyn Disks,
        members: &Members,
        shard: ShardId,
        index: u64,
        term: u64,
        found: &mut Vec<Finding>,
    ) {
        if members.in_force().next().is_some() {
            is_durable(disks, members, shard, index..=index, term, found);
        }
    }
}

/// Whether these entries, the last of this term, are on the disks of a majority of every set of voters in force.
fn is_durable(
    disks: &dyn Disks,
    members: &Members,
    shard: ShardId,
    entries: RangeInclusive<u64>,
    term: u64,
    found: &mut Vec<Finding>,
) -> bool {
    let index = *entries.end();
    let holds = |replica: &u64| {
        let of_its_term = |at| (at == index).then_some(term);
        let held = |at| members.holds(disks, *replica, shard, at, of_its_term(at));
        entries.clone().rev().all(held)
    };
    let majority = |set: &Vec<u64>| {
        let holders = set.iter().filter(|replica| holds(replica));
        2 * holders.count() > set.len()
    };
    let durable = members.in_force().any(|sets| sets.iter().all(majority));
    if !durable {
        let holders: Vec<u64> = members.replicas().filter(holds).collect();
        let voters: Vec<&Voters> = members.in_force().collect();
        found.push(Finding {
            law: "committed means durable on a quorum",
            detail: format!(
                "entries {entries:?} (term {term}) of shard {shard} are committed, and synced at {holders:?} of {voters:?}"
            ),
        });
    }
    durable
}
