//! Purging: a log is deleted only up to what survives a power cut in the state.

use std::marker::PhantomData;

use quorate_node::seams::ObservedReplica;

use super::{Finding, Life};

/// Nothing needs to be remembered.
#[derive(Default)]
pub(super) struct Purge(PhantomData<()>);

impl Purge {
    pub(super) fn replica(&self, life: Life, seen: &ObservedReplica, found: &mut Vec<Finding>) {
        let durable = seen.durable.map(|at| at.index);
        if seen.purged > durable {
            found.push(Finding {
                law: "purged only what is durable",
                detail: format!(
                    "replica {} of shard {} on node {} has purged up to {:?}, durable is {durable:?}",
                    seen.replica, seen.shard, life.node, seen.purged
                ),
            });
        }
    }
}
