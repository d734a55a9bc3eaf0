//! An instant of monotonic time after which nobody waits for the answer any more.

use std::time::Duration;

use quorate_link::Env;

/// Set once, when a call begins; every attempt and pause takes from what is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Duration,
}

impl Deadline {
    pub(crate) fn after(env: &Env, time: Duration) -> Self {
        Self {
            at: env.monotonic().saturating_add(time),
        }
    }

    /// Zero once it has passed.
    pub(crate) fn left(self, env: &Env) -> Duration {
        self.at.saturating_sub(env.monotonic())
    }
}
