//! The cluster view as routing and placement need it: typed, validated, searchable.
//!
//! State owned: one immutable version of the view. Invariants, checked once in [`ShardMap::new`]: the data
//! shards' ranges cover the ring without a gap or overlap; ids are unique; every replica sits on a known
//! node, at most one of a shard on each. Deliberately absent: leadership, which is not durable.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::{
    ids::{Epoch, NodeId, ReplicaId, RingPosition, ShardId},
    ring::RingRange,
    storage,
};

/// One version of the cluster view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardMap {
    version: u64,
    cluster_id: String,
    nodes: BTreeMap<NodeId, NodeInfo>,
    system: ShardInfo,
    /// By range.
    shards: Vec<ShardInfo>,
    /// Position of each data shard in `shards`.
    index: BTreeMap<ShardId, usize>,
}

/// A physical node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// The node.
    pub id: NodeId,
    /// Drawn when the node's disk was first initialised: another value is another disk.
    pub incarnation: u64,
    /// `host:port` where it serves nodes and gateways.
    pub address: String,
    /// Failure zone.
    pub zone: String,
}

/// A shard and where its replicas shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardInfo {
    /// The shard.
    pub shard: ShardId,
    /// Its part of the ring; `None` for the system shard.
    pub range: Option<RingRange>,
    /// Generation of the range; 0 for the system shard.
    pub epoch: Epoch,
    /// The replicas and the nodes that host them.
    pub replicas: Vec<(ReplicaId, NodeId)>,
    /// The replica that forms the group, until it is formed.
    pub forming: Option<ReplicaId>,
}

impl ShardInfo {
    /// The replica that this node hosts.
    #[must_use]
    pub fn replica_on(&self, node: NodeId) -> Option<ReplicaId> {
        self.replicas
            .iter()
            .find(|(_, host)| *host == node)
            .map(|(replica, _)| *replica)
    }

    /// The node that hosts this replica.
    #[must_use]
    pub fn node_of(&self, replica: ReplicaId) -> Option<NodeId> {
        self.replicas
            .iter()
            .find(|(id, _)| *id == replica)
            .map(|(_, node)| *node)
    }
}

impl ShardMap {
    /// Reads and validates a view.
    ///
    /// # Errors
    /// Names the law that the view breaks.
    pub fn new(view: &storage::ClusterView) -> Result<Self, ShardMapError> {
        let mut nodes = BTreeMap::new();
        for record in &view.nodes {
            let node = NodeInfo {
                id: NodeId(record.node_id),
                incarnation: record.incarnation,
                address: record.address.clone(),
                zone: record.zone.clone(),
            };
            if nodes.insert(node.id, node).is_some() {
                return Err(ShardMapError::NodeTwice(NodeId(record.node_id)));
            }
        }

        let mut system = None;
        let mut shards = Vec::with_capacity(view.shards.len());
        for record in &view.shards {
            let shard = read_shard(record, &nodes)?;
            if !shard.shard.is_system() {
                shards.push(shard);
            } else if system.replace(shard).is_some() {
                return Err(ShardMapError::ShardTwice(ShardId::SYSTEM));
            }
        }
        let system = system.ok_or(ShardMapError::NoSystemShard)?;

        shards.sort_by_key(|shard| shard.range);
        check_cover(&shards)?;
        let mut index = BTreeMap::new();
        for (at, shard) in shards.iter().enumerate() {
            if index.insert(shard.shard, at).is_some() {
                return Err(ShardMapError::ShardTwice(shard.shard));
            }
        }
        Ok(Self {
            version: view.version,
            cluster_id: view.cluster_id.clone(),
            nodes,
            system,
            shards,
            index,
        })
    }

    /// Grows by one with every change of the view.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Identity of the cluster.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The data shard that owns this position. Every position has an owner in a valid map, so the answer
    /// is always present; callers need not rely on it.
    #[must_use]
    pub fn shard_at(&self, position: RingPosition) -> Option<&ShardInfo> {
        let after = self
            .shards
            .partition_point(|shard| shard.range.is_some_and(|range| range.first() <= position));
        let shard = self.shards.get(after.checked_sub(1)?)?;
        shard
            .range
            .is_some_and(|range| range.contains(position))
            .then_some(shard)
    }

    /// A shard by id, the system shard included.
    #[must_use]
    pub fn shard(&self, shard: ShardId) -> Option<&ShardInfo> {
        if shard.is_system() {
            return Some(&self.system);
        }
        self.shards.get(*self.index.get(&shard)?)
    }

