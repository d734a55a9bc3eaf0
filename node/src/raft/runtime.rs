//! The runtime that openraft asks for time, chance and tasks: tokio's, or the simulation's.
//!
//! openraft calls static functions, so a simulated node's seams cannot be handed in; they are looked up on the
//! thread (`quorate_link::env::current_env`). A process that serves never has any, and everything here is tokio's.
//!
//! Invariant: in a simulation nothing reaches for the system's clock, chance, threads or timers. Channels and
//! locks are tokio's in both: they work under any executor. Deliberately absent: running a simulation.

use std::fmt;
use std::future::Future;
use std::io;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either};
use openraft::async_runtime::{AsyncRuntime, Instant as _};
use openraft::{OptionalSend, async_runtime};
use openraft_rt_tokio::{
    TokioInstant, TokioMpsc, TokioMutex, TokioOneshot, TokioRuntime, TokioWatch,
};
use pin_project_lite::pin_project;
use quorate_link::env::{CurrentRandom, Env, current_env};
use tokio::sync::oneshot;

type TokioSleep = <TokioRuntime as AsyncRuntime>::Sleep;
type TokioJoinHandle<T> = <TokioRuntime as AsyncRuntime>::JoinHandle<T>;
type TokioJoinError = <TokioRuntime as AsyncRuntime>::JoinError;

/// See the module.
#[derive(Debug)]
pub(crate) struct Runtime(TokioRuntime);

/// A task that openraft waits for.
pub(crate) enum JoinHandle<T: Send + 'static> {
    Tokio(TokioJoinHandle<T>),
    Simulated(oneshot::Receiver<T>),
}

/// A task that openraft waits for has panicked or was dropped.
#[derive(Debug)]
pub(crate) enum JoinError {
    Tokio(TokioJoinError),
    Simulated,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokio(error) => error.fmt(f),
            Self::Simulated => f.write_str("the task was lost"),
        }
    }
}

impl<T: Send + 'static> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Tokio(handle) => handle.poll_unpin(cx).map_err(JoinError::Tokio),
            Self::Simulated(end) => end.poll_unpin(cx).map_err(|_| JoinError::Simulated),
        }
    }
}

/// A time on tokio's clock. Simulated times count from the process's first look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(TokioInstant);

impl Instant {
    /// Where simulated time begins.
    fn origin() -> Self {
        static ORIGIN: OnceLock<TokioInstant> = OnceLock::new();
        Self(*ORIGIN.get_or_init(TokioInstant::now))
    }
}

impl async_runtime::Instant for Instant {
    fn now() -> Self {
        match current_env() {
            Some(env) => Self::origin() + env.monotonic(),
            None => Self(TokioInstant::now()),
        }
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        self.0 += duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0 - duration)
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0 - earlier.0
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        self.0 -= duration;
    }
}

/// Waiting, on either clock.
pub(crate) type Sleep = Either<TokioSleep, BoxFuture<'static, ()>>;

/// The time for something ran out.
#[derive(Debug)]
pub(crate) struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time ran out")
    }
}

pin_project! {
    /// Something that may take only so long. A future that is ready wins over a time that is up.
    pub(crate) struct Timeout<F> {
        #[pin]
        future: F,
        #[pin]
        sleep: Sleep,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        this.sleep.poll(cx).map(|()| Err(Elapsed))
    }
}

/// Starts a task whose end can be waited for.
fn spawn_simulated<T>(env: &Env, future: T) -> JoinHandle<T::Output>
where
    T: Future + Send + 'static,
    T::Output: Send + 'static,
{
    let (sender, end) = oneshot::channel();
    env.spawn("raft", async move {
        // Nobody waiting is a usual case.
        let _ = sender.send(future.await);
    });
    JoinHandle::Simulated(end)
}

impl AsyncRuntime for Runtime {
    type JoinError = JoinError;
    type JoinHandle<T: OptionalSend + 'static> = JoinHandle<T>;
    type Sleep = Sleep;
    type Instant = Instant;
    type TimeoutError = Elapsed;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = Timeout<T>;
    type ThreadLocalRng = CurrentRandom;
    type Mpsc = TokioMpsc;
    type Watch = TokioWatch;
    type Oneshot = TokioOneshot;
    type Mutex<T: OptionalSend + 'static> = TokioMutex<T>;

