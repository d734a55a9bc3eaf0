//! Time, chance and tasks as one simulated process gets them.
//!
//! Every process has a clock of its own: its wall clock is off by some time, which may change, and it runs a little
//! faster or slower than the others'.

use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use quorate_link::env::{Clock, Random, Spawner, TaskHandle, prepare};

use crate::chance::Chance;
use crate::executor::{Life, Order, Shared};

/// How a process's clock differs from the driver's. Cheap to clone; clones share the skew and count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClockShape {
    skew_ms: Arc<AtomicI64>,
    drift_ppm: i64,
    /// How often the wall clock was read.
    reads: Arc<AtomicU64>,
}

impl ClockShape {
    /// The same, but that it runs `drift_ppm` millionths faster.
    #[must_use]
    pub(crate) fn with_drift(&self, drift_ppm: i32) -> Self {
        Self {
            skew_ms: Arc::clone(&self.skew_ms),
            reads: Arc::clone(&self.reads),
            drift_ppm: i64::from(drift_ppm).max(1 - MILLION),
        }
    }

    /// Makes the wall clock jump to a difference.
    pub(crate) fn set_skew_ms(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }

    /// Makes the wall clock jump by a difference.
    pub(crate) fn jump(&self, by_ms: i64) {
        self.skew_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// How often the wall clock was read.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// What this clock has run after so much virtual time.
    fn local_ns(&self, virtual_ns: u64) -> u64 {
        scale(virtual_ns, MILLION + self.drift_ppm, MILLION)
    }

    /// The virtual time after which this clock has run so far.
    fn virtual_ns(&self, local_ns: u64) -> u64 {
        // Rounded up: a timer never fires early by its own clock.
        scale(local_ns, MILLION, MILLION + self.drift_ppm).saturating_add(1)
    }
}

const MILLION: i64 = 1_000_000;

fn scale(ns: u64, by: i64, of: i64) -> u64 {
    let scaled = i128::from(ns) * i128::from(by) / i128::from(of);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

pub(crate) struct SimClock {
    shared: Arc<Shared>,
    shape: ClockShape,
}

impl SimClock {
    pub(crate) fn new(shared: Arc<Shared>, shape: ClockShape) -> Self {
        Self { shared, shape }
    }
}

impl Clock for SimClock {
    fn unix_ms(&self) -> i64 {
        self.shape.reads.fetch_add(1, Ordering::Relaxed);
        let ms = self.shape.local_ns(self.shared.now_ns()) / 1_000_000;
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        self.shared.start_unix_ms() + ms + self.shape.skew_ms.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.shape.local_ns(self.shared.tell_ns()))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // Beyond every run, and short of an overflow.
        let ns = ns.min(u64::MAX >> 8);
        let now = self.shape.local_ns(self.shared.now_ns());
        let at = self.shape.virtual_ns(now.saturating_add(ns));
        self.shared.sleep_until(at).boxed()
    }
}

pub(crate) struct SimRandom(Mutex<Chance>);

impl SimRandom {
    pub(crate) fn new(chance: Chance) -> Self {
        Self(Mutex::new(chance))
    }
}

impl Random for SimRandom {
    fn fill(&self, buffer: &mut [u8]) {
        let mut chance = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        chance.fill(buffer);
    }
}

/// How long work that would block may wait for its thread.
const THREAD_DELAY_MAX: Duration = Duration::from_millis(3);

pub(crate) struct SimSpawner {
    shared: Arc<Shared>,
    life: Life,
}

impl SimSpawner {
    pub(crate) fn new(shared: Arc<Shared>, life: Life) -> Self {
        Self { shared, life }
    }
}

impl Spawner for SimSpawner {
    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> TaskHandle {
        let (task, handle) = prepare(future);
        self.shared.spawn(name, self.life, Order::Drawn, task);
        handle
    }

    fn spawn_blocking(
        &self,
        name: &'static str,
        future: BoxFuture<'static, ()>,
    ) -> io::Result<TaskHandle> {
        let thread = self.shared.sleep_up_to(THREAD_DELAY_MAX);
        let delayed = async move {
            thread.await;
            future.await;
        };
        Ok(self.spawn(name, delayed.boxed()))
    }

    fn step_back(&self) {}
}
