//! Questions to other nodes about the cluster.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use quorate_link::certs::node_server_name;
use quorate_link::client::{ChannelOptions, TlsClient};
use quorate_proto::ids::NodeId;
use quorate_proto::internal::cluster_client::ClusterClient as Client;
use quorate_proto::internal::{ClusterEvent, ProposeSystemRequest, WatchRequest};
use quorate_proto::storage::{SystemCommand, SystemOutcome};
use tonic::transport::Channel;
use tonic::{Code, Request};

use super::cluster_service::FORWARDED;
use crate::limits;
use crate::system::{AddressBook, SystemError, SystemPeers};

/// Asks other nodes, over a connection per question: such questions are rare.
pub(crate) struct ClusterClient {
    pub(crate) cluster_id: String,
    pub(crate) addresses: Arc<AddressBook>,
    pub(crate) tls: TlsClient,
}

impl ClusterClient {
    async fn dial(&self, node: NodeId) -> Result<Client<Channel>, SystemError> {
        let address = self.addresses.of(node).ok_or(SystemError::Unavailable)?;
        let options = ChannelOptions {
            connect_timeout: limits::CONNECT_TIMEOUT,
            ..ChannelOptions::default()
        };
        let channel = self
            .tls
            .connect(&address, &node_server_name(node), options)
            .await
            .map_err(|error| {
                tracing::debug!(%node, %error, "cannot ask");
                SystemError::Unavailable
            })?;
        Ok(Client::new(channel))
    }
}

impl SystemPeers for ClusterClient {
    fn propose(
        &self,
        node: NodeId,
        command: SystemCommand,
    ) -> BoxFuture<'_, Result<SystemOutcome, SystemError>> {
        async move {
            let mut client = self.dial(node).await?;
            let mut request = Request::new(ProposeSystemRequest {
                command: Some(command),
            });
            request
                .metadata_mut()
                .insert(FORWARDED, tonic::metadata::MetadataValue::from_static("1"));
            match client.propose_system(request).await {
                Ok(response) => response
                    .into_inner()
                    .outcome
                    .ok_or(SystemError::Unavailable),
                Err(status) if status.code() == Code::FailedPrecondition => {
                    Err(SystemError::NotLeader)
                }
                Err(status) if status.code() == Code::InvalidArgument => {
                    Err(SystemError::Malformed(status.message().to_owned()))
                }
                Err(_) => Err(SystemError::Unavailable),
            }
        }
        .boxed()
    }

    fn watch(
        &self,
        node: NodeId,
    ) -> BoxFuture<'_, Result<BoxStream<'static, ClusterEvent>, SystemError>> {
        async move {
            let mut client = self.dial(node).await?;
            let request = WatchRequest {
                cluster_id: self.cluster_id.clone(),
            };
            let events = client
                .watch(request)
                .await
                .map_err(|_| SystemError::Unavailable)?
                .into_inner();
            Ok(events
                .take_while(|event| std::future::ready(event.is_ok()))
                .filter_map(|event| std::future::ready(event.ok()))
                .boxed())
        }
        .boxed()
    }
}
