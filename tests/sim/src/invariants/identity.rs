//! Identity: a replica id belongs to one disk for ever; a disk that was lost takes its replicas with it.

use std::collections::BTreeMap;

use quorate_node::seams::ObservedReplica;
use quorate_proto::ids::ShardId;

use super::{Finding, Life};
use crate::net::Place;

/// What must be remembered.
#[derive(Default)]
pub(super) struct Identity {
    disks: BTreeMap<(ShardId, u64), (Place, u64)>,
}

impl Identity {
    /// Where a replica lives: its node, and which of that node's disks.
    pub(super) fn disk_of(&self, shard: ShardId, replica: u64) -> Option<(Place, u64)> {
        self.disks.get(&(shard, replica)).copied()
    }

    pub(super) fn replica(&mut self, life: Life, seen: &ObservedReplica, found: &mut Vec<Finding>) {
        let (shard, replica) = (seen.shard, seen.replica.get());
        let here = (life.node, life.disk);
        let known = *self.disks.entry((shard, replica)).or_insert(here);
        if known != here {
            found.push(Finding {
                law: "replica ids",
                detail: format!(
                    "replica {replica} of shard {shard} is on disk {} of node {}, and was on disk {} of node {}",
                    here.1, here.0, known.1, known.0
                ),
            });
        }
    }
}
