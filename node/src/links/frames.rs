//! Coalescing: whatever has queued becomes one frame, and no timer decides.

use std::sync::Arc;

use futures_util::{Stream, stream};
use prost::Message as _;
use quorate_proto::ids::NodeId;
use quorate_proto::internal::{Envelope, PeerFrame};
use tokio::sync::mpsc;

use crate::limits;
use crate::storage::Witness;

/// A stream of frames, each made of everything that was queued when it was asked for.
///
/// A frame holds at most `items_max` items and closes once their sizes reach `bytes_max`.
pub(crate) fn coalesce<T, F>(
    queue: mpsc::Receiver<T>,
    items_max: usize,
    bytes_max: usize,
    size_of: impl Fn(&T) -> usize + Send + 'static,
    into_frame: impl Fn(Vec<T>) -> F + Send + 'static,
) -> impl Stream<Item = F> + Send + 'static
where
    T: Send + 'static,
    F: Send + 'static,
{
    let state = (queue, size_of, into_frame);
    stream::unfold(state, move |(mut queue, size_of, into_frame)| async move {
        let first = queue.recv().await?;
        let mut bytes = size_of(&first);
        let mut items = vec![first];
        while items.len() < items_max && bytes < bytes_max {
            let Ok(next) = queue.try_recv() else {
                break;
            };
            bytes += size_of(&next);
            items.push(next);
        }
        let frame = into_frame(items);
        Some((frame, (queue, size_of, into_frame)))
    })
}

/// The frames of one direction of a connection between nodes, each with this node's statement on the disk of
/// the node at the other end.
pub(crate) fn peer_frames(
    queue: mpsc::Receiver<Envelope>,
    cluster_id: String,
    this: NodeId,
    witness: Arc<Witness>,
    other: impl Fn() -> Option<NodeId> + Send + 'static,
) -> impl Stream<Item = PeerFrame> + Send + 'static {
    coalesce(
        queue,
        limits::PEER_FRAME_ENVELOPES_MAX,
        limits::PEER_FRAME_BYTES,
        Envelope::encoded_len,
        move |envelopes| PeerFrame {
            cluster_id: cluster_id.clone(),
            from_node: this.get(),
            envelopes,
            disk: Some(witness.statement(other())),
        },
    )
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use futures_util::StreamExt as _;

    use super::*;

    fn frames(items: &[usize], items_max: usize, bytes_max: usize) -> Vec<Vec<usize>> {
        let (sender, queue) = mpsc::channel(items.len().max(1));
        for item in items {
            sender.try_send(*item).expect("the queue holds all items");
        }
        drop(sender);
        let stream = coalesce(queue, items_max, bytes_max, |size| *size, |items| items);
        block_on(stream.collect())
    }

    #[test]
    fn everything_queued_is_one_frame() {
        assert_eq!(frames(&[1, 2, 3], 10, 100), [vec![1, 2, 3]]);
    }

    #[test]
    fn a_frame_closes_at_either_bound() {
        assert_eq!(frames(&[1, 1, 1], 2, 100), [vec![1, 1], vec![1]]);
        assert_eq!(frames(&[60, 50, 1], 10, 100), [vec![60, 50], vec![1]]);
    }

    #[test]
    fn nothing_queued_is_no_frame() {
        assert!(frames(&[], 10, 100).is_empty());
    }
}
