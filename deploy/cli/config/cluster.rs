//! `cluster.toml`: what every process of a cluster agrees on. Identical everywhere; nodes compare its
//! fingerprint when they join.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterFile {
    /// At most 64 ASCII letters, digits and '-'; part of every certificate.
    pub(crate) cluster_id: String,
    /// Data shards at the beginning.
    pub(crate) shards: u32,
    /// The nodes that form the cluster.
    pub(crate) initial_nodes: Vec<NodeEntry>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeEntry {
    pub(crate) node_id: u64,
    /// `host:port` by which the others reach it.
    pub(crate) address: String,
    /// What fails together: a rack, a room, a data centre.
    pub(crate) zone: String,
}
