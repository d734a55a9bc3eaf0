//! Nodes that join, move, or come back with an empty disk.

use quorate_proto::storage::{ClusterView, NodeRecord, RegisterNode};

use super::{Change, Refused};
use crate::limits;

/// Adds a node, moves its address or zone, or, if its disk is another one, gives every replica it hosts a
/// fresh id: what a lost disk had promised under the old id, nobody can know.
pub(super) fn register(mut view: ClusterView, register: &RegisterNode) -> Result<Change, Refused> {
    let Some(node) = &register.node else {
        return Err(Refused("the node is missing".to_owned()));
    };
    check_node(node)?;
    if register.fingerprint != view.fingerprint {
        return Err(Refused(format!(
            "node {} has the cluster configuration {}, this cluster {}: they must be identical",
            node.node_id,
            shown(&register.fingerprint),
            shown(&view.fingerprint),
        )));
    }
    let known = view.nodes.iter().position(|n| n.node_id == node.node_id);
    match known {
        None if view.nodes.len() >= limits::NODES_MAX => Err(Refused(format!(
            "a cluster has at most {} nodes",
            limits::NODES_MAX
        ))),
        None => {
            view.nodes.push(node.clone());
            view.nodes.sort_by_key(|node| node.node_id);
            Ok(Change::To(view))
        }
        Some(at) if view.nodes[at] == *node => Ok(Change::Nothing),
        Some(at) => {
            let disk = view.nodes[at].incarnation;
            // 0: a founding node that has not registered yet. Its founding disk holds what it was given.
            let first_registration = disk == 0 && register.founding;
            if disk != node.incarnation && !first_registration {
                replace_replicas(&mut view, node.node_id)?;
            }
            view.nodes[at] = node.clone();
            Ok(Change::To(view))
        }
    }
}

/// Fresh replica ids for everything the node hosts.
///
/// A shard whose forming replica was on the lost disk may or may not have come into being: to form it again
/// could give two groups for one range. So the node has to wait until the shard is reported as formed.
fn replace_replicas(view: &mut ClusterView, node: u64) -> Result<(), Refused> {
    for shard in &mut view.shards {
        for placement in shard.replicas.iter_mut().filter(|p| p.node == node) {
            if placement.replica == shard.forming_replica {
                return Err(Refused(format!(
                    "node {node} lost its disk while it was forming shard {}: it can join once \
                     the shard is known to be formed; if it never is, start the cluster anew",
                    shard.shard
                )));
            }
            placement.replica = shard.next_replica_id;
            shard.next_replica_id += 1;
        }
    }
    Ok(())
}

/// Refuses a node that cannot be one.
pub(super) fn check_node(node: &NodeRecord) -> Result<(), Refused> {
    let id = node.node_id;
    if id == 0 {
        return Err(Refused("node ids are 1 or more".to_owned()));
    }
    if node.address.is_empty() {
        return Err(Refused(format!("node {id} has no address")));
    }
    let longest = node.address.len().max(node.zone.len());
    if longest > limits::NODE_TEXT_BYTES_MAX {
        return Err(Refused(format!(
            "address and zone of node {id} have at most {} bytes",
            limits::NODE_TEXT_BYTES_MAX
        )));
    }
    Ok(())
}

/// Enough of a fingerprint to tell two apart.
fn shown(fingerprint: &str) -> String {
    fingerprint.chars().take(16).collect()
}
