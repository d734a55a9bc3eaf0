//! The seams to the outside: time, chance and tasks are handed in, never reached for.
//!
//! State: none beyond the handles. Invariants: only the system implementations in `system` touch the operating
//! system's clock, the process's random generator, its threads and the tokio runtime; a simulator replaces
//! them all. Deliberately absent: sockets and disks, which have seams of their own.

mod current;
mod system;

use std::{fmt, future::Future, io, pin::pin, sync::Arc, time::Duration};

pub use current::{CurrentRandom, current_env, with_current_env};
pub use system::threads_step_back;
use system::{SystemClock, SystemRandom, SystemSpawner};

pub use futures_util::future::BoxFuture;
use futures_util::{
    FutureExt as _,
    future::{AbortHandle, Abortable, Either, select},
};
use tokio::sync::oneshot;

/// Wall time, monotonic time and waiting.
pub trait Clock: Send + Sync {
    /// Unix milliseconds. May jump; only ever compared with other wall times.
    fn unix_ms(&self) -> i64;
    /// Time since an arbitrary fixed instant of this process; never decreases.
    fn monotonic(&self) -> Duration;
    /// Completes after `duration` of monotonic time.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Bytes nobody can predict. Fit for nonces and for jitter alike.
pub trait Random: Send + Sync {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// Starts tasks.
pub trait Spawner: Send + Sync {
    /// Runs `future` to its end, independent of the returned handle. [`prepare`] builds the handle.
    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> TaskHandle;

    /// The same for a future that may block whatever polls it: it gets a thread of its own, without a runtime
    /// around it. A simulator, where nothing blocks, runs it as any other task.
    ///
    /// # Errors
    /// The system gives no thread.
    fn spawn_blocking(
        &self,
        name: &'static str,
        future: BoxFuture<'static, ()>,
    ) -> io::Result<TaskHandle>;

    /// Lets others go first from now on. For tasks of [`Spawner::spawn_blocking`], while they hold nothing that
    /// anybody waits for. A simulator, where all take turns, does nothing.
    fn step_back(&self);
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// Its future ran to the end.
    Returned,
    /// It was aborted.
    Aborted,
    /// It was dropped before its end: it panicked, or its runtime shut down.
    Lost,
}

/// A running task. Dropping the handle lets the task run on.
#[derive(Debug)]
pub struct TaskHandle {
    abort: AbortHandle,
    end: oneshot::Receiver<TaskEnd>,
    ended: Option<TaskEnd>,
}

impl TaskHandle {
    /// Drops the task's future at its next await point.
    pub fn abort(&self) {
        self.abort.abort();
    }

    /// Waits for the end. May be called again; cancelling the wait loses nothing.
    pub async fn finished(&mut self) -> TaskEnd {
        if let Some(end) = self.ended {
            return end;
        }
        let end = (&mut self.end).await.unwrap_or(TaskEnd::Lost);
        self.ended = Some(end);
        end
    }
}

/// Makes a future abortable and pairs it with its handle: what every [`Spawner`] does first.
pub fn prepare(future: BoxFuture<'static, ()>) -> (BoxFuture<'static, ()>, TaskHandle) {
    let (abort, registration) = AbortHandle::new_pair();
    let (sender, end) = oneshot::channel();
    let task = async move {
        let end = match Abortable::new(future, registration).await {
            Ok(()) => TaskEnd::Returned,
            Err(_) => TaskEnd::Aborted,
        };
        // Nobody waiting is the usual case.
        let _ = sender.send(end);
    };
    let handle = TaskHandle {
        abort,
        end,
        ended: None,
    };
    (task.boxed(), handle)
}

/// The time allowed for an operation ran out; the operation was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("timed out")]
pub struct Elapsed;

/// The three seams together; cheap to clone.
#[derive(Clone)]
pub struct Env {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// Tasks.
    pub spawner: Arc<dyn Spawner>,
}

impl Env {
    /// The operating system's clock, the process's secure generator, the current tokio runtime.
    pub fn system() -> Env {
        Env {
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            spawner: Arc::new(SystemSpawner),
        }
    }

