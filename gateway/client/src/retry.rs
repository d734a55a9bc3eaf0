//! When a failed attempt may be made again, and after how long. Pure.
//!
//! Two brakes keep a crowd of clients from making an outage worse: the pause grows and is drawn at random,
//! so that they do not return together; and retries are paid from a [`Budget`] that calls fill, so that a
//! client sends at most one retry for ten calls however long the outage lasts.
//!
//! Deliberately absent: which errors may be retried. `ErrorReason::retryable()` says that and, for what no
//! gateway answered, the judgement over lost connections.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// How long a client pauses between attempts.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Upper bound of the pause after the first failed attempt; it doubles with each further one.
    pub backoff_first: Duration,
    /// Upper bound of any pause that the service did not ask for.
    pub backoff_max: Duration,
}

impl Default for RetryPolicy {
    /// From 50 ms up to 1 s: a leader election takes some hundreds of milliseconds.
    fn default() -> Self {
        Self {
            backoff_first: Duration::from_millis(50),
            backoff_max: Duration::from_secs(1),
        }
    }
}

impl RetryPolicy {
    /// The pause after the failed attempt number `attempt`, counted from 1. `random` is uniform.
    ///
    /// It lies in the upper half of the grown bound. What the service asked for in `RetryInfo` is honoured
    /// in full, and stretched at random by up to a quarter, so that those who were sent away together do
    /// not come back together.
    #[must_use]
    pub fn pause(&self, attempt: u32, retry_after: Option<Duration>, random: u64) -> Duration {
        let fraction = random as f64 / u64::MAX as f64;
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let bound = self
            .backoff_first
            .saturating_mul(doubled)
            .min(self.backoff_max);
        let own = bound.mul_f64(0.5 + 0.5 * fraction);
        let asked =
            retry_after.map_or(Duration::ZERO, |asked| asked.mul_f64(1.0 + 0.25 * fraction));
        own.max(asked)
    }
}

/// Pays for retries: each call puts in a tenth of a retry.
///
/// Invariant: over any run, retries ≤ calls / 10 + [`Budget::BURST`].
#[derive(Debug)]
pub struct Budget {
    tenths: AtomicU32,
}

impl Budget {
    /// Retries a client may make that has made no calls yet, and the most it can save up. Enough for one
    /// person at a counter to see through an election; too few to matter to a cluster.
    pub const BURST: u32 = 10;
    const RETRY_TENTHS: u32 = 10;
    const TENTHS_MAX: u32 = Self::BURST * Self::RETRY_TENTHS;

    /// A full budget.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            tenths: AtomicU32::new(Self::TENTHS_MAX),
        }
    }

    /// Counts one call.
    pub fn deposit(&self) {
        // Relaxed: the count guards nothing but itself.
        let _full = self
            .tenths
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tenths| {
                (tenths < Self::TENTHS_MAX).then_some(tenths + 1)
            });
    }

    /// Pays for one retry; false if there is not enough.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        self.tenths
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tenths| {
                tenths.checked_sub(Self::RETRY_TENTHS)
            })
            .is_ok()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_inside_their_bounds() {
        let policy = RetryPolicy::default();
        let bounds_ms = [50, 100, 200, 400, 800, 1000, 1000];
        for (attempt, bound) in (1..).zip(bounds_ms) {
            let shortest = policy.pause(attempt, None, 0);
            let longest = policy.pause(attempt, None, u64::MAX);
            assert_eq!(longest, Duration::from_millis(bound), "attempt {attempt}");
            assert_eq!(shortest, longest / 2, "attempt {attempt}");
        }
        assert_eq!(policy.pause(u32::MAX, None, u64::MAX), policy.backoff_max);
    }

    #[test]
    fn the_service_is_never_called_before_it_asked_to_be() {
        let policy = RetryPolicy::default();
        let asked = Duration::from_secs(3);
        assert_eq!(policy.pause(1, Some(asked), 0), asked);
        assert_eq!(
            policy.pause(1, Some(asked), u64::MAX),
            Duration::from_millis(3750)
        );
    }

    #[test]
    fn retries_stay_within_a_tenth_of_the_calls() {
        let budget = Budget::new();
        let mut retries = 0;
        for _ in 0..1000 {
            budget.deposit();
            // An outage: every call would like to try three more times.
            retries += (0..3).filter(|_| budget.withdraw()).count();
        }
        let allowed = 1000 / 10 + Budget::BURST as usize;
        // The first call finds the budget full.
        assert_eq!(retries, allowed - 1);
    }

    #[test]
    fn a_long_calm_saves_up_no_storm() {
        let budget = Budget::new();
        (0..100_000).for_each(|_| budget.deposit());
        let retries = (0..1000).filter(|_| budget.withdraw()).count();
        assert_eq!(retries, Budget::BURST as usize);
    }
}
