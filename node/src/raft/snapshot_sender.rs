//! Sends a replica's state to another replica of its group.
//!
//! The view is fixed when the receiver is reached, so the point that is sent is the point the rows stand at, never
//! an older one. While a snapshot is under way the group's log is not purged, or a slow receiver would need
//! another one for ever.

use std::sync::Arc;

use futures_util::future::{Either, select};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use quorate_core::{View, ViewError};
use quorate_link::env::Env;
use quorate_proto::internal::{SnapshotFrame, SnapshotHeader, SnapshotReply, SnapshotRow};
use tokio::sync::mpsc;

use super::codec::{log_id_to_proto, membership_to_proto, vote_to_proto};
use super::peer::{PeerUnreachable, Route, SharedNetwork};
use super::snapshot_lane::{Progress, SnapshotLane, Turn, UnderWay};
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
    pub(crate) under_way: Arc<UnderWay>,
    pub(crate) lane: Arc<SnapshotLane>,
    pub(crate) env: Env,
}

impl SnapshotSender {
    /// Streams the state as it stands now; returns the receiver's vote. The turn is kept until the end.
    pub(super) async fn send(
        self: &Arc<Self>,
        route: Route,
        vote: Vote,
        _turn: Turn,
    ) -> Result<SnapshotReply, PeerUnreachable> {
        let _under_way = self.under_way.begin(self.env.monotonic());
        let progress = Arc::new(Progress::default());
        let frames = self.frames(route, vote, Arc::clone(&progress));
        let reply = self.peers.send_snapshot(route.node, frames);
        match select(reply, Box::pin(progress.stalled(&self.env))).await {
            Either::Left((reply, _)) => reply,
            Either::Right(((), _)) => Err(PeerUnreachable {
                node: route.node,
                detail: "it takes nothing of the snapshot in".to_owned(),
            }),
        }
    }

    /// The frames at the pace of the lane. Nothing is read before the first is asked for.
    fn frames(
        self: &Arc<Self>,
        route: Route,
        vote: Vote,
        progress: Arc<Progress>,
    ) -> BoxStream<'static, SnapshotFrame> {
        let (lane, env) = (Arc::clone(&self.lane), self.env.clone());
        let sender = Arc::clone(self);
        // Without a reader there are no frames, and the receiver says that some are missing.
        stream::once(async move { sender.read(route, vote) })
            .filter_map(std::future::ready)
            .flat_map(move |queue| {
                let (lane, progress) = (Arc::clone(&lane), Arc::clone(&progress));
                lane.paced(queue, progress, env.clone())
            })
            .boxed()
    }

    /// Fixes a view and reads it in the background, a little ahead of whoever takes the frames.
    fn read(self: &Arc<Self>, route: Route, vote: Vote) -> Option<mpsc::Receiver<SnapshotFrame>> {
        let (frames, queue) = mpsc::channel(limits::SNAPSHOT_FRAMES_QUEUED);
        let sender = Arc::clone(self);
        let read: ReadView = Box::new(move |view| {
            async move {
                // An unread queue means that the receiver or the leader gave up: nothing is left to do.
                let _ = sender.stream_rows(view, route, vote, &frames).await;
            }
            .boxed()
        });
        let begun = Arc::clone(&self.state.engine).read_in_background(&self.env, "snapshot", read);
        begun
            .inspect_err(|error| tracing::warn!(%error, "a snapshot cannot be read"))
            .is_ok()
            .then_some(queue)
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
            let rows = reader.portion(self.lane.frame_bytes)?;
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
