//! The preloaded library (`c/shim.c`): each process's clock and syncs, as its control file wants them.
//!
//! The file is mapped by the process; this module writes its words and reads its counters. Invariant: the
//! order of [`Word`] is that of `struct control`.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rustix::time::{ClockId, clock_gettime};

const CONTROL_BYTES: u64 = 4096;
/// What the library looks for its control file by.
pub(crate) const CONTROL_VARIABLE: &str = "QUORATE_CHAOS_CONTROL";
/// An input or output error, as Linux numbers it.
pub(crate) const EIO: i64 = 5;

#[derive(Clone, Copy, Debug)]
#[repr(u64)]
enum Word {
    Sequence,
    WallOffset,
    RealBase,
    ShownBase,
    Rate,
    SyncDelay,
    SyncError,
    WallReadsOff,
    SteadyReadsDrifted,
    SyncsDelayed,
    SyncsFailed,
}

/// What the library has done in one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShimCounts {
    /// Readings of the clock on the wall while it was set off.
    pub wall_reads_off: u64,
    /// Readings of the steady clock while it ran too fast or too slow, and was off by it.
    pub steady_reads_drifted: u64,
    /// Syncs that were delayed.
    pub syncs_delayed: u64,
    /// Syncs that failed.
    pub syncs_failed: u64,
}

impl ShimCounts {
    /// What has happened since.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            wall_reads_off: self.wall_reads_off - before.wall_reads_off,
            steady_reads_drifted: self.steady_reads_drifted - before.steady_reads_drifted,
            syncs_delayed: self.syncs_delayed - before.syncs_delayed,
            syncs_failed: self.syncs_failed - before.syncs_failed,
        }
    }
}

/// Compiles a C source of this crate.
///
/// # Errors
/// There is no compiler, or it refuses.
pub(crate) fn compile(source: &str, out: &Path, flags: &[&str]) -> anyhow::Result<()> {
    let path = out.with_extension("c");
    fs::write(&path, source)?;
    let output = Command::new("cc")
        .args(["-O2", "-Wall", "-o"])
        .arg(out)
        .arg(&path)
        .args(flags)
        .output()
        .context("cc, the C compiler, cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "cc refuses {}: {said}",
        path.display()
    );
    Ok(())
}

/// Compiles the library into a directory.
///
/// # Errors
/// There is no compiler, or it refuses.
pub(crate) fn build(directory: &Path) -> anyhow::Result<PathBuf> {
    let out = directory.join("shim.so");
    compile(
        include_str!("../c/shim.c"),
        &out,
        &["-shared", "-fPIC", "-ldl"],
    )?;
    Ok(out)
}

/// The control of one process.
#[derive(Debug)]
pub struct Shim {
    file: File,
    pub(crate) path: PathBuf,
}

impl Shim {
    /// A control file that changes nothing.
    pub(crate) fn new(path: &Path) -> anyhow::Result<Self> {
        let file = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(path)?;
        file.set_len(CONTROL_BYTES)?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    fn set(&self, word: Word, value: i64) -> anyhow::Result<()> {
        let at = word as u64 * 8;
        Ok(self.file.write_all_at(&value.to_le_bytes(), at)?)
    }

    fn get(&self, word: Word) -> anyhow::Result<i64> {
        let mut value = [0; 8];
        self.file.read_exact_at(&mut value, word as u64 * 8)?;
        Ok(i64::from_le_bytes(value))
    }

    /// Every sync takes so much longer.
    pub(crate) fn delay_syncs(&self, by: Duration) -> anyhow::Result<()> {
        self.set(Word::SyncDelay, i64::try_from(by.as_micros())?)
    }

    /// Every sync fails with this error; 0: none does.
    pub(crate) fn fail_syncs(&self, error: i64) -> anyhow::Result<()> {
        self.set(Word::SyncError, error)
    }

    /// Sets the clock on the wall ahead of the real one, or behind, and how much faster than real time both
    /// clocks run, in millionths. The steady clock goes on from where it is.
    pub(crate) fn set_clock(&self, wall_offset_ms: i64, rate_ppm: i64) -> anyhow::Result<()> {
        let real_ns = steady_ns();
        let shown_ns = match self.get(Word::ShownBase)? {
            0 => real_ns,
            shown => {
                let since = real_ns - self.get(Word::RealBase)?;
                shown + since + since / 1_000_000 * self.get(Word::Rate)?
            }
        };
        let sequence = self.get(Word::Sequence)?;
        self.set(Word::Sequence, sequence + 1)?;
        self.set(Word::WallOffset, wall_offset_ms * 1_000_000)?;
        self.set(Word::RealBase, real_ns)?;
        self.set(Word::ShownBase, shown_ns)?;
        self.set(Word::Rate, rate_ppm)?;
        self.set(Word::Sequence, sequence + 2)
    }

    /// Lets a process that is about to start begin with the real steady clock, at the rate that is set.
    pub(crate) fn forget_drift(&self) -> anyhow::Result<()> {
        let real_ns = steady_ns();
        self.set(Word::RealBase, real_ns)?;
        self.set(Word::ShownBase, real_ns)
    }

    /// What was done so far, over all lives of the process.
    ///
    /// # Errors
    /// The control file cannot be read.
    pub fn counts(&self) -> anyhow::Result<ShimCounts> {
        let count = |word| anyhow::Ok(u64::try_from(self.get(word)?)?);
        Ok(ShimCounts {
            wall_reads_off: count(Word::WallReadsOff)?,
            steady_reads_drifted: count(Word::SteadyReadsDrifted)?,
            syncs_delayed: count(Word::SyncsDelayed)?,
            syncs_failed: count(Word::SyncsFailed)?,
        })
    }
}

/// The real steady clock, nanoseconds.
fn steady_ns() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Reads the steady clock once.
    const READER: &str = "
        #include <time.h>
        int main(void) {
            struct timespec now;
            return clock_gettime(CLOCK_MONOTONIC, &now);
        }
    ";

