//! What other nodes send: Raft messages and snapshots.

use std::sync::{Arc, OnceLock};

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use quorate_proto::ids::NodeId;
use quorate_proto::internal::{PeerFrame, SnapshotFrame, SnapshotReply};
use tokio::sync::mpsc;

use crate::failure::Cause;
use crate::limits;
use crate::links::peer_frames;
use crate::raft::{FindGroup, Inbound, SnapshotRefused, receive_snapshot};
use crate::running::RunningNode;

/// Feeds the replicas here with the messages of one connection, and gathers their replies.
pub(super) fn exchange(
    node: &RunningNode,
    mut frames: BoxStream<'static, PeerFrame>,
) -> BoxStream<'static, PeerFrame> {
    let (replies, queue) = mpsc::channel(limits::PEER_QUEUE);
    let groups: Arc<dyn FindGroup> = Arc::clone(&node.host) as _;
    let mut inbound = Inbound::new(groups, node.env.clone(), replies);
    let cluster_id = node.cluster_id.clone();
    // Who sends is known with its first frame, before there is anything to reply.
    let sender = Arc::new(OnceLock::new());
    let (heard_from, witness) = (Arc::clone(&sender), Arc::clone(&node.witness));
    let failure = node.failure.clone();
    node.env.spawn("peer stream", async move {
        while let Some(frame) = frames.next().await {
            if frame.cluster_id != cluster_id {
                return;
            }
            let from = *heard_from.get_or_init(|| NodeId::new(frame.from_node));
            if let Err(outdated) = witness.hear(from, frame.disk.as_ref()) {
                failure.raise(Cause::new("vouching for this disk", outdated));
                return;
            }
            for envelope in frame.envelopes {
                inbound.accept(envelope).await;
            }
        }
    });
    let other = move || sender.get().copied();
    let (cluster_id, witness) = (node.cluster_id.clone(), Arc::clone(&node.witness));
    peer_frames(queue, cluster_id, node.node, witness, other).boxed()
}

/// Takes in one snapshot. Its tables have names that none had before: those of a snapshot that was installed may
/// still be there, as the same files, when an earlier life of this node was cut short.
pub(super) async fn install_snapshot(
    node: &RunningNode,
    frames: BoxStream<'static, SnapshotFrame>,
) -> Result<SnapshotReply, SnapshotRefused> {
    let Ok(_taken_in) = node.snapshots_taken_in.try_acquire() else {
        return Err(SnapshotRefused::Busy);
    };
    let received = receive_snapshot(
        frames,
        &node.cluster_id,
        &*node.host,
        Arc::clone(&node.engine),
        format!("incoming-{:016x}", node.env.random_u64()),
        &node.env,
    )
    .await;
    received.inspect_err(|refused| match refused {
        SnapshotRefused::Storage(error) => node.failure.raise(error.clone()),
        _ => tracing::warn!(%refused, "a snapshot was not installed"),
    })
}
