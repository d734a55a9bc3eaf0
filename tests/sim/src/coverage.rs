//! What has happened in a run, so that a run in which a fault never struck can fail.
//!
//! Laws: a fault counts when it took effect, not when it was planned.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::faults::FaultKind;
use crate::load::LoadKind;

/// What else must happen somewhere in many runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A replica became leader after the first of its group.
    Election,
    /// A replica took in a snapshot.
    SnapshotInstalled,
    /// A log was purged.
    Purged,
    /// A replica was replaced under a new id.
    ReplicaReplaced,
    /// A call ended with an unknown outcome.
    UnknownOutcome,
    /// A node stopped by itself, because its storage failed.
    NodeStopped,
    /// A slip was recorded above the ration.
    OverQuota,
    /// A power cut took the end of a log that was not synced.
    LogCut,
    /// A crash took state that was not flushed.
    StateRolledBack,
    /// A crash tore the table of a snapshot.
    TableTorn,
    /// A node started with the install of a snapshot that a crash had interrupted.
    InstallRedone,
}

impl Event {
    /// All of them.
    pub const ALL: [Event; 11] = [
        Event::Election,
        Event::SnapshotInstalled,
        Event::Purged,
        Event::ReplicaReplaced,
        Event::UnknownOutcome,
        Event::NodeStopped,
        Event::OverQuota,
        Event::LogCut,
        Event::StateRolledBack,
        Event::TableTorn,
        Event::InstallRedone,
    ];
}

/// How often each thing happened. Cheap to clone; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    counts: Arc<Mutex<Counts>>,
}

/// The counts themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Faults that took effect.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Calls that were answered.
    pub loads: BTreeMap<LoadKind, u64>,
    /// The rest.
    pub events: BTreeMap<Event, u64>,
}

impl Coverage {
    /// A fault took effect.
    pub fn fault(&self, kind: FaultKind) {
        *self.lock().faults.entry(kind).or_default() += 1;
    }

    /// A call was answered.
    pub fn load(&self, kind: LoadKind) {
        *self.lock().loads.entry(kind).or_default() += 1;
    }

    /// Something happened so many times.
    pub fn event(&self, event: Event, times: u64) {
        if times > 0 {
            *self.lock().events.entry(event).or_default() += times;
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        fn sum<K: Copy + Ord>(into: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
            for (key, count) in from {
                *into.entry(*key).or_default() += count;
            }
        }
        sum(&mut self.faults, &other.faults);
        sum(&mut self.loads, &other.loads);
        sum(&mut self.events, &other.events);
    }

    /// What never happened.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let faults = FaultKind::ALL
            .iter()
            .filter(|kind| !self.faults.contains_key(kind))
            .map(|kind| format!("{kind:?}"));
        let loads = LoadKind::ALL
            .iter()
            .filter(|kind| !self.loads.contains_key(kind))
            .map(|kind| format!("{kind:?}"));
        let events = Event::ALL
            .iter()
            .filter(|event| !self.events.contains_key(event))
            .map(|event| format!("{event:?}"));
        faults.chain(loads).chain(events).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happened_is_named() {
        let coverage = Coverage::default();
        for kind in FaultKind::ALL {
            coverage.fault(kind);
        }
        for kind in LoadKind::ALL {
            coverage.load(kind);
        }
        for event in Event::ALL.into_iter().skip(1) {
            coverage.event(event, 1);
        }
        let mut counts = coverage.counts();
        assert_eq!(counts.missing(), ["Election"]);
        coverage.event(Event::Election, 2);
        counts.add(&coverage.counts());
        assert_eq!(counts.missing(), Vec::<String>::new());
        assert_eq!(counts.events[&Event::Election], 2);
        assert_eq!(counts.loads[&LoadKind::Sell], 2);
    }
}
