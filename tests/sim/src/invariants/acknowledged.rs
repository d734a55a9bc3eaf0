//! Acknowledged entries: what a replica has told a leader it holds, it holds after every restart, as far as it is
//! committed. A log whose damaged end is cut off in silence would break this.

use std::collections::{BTreeMap, BTreeSet};

use quorate_node::seams::ObservedReplica;
use quorate_proto::ids::ShardId;

use super::{Finding, Life};

/// What must be remembered.
#[derive(Default)]
pub(super) struct Acknowledged {
    /// The highest entry that each replica has told anybody to hold.
    told: BTreeMap<(ShardId, u64), u64>,
    /// The highest entry that each replica has told as a leader to be committed.
    led: BTreeMap<(ShardId, u64), u64>,
    /// The highest entry that is known to be committed.
    committed: BTreeMap<ShardId, u64>,
    /// Lives in which a replica was looked at.
    begun: BTreeSet<(Life, ShardId, u64)>,
}

impl Acknowledged {
    /// A replica tells that it holds everything up to this index.
    pub(super) fn tells(&mut self, shard: ShardId, replica: u64, index: u64) {
        let told = self.told.entry((shard, replica)).or_default();
        *told = (*told).max(index);
    }

    /// A leader tells that everything up to this index is committed.
    pub(super) fn leads(&mut self, shard: ShardId, replica: u64, index: u64) {
        let led = self.led.entry((shard, replica)).or_default();
        *led = (*led).max(index);
    }

    /// Up to which entry a replica has shown that it holds its log. A leader acknowledges its own entries to nobody:
    /// what it has told to be committed counts as held, since either it held it or enough others did.
    pub(super) fn held(&self, shard: ShardId, replica: u64) -> u64 {
        let of = |known: &BTreeMap<(ShardId, u64), u64>| {
            known.get(&(shard, replica)).copied().unwrap_or_default()
        };
        of(&self.told).max(of(&self.led))
    }

    pub(super) fn replica(&mut self, life: Life, seen: &ObservedReplica, found: &mut Vec<Finding>) {
        let (shard, replica) = (seen.shard, seen.replica.get());
        let committed = self.committed.entry(shard).or_default();
        // In term 0 it has not read its disk yet.
        if seen.term > 0 && self.begun.insert((life, shard, replica)) {
            let told = self.told.get(&(shard, replica)).copied();
            let promised = told.unwrap_or_default().min(*committed);
            let holds = seen.last_index.unwrap_or_default();
            if holds < promised {
                found.push(Finding {
                    law: "acknowledged means held",
                    detail: format!(
                        "replica {replica} of shard {shard} on node {} has promised entry {promised} and holds {holds}",
                        life.node
                    ),
                });
            }
        }
        *committed = (*committed).max(seen.committed.map_or(0, |at| at.index));
    }
}
