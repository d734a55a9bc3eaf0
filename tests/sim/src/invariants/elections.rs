//! Election safety: the vote that a replica tells anybody is on its synced disk by then, it never falls, also
//! not over a restart, and a leader's id (a term and a replica) leads in one life of one node only.

use std::collections::{BTreeMap, BTreeSet};

use quorate_node::seams::ObservedReplica;
use quorate_proto::ids::ShardId;
use quorate_proto::storage::Vote;

use super::{Disks, Finding, Life};
use crate::net::Place;

const LAW: &str = "election safety";

/// For whom, and in which term, in the order in which votes may follow one another.
type Given = (u64, u64);

/// What must be remembered.
#[derive(Default)]
pub(super) struct Elections {
    /// The highest vote that each replica has told others.
    told: BTreeMap<(ShardId, u64), Given>,
    /// The vote of each replica in each life, when it was last seen.
    seen: BTreeMap<(Life, ShardId, u64), Given>,
    /// In which life each leader leads.
    leaders: BTreeMap<(ShardId, Given), Life>,
    /// Groups that have had a leader.
    groups: BTreeSet<ShardId>,
}

impl Elections {
    /// Leaders that replaced others.
    pub(super) fn count(&self) -> u64 {
        (self.leaders.len() - self.groups.len()) as u64
    }

    /// A replica's own vote, as it sees it.
    pub(super) fn replica(&mut self, life: Life, seen: &ObservedReplica, found: &mut Vec<Finding>) {
        let (shard, replica) = (seen.shard, seen.replica.get());
        let now = (seen.term, seen.voted_for);
        let before = self.seen.insert((life, shard, replica), now);
        // In term 0 it has not read its disk yet.
        let before = match before {
            Some(before) if before.0 > 0 => Some(before),
            _ if seen.term > 0 => self.told.get(&(shard, replica)).copied(),
            _ => None,
        };
        if let Some(before) = before
            && now < before
        {
            found.push(Finding {
                law: LAW,
                detail: format!(
                    "the vote of replica {replica} of shard {shard} on node {} fell from {before:?} to {now:?}",
                    life.node
                ),
            });
        }
        if !seen.leads {
            return;
        }
        self.groups.insert(shard);
        let known = *self.leaders.entry((shard, now)).or_insert(life);
        if known != life || seen.voted_for != replica {
            found.push(Finding {
                law: LAW,
                detail: format!(
                    "replica {replica} of shard {shard} leads as {now:?} in {life:?}, which led in {known:?}"
                ),
            });
        }
    }

    /// A replica tells somebody its vote.
    pub(super) fn tells(
        &mut self,
        disks: &dyn Disks,
        from: Place,
        (shard, replica): (ShardId, u64),
        vote: &Vote,
        found: &mut Vec<Finding>,
    ) {
        let told = (vote.term, vote.leader_replica);
        let known = self.told.entry((shard, replica)).or_default();
        // In term 0 nobody has voted yet.
        if told <= *known || vote.term == 0 {
            return;
        }
        *known = told;
        let synced = disks.vote(from, shard);
        if synced.is_none_or(|synced| synced < told) {
            found.push(Finding {
                law: LAW,
                detail: format!(
                    "replica {replica} of shard {shard} on node {from} tells its vote {told:?}, and has synced {synced:?}"
                ),
            });
        }
    }

    /// A replica sends entries as a leader.
    pub(super) fn leads(
        &self,
        shard: ShardId,
        replica: u64,
        vote: &Vote,
        found: &mut Vec<Finding>,
    ) {
        if vote.leader_replica != replica || !vote.committed {
            found.push(Finding {
                law: LAW,
                detail: format!(
                    "replica {replica} of shard {shard} sends entries with the vote {vote:?}"
                ),
            });
        }
    }
}
