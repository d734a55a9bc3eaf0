//! The cluster's clock, as its answers show it: from real time to the time of its decisions.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A clock that runs this much faster than real time, or slower, has been set.
const SPEED_TOLERANCE: f64 = 0.05;

/// A clock that is this far from real time has been set.
const OFFSET_TOLERANCE: SignedDuration = SignedDuration::from_mins(10);

/// One answer: when it came, in real time since the replay began, and what the cluster said the time was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) real: Duration,
    pub(super) cluster: Timestamp,
}

/// A straight line through two readings.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClusterClock {
    origin: Reading,
    /// Cluster time per real time.
    pub(super) speed: f64,
}

impl ClusterClock {
    /// From two readings, some time apart.
    pub(super) fn between(first: Reading, second: Reading) -> Self {
        let real_s = second.real.saturating_sub(first.real).as_secs_f64();
        let cluster_s = second.cluster.duration_since(first.cluster).as_secs_f64();
        Self {
            origin: second,
            speed: cluster_s / real_s.max(f64::EPSILON),
        }
    }

    /// The real time at which the cluster's clock shows `at`; `None` if that is over.
    pub(super) fn due(&self, at: Timestamp) -> Option<Duration> {
        let ahead_s = at.duration_since(self.origin.cluster).as_secs_f64() / self.speed;
        Duration::try_from_secs_f64(self.origin.real.as_secs_f64() + ahead_s).ok()
    }

    /// Whether it differs from real time, `now` at the second reading.
    pub(super) fn is_set(&self, now: Timestamp) -> bool {
        let offset = now.duration_since(self.origin.cluster).abs();
        (self.speed - 1.0).abs() > SPEED_TOLERANCE || offset > OFFSET_TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn reading(real_s: u64, cluster: &str) -> Reading {
        Reading {
            real: Duration::from_secs(real_s),
            cluster: cluster.parse().unwrap(),
        }
    }

    #[test]
    fn two_readings_tell_when_something_is_due() {
        let clock = ClusterClock::between(
            reading(10, "2020-03-17T00:00:00Z"),
            reading(12, "2020-03-17T01:00:00Z"),
        );
        assert!((clock.speed - 1800.0).abs() < 0.001);
        let due = clock.due("2020-03-17T02:00:00Z".parse().unwrap()).unwrap();
        assert!((due.as_secs_f64() - 14.0).abs() < 0.001);
        assert_eq!(clock.due("2020-03-01T00:00:00Z".parse().unwrap()), None);
    }

    #[test]
    fn a_clock_of_its_own_is_told_from_real_time() {
        let real = ClusterClock::between(
            reading(10, "2026-03-17T00:00:00Z"),
            reading(12, "2026-03-17T00:00:02Z"),
        );
        assert!(!real.is_set("2026-03-17T00:00:02Z".parse().unwrap()));
        assert!(real.is_set("2026-03-18T00:00:02Z".parse().unwrap()));
        let fast = ClusterClock::between(
            reading(10, "2026-03-17T00:00:00Z"),
            reading(12, "2026-03-17T00:02:00Z"),
        );
        assert!(fast.is_set("2026-03-17T00:02:00Z".parse().unwrap()));
    }
}
