//! The node's one listener.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use futures_util::future::{Either, select};
use quorate_link::env::Env;
use quorate_link::tls::TlsServer;
use quorate_proto::ids::NodeId;
use quorate_proto::internal::cluster_server::ClusterServer;
use quorate_proto::internal::peer_server::PeerServer;
use quorate_proto::internal::shard_server::ShardServer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;

use super::cluster_service::ClusterService;
use super::peer_service::PeerService;
use super::shard_service::ShardService;
use crate::limits;
use crate::shard::Host;
use crate::storage::Engine;
use crate::system::{SystemProposer, View};

/// What the services work with.
pub(crate) struct ServerParts {
    pub(crate) cluster_id: String,
    pub(crate) this: NodeId,
    pub(crate) host: Arc<Host>,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) snapshot_dir: PathBuf,
    pub(crate) system: Arc<SystemProposer>,
    pub(crate) view: watch::Receiver<Option<Arc<View>>>,
    pub(crate) env: Env,
}

/// Serves until `shutdown`; streams that are open then are cut, and their callers go elsewhere.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: TlsServer,
    parts: ServerParts,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let peer = PeerService {
        cluster_id: parts.cluster_id.clone(),
        this: parts.this.get(),
        groups: Arc::clone(&parts.host) as _,
        engine: parts.engine,
        snapshot_dir: parts.snapshot_dir,
        snapshots_received: AtomicU64::new(0),
        env: parts.env.clone(),
    };
    let shard = ShardService {
        cluster_id: parts.cluster_id.clone(),
        host: Arc::clone(&parts.host),
        env: parts.env.clone(),
    };
    let cluster = ClusterService {
        cluster_id: parts.cluster_id,
        this: parts.this,
        host: parts.host,
        system: parts.system,
        view: parts.view,
        env: parts.env,
    };
    let server = Server::builder()
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .add_service(
            PeerServer::new(peer)
                .max_decoding_message_size(limits::PEER_MESSAGE_BYTES_MAX)
                .max_encoding_message_size(limits::PEER_MESSAGE_BYTES_MAX),
        )
        .add_service(
            ShardServer::new(shard)
                .max_decoding_message_size(limits::GATEWAY_MESSAGE_BYTES_MAX)
                .max_encoding_message_size(limits::GATEWAY_MESSAGE_BYTES_MAX),
        )
        .add_service(
            ClusterServer::new(cluster).max_decoding_message_size(limits::PEER_MESSAGE_BYTES_MAX),
        )
        .serve_with_incoming(tls.incoming(listener));
    match select(Box::pin(server), Box::pin(shutdown)).await {
        Either::Left((served, _)) => served,
        Either::Right(((), _)) => Ok(()),
    }
}
