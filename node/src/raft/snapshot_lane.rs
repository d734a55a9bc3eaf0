//! When and how fast snapshots leave a node.
//!
//! Snapshots to one node take turns, so that it is not filled from all sides at once; a node that cannot be reached
//! keeps nobody else waiting. All of them together keep one pace. A receiver that takes nothing in loses its turn.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{Stream, stream};
use prost::Message as _;
use quorate_link::env::Env;
use quorate_proto::ids::NodeId;
use quorate_proto::internal::SnapshotFrame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::limits;

/// Where all snapshots of a node leave.
pub(crate) struct SnapshotLane {
    /// A frame closes once its rows reach this.
    pub(super) frame_bytes: usize,
    bytes_per_second: u64,
    turns: Mutex<BTreeMap<NodeId, Arc<Semaphore>>>,
    /// On the monotonic clock: when the next frame may leave.
    free_at: Mutex<Duration>,
}

/// The right to send a snapshot to one node, until it is dropped.
pub(super) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
    /// Whether somebody else had it when it was asked for.
    pub(super) was_waited_for: bool,
}

impl SnapshotLane {
    pub(crate) fn new(frame_bytes: usize, bytes_per_second: u64) -> Arc<Self> {
        Arc::new(Self {
            frame_bytes,
            bytes_per_second: bytes_per_second.max(1),
            turns: Mutex::default(),
            free_at: Mutex::default(),
        })
    }

    /// Waits for the turn to send to a node.
    pub(super) async fn turn(&self, node: NodeId) -> Turn {
        let turns = Arc::clone(
            lock(&self.turns)
                .entry(node)
                .or_insert_with(|| Arc::new(Semaphore::new(1))),
        );
        let free = Arc::clone(&turns).try_acquire_owned();
        let was_waited_for = free.is_err();
        let permit = match free {
            Ok(permit) => Some(permit),
            // Nobody closes it.
            Err(_) => turns.acquire_owned().await.ok(),
        };
        Turn {
            _permit: permit,
            was_waited_for,
        }
    }

    /// How long so much must still wait; whatever comes next waits until it has left.
    fn reserve(&self, now: Duration, bytes: usize) -> Duration {
        let takes = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        let mut free_at = lock(&self.free_at);
        let leaves = now.max(*free_at);
        *free_at = leaves + takes;
        leaves - now
    }

    /// The frames as they may be sent.
    pub(super) fn paced(
        self: Arc<Self>,
        queue: mpsc::Receiver<SnapshotFrame>,
        progress: Arc<Progress>,
        env: Env,
    ) -> impl Stream<Item = SnapshotFrame> + Send + 'static {
        stream::unfold(queue, move |mut queue| {
            let (lane, progress, env) = (Arc::clone(&self), Arc::clone(&progress), env.clone());
            async move {
                let Some(frame) = queue.recv().await else {
                    progress.is_all_taken.store(true, Ordering::Relaxed);
                    return None;
                };
                let wait = lane.reserve(env.monotonic(), frame.encoded_len());
                env.sleep(wait).await;
                progress.taken.fetch_add(1, Ordering::Relaxed);
                Some((frame, queue))
            }
        })
    }
}

/// How far a receiver has come.
#[derive(Default)]
pub(super) struct Progress {
    /// Frames that it took.
    taken: AtomicU64,
    /// Whether there are no more.
    is_all_taken: AtomicBool,
}

impl Progress {
    /// Done when no frame has been taken for too long, or when what was taken should have been installed by now.
    pub(super) async fn stalled(&self, env: &Env) {
        let mut seen = None;
        while !self.is_all_taken.load(Ordering::Relaxed) {
            let taken = self.taken.load(Ordering::Relaxed);
            if seen == Some(taken) {
                return;
            }
            seen = Some(taken);
            env.sleep(limits::SNAPSHOT_SILENCE_MAX).await;
        }
        env.sleep(limits::SNAPSHOT_INSTALL_MAX).await;
    }
}

/// The snapshots of one group that are under way. While there are any its log is kept, or a slow receiver would need
/// another one for ever.
#[derive(Default)]
pub(crate) struct UnderWay {
    state: Mutex<UnderWayState>,
}

#[derive(Default)]
struct UnderWayState {
    count: usize,
    newest_began: Duration,
}

