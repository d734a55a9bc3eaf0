//! The node's one listener.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::{Either, select};
use quorate_link::tls::TlsServer;
use quorate_proto::internal::cluster_server::ClusterServer;
use quorate_proto::internal::peer_server::PeerServer;
use quorate_proto::internal::shard_server::ShardServer;
use tokio::net::TcpListener;
use tonic::transport::Server;

use super::cluster_service::ClusterService;
use super::peer_service::PeerService;
use super::shard_service::ShardService;
use crate::limits;
use crate::running::RunningNode;

/// Serves until `shutdown`; streams that are open then are cut, and their callers go elsewhere.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: TlsServer,
    node: Arc<RunningNode>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let peer = PeerService {
        node: Arc::clone(&node),
    };
    let shard = ShardService {
        node: Arc::clone(&node),
    };
    let cluster = ClusterService { node };
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
