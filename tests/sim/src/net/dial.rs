//! Gateways on the simulated network.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use quorate_gateway::seams::{
    Dial, Incoming, LinkError, NodeCallError, NodeConnection, SystemError,
};
use quorate_link::BoxFuture;
use quorate_node::seams::{RunningNode, SystemError as NodeError};
use quorate_proto::ids::NodeId;
use quorate_proto::internal::{
    AuditStockRequest, AuditStockResponse, ClusterEvent, CommandFrame, DigestRequest,
    DigestResponse, ProposeSystemRequest, ReplyFrame, SiteFrame, StatusRequest, StatusResponse,
    WatchRequest, WatchSitesRequest,
};
use quorate_proto::storage::SystemOutcome;

use super::{Broken, Connection, Network, Place, copied};

/// Where a node is reached: its number is its place.
pub fn address(node: Place) -> String {
    format!("node-{node}:1")
}

/// The node at an address.
pub fn place_of(address: &str) -> Option<Place> {
    let name = address.strip_prefix("node-")?;
    name.split(':').next()?.parse().ok()
}

/// Dials nodes from one gateway.
pub struct GatewayDial {
    /// The network.
    pub network: Network,
    /// The gateway.
    pub here: Place,
}

impl Dial for GatewayDial {
    fn dial(
        &self,
        _node: Option<NodeId>,
        address: &str,
    ) -> BoxFuture<'static, Result<Arc<dyn NodeConnection>, LinkError>> {
        let (network, here, node) = (self.network.clone(), self.here, place_of(address));
        async move {
            let node = node.ok_or_else(|| LinkError::new("no such address"))?;
            let connection = network.connect(here, node).await.map_err(LinkError::new)?;
            let link = GatewayLink {
                network,
                connection,
            };
            Ok(Arc::new(link) as Arc<dyn NodeConnection>)
        }
        .boxed()
    }
}

struct GatewayLink {
    network: Network,
    connection: Connection,
}

/// Messages, and an error where the stream ends: whoever listens must not take an end for good news.
fn incoming<M: Send + 'static>(messages: BoxStream<'static, M>) -> Incoming<M> {
    let end = stream::once(async { Err(LinkError::new(Broken("the connection was lost"))) });
    messages.map(Ok).chain(end).boxed()
}

impl NodeConnection for GatewayLink {
    fn exchange(
        &self,
        commands: BoxStream<'static, CommandFrame>,
    ) -> BoxFuture<'static, Result<Incoming<ReplyFrame>, LinkError>> {
        let (network, connection) = (self.network.clone(), self.connection);
        async move {
            let handler = Box::new(
                |node: &Arc<RunningNode>, frames: BoxStream<'static, CommandFrame>| {
                    node.serve_gateway(frames)
                },
            );
            let opened = network.open(connection, commands, handler).await;
            opened.map(incoming).map_err(LinkError::new)
        }
        .boxed()
    }

    fn watch(
        &self,
        request: WatchRequest,
    ) -> BoxFuture<'static, Result<Incoming<ClusterEvent>, LinkError>> {
        let (network, connection) = (self.network.clone(), self.connection);
        async move {
            let asked = stream::once(async move { request }).boxed();
            let handler = Box::new(
                |node: &Arc<RunningNode>, _: BoxStream<'static, WatchRequest>| node.watch(),
            );
            let opened = network.open(connection, asked, handler).await;
            opened.map(incoming).map_err(LinkError::new)
        }
        .boxed()
    }

    /// Sites are for the public, who is not simulated: the stream opens and stays silent.
    fn watch_sites(
        &self,
        _request: WatchSitesRequest,
    ) -> BoxFuture<'static, Result<Incoming<SiteFrame>, LinkError>> {
        std::future::ready(Ok(stream::pending().boxed())).boxed()
    }

    fn propose(
        &self,
        request: ProposeSystemRequest,
        _time_limit: Duration,
    ) -> BoxFuture<'static, Result<SystemOutcome, SystemError>> {
        let (network, connection) = (self.network.clone(), self.connection);
        async move {
            let command = copied(&request).command.ok_or(SystemError::Unavailable)?;
            let ask = |node: Arc<RunningNode>| {
                async move { node.propose_system(command, false).await }.boxed()
            };
            let Connection { from, to, .. } = connection;
            match network.call(from, to, ask).await {
                Ok(Ok(outcome)) => Ok(copied(&outcome)),
                Ok(Err(NodeError::NotLeader | NodeError::Unavailable)) => {
                    Err(SystemError::Unavailable)
                }
                Ok(Err(error @ NodeError::Malformed(_))) => {
                    Err(SystemError::Refused(error.to_string()))
                }
                Ok(Err(NodeError::OutcomeUnknown)) | Err(Broken(_)) => {
                    Err(SystemError::OutcomeUnknown)
                }
            }
        }
        .boxed()
    }

    /// Operators' questions are not simulated: the driver looks at the nodes themselves.
    fn status(
        &self,
        _request: StatusRequest,
        _time_limit: Duration,
    ) -> BoxFuture<'static, Result<StatusResponse, NodeCallError>> {
        std::future::ready(Err(NodeCallError::NotConnected)).boxed()
    }

    fn digest(
        &self,
        _request: DigestRequest,
        _time_limit: Duration,
    ) -> BoxFuture<'static, Result<DigestResponse, NodeCallError>> {
        std::future::ready(Err(NodeCallError::NotConnected)).boxed()
    }

    fn audit_stock(
        &self,
        _request: AuditStockRequest,
        _time_limit: Duration,
    ) -> BoxFuture<
        'static,
        Result<BoxStream<'static, Result<AuditStockResponse, NodeCallError>>, NodeCallError>,
    > {
        std::future::ready(Err(NodeCallError::NotConnected)).boxed()
    }
}
