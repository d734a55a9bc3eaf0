//! Bugs that we would make, planted on purpose, so that the tests can be shown to find them.
//!
//! Each is a line or two where the code would go wrong, asked for by [`is`]. Without the feature `planted-bugs`,
//! which no shipped build has, [`is`] is false at compile time and nothing of them is left. With it, one bug may be
//! chosen for a thread (`plant_here`), which is where a simulation runs, or for a whole process
//! (`plant_everywhere`). No bug is chosen by itself.

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Bug {
    /// Log entries are acknowledged before they are synced.
    UnsyncedLog,
    /// Votes are given before they are synced.
    UnsyncedVote,
    /// A sale that is sent again after a timeout is recorded again.
    DoubleApply,
    /// A leader answers reads without proving that it still leads.
    StaleRead,
    /// A sale is granted by what was read before it was proposed.
    CheckThenRecord,
    /// A snapshot lacks the request ids of what it holds.
    SnapshotWithoutDedup,
    /// A replica decides by its own clock.
    ClockInApply,
    /// A replica decides by chance.
    RandomInApply,
    /// A snapshot that a crash interrupted is not finished.
    TornSnapshot,
    /// A restart takes committed entries for applied.
    MissedCommitted,
    /// The log is purged before what was applied is durable.
    PurgePastDurable,
    /// A damaged log is cut off at the damage, silently.
    TailCut,
    /// A shard takes a write for a position that it does not own.
    WrongShardWrite,
    /// A slip beyond the ration is dropped.
    SlipDropped,
    /// Outbox rows that are delivered again are counted again.
    OutboxTwice,
    /// Outbox rows whose delivery failed are taken for delivered.
    OutboxLost,
    /// A node that lost its disk revives its replicas under their old ids.
    ReplicaIdReused,
}

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 17] = [
        Bug::UnsyncedLog,
        Bug::UnsyncedVote,
        Bug::DoubleApply,
        Bug::StaleRead,
        Bug::CheckThenRecord,
        Bug::SnapshotWithoutDedup,
        Bug::ClockInApply,
        Bug::RandomInApply,
        Bug::TornSnapshot,
        Bug::MissedCommitted,
        Bug::PurgePastDurable,
        Bug::TailCut,
        Bug::WrongShardWrite,
        Bug::SlipDropped,
        Bug::OutboxTwice,
        Bug::OutboxLost,
        Bug::ReplicaIdReused,
    ];

    /// Its name on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Bug::UnsyncedLog => "unsynced-log",
            Bug::UnsyncedVote => "unsynced-vote",
            Bug::DoubleApply => "double-apply",
            Bug::StaleRead => "stale-read",
            Bug::CheckThenRecord => "check-then-record",
            Bug::SnapshotWithoutDedup => "snapshot-without-dedup",
            Bug::ClockInApply => "clock-in-apply",
            Bug::RandomInApply => "random-in-apply",
            Bug::TornSnapshot => "torn-snapshot",
            Bug::MissedCommitted => "missed-committed",
            Bug::PurgePastDurable => "purge-past-durable",
            Bug::TailCut => "tail-cut",
            Bug::WrongShardWrite => "wrong-shard-write",
            Bug::SlipDropped => "slip-dropped",
            Bug::OutboxTwice => "outbox-twice",
            Bug::OutboxLost => "outbox-lost",
            Bug::ReplicaIdReused => "replica-id-reused",
        }
    }

    /// The bug of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| bug.name() == name)
    }
}

#[cfg(feature = "planted-bugs")]
mod chosen {
    use std::cell::Cell;
    use std::sync::OnceLock;

    use super::Bug;

    thread_local! {
        static HERE: Cell<Option<Bug>> = const { Cell::new(None) };
        static ASKED: Cell<u64> = const { Cell::new(0) };
    }
    static EVERYWHERE: OnceLock<Bug> = OnceLock::new();

    /// Plants a bug in everything that this thread does from now on, in place of the one before. `None`: what is
    /// planted everywhere counts here as well.
    pub fn plant_here(bug: Option<Bug>) {
        HERE.set(bug);
        ASKED.set(0);
    }

    /// Plants a bug in everything that this process does, on threads for which none is chosen. It stays: of several
    /// calls the first counts.
    pub fn plant_everywhere(bug: Bug) {
        let _first = EVERYWHERE.get_or_init(|| bug);
    }

    /// Whether this bug is planted where this is asked.
    #[must_use]
    pub fn is(bug: Bug) -> bool {
        HERE.get().or_else(|| EVERYWHERE.get().copied()) == Some(bug)
    }

    /// A number that is another one each time that it is asked for: no two replicas on this thread are told the same.
    /// It depends on nothing but how often this thread was asked since a bug was planted.
    #[must_use]
    pub fn unlike() -> u64 {
        let asked = ASKED.get().wrapping_add(1);
        ASKED.set(asked);
        let mixed = asked.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 17
    }
}

#[cfg(feature = "planted-bugs")]
pub use chosen::{is, plant_everywhere, plant_here, unlike};

/// A number that is another one each time; without a planted bug nothing asks for it.
#[cfg(not(feature = "planted-bugs"))]
#[must_use]
pub const fn unlike() -> u64 {
    0
}

/// Whether this bug is planted where this is asked: no bug ever is in this build.
#[cfg(not(feature = "planted-bugs"))]
#[must_use]
pub const fn is(_bug: Bug) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for bug in Bug::ALL {
            assert_eq!(Bug::of_name(bug.name()), Some(bug));
        }
        assert_eq!(Bug::of_name("no-such-bug"), None);
    }

    #[cfg(not(feature = "planted-bugs"))]
    #[test]
    fn no_bug_is_planted_without_the_feature() {
        assert!(Bug::ALL.into_iter().all(|bug| !is(bug)));
    }
}
