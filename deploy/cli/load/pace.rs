//! When the next visit begins: as soon as a client is free (closed loop), or at its time, whether or not
//! anybody is free (open loop).
//!
//! Law of the open loop: arrival `n` is due `n / rate` after the start, and its latency counts from then.
//! A generator or a service that falls behind makes the latency longer, never the load smaller.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::plan::{Plan, Visit};

/// Hands out visits, to all workers of a load.
pub(super) struct Feed {
    state: Mutex<State>,
    schedule: Schedule,
}

struct State {
    plan: Box<dyn Plan>,
    /// Visits handed out.
    arrivals: u64,
}

/// When visits begin and when the load ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Monotonic time at which the load begins.
    pub(super) start: Duration,
    /// Monotonic time from which on no visit begins.
    pub(super) end: Option<Duration>,
    /// Visits there may be.
    pub(super) arrivals_max: Option<u64>,
    /// Arrivals a second; `None`: closed loop.
    pub(super) rate: Option<f64>,
}

/// A visit that shall begin.
#[derive(Debug)]
pub(super) struct Arrival {
    /// Counted from 0.
    pub(super) number: u64,
    pub(super) visit: Visit,
    /// Monotonic time at which it is due; `None`: now.
    pub(super) due: Option<Duration>,
}

impl Feed {
    pub(super) fn new(plan: Box<dyn Plan>, schedule: Schedule) -> Self {
        let state = State { plan, arrivals: 0 };
        Self {
            state: Mutex::new(state),
            schedule,
        }
    }

    /// The next visit; `None`: the load is over.
    pub(super) fn next(&self, now: Duration) -> Option<Arrival> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = state.arrivals;
        let due = self.schedule.due(number);
        let begins = due.unwrap_or(now);
        let over = self.schedule.end.is_some_and(|end| begins >= end)
            || self.schedule.arrivals_max.is_some_and(|max| number >= max);
        if over {
            return None;
        }
        let visit = state.plan.next_visit()?;
        state.arrivals += 1;
        Some(Arrival { number, visit, due })
    }
}

impl Schedule {
    fn due(&self, number: u64) -> Option<Duration> {
        let rate = self.rate?;
        Some(self.start + Duration::from_secs_f64(number as f64 / rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::plan::Steady;

    const SECOND: Duration = Duration::from_secs(1);

    fn feed(schedule: Schedule) -> Feed {
        Feed::new(Box::new(Steady::new(1, 1, 10, 1, 0.0)), schedule)
    }

    fn closed() -> Schedule {
        Schedule {
            start: SECOND,
            end: None,
            arrivals_max: None,
            rate: None,
        }
    }

    #[test]
    fn an_open_loop_is_never_late_by_itself() {
        let feed = feed(Schedule {
            rate: Some(10.0),
            end: Some(2 * SECOND),
            ..closed()
        });
        // Asked for long after the end: what was due before it still comes, at its own time.
        let due: Vec<_> = std::iter::from_fn(|| feed.next(100 * SECOND))
            .map(|arrival| arrival.due)
            .collect();
        assert_eq!(due.len(), 10);
        assert_eq!(due[3], Some(SECOND + 3 * SECOND / 10));
    }

    #[test]
    fn a_closed_loop_ends_at_its_time_or_count() {
        let timed = feed(Schedule {
            end: Some(2 * SECOND),
            ..closed()
        });
        assert!(
            timed
                .next(SECOND)
                .is_some_and(|arrival| arrival.due.is_none())
        );
        assert!(timed.next(2 * SECOND).is_none());
        let counted = feed(Schedule {
            arrivals_max: Some(2),
            ..closed()
        });
        let numbers: Vec<_> = std::iter::from_fn(|| counted.next(SECOND))
            .map(|arrival| arrival.number)
            .collect();
        assert_eq!(numbers, [0, 1]);
    }
}
