//! The wire, in and out: the only door to tonic on a node.
//!
//! Messages are parsed here and travel on as typed values. Deliberately absent: decisions.

mod cluster_client;
mod cluster_service;
mod frames;
mod peer_links;
mod peer_service;
mod server;
mod shard_service;

use quorate_proto::ids::NodeId;

pub(crate) use cluster_client::ClusterClient;
pub(crate) use peer_links::PeerLinks;
pub(crate) use server::{ServerParts, serve};

/// The name in a node's certificate: it is the same whatever address is dialled.
fn server_name(node: NodeId) -> String {
    format!("node-{node}.quorate.internal")
}
