//! Sends a replica's state to another replica of its group.
//!
//! The view is fixed when the first row is read, so the point that is sent is the point the rows stand
//! at, never an older one. While a snapshot is under way the group's log is not purged, or a slow
//! receiver would need another one for ever.
//!
//! Snapshots of one node take turns, at a bounded pace. A receiver that takes nothing in loses its turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use prost::Message as _;
use quorate_core::{View, ViewError};
use quorate_link::env::Env;
use quorate_proto::internal::{SnapshotFrame, SnapshotHeader, SnapshotReply, SnapshotRow};
use tokio::sync::{Semaphore, mpsc};

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
    pub(crate) lane: Arc<SnapshotLane>,
    pub(crate) env: Env,
}

/// Where all snapshots of a node are sent, one after the other.
pub(crate) struct SnapshotLane {
    /// A frame closes once its rows reach this.
    frame_bytes: usize,
    bytes_per_second: u64,
    turn: Semaphore,
}

impl SnapshotLane {
    pub(crate) fn new(frame_bytes: usize, bytes_per_second: u64) -> Arc<Self> {
        Arc::new(Self {
            frame_bytes,
            bytes_per_second,
            turn: Semaphore::new(1),
        })
    }

    /// For how long whoever has sent so much must rest.
    fn rest_after(&self, bytes: usize) -> Duration {
        Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64)
    }

    /// The frames as they may be sent; each that is taken is counted.
    fn paced(
        self: Arc<Self>,
        queue: mpsc::Receiver<SnapshotFrame>,
        taken: Arc<AtomicU64>,
        env: Env,
    ) -> BoxStream<'static, SnapshotFrame> {
        stream::unfold((queue, Duration::ZERO), move |(mut queue, rest)| {
            let (lane, taken, env) = (Arc::clone(&self), Arc::clone(&taken), env.clone());
            async move {
                env.sleep(rest).await;
                let frame = queue.recv().await?;
                taken.fetch_add(1, Ordering::Relaxed);
                let rest = lane.rest_after(frame.encoded_len());
                Some((frame, (queue, rest)))
            }
        })
        .boxed()
    }
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
        // Nobody closes the semaphore.
        let _turn = self.lane.turn.acquire().await;
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
        let taken = Arc::new(AtomicU64::new(0));
        let frames = Arc::clone(&self.lane).paced(queue, Arc::clone(&taken), self.env.clone());
        let reply = self.peers.send_snapshot(route.node, frames);
        match select(reply, Box::pin(stalled(&taken, &self.env))).await {
            Either::Left((reply, _)) => reply,
            Either::Right(((), _)) => Err(PeerUnreachable {
                node: route.node,
                detail: "it takes nothing of the snapshot in".to_owned(),
            }),
        }
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

/// Done when no frame has been taken for too long.
async fn stalled(taken: &AtomicU64, env: &Env) {
    let mut seen = None;
    while seen != Some(taken.load(Ordering::Relaxed)) {
        seen = Some(taken.load(Ordering::Relaxed));
        env.sleep(limits::SNAPSHOT_SILENCE_MAX).await;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Mutex;

    use futures_util::future::BoxFuture;
    use quorate_link::env::Clock;

    use super::*;

    /// Time passes only where it is waited for, and is added up.
    #[derive(Default)]
    struct Waited {
        total: Mutex<Duration>,
        /// Frames that are still to be taken, one at each wait.
        to_take: AtomicU64,
        taken: AtomicU64,
    }

    impl Clock for Waited {
        fn unix_ms(&self) -> i64 {
            0
        }

        fn monotonic(&self) -> Duration {
            *self.total.lock().unwrap()
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            *self.total.lock().unwrap() += duration;
            if self.to_take.load(Ordering::Relaxed) > 0 {
                self.to_take.fetch_sub(1, Ordering::Relaxed);
                self.taken.fetch_add(1, Ordering::Relaxed);
            }
            std::future::ready(()).boxed()
        }
    }

    fn env(clock: &Arc<Waited>) -> Env {
        Env {
            clock: Arc::clone(clock) as _,
            ..Env::system()
        }
    }

    /// A frame of 1,000 bytes of rows and a little more.
    fn frame() -> SnapshotFrame {
        SnapshotFrame {
            rows: vec![SnapshotRow {
                key: vec![1; 500].into(),
                value: vec![2; 500].into(),
            }],
            ..SnapshotFrame::default()
        }
    }

    #[tokio::test]
    async fn frames_leave_at_the_pace_of_the_lane() {
        let clock = Arc::new(Waited::default());
        let (frames, queue) = mpsc::channel(101);
        for _ in 0..=100 {
            frames.send(frame()).await.unwrap();
        }
        drop(frames);
        let taken = Arc::new(AtomicU64::new(0));
        let paced = SnapshotLane::new(1_000, 10_000).paced(queue, Arc::clone(&taken), env(&clock));
        assert_eq!(paced.count().await, 101);
        assert_eq!(taken.load(Ordering::Relaxed), 101);
        let seconds = clock.monotonic().as_secs_f64();
        assert!(
            (10.0..10.5).contains(&seconds),
            "101 kB at 10 kB a second: {seconds} s"
        );
    }

    #[tokio::test]
    async fn only_a_receiver_that_takes_nothing_is_given_up() {
        let clock = Arc::new(Waited::default());
        clock.to_take.store(20, Ordering::Relaxed);
        stalled(&clock.taken, &env(&clock)).await;
        assert_eq!(clock.taken.load(Ordering::Relaxed), 20);
        assert_eq!(clock.monotonic(), 21 * limits::SNAPSHOT_SILENCE_MAX);
    }
}
