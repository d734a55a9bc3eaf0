//! Log matching: entries of one index and term are one entry, and so are all before them.
//!
//! By induction: an entry is known with the term of the one before it, and both must always be the same. What a
//! replica does not know as committed may be replaced, however much it is, and is read again at every look.

use std::collections::BTreeMap;

use quorate_node::seams::{ObservedEntry, ObservedReplica};
use quorate_proto::ids::ShardId;

use super::{Finding, Life};

/// Where an entry is: its group, its index, and the leader that proposed it (term and replica).
type Place = (ShardId, u64, (u64, u64));

/// What must be remembered.
#[derive(Default)]
pub(super) struct LogMatching {
    entries: BTreeMap<Place, u64>,
    /// The leader of the entry before it.
    before: BTreeMap<Place, (u64, u64)>,
    next: BTreeMap<(Life, ShardId), u64>,
}

impl LogMatching {
    pub(super) fn next(&self, life: Life, shard: ShardId) -> u64 {
        self.next.get(&(life, shard)).copied().unwrap_or(0)
    }

    /// The digest of an entry, if it was seen anywhere.
    pub(super) fn digest(&self, shard: ShardId, index: u64, leader: (u64, u64)) -> Option<u64> {
        self.entries.get(&(shard, index, leader)).copied()
    }

    pub(super) fn entries(
        &mut self,
        life: Life,
        seen: &ObservedReplica,
        entries: &[ObservedEntry],
        found: &mut Vec<Finding>,
    ) {
        let shard = seen.shard;
        let mut last: Option<(u64, (u64, u64))> = None;
        for entry in entries {
            let at = entry.position;
            let leader = (at.term, at.leader);
            let place = (shard, at.index, leader);
            let known = *self.entries.entry(place).or_insert(entry.digest);
            if known != entry.digest {
                found.push(finding(
                    life,
                    place,
                    "differs from the same entry elsewhere",
                ));
            }
            if let Some((index, before)) = last
                && index + 1 == at.index
            {
                let known = *self.before.entry(place).or_insert(before);
                if known != before {
                    found.push(finding(life, place, "follows another entry than elsewhere"));
                }
                if before > leader {
                    found.push(finding(life, place, "follows an entry of a later leader"));
                }
            }
            last = Some((at.index, leader));
        }
        let settled = seen.committed.map_or(0, |at| at.index);
        let next = settled.min(last.map_or(0, |(index, _)| index));
        let known = self.next.entry((life, shard)).or_default();
        *known = (*known).max(next);
    }
}

fn finding(life: Life, (shard, index, leader): Place, what: &str) -> Finding {
    Finding {
        law: "log matching",
        detail: format!(
            "entry {index} of leader {leader:?} in shard {shard} on node {} {what}",
            life.node
        ),
    }
}
