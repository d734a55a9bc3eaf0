//! `cluster.toml`: what every process of a cluster agrees on. Identical everywhere; nodes compare its
//! fingerprint when they join.

use jiff::Timestamp;
use quorate_link::SetClock;
use quorate_node::Purpose;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterFile {
    /// At most 64 ASCII letters, digits and '-'; part of every certificate.
    pub(crate) cluster_id: String,
    /// Data shards at the beginning.
    pub(crate) shards: u32,
    /// A trial may have a clock of its own.
    #[serde(default)]
    pub(crate) purpose: PurposeName,
    /// The nodes that form the cluster.
    pub(crate) initial_nodes: Vec<NodeEntry>,
    /// The clock by which decisions are stamped; real time without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clock: Option<ClockEntry>,
}

/// What a cluster is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PurposeName {
    #[default]
    Production,
    Trial,
}

/// A clock that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockEntry {
    /// What it shows at first.
    pub(crate) starts_at: Timestamp,
    /// When that is, in real time: Unix milliseconds.
    pub(crate) started_real_ms: i64,
    /// How many times as fast as real time it runs.
    pub(crate) speed: u32,
}

impl From<PurposeName> for Purpose {
    fn from(name: PurposeName) -> Self {
        match name {
            PurposeName::Production => Self::Production,
            PurposeName::Trial => Self::Trial,
        }
    }
}

impl From<ClockEntry> for SetClock {
    fn from(entry: ClockEntry) -> Self {
        Self {
            starts_at_ms: entry.starts_at.as_millisecond(),
            started_real_ms: entry.started_real_ms,
            speed: entry.speed,
        }
    }
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