    /// Starts a task; `name` appears in the log when it is lost.
    pub fn spawn(
        &self,
        name: &'static str,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> TaskHandle {
        self.spawner.spawn(name, future.boxed())
    }

    /// Starts a task that may block whatever polls it, on a thread of its own.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn spawn_blocking(
        &self,
        name: &'static str,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<TaskHandle> {
        self.spawner.spawn_blocking(name, future.boxed())
    }

    /// Lets others go first from now on; only on a thread of its own, which holds nothing that anybody waits for.
    pub fn step_back(&self) {
        self.spawner.step_back();
    }

    /// Unix milliseconds.
    pub fn unix_ms(&self) -> i64 {
        self.clock.unix_ms()
    }

    /// Time since an arbitrary fixed instant of this process.
    pub fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Waits.
    pub fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(duration)
    }

    /// Runs `future` for at most `duration`. A future that is ready wins over a time that is up.
    ///
    /// # Errors
    /// [`Elapsed`], and the future is dropped.
    pub async fn timeout<F: Future>(
        &self,
        duration: Duration,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        // An answer that is already there costs no timer.
        if let Some(output) = future.as_mut().now_or_never() {
            return Ok(output);
        }
        match select(future, self.sleep(duration)).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right(((), _)) => Err(Elapsed),
        }
    }

    /// A uniform random number.
    pub fn random_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// A uniform random duration in `[0, max]`, millisecond steps.
    pub fn random_up_to(&self, max: Duration) -> Duration {
        let max_ms = u64::try_from(max.as_millis()).unwrap_or(u64::MAX - 1);
        Duration::from_millis(self.random_u64() % (max_ms + 1))
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Env")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test]
    async fn a_task_reports_how_it_ended() {
        let env = Env::system();
        let mut returned = env.spawn("returns", async {});
        assert_eq!(returned.finished().await, TaskEnd::Returned);
        assert_eq!(returned.finished().await, TaskEnd::Returned);

        let mut aborted = env.spawn("waits", std::future::pending());
        aborted.abort();
        assert_eq!(aborted.finished().await, TaskEnd::Aborted);

        let mut lost = env.spawn("panics", async { panic!("planted") });
        assert_eq!(lost.finished().await, TaskEnd::Lost);
    }

    #[tokio::test]
    async fn a_task_that_blocks_has_a_thread_of_its_own() {
        let env = Env::system();
        let (go_on, wait) = std::sync::mpsc::channel();
        let mut blocked = env
            .spawn_blocking("blocks", async move {
                let _ = wait.recv();
            })
            .unwrap();
        go_on.send(()).unwrap();
        assert_eq!(blocked.finished().await, TaskEnd::Returned);
        let mut lost = env
            .spawn_blocking("panics", async { panic!("planted") })
            .unwrap();
        assert_eq!(lost.finished().await, TaskEnd::Lost);
    }

    #[tokio::test]
    async fn dropping_a_handle_lets_the_task_run_on() {
        let env = Env::system();
        let (sender, receiver) = oneshot::channel();
        drop(env.spawn("runs on", async move {
            let _ = sender.send(7);
        }));
        assert_eq!(receiver.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_timeout_drops_what_is_late_and_keeps_what_is_ready() {
        let env = Env::system();
        assert_eq!(env.timeout(Duration::ZERO, async { 3 }).await, Ok(3));
        let late = env
            .timeout(Duration::from_millis(5), std::future::pending::<()>())
            .await;
        assert_eq!(late, Err(Elapsed));
    }

    #[test]
    fn jitter_stays_in_its_bound() {
        let env = Env::system();
        for _ in 0..1000 {
            assert!(env.random_up_to(Duration::from_millis(3)) <= Duration::from_millis(3));
        }
        assert_eq!(env.random_up_to(Duration::ZERO), Duration::ZERO);
    }
}
