//! What a node is told: about the cluster, identical everywhere, and about itself.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use quorate_link::{CLOCK_SPEED_MAX, Env, SetClock, tls::TlsMaterial};
use quorate_proto::ids::NodeId;
use sha2::{Digest as _, Sha256};

use crate::storage::StorageTuning;
use crate::system::AddressBook;

/// Replicas of every group.
pub const REPLICAS: usize = 3;

/// Shards a cluster may start with; more come from splitting.
pub const SHARDS_MAX: u32 = 256;

/// The cluster's configuration: the same on every node, checked at joining by its fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Lower-case letters, digits and '-'.
    pub cluster_id: String,
    /// Data shards at the start.
    pub shards: u32,
    /// The nodes of the first start. The first three by id hold the system shard.
    pub initial_nodes: Vec<InitialNode>,
    /// What it is for.
    pub purpose: Purpose,
    /// The clock by which decisions are stamped; `None`: real time. Trials only.
    pub clock: Option<SetClock>,
}

/// What a cluster is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Rations of people.
    #[default]
    Production,
    /// Demos, tests, replays: its clock may be set.
    Trial,
}

/// One node of the first start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialNode {
    /// Never reused for another machine.
    pub node_id: NodeId,
    /// `host:port` at which the other nodes and the gateways reach it.
    pub address: String,
    /// Failure domain; replicas of a group are spread over zones.
    pub zone: String,
}

/// Why a cluster configuration cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ClusterConfigError {
    /// Too few nodes for three replicas.
    #[error("initial_nodes names {0} nodes, but every shard needs {REPLICAS}")]
    TooFewNodes(usize),
    /// The same id twice.
    #[error("node id {0} appears twice in initial_nodes")]
    NodeTwice(NodeId),
    /// Node ids start at 1.
    #[error("node id 0 is not allowed")]
    NodeZero,
    /// No shards, or too many.
    #[error("shards is {0}, but must be from 1 to {SHARDS_MAX}")]
    Shards(u32),
    /// Nobody's ration shall depend on an invented time.
    #[error(
        "[clock] sets the cluster's clock, which is for trials: remove [clock], or say purpose = \"trial\""
    )]
    ClockInProduction,
    /// A speed that no clock may have.
    #[error("clock.speed is {0}, but must be from 1 to {CLOCK_SPEED_MAX}")]
    ClockSpeed(u32),
    /// An id that cannot stand in a certificate.
    #[error("cluster_id {0:?} must be 1 to 32 lower-case letters, digits or '-'")]
    ClusterId(String),
}

impl ClusterConfig {
    /// Checks the configuration as a whole.
    ///
    /// # Errors
    /// The first law it breaks.
    pub fn validate(&self) -> Result<(), ClusterConfigError> {
        if !quorate_link::identity::is_cluster_id(&self.cluster_id) {
            return Err(ClusterConfigError::ClusterId(self.cluster_id.clone()));
        }
        if self.shards == 0 || self.shards > SHARDS_MAX {
            return Err(ClusterConfigError::Shards(self.shards));
        }
        if self.initial_nodes.len() < REPLICAS {
            return Err(ClusterConfigError::TooFewNodes(self.initial_nodes.len()));
        }
        let founders = self.sorted_nodes();
        for pair in founders.windows(2) {
            if pair[0].node_id == pair[1].node_id {
                return Err(ClusterConfigError::NodeTwice(pair[0].node_id));
            }
        }
        if founders[0].node_id == NodeId::new(0) {
            return Err(ClusterConfigError::NodeZero);
        }
        if let Some(clock) = &self.clock {
            if self.purpose == Purpose::Production {
                return Err(ClusterConfigError::ClockInProduction);
            }
            if !(1..=CLOCK_SPEED_MAX).contains(&clock.speed) {
                return Err(ClusterConfigError::ClockSpeed(clock.speed));
            }
        }
        Ok(())
    }

