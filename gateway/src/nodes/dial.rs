//! How a node is reached: the seam between what the gateway says to nodes and what carries it.
//!
//! Production dials TLS and speaks gRPC (`grpc`); a simulator gives connections of its own. Laws: messages of
//! one stream arrive in order or the stream ends with an error; a call is answered once or not at all.
//! Deliberately absent: retries and time limits beyond those handed in, which whoever calls keeps.

use std::{sync::Arc, time::Duration};

use futures_util::stream::BoxStream;
use quorate_link::env::BoxFuture;
use quorate_proto::{
    ids::NodeId,
    internal::{
        AuditStockRequest, AuditStockResponse, ClusterEvent, CommandFrame, DigestRequest,
        DigestResponse, ProposeSystemRequest, ReplyFrame, SiteFrame, StatusRequest, StatusResponse,
        WatchRequest, WatchSitesRequest,
    },
    storage,
};

/// A connection cannot be made, or it broke, or the other side refused. Says nothing of what was done.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LinkError(Box<dyn std::error::Error + Send + Sync>);

impl LinkError {
    /// With its cause.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LinkError {
        LinkError(cause.into())
    }
}

/// Why a node did not answer a call.
#[derive(Debug, thiserror::Error)]
pub enum NodeCallError {
    /// There is no connection to it.
    #[error("not connected")]
    NotConnected,
    /// It did not answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke, or the node was not able to answer.
    #[error("no answer: {0}")]
    Broken(String),
    /// It answered, and the answer is that it cannot give what was asked for.
    #[error("{0}")]
    Refused(String),
}

impl NodeCallError {
    /// Whether the node was heard at all: what was not heard is unknown, not bad.
    pub(crate) fn was_heard(&self) -> bool {
        match self {
            NodeCallError::NotConnected | NodeCallError::TimedOut | NodeCallError::Broken(_) => {
                false
            }
            NodeCallError::Refused(_) => true,
        }
    }
}

/// Why the system shard did not take a proposal.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// It decided against it.
    #[error("{0}")]
    Refused(String),
    /// No node could decide it. Nothing was done.
    #[error("the system shard cannot be reached")]
    Unavailable,
    /// It may have been recorded.
    #[error("it is not known whether the system shard has recorded it")]
    OutcomeUnknown,
}

/// What a node sends, in order; the first error is the end.
pub type Incoming<T> = BoxStream<'static, Result<T, LinkError>>;

/// Makes connections.
pub trait Dial: Send + Sync + 'static {
    /// Connects to `address` (`host:port`). With `node`, the other side must prove to be that node;
    /// without, any node of the cluster will do.
    ///
    /// # Errors
    /// Nobody answers there, or somebody else does.
    fn dial(
        &self,
        node: Option<NodeId>,
        address: &str,
    ) -> BoxFuture<'static, Result<Arc<dyn NodeConnection>, LinkError>>;
}

/// One connection to one node. Dropping every handle and stream closes it.
pub trait NodeConnection: Send + Sync + 'static {
    /// Opens the stream of commands; answered once the node has accepted it. The first frame is a greeting.
    ///
    /// # Errors
    /// The node refuses, or the connection is lost.
    fn exchange(
        &self,
        commands: BoxStream<'static, CommandFrame>,
    ) -> BoxFuture<'static, Result<Incoming<ReplyFrame>, LinkError>>;

    /// Follows the cluster view and who leads what.
    ///
    /// # Errors
    /// As for [`NodeConnection::exchange`].
    fn watch(
        &self,
        request: WatchRequest,
    ) -> BoxFuture<'static, Result<Incoming<ClusterEvent>, LinkError>>;

    /// Follows the sites of the shards that the node leads.
    ///
    /// # Errors
    /// As for [`NodeConnection::exchange`].
    fn watch_sites(
        &self,
        request: WatchSitesRequest,
    ) -> BoxFuture<'static, Result<Incoming<SiteFrame>, LinkError>>;

    /// Has the system shard decide a command. `time_limit` is told to the node.
    ///
    /// # Errors
    /// See [`SystemError`].
    fn propose(
        &self,
        request: ProposeSystemRequest,
        time_limit: Duration,
    ) -> BoxFuture<'static, Result<storage::SystemOutcome, SystemError>>;

    /// What the node says of itself.
    ///
    /// # Errors
    /// See [`NodeCallError`].
    fn status(
        &self,
        request: StatusRequest,
        time_limit: Duration,
    ) -> BoxFuture<'static, Result<StatusResponse, NodeCallError>>;

    /// What a replica holds at a log index.
    ///
    /// # Errors
    /// See [`NodeCallError`].
    fn digest(
        &self,
        request: DigestRequest,
        time_limit: Duration,
    ) -> BoxFuture<'static, Result<DigestResponse, NodeCallError>>;

    /// A shard's account of stock at a log index, in parts.
    ///
    /// # Errors
    /// See [`NodeCallError`].
    fn audit_stock(
        &self,
        request: AuditStockRequest,
        time_limit: Duration,
    ) -> BoxFuture<
        'static,
        Result<BoxStream<'static, Result<AuditStockResponse, NodeCallError>>, NodeCallError>,
    >;
}
