//! Calls to other nodes, over TLS.
//!
//! State owned: the connections on which rows are delivered. Raft streams and snapshots each have a connection
//! of their own; questions about the cluster are rare and dial anew.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, Stream};
use quorate_link::certs::node_server_name;
use quorate_link::client::{ChannelOptions, TlsClient};
use quorate_proto::ids::NodeId;
use quorate_proto::internal::cluster_client::ClusterClient;
use quorate_proto::internal::peer_client::PeerClient;
use quorate_proto::internal::{
    ClusterEvent, DeliverStockRequest, DeliverStockResponse, PeerFrame, ProposeSystemRequest,
    SnapshotFrame, SnapshotReply, WatchRequest,
};
use quorate_proto::storage::{SystemCommand, SystemOutcome};
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use super::cluster_service::FORWARDED;
use super::until_lost;
use crate::limits;
use crate::links::Calls;
use crate::raft::PeerUnreachable;
use crate::system::{AddressBook, SystemError};

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(crate) struct NodeCalls {
    shared: Arc<Shared>,
}

struct Shared {
    cluster_id: String,
    addresses: Arc<AddressBook>,
    tls: TlsClient,
    /// By node: the address that was dialled, and a connection that comes back by itself when it breaks.
    deliveries: Mutex<BTreeMap<NodeId, (String, Channel)>>,
}

impl NodeCalls {
    pub(crate) fn new(cluster_id: String, addresses: Arc<AddressBook>, tls: TlsClient) -> Self {
        Self {
            shared: Arc::new(Shared {
                cluster_id,
                addresses,
                tls,
                deliveries: Mutex::default(),
            }),
        }
    }
}

impl Shared {
    fn address(&self, node: NodeId) -> Result<String, PeerUnreachable> {
        self.addresses.of(node).ok_or_else(|| PeerUnreachable {
            node,
            detail: "its address is not known".to_owned(),
        })
    }

    async fn dial(&self, node: NodeId) -> Result<Channel, PeerUnreachable> {
        let address = self.address(node)?;
        self.dial_at(node, address).await
    }

    async fn dial_at(&self, node: NodeId, address: String) -> Result<Channel, PeerUnreachable> {
        let options = ChannelOptions {
            connect_timeout: limits::CONNECT_TIMEOUT,
            ..ChannelOptions::default()
        };
        self.tls
            .connect(&address, &node_server_name(node), options)
            .await
            .map_err(|error| PeerUnreachable {
                node,
                detail: error.to_string(),
            })
    }

    async fn dial_peer(&self, node: NodeId) -> Result<PeerClient<Channel>, PeerUnreachable> {
        Ok(PeerClient::new(self.dial(node).await?)
            .max_decoding_message_size(limits::PEER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(limits::PEER_MESSAGE_BYTES_MAX))
    }

    async fn dial_cluster(&self, node: NodeId) -> Result<ClusterClient<Channel>, SystemError> {
        let channel = self.dial(node).await.map_err(|error| {
            tracing::debug!(%error, "cannot ask");
            SystemError::Unavailable
        })?;
        Ok(ClusterClient::new(channel))
    }

    /// The connection for deliveries, kept for as long as the node has this address.
    async fn dial_delivery(&self, node: NodeId) -> Result<Channel, PeerUnreachable> {
        let address = self.address(node)?;
        let known = || {
            self.deliveries
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some((to, channel)) = known().get(&node)
            && *to == address
        {
            return Ok(channel.clone());
        }
        let channel = self.dial_at(node, address.clone()).await?;
        known().insert(node, (address, channel.clone()));
        Ok(channel)
    }
}

/// A stream by a name of its own: with the boxed one, the compiler does not see that the call can be sent.
struct Frames<T>(BoxStream<'static, T>);

impl<T> Stream for Frames<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.as_mut().poll_next(cx)
    }
}

fn refused(node: NodeId) -> impl Fn(Status) -> PeerUnreachable {
    move |status| PeerUnreachable {
        node,
        detail: status.message().to_owned(),
    }
}

impl Calls for NodeCalls {
    fn exchange(
        &self,
        node: NodeId,
        frames: BoxStream<'static, PeerFrame>,
    ) -> BoxFuture<'static, Result<BoxStream<'static, PeerFrame>, PeerUnreachable>> {
        let shared = Arc::clone(&self.shared);
        async move {
            let mut client = shared.dial_peer(node).await?;
            let replies = client
                .exchange(Frames(frames))
                .await
                .map_err(refused(node))?;
            Ok(until_lost(replies.into_inner()))
        }
        .boxed()
    }

    fn install_snapshot(
        &self,
        node: NodeId,
        frames: BoxStream<'static, SnapshotFrame>,
    ) -> BoxFuture<'static, Result<SnapshotReply, PeerUnreachable>> {
        let shared = Arc::clone(&self.shared);
        async move {
            let mut client = shared.dial_peer(node).await?;
            let sent = client.install_snapshot(Frames(frames)).await;
            sent.map(Response::into_inner).map_err(refused(node))
        }
        .boxed()
    }

    fn propose_system(
        &self,
        node: NodeId,
        command: SystemCommand,
    ) -> BoxFuture<'static, Result<SystemOutcome, SystemError>> {
        let shared = Arc::clone(&self.shared);
        async move {
            let mut client = shared.dial_cluster(node).await?;
            let mut request = Request::new(ProposeSystemRequest {
                command: Some(command),
            });
            let forwarded = MetadataValue::from_static("1");
            request.metadata_mut().insert(FORWARDED, forwarded);
            match client.propose_system(request).await {
                Ok(response) => response
                    .into_inner()
                    .outcome
                    .ok_or(SystemError::OutcomeUnknown),
                Err(status) if status.code() == Code::FailedPrecondition => {
                    Err(SystemError::NotLeader)
                }
                Err(status) if status.code() == Code::InvalidArgument => {
                    Err(SystemError::Malformed(status.message().to_owned()))
                }
                Err(_) => Err(SystemError::OutcomeUnknown),
            }
        }
        .boxed()
    }

    fn watch(
        &self,
        node: NodeId,
    ) -> BoxFuture<'static, Result<BoxStream<'static, ClusterEvent>, SystemError>> {
        let shared = Arc::clone(&self.shared);
        async move {
            let mut client = shared.dial_cluster(node).await?;
            let request = WatchRequest {
                cluster_id: shared.cluster_id.clone(),
            };
            let events = client
                .watch(request)
                .await
                .map_err(|_| SystemError::Unavailable)?;
            Ok(until_lost(events.into_inner()))
        }
        .boxed()
    }

    fn deliver_stock(
        &self,
        node: NodeId,
        request: DeliverStockRequest,
    ) -> BoxFuture<'static, Result<DeliverStockResponse, PeerUnreachable>> {
        let shared = Arc::clone(&self.shared);
        async move {
            let mut client = ClusterClient::new(shared.dial_delivery(node).await?);
            let sent = client.deliver_stock(request).await;
            sent.map(Response::into_inner).map_err(refused(node))
        }
        .boxed()
    }
}