    /// Hex SHA-256 over what must be the same everywhere. Addresses may change and are left out.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut text = format!("quorate cluster 1\n{}\n{}\n", self.cluster_id, self.shards);
        for node in self.sorted_nodes() {
            text.push_str(&format!("{}\n", node.node_id.get()));
        }
        if self.purpose == Purpose::Trial {
            text.push_str("trial\n");
        }
        if let Some(clock) = &self.clock {
            text.push_str(&format!(
                "clock {} {} {}\n",
                clock.starts_at_ms, clock.started_real_ms, clock.speed
            ));
        }
        Sha256::digest(text.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// What a node is handed in, with the cluster's clock if it has one of its own.
    pub(crate) fn on_its_clock(&self, env: Env) -> Env {
        match self.clock {
            Some(clock) => env.on_set_clock(clock),
            None => env,
        }
    }

    /// Where the nodes of the first start are reached.
    pub fn addresses(&self) -> Arc<AddressBook> {
        let nodes = self.initial_nodes.iter();
        AddressBook::new(nodes.map(|node| (node.node_id, node.address.clone())))
    }

    /// The nodes that hold the system shard from the first start.
    pub(crate) fn founders(&self) -> Vec<&InitialNode> {
        let mut nodes = self.sorted_nodes();
        nodes.truncate(REPLICAS);
        nodes
    }

    fn sorted_nodes(&self) -> Vec<&InitialNode> {
        let mut nodes: Vec<&InitialNode> = self.initial_nodes.iter().collect();
        nodes.sort_by_key(|node| node.node_id);
        nodes
    }
}

/// The process's configuration.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The cluster this node belongs to.
    pub cluster: ClusterConfig,
    /// Which of its nodes this is.
    pub node_id: NodeId,
    /// Where to listen.
    pub listen: SocketAddr,
    /// `host:port` told to others.
    pub advertise: String,
    /// Where measurements are served as text, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Failure domain.
    pub zone: String,
    /// Everything durable lives below this directory.
    pub data_dir: PathBuf,
    /// True on the very first start of the cluster only: an empty disk then founds it. False afterwards:
    /// an empty disk then means that this node lost it, and joins as a replacement.
    pub bootstrap: bool,
    /// Certificate, key and the cluster's authority.
    pub tls: TlsMaterial,
    /// Buffer sizes.
    pub storage: StorageTuning,
    /// At this pace it fills the disks of others, all together; `None`: 32 MiB a second.
    pub snapshot_bytes_per_second: Option<NonZeroU64>,
    /// What is durable stays in its logs for so long; `None`: a minute.
    pub log_keep_time: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(ids: &[u64]) -> ClusterConfig {
        ClusterConfig {
            cluster_id: "demo".to_owned(),
            shards: 8,
            initial_nodes: ids
                .iter()
                .map(|id| InitialNode {
                    node_id: NodeId::new(*id),
                    address: format!("127.0.0.1:{}", 9000 + id),
                    zone: "a".to_owned(),
                })
                .collect(),
            purpose: Purpose::Production,
            clock: None,
        }
    }

    const CLOCK: SetClock = SetClock {
        starts_at_ms: 1_583_715_600_000,
        started_real_ms: 1_700_000_000_000,
        speed: 60,
    };

    fn trial(clock: SetClock) -> ClusterConfig {
        ClusterConfig {
            purpose: Purpose::Trial,
            clock: Some(clock),
            ..cluster(&[1, 2, 3])
        }
    }

    #[test]
    fn a_clock_is_set_in_trials_only() {
        assert_eq!(trial(CLOCK).validate(), Ok(()));
        let production = ClusterConfig {
            purpose: Purpose::Production,
            ..trial(CLOCK)
        };
        let refused = production.validate();
        assert_eq!(refused, Err(ClusterConfigError::ClockInProduction));
        for speed in [0, CLOCK_SPEED_MAX + 1] {
            let refused = trial(SetClock { speed, ..CLOCK }).validate();
            assert_eq!(refused, Err(ClusterConfigError::ClockSpeed(speed)));
        }
        let faster = trial(SetClock { speed: 61, ..CLOCK });
        assert_ne!(trial(CLOCK).fingerprint(), faster.fingerprint());
    }

    #[test]
    fn each_law_is_named() {
        assert_eq!(cluster(&[1, 2, 3]).validate(), Ok(()));
        assert_eq!(
            cluster(&[1, 2]).validate(),
            Err(ClusterConfigError::TooFewNodes(2))
        );
        assert_eq!(
            cluster(&[1, 2, 2]).validate(),
            Err(ClusterConfigError::NodeTwice(NodeId::new(2)))
        );
        assert_eq!(
            cluster(&[0, 1, 2]).validate(),
            Err(ClusterConfigError::NodeZero)
        );
        let no_shards = ClusterConfig {
            shards: 0,
            ..cluster(&[1, 2, 3])
        };
        assert_eq!(no_shards.validate(), Err(ClusterConfigError::Shards(0)));
    }

    #[test]
    fn the_fingerprint_ignores_order_and_addresses_only() {
        let ordered = cluster(&[1, 2, 3]).fingerprint();
        let mut moved = cluster(&[3, 1, 2]);
        moved.initial_nodes[0].address = "10.0.0.1:1".to_owned();
        assert_eq!(moved.fingerprint(), ordered);
        let more_shards = ClusterConfig {
            shards: 9,
            ..cluster(&[1, 2, 3])
        };
        assert_ne!(more_shards.fingerprint(), ordered);
        assert_ne!(cluster(&[1, 2, 4]).fingerprint(), ordered);
    }
}
