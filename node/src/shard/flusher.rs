//! Makes applied state durable, then lets the logs be purged of what has been durable for some time.
//!
//! Invariant: the points are taken before the flush, so what is purged is always covered by it.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::planted::{self, Bug};
use quorate_link::env::Env;

use super::host::Host;
use crate::failure::{Cause, Failure};
use crate::limits;
use crate::raft::{AppliedPoint, Group};
use crate::storage::StorageError;

impl From<StorageError> for Cause {
    fn from(error: StorageError) -> Self {
        Self::new(error.action, error.detail)
    }
}

/// How much applied state and log a node keeps in a form that a restart or a purge would do away with, and in what
/// portions it sends its state to whoever comes too late for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upkeep {
    /// The state is flushed about this often, if anything was applied.
    pub flush_interval: Duration,
    /// It is flushed once about this many entries have been applied since.
    pub flush_entries: u64,
    /// How long what is durable is kept in the log, for followers that were away meanwhile.
    pub log_keep_time: Duration,
    /// Entries kept behind that, however old they are.
    pub log_keep_entries: u64,
    /// A snapshot is sent in frames of about this size.
    pub snapshot_frame_bytes: usize,
    /// And no faster than this.
    pub snapshot_bytes_per_second: u64,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self {
            flush_interval: limits::FLUSH_INTERVAL,
            flush_entries: limits::FLUSH_ENTRIES,
            log_keep_time: limits::LOG_KEEP_TIME,
            log_keep_entries: limits::LOG_KEEP_ENTRIES,
            snapshot_frame_bytes: limits::SNAPSHOT_FRAME_BYTES,
            snapshot_bytes_per_second: limits::SNAPSHOT_BYTES_PER_SECOND,
        }
    }
}

/// When the next flush is due, whichever comes first.
struct Due {
    after: Duration,
    entries: u64,
}

impl Due {
    /// Three quarters to five quarters of what is usual. The replicas of a group apply the same entries, and must not
    /// all flush at the same moment: then a majority would be slow.
    fn draw(upkeep: &Upkeep, env: &Env) -> Self {
        let eighths = 6 + env.random_u64() % 5;
        Self {
            after: upkeep.flush_interval * eighths as u32 / 8,
            entries: upkeep.flush_entries * eighths / 8,
        }
    }
}

/// Flushes for the whole node until it stops.
pub(crate) async fn run_flusher(host: Arc<Host>, upkeep: Upkeep, env: Env, failure: Failure) {
    let mut last_flush = env.monotonic();
    let mut due = Due::draw(&upkeep, &env);
    loop {
        env.sleep(limits::FLUSH_CHECK_INTERVAL).await;
        let points: Vec<(Arc<Group>, AppliedPoint)> = host
            .groups()
            .into_iter()
            .map(|group| {
                let point = group.state().point();
                (group, point)
            })
            .collect();
        let behind: u64 = points
            .iter()
            .map(|(group, point)| behind(group, point))
            .sum();
        let late = env.monotonic() - last_flush >= due.after;
        if behind == 0 || !(late || behind >= due.entries) {
            continue;
        }
        due = Due::draw(&upkeep, &env);
        if !planted::is(Bug::PurgePastDurable)
            && let Err(error) = host.flush_state().await
        {
            failure.raise(error);
            return;
        }
        last_flush = env.monotonic();
        for (group, point) in points {
            group.flushed(point).await;
        }
    }
}

/// Entries applied and not known to be durable.
fn behind(group: &Group, point: &AppliedPoint) -> u64 {
    let durable = group.state().durable_point();
    let index = |point: &AppliedPoint| point.log_id.map_or(0, |id| id.index);
    index(point).saturating_sub(index(&durable))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn flushes_are_spread_around_what_is_usual() {
        let upkeep = Upkeep {
            flush_interval: Duration::from_secs(8),
            flush_entries: 800,
            ..Upkeep::default()
        };
        let drawn: BTreeSet<(Duration, u64)> = (0..500)
            .map(|_| {
                let due = Due::draw(&upkeep, &Env::system());
                (due.after, due.entries)
            })
            .collect();
        let expected = (6..=10).map(|eighths| (Duration::from_secs(eighths), 100 * eighths));
        assert_eq!(drawn, expected.collect());
    }
}
