//! A node: replicas of many shards over one database and one log committer.
//!
//! Data flows one way: `transport` parses what arrives, `shard` queues it, `raft` orders it, the pure
//! core decides it, `storage` keeps it; answers take the same way back. `system` is the cluster's own
//! business. Everything a node needs from outside (clock, randomness, tasks, certificates) is handed in.
//!
//! Deliberately absent: reading files other than its own data, reading the environment, global state.

#![forbid(unsafe_code)]

mod config;
mod failure;
mod limits;
mod metrics;
mod raft;
mod run;
mod shard;
mod storage;
mod system;
mod transport;
mod usage;

pub use config::{
    ClusterConfig, ClusterConfigError, InitialNode, NodeConfig, Purpose, REPLICAS, SHARDS_MAX,
};
pub use run::{NodeError, run};
pub use storage::StorageTuning;
