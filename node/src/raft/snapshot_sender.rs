//! Sends a replica's state to another replica of its group.
//!
//! The view is fixed when the first row is read, so the point that is sent is the point the rows stand
//! at, never an older one. While a snapshot is under way the group's log is not purged, or a slow
//! receiver would need another one for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use quorate_core::{View, ViewError};
use quorate_proto::internal::{SnapshotFrame, SnapshotHeader, SnapshotReply, SnapshotRow};
use tokio::sync::mpsc;

use super::codec::{log_id_to_proto, membership_to_proto, vote_to_proto};
use super::peer::{PeerUnreachable, Route, SharedNetwork};
use super::snapshot::{point_of, visit_rows};
use super::state_machine::ReplicaState;
use super::types::Vote;
use crate::limits;

/// Sends snapshots of one replica.
pub(crate) struct SnapshotSender {
    pub(crate) cluster_id: String,
    pub(crate) state: Arc<ReplicaState>,
    pub(crate) peers: SharedNetwork,
    pub(crate) under_way: Arc<AtomicUsize>,
}

/// Counts a snapshot as under way until dropped.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn start(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counter))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SnapshotSender {
    /// Streams the state as it stands now; returns the receiver's vote.
    pub(crate) async fn send(
        self: &Arc<Self>,
        route: Route,
        vote: Vote,
    ) -> Result<SnapshotReply, PeerUnreachable> {
        let _under_way = UnderWay::start(&self.under_way);
        let (frames, queue) = mpsc::channel(limits::SNAPSHOT_FRAMES_QUEUED);
        let sender = Arc::clone(self);
        let read = Box::new(move |view: &dyn View| {
            // An unread queue means that the receiver or the leader gave up: nothing is left to do.
            let _ = sender.stream_rows(view, route, vote, &frames);
        });
        Arc::clone(&self.state.engine)
            .read_in_background("snapshot", read)
            .map_err(|e| PeerUnreachable {
                node: route.node,
                detail: e.to_string(),
            })?;
        self.peers.send_snapshot(route.node, queue).await
    }

    fn stream_rows(
        &self,
        view: &dyn View,
        route: Route,
        vote: Vote,
        frames: &mpsc::Sender<SnapshotFrame>,
    ) -> Result<(), ViewError> {
        let point = point_of(view, route.group)?;
        let mut pending = SnapshotFrame {
            header: Some(SnapshotHeader {
                cluster_id: self.cluster_id.clone(),
                group: route.group.get(),
                from_replica: route.from.get(),
                to_replica: route.to.get(),
                vote: Some(vote_to_proto(&vote)),
                last_log_id: point.log_id.as_ref().map(log_id_to_proto),
                membership: Some(membership_to_proto(&point.membership)),
            }),
            ..SnapshotFrame::default()
        };
        let mut bytes = 0;
        let mut rows_total = 0;
        visit_rows(view, route.group, &mut |key, value| {
            bytes += key.len() + value.len();
            rows_total += 1;
            pending.rows.push(SnapshotRow {
                key: key.to_vec().into(),
                value: value.to_vec().into(),
            });
            if bytes >= limits::SNAPSHOT_FRAME_BYTES {
                bytes = 0;
                push(frames, std::mem::take(&mut pending))?;
            }
            Ok(())
        })?;
        pending.rows_total = Some(rows_total);
        push(frames, pending)
    }
}

fn push(frames: &mpsc::Sender<SnapshotFrame>, mut frame: SnapshotFrame) -> Result<(), ViewError> {
    frame.checksum = checksum(&frame.rows);
    frames
        .blocking_send(frame)
        .map_err(|_| ViewError::new("the receiver is gone"))
}

/// CRC-32C over the rows of a frame, each key and value preceded by its length.
pub(crate) fn checksum(rows: &[SnapshotRow]) -> u32 {
    let mut sum = 0;
    for field in rows.iter().flat_map(|row| [&row.key, &row.value]) {
        sum = crc32c::crc32c_append(sum, &(field.len() as u64).to_be_bytes());
        sum = crc32c::crc32c_append(sum, field);
    }
    sum
}