    fn seconds_shown(library: &Path, shim: &Shim) -> i64 {
        let output = Command::new("date")
            .arg("+%s")
            .env("LD_PRELOAD", library)
            .env(CONTROL_VARIABLE, &shim.path)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        said.trim().parse().unwrap()
    }

    #[test]
    fn a_process_sees_the_clock_that_it_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let library = build(directory.path()).unwrap();
        let shim = Shim::new(&directory.path().join("control")).unwrap();
        let real = seconds_shown(&library, &shim);
        assert_eq!(shim.counts().unwrap(), ShimCounts::default());
        shim.set_clock(3_600_000, 0).unwrap();
        let ahead = seconds_shown(&library, &shim) - real;
        assert!((3_600..3_660).contains(&ahead), "{ahead} s ahead");
        let counts = shim.counts().unwrap();
        assert!(counts.wall_reads_off > 0);
        assert_eq!(counts.steady_reads_drifted, 0);
    }

    #[test]
    fn what_a_drift_has_left_is_no_drift() {
        let directory = tempfile::tempdir().unwrap();
        let library = build(directory.path()).unwrap();
        let shim = Shim::new(&directory.path().join("control")).unwrap();
        let reader = directory.path().join("reader");
        compile(READER, &reader, &[]).unwrap();
        let read_clocks = || {
            seconds_shown(&library, &shim);
            let read = Command::new(&reader)
                .env("LD_PRELOAD", &library)
                .env(CONTROL_VARIABLE, &shim.path)
                .status();
            assert!(read.unwrap().success());
        };
        // As after a drift of a minute: off by some seconds, and steady again.
        let real_ns = steady_ns();
        shim.set(Word::RealBase, real_ns).unwrap();
        shim.set(Word::ShownBase, real_ns + 6_000_000_000).unwrap();
        read_clocks();
        assert_eq!(shim.counts().unwrap(), ShimCounts::default());
        shim.set_clock(0, 100_000).unwrap();
        read_clocks();
        let counts = shim.counts().unwrap();
        assert!(counts.steady_reads_drifted > 0);
        assert_eq!(counts.wall_reads_off, 0);
    }

    #[test]
    fn a_sync_fails_when_it_shall() {
        let directory = tempfile::tempdir().unwrap();
        let library = build(directory.path()).unwrap();
        let shim = Shim::new(&directory.path().join("control")).unwrap();
        let synced = || {
            let sync = Command::new("sync")
                .arg("-d")
                .arg(&shim.path)
                .env("LD_PRELOAD", &library)
                .env(CONTROL_VARIABLE, &shim.path)
                .output();
            sync.unwrap().status.success()
        };
        assert!(synced());
        shim.fail_syncs(EIO).unwrap();
        assert!(!synced());
        assert_eq!(shim.counts().unwrap().syncs_failed, 1);
    }
}
