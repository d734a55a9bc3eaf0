//! A small set of small numbers: which operations are placed, which sales are held.
//!
//! Up to 64 it lives in one word and costs no allocation, which is the common case: one citizen's sales.

/// A set of small numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Bits {
    first: u64,
    /// Words after the first; never ends in a zero, so that equal sets are equal.
    more: Vec<u64>,
}

impl Bits {
    pub(crate) fn contains(&self, index: usize) -> bool {
        self.word(index / 64) >> (index % 64) & 1 == 1
    }

    pub(crate) fn insert(&mut self, index: usize) {
        let (word, bit) = (index / 64, 1 << (index % 64));
        if word == 0 {
            self.first |= bit;
            return;
        }
        if self.more.len() < word {
            self.more.resize(word, 0);
        }
        self.more[word - 1] |= bit;
    }

    pub(crate) fn remove(&mut self, index: usize) {
        let (word, bit) = (index / 64, 1_u64 << (index % 64));
        if word == 0 {
            self.first &= !bit;
        } else if let Some(held) = self.more.get_mut(word - 1) {
            *held &= !bit;
            while self.more.last() == Some(&0) {
                self.more.pop();
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        let more: u32 = self.more.iter().map(|word| word.count_ones()).sum();
        (self.first.count_ones() + more) as usize
    }

    /// The numbers, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..=self.more.len()).flat_map(|at| {
            let mut word = self.word(at);
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                word &= word.checked_sub(1)?;
                Some(at * 64 + bit)
            })
        })
    }

    fn word(&self, at: usize) -> u64 {
        match at {
            0 => self.first,
            _ => self.more.get(at - 1).copied().unwrap_or(0),
        }
    }
}

impl FromIterator<usize> for Bits {
    fn from_iter<T: IntoIterator<Item = usize>>(numbers: T) -> Self {
        let mut bits = Self::default();
        for number in numbers {
            bits.insert(number);
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: proptest::test_runner::RngSeed::Fixed(4),
            ..ProptestConfig::default()
        })]

        #[test]
        fn it_is_a_set(steps in prop::collection::vec((any::<bool>(), 0_usize..300), 0..80)) {
            let (mut bits, mut set) = (Bits::default(), BTreeSet::new());
            for (insert, number) in steps {
                if insert {
                    bits.insert(number);
                    set.insert(number);
                } else {
                    bits.remove(number);
                    set.remove(&number);
                }
                prop_assert_eq!(bits.contains(number), insert);
            }
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(bits.len(), set.len());
            prop_assert_eq!(bits, set.into_iter().collect::<Bits>());
        }
    }
}