    /// The system shard.
    #[must_use]
    pub fn system(&self) -> &ShardInfo {
        &self.system
    }

    /// The data shards, in ring order.
    #[must_use]
    pub fn shards(&self) -> &[ShardInfo] {
        &self.shards
    }

    /// The nodes, by id.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &NodeInfo> {
        self.nodes.values()
    }

    /// A node by id.
    #[must_use]
    pub fn node(&self, node: NodeId) -> Option<&NodeInfo> {
        self.nodes.get(&node)
    }
}

fn read_shard(
    record: &storage::ShardRecord,
    nodes: &BTreeMap<NodeId, NodeInfo>,
) -> Result<ShardInfo, ShardMapError> {
    let shard = ShardId(record.shard);
    let range = if shard.is_system() {
        None
    } else {
        let first = RingPosition(record.range_first);
        let last = RingPosition(record.range_last);
        Some(RingRange::new(first, last).ok_or(ShardMapError::RangeReversed(shard))?)
    };

    let mut replicas = Vec::with_capacity(record.replicas.len());
    let (mut ids, mut hosts) = (BTreeSet::new(), BTreeSet::new());
    for placement in &record.replicas {
        let (replica, node) = (ReplicaId(placement.replica), NodeId(placement.node));
        if !nodes.contains_key(&node) {
            return Err(ShardMapError::UnknownNode { shard, node });
        }
        if !ids.insert(replica) || !hosts.insert(node) || replica.get() >= record.next_replica_id {
            return Err(ShardMapError::ReplicaReused(shard));
        }
        replicas.push((replica, node));
    }
    if replicas.is_empty() {
        return Err(ShardMapError::NoReplica(shard));
    }

    let forming = (record.forming_replica != 0).then_some(ReplicaId(record.forming_replica));
    if forming.is_some_and(|replica| !ids.contains(&replica)) {
        return Err(ShardMapError::FormingUnknown(shard));
    }
    Ok(ShardInfo {
        shard,
        range,
        epoch: Epoch(record.epoch),
        replicas,
        forming,
    })
}

/// The data shards, sorted by range, must cover the ring: each starts right after the one before it.
fn check_cover(shards: &[ShardInfo]) -> Result<(), ShardMapError> {
    let mut expected = Some(RingPosition(0));
    for shard in shards {
        let range = shard
            .range
            .ok_or(ShardMapError::RangeReversed(shard.shard))?;
        match expected {
            Some(expected) if range.first() == expected => {}
            Some(expected) if range.first() > expected => {
                return Err(ShardMapError::Gap { position: expected });
            }
            _ => {
                return Err(ShardMapError::Overlap {
                    position: range.first(),
                });
            }
        }
        expected = range.last().get().checked_add(1).map(RingPosition);
    }
    match expected {
        None => Ok(()),
        Some(position) => Err(ShardMapError::Gap { position }),
    }
}

/// The law that a cluster view breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ShardMapError {
    /// Node ids are unique.
    #[error("node {0} is listed twice; node ids are unique")]
    NodeTwice(NodeId),
    /// Shard ids are unique.
    #[error("shard {0} is listed twice; shard ids are unique")]
    ShardTwice(ShardId),
    /// There is one system shard.
    #[error("shard 0, the system shard, is missing")]
    NoSystemShard,
    /// A range ends where it starts or behind.
    #[error("the range of shard {0} ends before it starts")]
    RangeReversed(ShardId),
    /// Data ranges cover the ring.
    #[error("no shard owns ring position {:016x}; data ranges must cover the ring", position.get())]
    Gap {
        /// The first position without an owner.
        position: RingPosition,
    },
    /// Data ranges are disjoint.
    #[error("two shards own ring position {:016x}; data ranges must be disjoint", position.get())]
    Overlap {
        /// The first position with two owners.
        position: RingPosition,
    },
    /// Replicas sit on nodes of the view.
    #[error("shard {shard} has a replica on node {node}, which the view does not list")]
    UnknownNode {
        /// The shard.
        shard: ShardId,
        /// The missing node.
        node: NodeId,
    },
    /// Replica ids are used once, below the next one, at most one replica a node.
    #[error("shard {0} uses a replica id or a node twice, or an id not yet handed out")]
    ReplicaReused(ShardId),
    /// A shard has replicas.
    #[error("shard {0} has no replica")]
    NoReplica(ShardId),
    /// The forming replica is one of the shard's.
    #[error("the forming replica of shard {0} is not one of its replicas")]
    FormingUnknown(ShardId),
}

#[cfg(test)]
mod tests;
