//! The wire, in and out: the only door to tonic on a node.
//!
//! Messages are parsed here and travel on as typed values. Deliberately absent: decisions.

mod cluster_client;
mod cluster_service;
mod delivery_links;
mod frames;
mod metrics_server;
mod peer_links;
mod peer_service;
mod server;
mod shard_service;
mod site_feed;

pub(crate) use cluster_client::ClusterClient;
pub(crate) use delivery_links::DeliveryLinks;
pub(crate) use metrics_server::MetricsServer;
pub(crate) use peer_links::PeerLinks;
pub(crate) use server::{ServerParts, serve};
