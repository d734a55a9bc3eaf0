//! A clock that was set: it began at some instant of its own and runs at its own speed.
//!
//! For demos, trials and replays only. Laws: a pure function of real time, so that all processes that are
//! told the same agree, and a restart goes on; waiting and monotonic time stay real. Deliberately absent:
//! stopping it, turning it back, changing its speed.

use std::{sync::Arc, time::Duration};

use crate::env::{BoxFuture, Clock, Env};

/// Faster clocks than this pass a week in three minutes, and a second of delay becomes most of an hour.
pub const CLOCK_SPEED_MAX: u32 = 3_600;

/// When a set clock began, and how fast it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetClock {
    /// What it showed at first, Unix milliseconds.
    pub starts_at_ms: i64,
    /// The real time at which it showed that, Unix milliseconds.
    pub started_real_ms: i64,
    /// Its milliseconds per real millisecond, 1 to [`CLOCK_SPEED_MAX`].
    pub speed: u32,
}

impl SetClock {
    /// What it shows at a real time, both Unix milliseconds.
    #[must_use]
    pub fn shows_ms(&self, real_ms: i64) -> i64 {
        let passed_ms = real_ms.saturating_sub(self.started_real_ms);
        self.starts_at_ms
            .saturating_add(passed_ms.saturating_mul(i64::from(self.speed)))
    }
}

impl Env {
    /// The same, but that wall time is what a set clock shows.
    #[must_use]
    pub fn on_set_clock(&self, set: SetClock) -> Env {
        let real = self.clock.clone();
        Env {
            clock: Arc::new(OnSetClock { real, set }),
            ..self.clone()
        }
    }
}

struct OnSetClock {
    real: Arc<dyn Clock>,
    set: SetClock,
}

impl Clock for OnSetClock {
    fn unix_ms(&self) -> i64 {
        self.set.shows_ms(self.real.unix_ms())
    }

    fn monotonic(&self) -> Duration {
        self.real.monotonic()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.real.sleep(duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: SetClock = SetClock {
        starts_at_ms: 1_583_715_600_000,
        started_real_ms: 1_700_000_000_000,
        speed: 60,
    };

    #[test]
    fn a_minute_passes_in_a_second() {
        assert_eq!(SET.shows_ms(SET.started_real_ms), SET.starts_at_ms);
        assert_eq!(
            SET.shows_ms(SET.started_real_ms + 1_000) - SET.starts_at_ms,
            60_000
        );
        // Before it was started it runs as well: processes may start a little earlier.
        assert_eq!(
            SET.shows_ms(SET.started_real_ms - 1_000) - SET.starts_at_ms,
            -60_000
        );
        assert_eq!(SET.shows_ms(i64::MAX), i64::MAX);
    }

    #[test]
    fn waiting_stays_real() {
        let real = Env::system();
        let set = real.on_set_clock(SET);
        assert!(set.unix_ms() > SET.starts_at_ms);
        let apart = set.monotonic().abs_diff(real.monotonic());
        assert!(apart < Duration::from_secs(1), "{apart:?}");
    }
}
