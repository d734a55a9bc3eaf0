//! How long messages take.

use std::time::Duration;

use crate::chance::Chance;

/// Delays of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Of most messages.
    pub delay_min: Duration,
    /// Of most messages.
    pub delay_max: Duration,
    /// Of a thousand messages, so many take longer.
    pub late_per_mille: u64,
    /// At most so long.
    pub late_max: Duration,
    /// Of a thousand messages that stand alone, so many arrive twice.
    pub repeated_per_mille: u64,
}

impl Weather {
    pub(super) fn delay(&self, chance: &mut Chance) -> Duration {
        let usual = chance.duration(self.delay_min, self.delay_max);
        if !chance.permille(self.late_per_mille) {
            return usual;
        }
        // Each doubling of the lateness is as likely as the next: a heavy tail.
        let late_us = u64::try_from(self.late_max.as_micros()).unwrap_or(u64::MAX);
        let doublings = chance.below(late_us.max(2).ilog2().into());
        usual + Duration::from_micros(chance.below(2 << doublings))
    }
}
