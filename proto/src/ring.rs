//! The 64-bit hash ring and its ranges. Pure arithmetic.

use std::fmt;

use crate::ids::RingPosition;

/// A contiguous part of the ring, inclusive on both ends, so that the whole ring can be written.
/// Invariant: `first <= last`; a range never wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RingRange {
    first: RingPosition,
    last: RingPosition,
}

impl RingRange {
    /// The whole ring.
    pub const FULL: Self = Self {
        first: RingPosition(0),
        last: RingPosition(u64::MAX),
    };

    /// The range from `first` to `last`, or nothing if `first` lies behind `last`.
    #[must_use]
    pub const fn new(first: RingPosition, last: RingPosition) -> Option<Self> {
        if first.0 <= last.0 {
            Some(Self { first, last })
        } else {
            None
        }
    }

    /// The lowest position inside.
    #[must_use]
    pub const fn first(self) -> RingPosition {
        self.first
    }

    /// The highest position inside.
    #[must_use]
    pub const fn last(self) -> RingPosition {
        self.last
    }

    /// Whether the position lies inside.
    #[must_use]
    pub const fn contains(self, position: RingPosition) -> bool {
        self.first.0 <= position.0 && position.0 <= self.last.0
    }
}

impl fmt::Display for RingRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}", self.first.0, self.last.0)
    }
}

/// Cuts the whole ring into `parts` ranges whose sizes differ by at most one, in ring order.
///
/// # Panics
/// `parts` is 0.
#[must_use]
pub fn even_split(parts: u32) -> Vec<RingRange> {
    assert!(parts > 0, "the ring is split into one part or more, not 0");
    let ring: u128 = 1 << 64;
    // At most 2^64 - 1 for index < parts, and ring itself for index == parts.
    let start = |index: u32| ring * u128::from(index) / u128::from(parts);
    (0..parts)
        .map(|index| RingRange {
            first: RingPosition(start(index) as u64),
            last: RingPosition((start(index + 1) - 1) as u64),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn even_splits_cover_the_ring_exactly() {
        for parts in [1, 2, 3, 7, 8, 16, 1000, 4099] {
            let ranges = even_split(parts);
            assert_eq!(ranges.len(), parts as usize);
            assert_eq!(ranges[0].first(), RingPosition(0));
            assert_eq!(ranges[ranges.len() - 1].last(), RingPosition(u64::MAX));
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].last().get() + 1, pair[1].first().get());
            }
            let sizes = ranges
                .iter()
                .map(|range| u128::from(range.last().get()) - u128::from(range.first().get()));
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
        }
        assert_eq!(even_split(1), [RingRange::FULL]);
    }

    #[test]
    fn ends_are_inside() {
        let range = RingRange::new(RingPosition(5), RingPosition(9)).unwrap();
        for (position, inside) in [(4, false), (5, true), (9, true), (10, false)] {
            assert_eq!(range.contains(RingPosition(position)), inside, "{position}");
        }
        assert_eq!(RingRange::new(RingPosition(9), RingPosition(5)), None);
        assert_eq!(range.to_string(), "0000000000000005-0000000000000009");
    }
}
