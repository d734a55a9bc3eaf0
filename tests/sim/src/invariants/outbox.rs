//! Outboxes: what is acknowledged was written, what is deleted was acknowledged, and an outbox is the same on
//! every replica at the same place, in every life. That rows count once at their sites is judged from the shelves.

use std::collections::BTreeMap;

use quorate_node::seams::{ObservedOutbox, ObservedReplica};
use quorate_proto::ids::ShardId;

use super::{Finding, Life};
use crate::net::Place;

/// What must be remembered.
#[derive(Default)]
pub(super) struct Outbox {
    newest: BTreeMap<(Life, ShardId, u64), ObservedOutbox>,
    /// By the entry up to which a state is applied; and where it was seen first.
    at: BTreeMap<(ShardId, u64), (ObservedOutbox, Place)>,
}

impl Outbox {
    pub(super) fn replica(&mut self, life: Life, seen: &ObservedReplica, found: &mut Vec<Finding>) {
        let now = seen.outbox;
        let place = (life, seen.shard, seen.replica.get());
        let before = *self.newest.entry(place).or_insert(now);
        let grew = now.newest >= before.newest
            && now.acknowledged >= before.acknowledged
            && now.trimmed >= before.trimmed;
        if !grew || now.trimmed > now.acknowledged || now.acknowledged > now.newest {
            found.push(Finding {
                law: "outbox order",
                detail: format!(
                    "replica {} of shard {} on node {}: {before:?}, then {now:?}",
                    seen.replica, seen.shard, life.node
                ),
            });
        }
        self.newest.insert(place, now);
        let Some(applied) = seen.applied else {
            return;
        };
        let place = (seen.shard, applied.index);
        let (known, node) = *self.at.entry(place).or_insert((now, life.node));
        if known != now {
            found.push(Finding {
                law: "equal outboxes at equal places",
                detail: format!(
                    "the outbox of shard {} at entry {} is {known:?} on node {node} and {now:?} on node {}",
                    seen.shard, applied.index, life.node
                ),
            });
        }
    }
}
