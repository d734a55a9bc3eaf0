//! The one source of randomness: SplitMix64.
//!
//! A generator of our own, because a seed that found a bug must mean the same run after any upgrade.

use std::time::Duration;

/// A stream of random numbers, fixed by its seed.
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut chance = Self { state: seed };
        // Neighbouring seeds are told apart from the first number on.
        chance.state = chance.u64();
        chance
    }

    /// A stream of its own, so that drawing more from it changes nothing elsewhere. The same label gives another
    /// one each time.
    pub fn fork(&mut self, label: &str) -> Self {
        let mut seed = self.u64();
        for byte in label.bytes() {
            seed = mix(seed ^ u64::from(byte));
        }
        Self::new(seed)
    }

    /// A uniform number.
    pub fn u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number in `[0, end)`; 0 if `end` is 0. The bias is below one in a billion for the sizes used here.
    pub fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.u64()) * u128::from(end);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// An index of a collection of this size, which must not be empty.
    pub fn index(&mut self, len: usize) -> usize {
        assert!(len > 0, "nothing to choose from");
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// One of these, which must not be none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// A number in `[first, last]`.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        assert!(first <= last, "no number from {first} to {last}");
        first + self.below((last - first).saturating_add(1))
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// True in so many of a thousand times.
    pub fn permille(&mut self, times: u64) -> bool {
        self.below(1000) < times
    }

    /// A duration in `[first, last]`, in microseconds.
    pub fn duration(&mut self, first: Duration, last: Duration) -> Duration {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.between(micros(first), micros(last)))
    }

    /// A duration with a heavy tail: mostly near `usual`, one in 20 up to ten times, one in 400 up to `worst`.
    pub fn tailed(&mut self, usual: Duration, worst: Duration) -> Duration {
        let last = match self.below(400) {
            0 => worst,
            1..=20 => 10 * usual,
            _ => usual,
        };
        self.duration(usual / 4, last.max(usual))
    }

    /// Fills a buffer.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for part in buffer.chunks_mut(8) {
            let bytes = self.u64().to_le_bytes();
            part.copy_from_slice(&bytes[..part.len()]);
        }
    }
}

/// Spreads every bit of the input over the output.
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_for_ever() {
        let mut chance = Chance::new(7);
        let drawn = [chance.u64(), chance.u64(), chance.u64()];
        assert_eq!(
            drawn,
            [
                0xb8b4_c297_7eab_ce45,
                0xa653_05fd_338e_c8fe,
                0x8ca3_cbb6_ca63_129b
            ]
        );
        assert_ne!(Chance::new(8).u64(), drawn[0]);
        let mut one = Chance::new(7);
        let mut other = Chance::new(7);
        assert_eq!(one.fork("disk").u64(), other.fork("disk").u64());
        assert_ne!(one.fork("disk").u64(), other.fork("net").u64());
    }

    #[test]
    fn bounds_are_kept() {
        let mut chance = Chance::new(1);
        for _ in 0..1000 {
            assert!(chance.below(3) < 3);
            assert!((5..=6).contains(&chance.between(5, 6)));
            let usual = Duration::from_millis(1);
            let worst = Duration::from_secs(1);
            let drawn = chance.tailed(usual, worst);
            assert!(drawn >= usual / 4 && drawn <= worst);
        }
        assert_eq!(chance.below(0), 0);
    }
}
