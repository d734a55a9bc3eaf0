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
    /// The replicas that a node has lost with its disks before this one.
    pub(super) fn lost(&self, node: Place, disk: u64) -> Vec<(ShardId, u64)> {
        let lost = self
            .disks
            .iter()
            .filter(|(_, at)| at.0 == node && at.1 < disk);
        lost.map(|(replica, _)| *replica).collect()
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
