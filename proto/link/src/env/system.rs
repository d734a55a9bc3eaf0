//! Time, chance and tasks as the operating system gives them: the one door to each.

use std::{
    fs, io, thread,
    time::{Duration, Instant, SystemTime},
};

use futures_util::FutureExt as _;

use super::{BoxFuture, Clock, Random, Spawner, TaskHandle, prepare};

/// The operating system's clocks.
pub(super) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    pub(super) fn new() -> SystemClock {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one door to the monotonic clock"
        )]
        let started = Instant::now();
        SystemClock { started }
    }
}

impl Clock for SystemClock {
    fn unix_ms(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "the one door to the wall clock")]
        let now = SystemTime::now();
        // A clock before 1970 reads as 1970; nothing here can work then, and nothing breaks.
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        #[expect(clippy::disallowed_methods, reason = "the one door to timers")]
        let sleep = tokio::time::sleep(duration);
        sleep.boxed()
    }
}

/// The process's generator, seeded by the operating system.
pub(super) struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        use rand::Rng as _;
        #[expect(
            clippy::disallowed_methods,
            reason = "the one door to the random generator"
        )]
        rand::rng().fill_bytes(buffer);
    }
}

/// Beside another thread, one that has stepped back gets a tenth of a processor.
const STEP_BACK_NICENESS: i32 = 10;

/// Lets others go before all threads of this process that have this name now: of a library that starts its own.
/// The name is at most fifteen bytes long, as Linux keeps it; elsewhere, and where it is not permitted, nothing
/// changes.
pub fn threads_step_back(name: &str) {
    for task in fs::read_dir("/proc/self/task").into_iter().flatten() {
        let Ok(task) = task else { continue };
        let its_name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let number = task.file_name().to_string_lossy().parse().ok();
        if its_name.trim_end() == name
            && let Some(thread) = number.and_then(rustix::process::Pid::from_raw)
        {
            // The number of a thread stands for it alone.
            let _unchanged = rustix::process::setpriority_process(Some(thread), STEP_BACK_NICENESS);
        }
    }
}

/// The current tokio runtime; threads of the system for what blocks.
pub(super) struct SystemSpawner;

/// Says that a task did not reach its end. Dropped during an unwind only.
struct LossReport(&'static str);

impl Drop for LossReport {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(task = self.0, "task panicked");
        }
    }
}

impl Spawner for SystemSpawner {
    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> TaskHandle {
        let (task, handle) = prepare(future);
        #[expect(clippy::disallowed_methods, reason = "the one door to tasks")]
        let _detached = tokio::spawn(async move {
            let _report = LossReport(name);
            task.await;
        });
        handle
    }

    fn spawn_blocking(
        &self,
        name: &'static str,
        future: BoxFuture<'static, ()>,
    ) -> io::Result<TaskHandle> {
        let (task, handle) = prepare(future);
        let _detached = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _report = LossReport(name);
                futures_executor::block_on(task);
            })?;
        Ok(handle)
    }

    fn step_back(&self) {
        // Linux takes this for the thread alone that asks. Where it is not permitted, nothing changes.
        #[cfg(target_os = "linux")]
        let _unchanged = rustix::process::nice(STEP_BACK_NICENESS);
    }
}
