//! Purging: a log is deleted only up to what survives a power cut in the state, and what a replica believes to
//! survive does.

use quorate_node::seams::ObservedReplica;

use super::{Disks, Finding, Life};

/// Judges a replica as it is now; nothing needs to be remembered.
pub(super) fn replica(
    disks: &dyn Disks,
    life: Life,
    seen: &ObservedReplica,
    found: &mut Vec<Finding>,
) {
    let believed = seen.durable.map(|at| at.index);
    let held = disks.applied(life.node, seen.shard);
    let mut broken = |law: &'static str| {
        let detail = format!(
            "replica {} of shard {} on node {} has purged up to {:?}, believes {believed:?} durable, the disk holds {held:?}",
            seen.replica, seen.shard, life.node, seen.purged
        );
        found.push(Finding { law, detail });
    };
    if seen.purged > held || seen.purged > believed {
        broken("purged only what is durable");
    }
    if believed > held {
        broken("durable is on the disk");
    }
}
