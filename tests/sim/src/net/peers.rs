//! Nodes on the simulated network.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use quorate_link::BoxFuture;
use quorate_node::seams::{Calls, PeerUnreachable, RunningNode, SystemError};
use quorate_proto::ids::NodeId;
use quorate_proto::internal::{
    ClusterEvent, DeliverStockRequest, DeliverStockResponse, PeerFrame, SnapshotFrame,
    SnapshotHeader, SnapshotReply, WatchRequest, envelope,
};
use quorate_proto::storage::{SystemCommand, SystemOutcome};

use super::{Broken, Network, Place, copied};
use crate::coverage::{Coverage, Event};

/// Told of every message between nodes, as it is sent.
pub trait Overhear: Send + Sync + 'static {
    /// A frame of Raft messages, or of the replies to them.
    fn frame(&self, from: Place, frame: &PeerFrame);

    /// The header of a snapshot.
    fn snapshot(&self, from: Place, header: &SnapshotHeader);
}

/// Calls of one node to the others.
pub struct NodeCalls {
    /// The network.
    pub network: Network,
    /// The node that calls.
    pub here: Place,
    /// Who listens.
    pub overhear: Arc<dyn Overhear>,
    /// Who counts.
    pub coverage: Coverage,
}

fn unreachable(node: NodeId, broken: Broken) -> PeerUnreachable {
    PeerUnreachable {
        node,
        detail: broken.0.to_owned(),
    }
}

impl Calls for NodeCalls {
    fn exchange(
        &self,
        node: NodeId,
        frames: BoxStream<'static, PeerFrame>,
    ) -> BoxFuture<'static, Result<BoxStream<'static, PeerFrame>, PeerUnreachable>> {
        let (network, here, overhear) = (self.network.clone(), self.here, self.overhear.clone());
        async move {
            let lost = |broken| unreachable(node, broken);
            let connection = network.connect(here, node.get()).await.map_err(lost)?;
            let there = node.get();
            let (asking, repeating) = (overhear.clone(), network.clone());
            let frames = frames.map(move |mut frame| {
                asking.frame(here, &frame);
                repeat(&repeating, &mut frame);
                frame
            });
            let handler = Box::new(
                move |node: &Arc<RunningNode>, frames: BoxStream<'static, PeerFrame>| {
                    let replies = node.exchange(frames);
                    replies
                        .inspect(move |frame| overhear.frame(there, frame))
                        .boxed()
                },
            );
            let replies = network.open(connection, frames.boxed(), handler).await;
            replies.map_err(lost)
        }
        .boxed()
    }

    fn install_snapshot(
        &self,
        node: NodeId,
        frames: BoxStream<'static, SnapshotFrame>,
    ) -> BoxFuture<'static, Result<SnapshotReply, PeerUnreachable>> {
        let (network, here, coverage) = (self.network.clone(), self.here, self.coverage.clone());
        let overhear = self.overhear.clone();
        let frames = frames.inspect(move |frame| {
            if let Some(header) = &frame.header {
                overhear.snapshot(here, header);
            }
        });
        async move {
            let lost = |broken| unreachable(node, broken);
            let connection = network.connect(here, node.get()).await.map_err(lost)?;
            let handler = Box::new(
                move |node: &Arc<RunningNode>, frames: BoxStream<'static, SnapshotFrame>| {
                    let node = Arc::clone(node);
                    let install = async move {
                        let installed = node.install_snapshot(frames).await;
                        coverage.event(Event::SnapshotInstalled, u64::from(installed.is_ok()));
                        installed.ok()
                    };
                    // A refusal is the end of the stream: its sender tries again, whatever the reason.
                    stream::once(install).filter_map(std::future::ready).boxed()
                },
            );
            let mut replies = network
                .open(connection, frames.boxed(), handler)
                .await
                .map_err(lost)?;
            let reply = replies.next().await;
            reply.ok_or_else(|| unreachable(node, Broken("the snapshot was refused")))
        }
        .boxed()
    }

    fn propose_system(
        &self,
        node: NodeId,
        command: SystemCommand,
    ) -> BoxFuture<'static, Result<SystemOutcome, SystemError>> {
        let (network, here, command) = (self.network.clone(), self.here, copied(&command));
        async move {
            let ask = |node: Arc<RunningNode>| {
                async move { node.propose_system(command, true).await }.boxed()
            };
            match network.call(here, node.get(), ask).await {
                Ok(decided) => decided.map(|outcome| copied(&outcome)),
                Err(Broken(_)) => Err(SystemError::OutcomeUnknown),
            }
        }
        .boxed()
    }

    fn watch(
        &self,
        node: NodeId,
    ) -> BoxFuture<'static, Result<BoxStream<'static, ClusterEvent>, SystemError>> {
        let (network, here) = (self.network.clone(), self.here);
        async move {
            let lost = |_: Broken| SystemError::Unavailable;
            let connection = network.connect(here, node.get()).await.map_err(lost)?;
            let asked = stream::once(async { WatchRequest::default() }).boxed();
            let handler = Box::new(
                |node: &Arc<RunningNode>, _: BoxStream<'static, WatchRequest>| node.watch(),
            );
            network.open(connection, asked, handler).await.map_err(lost)
        }
        .boxed()
    }

    fn deliver_stock(
        &self,
        node: NodeId,
        request: DeliverStockRequest,
    ) -> BoxFuture<'static, Result<DeliverStockResponse, PeerUnreachable>> {
        let (network, here, request) = (self.network.clone(), self.here, copied(&request));
        async move {
            let ask =
                |node: Arc<RunningNode>| async move { node.deliver_stock(request).await }.boxed();
            let answered = network.call(here, node.get(), ask).await;
            let answered = answered.map_err(|broken| unreachable(node, broken))?;
            match answered {
                Ok(response) => Ok(copied(&response)),
                Err(error) => Err(PeerUnreachable {
                    node,
                    detail: error.to_string(),
                }),
            }
        }
        .boxed()
    }
}

/// A message that stands alone may come twice, as one does that was sent again.
fn repeat(network: &Network, frame: &mut PeerFrame) {
    let alone = |envelope: &&quorate_proto::internal::Envelope| {
        matches!(
            envelope.body,
            Some(envelope::Body::Vote(_) | envelope::Body::PreVote(_))
        )
    };
    let again: Vec<_> = frame.envelopes.iter().filter(alone).cloned().collect();
    if !again.is_empty() && network.repeats() {
        frame.envelopes.extend(again);
    }
}
