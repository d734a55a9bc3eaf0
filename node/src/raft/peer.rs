//! What Raft needs from whatever carries its messages between nodes.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use quorate_proto::ids::{NodeId, ReplicaId, ShardId};
use quorate_proto::internal::{Envelope, SnapshotFrame, SnapshotReply, envelope};
use tokio::sync::mpsc;

/// Where a message goes and who sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) group: ShardId,
    pub(crate) from: ReplicaId,
    pub(crate) to: ReplicaId,
    /// The node that hosts `to`.
    pub(crate) node: NodeId,
}

/// A peer cannot be reached now; the caller backs off and tries again.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("node {node} cannot be reached: {detail}")]
pub struct PeerUnreachable {
    /// Who.
    pub node: NodeId,
    /// Why.
    pub detail: String,
}

/// Opens sessions to other nodes. Messages of one session arrive in order or the session ends.
pub(crate) trait PeerNetwork: Send + Sync + 'static {
    /// Opens a session on the connection to `route.node`.
    ///
    /// # Errors
    /// There is no connection now; one is being attempted in the background.
    fn open(&self, route: Route) -> Result<PeerSession, PeerUnreachable>;

    /// Sends a snapshot on a connection of its own and waits for the receiver's answer.
    fn send_snapshot(
        &self,
        node: NodeId,
        frames: BoxStream<'static, SnapshotFrame>,
    ) -> BoxFuture<'static, Result<SnapshotReply, PeerUnreachable>>;
}

/// One conversation with one replica. Dropping it ends it on both sides.
pub(crate) struct PeerSession {
    pub(crate) sender: SessionSender,
    /// Replies in request order; closed when the connection or the receiver is lost.
    pub(crate) replies: mpsc::Receiver<Envelope>,
    /// Ends the session when dropped.
    pub(crate) guard: Box<dyn Send + Sync>,
}

/// The sending half of a session.
pub(crate) struct SessionSender {
    pub(crate) route: Route,
    pub(crate) session: u64,
    pub(crate) seq: u64,
    pub(crate) outgoing: mpsc::Sender<Envelope>,
}

impl SessionSender {
    /// Queues a message; waits while the connection's queue is full.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) async fn send(&mut self, body: envelope::Body) -> Result<(), PeerUnreachable> {
        let message = Envelope {
            group: self.route.group.get(),
            from_replica: self.route.from.get(),
            to_replica: self.route.to.get(),
            session: self.session,
            seq: self.seq,
            body: Some(body),
        };
        self.seq += 1;
        self.outgoing
            .send(message)
            .await
            .map_err(|_| PeerUnreachable {
                node: self.route.node,
                detail: "the connection was lost".to_owned(),
            })
    }
}

/// Shared access to the network, as every group holds it.
pub(crate) type SharedNetwork = Arc<dyn PeerNetwork>;
