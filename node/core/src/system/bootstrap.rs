//! The first view of a cluster.

use std::collections::BTreeMap;

use quorate_proto::{
    ids::ShardId,
    ring::{RingRange, even_split},
    storage::{Bootstrap, ClusterView, NodeRecord, ReplicaPlacement, ShardRecord},
};

use super::{Refused, nodes::check_node};
use crate::limits;

/// Places the system shard on the first nodes, and the data shards round-robin over all of them. The first
/// replica of each shard forms it, so the first leaders are spread as the shards are.
pub(super) fn first_view(bootstrap: &Bootstrap) -> Result<ClusterView, Refused> {
    if bootstrap.cluster_id.is_empty() || bootstrap.fingerprint.is_empty() {
        return Err(Refused(
            "a cluster needs an id and a fingerprint".to_owned(),
        ));
    }
    if !(1..=limits::SHARDS_MAX).contains(&bootstrap.shards) {
        return Err(Refused(format!(
            "a cluster starts with 1 to {} shards, not {}",
            limits::SHARDS_MAX,
            bootstrap.shards
        )));
    }
    let nodes = unique_nodes(&bootstrap.nodes)?;
    let ids: Vec<u64> = nodes.keys().copied().collect();

    let mut shards = vec![place(ShardId::SYSTEM, None, &ids, 0)];
    for (index, range) in even_split(bootstrap.shards).into_iter().enumerate() {
        let shard = ShardId(index as u32 + 1);
        shards.push(place(shard, Some(range), &ids, index));
    }
    Ok(ClusterView {
        version: 0,
        cluster_id: bootstrap.cluster_id.clone(),
        fingerprint: bootstrap.fingerprint.clone(),
        nodes: nodes.into_values().collect(),
        shards,
        programs: Vec::new(),
    })
}

/// The nodes by id.
fn unique_nodes(nodes: &[NodeRecord]) -> Result<BTreeMap<u64, NodeRecord>, Refused> {
    if nodes.is_empty() || nodes.len() > limits::NODES_MAX {
        return Err(Refused(format!(
            "a cluster starts with 1 to {} nodes, not {}",
            limits::NODES_MAX,
            nodes.len()
        )));
    }
    let mut unique = BTreeMap::new();
    for node in nodes {
        check_node(node)?;
        if unique.insert(node.node_id, node.clone()).is_some() {
            return Err(Refused(format!("node {} is listed twice", node.node_id)));
        }
    }
    Ok(unique)
}

/// A shard on up to [`limits::REPLICAS`] nodes in a row, the first at `offset`.
fn place(shard: ShardId, range: Option<RingRange>, nodes: &[u64], offset: usize) -> ShardRecord {
    let count = limits::REPLICAS.min(nodes.len());
    let replicas: Vec<ReplicaPlacement> = (0..count)
        .map(|index| ReplicaPlacement {
            replica: index as u64 + 1,
            node: nodes[(offset + index) % nodes.len()],
        })
        .collect();
    ShardRecord {
        shard: shard.get(),
        range_first: range.map_or(0, |range| range.first().get()),
        range_last: range.map_or(0, |range| range.last().get()),
        epoch: u64::from(range.is_some()),
        next_replica_id: count as u64 + 1,
        forming_replica: 1,
        replicas,
    }
}
