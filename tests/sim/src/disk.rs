//! What a simulated process writes, and what of it survives.
//!
//! Two families of rows and the tables of snapshots, with the same promises as the real engine's and no more:
//!
//! * Log: a power cut keeps everything up to the last sync, and a random part of the batches after it: the first so
//!   many. The kill of a process keeps all, but not for good: until it is opened again, a power cut may take what was
//!   not synced. Opening makes it safe.
//! * State: both keep everything up to the last flush, and sometimes the first so many batches after it, as an engine
//!   that has flushed by itself would.
//! * A table that was not finished is gone or torn; one that was is whole until it is taken in or removed.
//! * A write that cannot be done, and a sync or flush that fails, are told as errors; what they were to make durable
//!   may survive or not. A damaged row is told as an error when it is read.
//!
//! State owned: the rows, how to take back those that may be lost, and what is to go wrong. Deliberately absent:
//! files, and damage that no checksum would find.

mod damaged;
mod engine;
mod platter;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_link::env::Env;
use quorate_node::seams::{Engine, Family};

use crate::chance::Chance;
use engine::SimEngine;
use platter::Platter;

/// How long a disk takes, of virtual time: usually about the first, once in a while up to the second.
#[derive(Clone, Copy)]
struct Latency {
    usual: Duration,
    worst: Duration,
}

impl Latency {
    /// A good disk's sync.
    const SYNC: Latency = Latency {
        usual: Duration::from_micros(400),
        worst: Duration::from_millis(30),
    };
    /// A good disk's flush of a small state.
    const FLUSH: Latency = Latency {
        usual: Duration::from_millis(5),
        worst: Duration::from_millis(200),
    };
}

/// What is wrong with a disk. The default is nothing.
#[derive(Default)]
struct Trouble {
    /// Faults that fill it. They overlap: the end of one does not end the other.
    full: u32,
    /// Faults that make syncs and flushes fail.
    failing: u32,
    /// By how much each fault makes it slower; the worst counts.
    slow: Vec<Duration>,
}

/// How a process lost its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The machine lost power: what was not synced is lost, or partly lost.
    Power,
    /// The process was killed: what it wrote is with the operating system.
    Process,
}

/// What a crash did, for coverage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrashReport {
    /// Batches of the log that were not synced and are lost.
    pub log_batches_lost: usize,
    /// Batches of the log that were not synced and survived.
    pub log_batches_kept: usize,
    /// Batches of the state that were not flushed and are lost.
    pub state_batches_lost: usize,
    /// Batches of the state that were not flushed and survived.
    pub state_batches_kept: usize,
    /// Tables that are torn.
    pub tables_torn: usize,
}

/// One disk. It outlives the processes that use it, one after the other.
pub struct SimDisk {
    platter: Arc<Mutex<Platter>>,
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            platter: Arc::new(Mutex::new(Platter::new(Chance::new(seed)))),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine of a process, whose `env` this is. An engine that was opened before can do nothing any more.
    #[must_use]
    pub fn open(&self, env: Env) -> Arc<dyn Engine> {
        let generation = self.lock().open();
        Arc::new(SimEngine::new(Arc::clone(&self.platter), generation, env))
    }

    /// Takes the disk away from its process and decides what survives. To be called before the tasks of the process
    /// are dropped: what they would tidy up while they are dropped is not done in a crash.
    pub fn crash(&self, how: Crash) -> CrashReport {
        self.lock().crash(how)
    }

    /// Puts an empty disk in its place. Only after a crash.
    pub fn wipe(&self) {
        self.lock().wipe();
    }

    /// Damages the row that `choice` falls on; says which, or `None` if there is none. Only after a crash.
    pub fn flip_bit(&self, choice: u64) -> Option<(Family, Vec<u8>)> {
        self.lock().damage(choice)
    }

    /// Every sync and flush takes longer by up to this, until [`SimDisk::quicken`].
    pub fn slow_sync(&self, by: Duration) {
        self.lock().trouble.slow.push(by);
    }

    /// Ends one slowness; another one goes on.
    pub fn quicken(&self, by: Duration) {
        let slow = &mut self.lock().trouble.slow;
        if let Some(at) = slow.iter().position(|one| *one == by) {
            slow.swap_remove(at);
        }
    }

    /// Syncs and flushes so far that a slowness has held up.
    #[must_use]
    pub fn slowed(&self) -> u64 {
        self.lock().slowed
    }

    /// Writes, syncs and flushes so far that were refused: because they fail, or for want of room.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.lock().refused
    }

    /// The hash over every row written so far, in the order of writing.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.lock().written.get()
    }

    /// How often so far it has given a process cause to stop: it refused, or a damaged row was read.
    #[must_use]
    pub fn failures(&self) -> u64 {
        let platter = self.lock();
        platter.refused + platter.damaged.found()
    }

    /// Syncs and flushes fail from now on, or one reason for it has ended.
    pub fn fail_sync(&self, fails: bool) {
        count(&mut self.lock().trouble.failing, fails);
    }

    /// There is no room from now on: nothing more can be written; or one reason for it has ended.
    pub fn fill(&self, full: bool) {
        count(&mut self.lock().trouble.full, full);
    }

    /// Ends all trouble but damage.
    pub fn heal(&self) {
        self.lock().trouble = Trouble::default();
    }

    /// Every content of the state family that a crash now may leave; the first is what was flushed.
    #[must_use]
    pub fn state_cuts(&self) -> Vec<BTreeMap<Vec<u8>, Vec<u8>>> {
        self.lock().state_cuts()
    }

    /// Whether a row of the log is there, synced or not.
    #[must_use]
    pub fn has_log(&self, key: &[u8]) -> bool {
        self.lock().log.rows.contains_key(key)
    }

    /// The value of a row of the log that is sure to survive a power cut now, and can be read.
    #[must_use]
    pub fn synced_log(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.lock().synced_log(key)
    }

    /// The same of a row of the state.
    #[must_use]
    pub fn flushed_state(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.lock().flushed_state(key)
    }
}

/// One more reason, or one less. After a healing there is none left to end.
fn count(reasons: &mut u32, more: bool) {
    *reasons = match more {
        true => *reasons + 1,
        false => reasons.saturating_sub(1),
    };
}

#[cfg(test)]
mod tests;
