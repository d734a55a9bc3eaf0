//! `node.toml`: one node process.

use std::{
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU64},
    path::PathBuf,
    time::Duration,
};

use quorate_node::{ClusterConfig, InitialNode, NodeConfig, StorageTuning};
use quorate_proto::ids::NodeId;
use serde::{Deserialize, Serialize};

use super::{ConfigError, Loaded, cluster::ClusterFile, keys::TlsFiles};

const MIB: NonZeroU64 = NonZeroU64::new(1 << 20).expect("not zero");

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeFile {
    /// The cluster's file.
    pub(crate) cluster: PathBuf,
    /// As in its certificate.
    pub(crate) node_id: u64,
    pub(crate) listen: SocketAddr,
    /// `host:port` by which the others reach it.
    pub(crate) advertise: String,
    /// What fails together: a rack, a room, a data centre.
    pub(crate) zone: String,
    /// Where measurements are served as text for a collector; nowhere if absent. Give it an address that only
    /// operators reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Holds everything durable. One process at a time.
    pub(crate) data_dir: PathBuf,
    /// At this pace the node fills disks of others that were lost, beside its sales; 32 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot_mib_per_second: Option<NonZeroU16>,
    /// What is durable stays in the logs for so long, for nodes that were away meanwhile; 60 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) log_keep_seconds: Option<u32>,
    pub(crate) tls: TlsFiles,
}

impl Loaded<NodeFile> {
    /// `bootstrap`: form a new cluster with the other initial nodes, instead of joining one.
    pub(crate) fn to_config(&self, bootstrap: bool) -> Result<NodeConfig, ConfigError> {
        let file = &self.value;
        let cluster = super::load::<ClusterFile>(&self.resolve(&file.cluster))?.value;
        let initial_nodes = cluster.initial_nodes.into_iter().map(|node| InitialNode {
            node_id: NodeId::new(node.node_id),
            address: node.address,
            zone: node.zone,
        });
        Ok(NodeConfig {
            cluster: ClusterConfig {
                cluster_id: cluster.cluster_id,
                shards: cluster.shards,
                initial_nodes: initial_nodes.collect(),
                purpose: cluster.purpose.into(),
                clock: cluster.clock.map(Into::into),
            },
            node_id: NodeId::new(file.node_id),
            listen: file.listen,
            advertise: file.advertise.clone(),
            metrics_listen: file.metrics_listen,
            zone: file.zone.clone(),
            data_dir: self.resolve(&file.data_dir),
            bootstrap,
            tls: file.tls.read(self)?,
            storage: StorageTuning::default(),
            snapshot_bytes_per_second: file
                .snapshot_mib_per_second
                .map(|mib| MIB.saturating_mul(mib.into())),
            log_keep_time: file
                .log_keep_seconds
                .map(|seconds| Duration::from_secs(seconds.into())),
        })
    }
}
