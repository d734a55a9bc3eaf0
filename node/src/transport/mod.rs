//! The wire, in and out: the only door to tonic on a node.
//!
//! Whoever calls is asked for its role here; what is done for it is done elsewhere. Deliberately absent:
//! decisions.

mod cluster_service;
mod metrics_server;
mod node_calls;
mod peer_service;
mod server;
mod shard_service;

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use tonic::Status;

pub(crate) use metrics_server::MetricsServer;
pub(crate) use node_calls::NodeCalls;
pub(crate) use server::serve;

/// The messages of a stream up to its end or its loss.
fn until_lost<T: Send + 'static>(
    messages: impl Stream<Item = Result<T, Status>> + Send + 'static,
) -> BoxStream<'static, T> {
    messages
        .map(|message| message.inspect_err(|status| tracing::debug!(%status, "a stream was lost")))
        .take_while(|message| std::future::ready(message.is_ok()))
        .filter_map(|message| std::future::ready(message.ok()))
        .boxed()
}
