//! Up to where a replica's log may be purged: what has been durable for some time.
//!
//! Who was away for less than that catches up from the log. A shard that has lost one replica and waits for another
//! one's snapshot has no majority for as long.

use std::collections::VecDeque;
use std::time::Duration;

use super::codec::AppliedPoint;
use crate::limits;

/// The durable points that matter, oldest first.
pub(super) struct Retention {
    keep: Duration,
    /// On the monotonic clock, when each was seen to be durable. Never empty: the first is how far a purge may go.
    points: VecDeque<(Duration, AppliedPoint)>,
}

impl Retention {
    /// `durable` was read from disk: nobody knows for how long it has been.
    pub(super) fn new(keep: Duration, durable: AppliedPoint, now: Duration) -> Self {
        Self {
            keep,
            points: VecDeque::from([(now, durable)]),
        }
    }

    /// A later point has become durable.
    pub(super) fn advance(&mut self, durable: AppliedPoint, now: Duration) {
        self.points.push_back((now, durable));
    }

    /// A snapshot took the place of everything before this point.
    pub(super) fn replace(&mut self, durable: AppliedPoint, now: Duration) {
        self.points.clear();
        self.points.push_back((now, durable));
    }

    /// The point up to which the log may be purged now: that of [`Retention::new`] until a later one is old enough, or
    /// lies too far behind the last.
    pub(super) fn purgeable(&mut self, now: Duration) -> AppliedPoint {
        let index = |point: &AppliedPoint| point.log_id.map_or(0, |id| id.index);
        let last = self.points.back().map_or(0, |(_, point)| index(point));
        while let Some((since, next)) = self.points.get(1)
            && (now.saturating_sub(*since) >= self.keep
                || last.saturating_sub(index(next)) >= limits::LOG_KEEP_ENTRIES_MAX)
        {
            self.points.pop_front();
        }
        let first = self.points.front();
        first.map_or_else(AppliedPoint::default, |(_, point)| point.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::{LeaderId, LogId};
    use super::*;

    const KEEP: Duration = Duration::from_secs(60);

    fn at(index: u64) -> AppliedPoint {
        AppliedPoint {
            log_id: Some(LogId {
                leader_id: LeaderId {
                    term: 1,
                    node_id: 1,
                },
                index,
            }),
            ..AppliedPoint::default()
        }
    }

    fn purgeable(retention: &mut Retention, second: u64) -> u64 {
        let point = retention.purgeable(Duration::from_secs(second));
        point.log_id.map_or(0, |id| id.index)
    }

    /// Flushed every thirty seconds.
    fn flushed() -> Retention {
        let mut retention = Retention::new(KEEP, at(100), Duration::ZERO);
        for (second, index) in [(30, 200), (60, 300), (90, 400)] {
            retention.advance(at(index), Duration::from_secs(second));
        }
        retention
    }

    #[test]
    fn what_is_durable_is_purged_a_while_later() {
        let mut retention = flushed();
        for (second, index) in [(89, 100), (90, 200), (119, 200), (120, 300), (1_000, 400)] {
            assert_eq!(purgeable(&mut retention, second), index, "{second} s");
        }
    }

    #[test]
    fn a_log_that_grows_too_long_is_purged_at_once() {
        let mut retention = flushed();
        retention.advance(
            at(300 + limits::LOG_KEEP_ENTRIES_MAX),
            Duration::from_secs(91),
        );
        assert_eq!(purgeable(&mut retention, 91), 300);
    }

    #[test]
    fn nothing_is_kept_that_a_snapshot_has_replaced() {
        let mut retention = flushed();
        retention.replace(at(900), Duration::from_secs(91));
        assert_eq!(purgeable(&mut retention, 91), 900);
    }

    #[test]
    fn without_a_time_everything_durable_is_purgeable() {
        let mut retention = Retention::new(Duration::ZERO, AppliedPoint::default(), KEEP);
        assert_eq!(retention.purgeable(KEEP), AppliedPoint::default());
        retention.advance(at(7), KEEP);
        assert_eq!(retention.purgeable(KEEP), at(7));
    }
}