impl UnderWay {
    /// Counts one more until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, now: Duration) -> UnderWayGuard {
        let mut state = lock(&self.state);
        state.count += 1;
        state.newest_began = now;
        UnderWayGuard(Arc::clone(self))
    }

    /// Whether the log must be kept: one is under way, and has not been for too long.
    pub(super) fn holds_log(&self, now: Duration) -> bool {
        let state = lock(&self.state);
        state.count > 0 && now.saturating_sub(state.newest_began) < limits::SNAPSHOT_PURGE_HOLD
    }
}

/// One snapshot under way.
pub(super) struct UnderWayGuard(Arc<UnderWay>);

impl Drop for UnderWayGuard {
    fn drop(&mut self) {
        lock(&self.0.state).count -= 1;
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use futures_util::future::BoxFuture;
    use futures_util::{FutureExt as _, StreamExt as _};
    use quorate_link::env::Clock;
    use quorate_proto::internal::SnapshotRow;

    use super::*;

    /// Time passes only where it is waited for, and is added up.
    #[derive(Default)]
    struct Waited {
        total: Mutex<Duration>,
        /// Frames that are still to be taken, one at each wait.
        to_take: AtomicU64,
        progress: Progress,
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
                self.progress.taken.fetch_add(1, Ordering::Relaxed);
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

    /// Frames of 1,000 bytes of rows and a little more.
    fn frames(count: usize) -> mpsc::Receiver<SnapshotFrame> {
        let (frames, queue) = mpsc::channel(count);
        for _ in 0..count {
            let row = SnapshotRow {
                key: vec![1; 500].into(),
                value: vec![2; 500].into(),
            };
            let frame = SnapshotFrame {
                rows: vec![row],
                ..SnapshotFrame::default()
            };
            frames.try_send(frame).unwrap();
        }
        queue
    }

    #[tokio::test]
    async fn frames_leave_at_the_pace_of_the_lane_whoever_they_are_for() {
        let clock = Arc::new(Waited::default());
        let lane = SnapshotLane::new(1_000, 10_000);
        for count in [60, 41] {
            let progress = Arc::new(Progress::default());
            let paced = Arc::clone(&lane).paced(frames(count), Arc::clone(&progress), env(&clock));
            assert_eq!(paced.count().await, count);
            assert_eq!(progress.taken.load(Ordering::Relaxed), count as u64);
            assert!(progress.is_all_taken.load(Ordering::Relaxed));
        }
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
        clock.progress.stalled(&env(&clock)).await;
        assert_eq!(clock.progress.taken.load(Ordering::Relaxed), 20);
        assert_eq!(clock.monotonic(), 21 * limits::SNAPSHOT_SILENCE_MAX);
    }

    #[tokio::test]
    async fn an_install_has_more_time_than_a_frame() {
        let clock = Arc::new(Waited::default());
        clock.progress.is_all_taken.store(true, Ordering::Relaxed);
        clock.progress.stalled(&env(&clock)).await;
        assert_eq!(clock.monotonic(), limits::SNAPSHOT_INSTALL_MAX);
    }

    #[test]
    fn only_snapshots_to_the_same_node_wait_for_each_other() {
        let lane = SnapshotLane::new(1_000, 10_000);
        let [one, other] = [1, 2].map(NodeId::new);
        let first = lane.turn(one).now_or_never().unwrap();
        assert!(!first.was_waited_for);
        assert!(!lane.turn(other).now_or_never().unwrap().was_waited_for);
        let mut second = Box::pin(lane.turn(one));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        assert!(second.now_or_never().unwrap().was_waited_for);
    }

    #[test]
    fn a_log_is_kept_while_a_snapshot_is_under_way_but_not_for_ever() {
        let under_way = Arc::new(UnderWay::default());
        let begun = Duration::from_secs(5);
        assert!(!under_way.holds_log(begun));
        let first = under_way.begin(Duration::ZERO);
        let second = under_way.begin(begun);
        assert!(under_way.holds_log(begun));
        drop(first);
        assert!(under_way.holds_log(begun + limits::SNAPSHOT_PURGE_HOLD / 2));
        assert!(!under_way.holds_log(begun + limits::SNAPSHOT_PURGE_HOLD));
        drop(second);
        assert!(!under_way.holds_log(begun));
    }
}