    fn spawn<T>(future: T) -> JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        match current_env() {
            Some(env) => spawn_simulated(&env, future),
            None => JoinHandle::Tokio(TokioRuntime::spawn(future)),
        }
    }

    fn sleep(duration: Duration) -> Sleep {
        match current_env() {
            Some(env) => Either::Right(env.sleep(duration)),
            None => Either::Left(TokioRuntime::sleep(duration)),
        }
    }

    fn sleep_until(deadline: Instant) -> Sleep {
        match current_env() {
            Some(env) => {
                let left = deadline.saturating_duration_since(Self::Instant::now());
                Either::Right(env.sleep(left))
            }
            None => Either::Left(TokioRuntime::sleep_until(deadline.0)),
        }
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Timeout<F> {
        let sleep = Self::sleep(duration);
        Timeout { future, sleep }
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: Instant,
        future: F,
    ) -> Timeout<F> {
        let sleep = Self::sleep_until(deadline);
        Timeout { future, sleep }
    }

    fn is_panic(error: &JoinError) -> bool {
        match error {
            JoinError::Tokio(error) => TokioRuntime::is_panic(error),
            // A simulation that kills a node drops those who wait as well.
            JoinError::Simulated => true,
        }
    }

    fn thread_rng() -> CurrentRandom {
        CurrentRandom::new()
    }

    fn new(threads: usize) -> Self {
        Self(TokioRuntime::new(threads))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }

    fn spawn_blocking<F, T>(work: F) -> impl Future<Output = Result<T, io::Error>> + Send
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let end = match current_env() {
            Some(env) => Either::Left(spawn_simulated(&env, async move { work() })),
            None => Either::Right(TokioRuntime::spawn_blocking(work)),
        };
        async move {
            match end {
                Either::Left(end) => end.await.map_err(|e| io::Error::other(e.to_string())),
                Either::Right(end) => end.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use openraft::testing::runtime::Suite;
    use quorate_link::env::{Clock, Spawner, TaskHandle, with_current_env};

    use super::*;

    #[test]
    fn openrafts_suite_on_the_system() {
        Suite::<Runtime>::test_all();
    }

    /// Passes everything on and counts.
    struct Counting {
        inner: Env,
        sleeps: AtomicUsize,
        spawns: AtomicUsize,
    }

    impl Clock for Counting {
        fn unix_ms(&self) -> i64 {
            self.inner.unix_ms()
        }

        fn monotonic(&self) -> Duration {
            self.inner.monotonic()
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            self.sleeps.fetch_add(1, Ordering::Relaxed);
            self.inner.sleep(duration)
        }
    }

    impl Spawner for Counting {
        fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> TaskHandle {
            self.spawns.fetch_add(1, Ordering::Relaxed);
            self.inner.spawner.spawn(name, future)
        }

        fn spawn_blocking(
            &self,
            name: &'static str,
            future: BoxFuture<'static, ()>,
        ) -> io::Result<TaskHandle> {
            self.inner.spawner.spawn_blocking(name, future)
        }

        fn step_back(&self) {
            self.inner.spawner.step_back();
        }
    }

    #[tokio::test]
    async fn openrafts_suite_on_seams_of_our_own() {
        let inner = Env::system();
        let counting = Arc::new(Counting {
            inner: inner.clone(),
            sleeps: AtomicUsize::new(0),
            spawns: AtomicUsize::new(0),
        });
        let env = Arc::new(Env {
            clock: Arc::clone(&counting) as _,
            spawner: Arc::clone(&counting) as _,
            ..inner
        });
        let suite = async {
            Suite::<Runtime>::test_spawn_join_handle().await;
            Suite::<Runtime>::test_thread_rng().await;
            Suite::<Runtime>::test_sleep().await;
            Suite::<Runtime>::test_sleep_until().await;
            Suite::<Runtime>::test_timeout().await;
            Suite::<Runtime>::test_timeout_at().await;
            Suite::<Runtime>::test_instant().await;
            Suite::<Runtime>::test_instant_arithmetic().await;
            Suite::<Runtime>::test_instant_sub_instant().await;
            Suite::<Runtime>::test_instant_saturating_duration_since().await;
        };
        let mut suite = Box::pin(suite);
        std::future::poll_fn(|cx| with_current_env(&env, || suite.as_mut().poll(cx))).await;
        assert!(counting.sleeps.load(Ordering::Relaxed) >= 4);
        assert!(counting.spawns.load(Ordering::Relaxed) >= 10);
        let blocking = with_current_env(&env, || Runtime::spawn_blocking(|| 7));
        assert_eq!(blocking.await.unwrap(), 7);
    }
}
