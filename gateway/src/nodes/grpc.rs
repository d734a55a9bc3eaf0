//! Nodes over TLS and gRPC: the production side of [`Dial`].
//!
//! State owned: nothing but the channel of a connection. Laws: only a status that says so itself means that
//! nothing was done. Deliberately absent: reconnecting.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt as _, Stream, StreamExt as _, stream::BoxStream};
use quorate_link::{
    ChannelOptions, TlsClient,
    env::BoxFuture,
    identity::{NODE_SERVER_NAME, node_server_name},
};
use quorate_proto::{
    ids::NodeId,
    internal::{
        AuditStockRequest, AuditStockResponse, ClusterEvent, CommandFrame, DigestRequest,
        DigestResponse, ProposeSystemRequest, ReplyFrame, SiteFrame, StatusRequest, StatusResponse,
        WatchRequest, WatchSitesRequest, cluster_client::ClusterClient, shard_client::ShardClient,
    },
    status::{ErrorReason, reason_of},
    storage,
};
use tonic::{Code, Request, Response, Status, Streaming, transport::Channel};

use super::dial::{Dial, Incoming, LinkError, NodeCallError, NodeConnection, SystemError};
use crate::limits;

/// Dials nodes with the gateway's certificate.
pub(crate) struct GrpcDial {
    pub(crate) tls: TlsClient,
}

impl Dial for GrpcDial {
    fn dial(
        &self,
        node: Option<NodeId>,
        address: &str,
    ) -> BoxFuture<'static, Result<Arc<dyn NodeConnection>, LinkError>> {
        let (tls, address) = (self.tls.clone(), address.to_owned());
        let name = node.map_or_else(|| NODE_SERVER_NAME.to_owned(), node_server_name);
        let options = ChannelOptions {
            connect_timeout: limits::NODE_CONNECT_TIMEOUT,
            keepalive_interval: Some(limits::NODE_KEEPALIVE_INTERVAL),
            keepalive_timeout: limits::NODE_KEEPALIVE_TIMEOUT,
            ..ChannelOptions::default()
        };
        async move {
            let connected = tls.connect(&address, &name, options).await;
            let channel = connected.map_err(LinkError::new)?;
            Ok(Arc::new(GrpcConnection { channel }) as Arc<dyn NodeConnection>)
        }
        .boxed()
    }
}

struct GrpcConnection {
    channel: Channel,
}

impl GrpcConnection {
    fn cluster(&self) -> ClusterClient<Channel> {
        ClusterClient::new(self.channel.clone())
    }
}

/// A type with a name: of an anonymous one the compiler cannot tell that it may cross threads.
struct Commands(BoxStream<'static, CommandFrame>);

impl Stream for Commands {
    type Item = CommandFrame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<CommandFrame>> {
        self.0.poll_next_unpin(cx)
    }
}

fn incoming<T: Send + 'static>(response: Response<Streaming<T>>) -> Incoming<T> {
    let messages = response.into_inner();
    messages
        .map(|message| message.map_err(LinkError::new))
        .boxed()
}

/// A request that tells the node how long somebody waits.
fn timed<T>(message: T, time_limit: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(time_limit);
    request
}

impl NodeConnection for GrpcConnection {
    fn exchange(
        &self,
        commands: BoxStream<'static, CommandFrame>,
    ) -> BoxFuture<'static, Result<Incoming<ReplyFrame>, LinkError>> {
        let mut client = ShardClient::new(self.channel.clone())
            .max_decoding_message_size(limits::REPLY_FRAME_BYTES_MAX);
        async move {
            let replies = client.exchange(Commands(commands)).await;
            replies.map(incoming).map_err(LinkError::new)
        }
        .boxed()
    }

    fn watch(
        &self,
        request: WatchRequest,
    ) -> BoxFuture<'static, Result<Incoming<ClusterEvent>, LinkError>> {
        let mut client = self
            .cluster()
            .max_decoding_message_size(limits::VIEW_BYTES_MAX);
        async move {
            let events = client.watch(request).await;
            events.map(incoming).map_err(LinkError::new)
        }
        .boxed()
    }

    fn watch_sites(
        &self,
        request: WatchSitesRequest,
    ) -> BoxFuture<'static, Result<Incoming<SiteFrame>, LinkError>> {
        let mut client = self
            .cluster()
            .max_decoding_message_size(limits::SITE_FRAME_BYTES_MAX);
        async move {
            let frames = client.watch_sites(request).await;
            frames.map(incoming).map_err(LinkError::new)
        }
        .boxed()
    }

    fn propose(
        &self,
        request: ProposeSystemRequest,
        time_limit: Duration,
    ) -> BoxFuture<'static, Result<storage::SystemOutcome, SystemError>> {
        let mut client = self.cluster();
        async move {
            let proposed = client.propose_system(timed(request, time_limit)).await;
            let response = proposed.map_err(|status| system_error(&status))?;
            let outcome = response.into_inner().outcome;
            outcome.ok_or(SystemError::OutcomeUnknown)
        }
        .boxed()
    }

    fn status(
        &self,
        request: StatusRequest,
        time_limit: Duration,
    ) -> BoxFuture<'static, Result<StatusResponse, NodeCallError>> {
        let mut client = self.cluster();
        async move { answer(client.status(timed(request, time_limit)).await) }.boxed()
    }

    fn digest(
        &self,
        request: DigestRequest,
        time_limit: Duration,
    ) -> BoxFuture<'static, Result<DigestResponse, NodeCallError>> {
        let mut client = self.cluster();
        async move { answer(client.digest(timed(request, time_limit)).await) }.boxed()
    }

    fn audit_stock(
        &self,
        request: AuditStockRequest,
        time_limit: Duration,
    ) -> BoxFuture<
        'static,
        Result<BoxStream<'static, Result<AuditStockResponse, NodeCallError>>, NodeCallError>,
    > {
        let mut client = self.cluster();
        async move {
            let parts = answer(client.audit_stock(timed(request, time_limit)).await)?;
            Ok(parts
                .map(|part| part.map_err(|status| call_error(&status)))
                .boxed())
        }
        .boxed()
    }
}

fn answer<T>(answered: Result<Response<T>, Status>) -> Result<T, NodeCallError> {
    answered
        .map(Response::into_inner)
        .map_err(|status| call_error(&status))
}

fn call_error(status: &Status) -> NodeCallError {
    let message = status.message().to_owned();
    match status.code() {
        Code::DeadlineExceeded => NodeCallError::TimedOut,
        Code::NotFound | Code::DataLoss | Code::FailedPrecondition => {
            NodeCallError::Refused(message)
        }
        _ => NodeCallError::Broken(message),
    }
}

/// Only an error that says so itself means that nothing was done; a broken connection does not.
fn system_error(status: &Status) -> SystemError {
    match status.code() {
        Code::InvalidArgument => return SystemError::Refused(status.message().to_owned()),
        // It does not lead the system shard and knows nobody who does.
        Code::FailedPrecondition => return SystemError::Unavailable,
        _ => {}
    }
    match reason_of(status) {
        Some(
            ErrorReason::ShardUnavailable | ErrorReason::Overloaded | ErrorReason::DeadlinePassed,
        ) => SystemError::Unavailable,
        Some(ErrorReason::OutcomeUnknown) | None => SystemError::OutcomeUnknown,
        Some(_) => SystemError::Refused(status.message().to_owned()),
    }
}
