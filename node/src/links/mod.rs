//! How this node talks to the others: what is sent, when, and what is done about silence.
//!
//! State owned: one link per node and purpose, kept in the background from its first use on. Whatever carries
//! the bytes is behind [`Calls`], so that everything here runs under a simulator as it is. Deliberately absent:
//! addresses, certificates, the wire.

mod deliveries;
mod frames;
mod peers;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use quorate_proto::ids::NodeId;
use quorate_proto::internal::{
    ClusterEvent, DeliverStockRequest, DeliverStockResponse, PeerFrame, SnapshotFrame,
    SnapshotReply,
};
use quorate_proto::storage::{SystemCommand, SystemOutcome};

pub(crate) use deliveries::DeliveryLinks;
pub(crate) use frames::{coalesce, peer_frames};
pub(crate) use peers::PeerLinks;

use crate::raft::PeerUnreachable;
use crate::system::SystemError;

/// The calls that one node makes to another. Each may fail, or not come back for a long time: whoever calls
/// bounds its patience where it matters.
pub trait Calls: Send + Sync + 'static {
    /// Opens a stream of Raft messages to a node. What comes back ends when the connection is lost; dropping it
    /// closes the connection, and so does the end of `frames`. Both directions keep their order.
    fn exchange(
        &self,
        node: NodeId,
        frames: BoxStream<'static, PeerFrame>,
    ) -> BoxFuture<'static, Result<BoxStream<'static, PeerFrame>, PeerUnreachable>>;

    /// Sends a snapshot on a connection of its own and waits for the receiver's answer.
    fn install_snapshot(
        &self,
        node: NodeId,
        frames: BoxStream<'static, SnapshotFrame>,
    ) -> BoxFuture<'static, Result<SnapshotReply, PeerUnreachable>>;

    /// Proposes to the system shard through a node, which must lead it.
    fn propose_system(
        &self,
        node: NodeId,
        command: SystemCommand,
    ) -> BoxFuture<'static, Result<SystemOutcome, SystemError>>;

    /// A node's view of the cluster, and every newer one, until the connection is lost.
    fn watch(
        &self,
        node: NodeId,
    ) -> BoxFuture<'static, Result<BoxStream<'static, ClusterEvent>, SystemError>>;

    /// Hands rows of outboxes to a node that leads their shards.
    fn deliver_stock(
        &self,
        node: NodeId,
        request: DeliverStockRequest,
    ) -> BoxFuture<'static, Result<DeliverStockResponse, PeerUnreachable>>;
}
