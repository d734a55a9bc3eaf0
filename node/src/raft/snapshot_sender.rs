//! Sends a replica's state to another replica of its group.
//!
//! The view is fixed when the first row is read, so the point that is sent is the point the rows stand
//! at, never an older one. While a snapshot is under way the group's log is not purged, or a slow
//! receiver would need another one for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use quorate_core::{View, ViewError};
use quorate_link::env::Env;
use quorate_proto::internal::{SnapshotFrame, SnapshotHeader, SnapshotReply, SnapshotRow};
use tokio::sync::mpsc;

use super::codec::{log_id_to_proto, membership_to_proto, vote_to_proto};
use super::peer::{PeerUnreachable, Route, SharedNetwork};
use super::snapshot_rows::{RowReader, point_of};
use super::state_machine::ReplicaState;
use super::types::Vote;
use crate::limits;
use crate::storage::ReadView;

/// Sends snapshots of one replica.
pub(crate) struct SnapshotSender {
    pub(crate) cluster_id: String,
    pub(crate) state: Arc<ReplicaState>,
    pub(crate) peers: SharedNetwork,
    pub(crate) under_way: Arc<AtomicUsize>,
    /// A frame closes once its rows reach this.
    pub(crate) frame_bytes: usize,
    pub(crate) env: Env,
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
        let read: ReadView = Box::new(move |view| {
            async move {
                // An unread queue means that the receiver or the leader gave up: nothing is left to do.
                let _ = sender.stream_rows(view, route, vote, &frames).await;
            }
            .boxed()
        });
        Arc::clone(&self.state.engine)
            .read_in_background(&self.env, "snapshot", read)
            .map_err(|e| PeerUnreachable {
                node: route.node,
                detail: e.to_string(),
            })?;
        self.peers.send_snapshot(route.node, queue).await
    }

    async fn stream_rows(
        &self,
        view: &(dyn View + Sync),
        route: Route,
        vote: Vote,
        frames: &mpsc::Sender<SnapshotFrame>,
    ) -> Result<(), ViewError> {
        let point = point_of(view, route.group)?;
        let mut header = Some(SnapshotHeader {
            cluster_id: self.cluster_id.clone(),
            group: route.group.get(),
            from_replica: route.from.get(),
            to_replica: route.to.get(),
            vote: Some(vote_to_proto(&vote)),
            last_log_id: point.log_id.as_ref().map(log_id_to_proto),
            membership: Some(membership_to_proto(&point.membership)),
        });
        let mut reader = RowReader::new(view, route.group)?;
        let mut rows_total = 0;
        loop {
            let rows = reader.portion(self.frame_bytes)?;
            #[cfg(feature = "planted-bugs")]
            let rows = super::planted::without_requests(rows);
            let rows: Vec<SnapshotRow> = rows
                .into_iter()
                .map(|(key, value)| SnapshotRow {
                    key: key.into(),
                    value: value.into(),
                })
                .collect();
            rows_total += rows.len() as u64;
            let last = rows.is_empty();
            let frame = SnapshotFrame {
                header: header.take(),
                checksum: checksum(&rows),
                rows,
                rows_total: last.then_some(rows_total),
            };
            let queued = frames.send(frame).await;
            queued.map_err(|_| ViewError::new("the receiver is gone"))?;
            if last {
                return Ok(());
            }
        }
    }
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
