//! A node: replicas of many shards over one database and one log committer.
//!
//! Data flows one way: `transport` takes what arrives off the wire, `serve` parses it, `shard` queues it, `raft`
//! orders it, the pure core decides it, `storage` keeps it; answers take the same way back. `links` talks to the
//! other nodes, `system` is the cluster's own business. Everything a node needs from outside (clock, randomness,
//! tasks, certificates) is handed in, and [`seams`] names what can be replaced.
//!
//! Deliberately absent: reading files other than its own data, reading the environment, global state.

#![forbid(unsafe_code)]

mod config;
mod failure;
mod limits;
mod links;
mod metrics;
mod raft;
mod run;
mod running;
pub mod seams;
mod serve;
mod shard;
mod storage;
mod system;
mod transport;
mod usage;

pub use config::{
    ClusterConfig, ClusterConfigError, InitialNode, NodeConfig, Purpose, REPLICAS, SHARDS_MAX,
};
#[doc(hidden)]
pub use raft::decoders;
pub use run::{NodeError, run};
pub use storage::StorageTuning;
