//! Applied state: it only grows, survives what was called durable, and is the same on every replica at the same
//! place. That it is never beyond what is committed is judged with the committed entries.

use std::collections::BTreeMap;

use quorate_node::seams::ObservedReplica;
use quorate_proto::ids::ShardId;

use super::{Finding, Life};
use crate::net::Place;

const LAW: &str = "applied state";

/// What must be remembered.
#[derive(Default)]
pub(super) struct Applied {
    /// In this life.
    applied: BTreeMap<(Life, ShardId, u64), u64>,
    /// Of this disk, in whatever life.
    durable: BTreeMap<(Place, u64, ShardId, u64), u64>,
    digests: BTreeMap<(ShardId, u64), ([u8; 32], Place)>,
}

impl Applied {
    pub(super) fn replica(&mut self, life: Life, seen: &ObservedReplica, found: &mut Vec<Finding>) {
        let (shard, replica) = (seen.shard, seen.replica.get());
        let applied = seen.applied.map_or(0, |at| at.index);
        let mut broken = |what: String| {
            found.push(Finding {
                law: LAW,
                detail: format!(
                    "replica {replica} of shard {shard} on node {}: {what}",
                    life.node
                ),
            });
        };
        let disk = (life.node, life.disk, shard, replica);
        let durable = self.durable.entry(disk).or_default();
        let before = self
            .applied
            .entry((life, shard, replica))
            .or_insert(*durable);
        if applied < *before {
            broken(format!("applied fell from {before} to {applied}"));
        }
        *before = applied;
        let now_durable = seen.durable.map_or(0, |at| at.index);
        if now_durable > applied {
            broken(format!(
                "durable up to {now_durable}, but applied up to {applied}"
            ));
        }
        *durable = (*durable).max(now_durable);
    }

    pub(super) fn digest(
        &mut self,
        life: Life,
        shard: ShardId,
        index: u64,
        digest: [u8; 32],
        found: &mut Vec<Finding>,
    ) {
        let (known, node) = *self
            .digests
            .entry((shard, index))
            .or_insert((digest, life.node));
        if known != digest {
            found.push(Finding {
                law: "equal states at equal places",
                detail: format!(
                    "the state of shard {shard} at entry {index} differs between nodes {node} and {}",
                    life.node
                ),
            });
        }
    }
}
