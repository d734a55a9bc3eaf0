//! Who goes where, and asks for what: the same from the same seed, whatever the cluster answers and however
//! many clients play it.

use super::population::mix;

/// One person's turn at a counter: a buyer with one order or, for a family, several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    /// Index of the site.
    pub(crate) site: usize,
    pub(crate) orders: Vec<Order>,
}

/// What is asked for one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Index into the population.
    pub(crate) person: u64,
    pub(crate) quantity: u32,
    pub(crate) act: Act,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Check,
    Sell,
    /// The clerk asks first, then sells whatever the answer was.
    CheckThenSell,
    /// The answer is taken for lost, and the same request is sent again.
    SellTwice,
}

impl Act {
    /// Calls that it takes.
    pub(crate) const fn calls(self) -> u64 {
        match self {
            Self::Check | Self::Sell => 1,
            Self::CheckThenSell | Self::SellTwice => 2,
        }
    }
}

/// A source of visits. `None`: everybody has been served.
pub(crate) trait Plan: Send {
    fn next_visit(&mut self) -> Option<Visit>;
}

/// A deterministic stream of random numbers: splitmix64.
#[derive(Clone, Debug)]
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: mix(seed) }
    }

    pub(crate) const fn number(&mut self) -> u64 {
        let number = mix(self.state);
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        number
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn fraction(&mut self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True in `share` of the cases.
    pub(crate) fn happens(&mut self, share: f64) -> bool {
        self.fraction() < share
    }

    /// Uniform in `[0, end)`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.number()) * u128::from(end)) >> 64) as u64
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

/// One order a visit, from one person after the other.
pub(crate) struct Steady {
    chance: Chance,
    sites: u64,
    persons: u64,
    quantity: u32,
    check_share: f64,
    next_person: u64,
}

impl Steady {
    pub(crate) fn new(
        seed: u64,
        sites: usize,
        persons: u64,
        quantity: u32,
        check_share: f64,
    ) -> Self {
        Self {
            chance: Chance::new(seed),
            sites: sites as u64,
            persons,
            quantity,
            check_share,
            next_person: 0,
        }
    }
}

impl Plan for Steady {
    fn next_visit(&mut self) -> Option<Visit> {
        let act = match self.chance.happens(self.check_share) {
            true => Act::Check,
            false => Act::Sell,
        };
        let person = self.next_person;
        self.next_person = (person + 1) % self.persons;
        Some(Visit {
            site: self.chance.below(self.sites) as usize,
            orders: vec![Order {
                person,
                quantity: self.quantity,
                act,
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_fair_and_repeats() {
        let mut chance = Chance::new(3);
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            counts[chance.below(10) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (9_500..10_500).contains(count)),
            "{counts:?}"
        );
        let draw = || Chance::new(3).number();
        assert_eq!(draw(), draw());
    }

    #[test]
    fn a_shuffle_loses_nothing() {
        let mut items: Vec<_> = (0..100).collect();
        Chance::new(1).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_steady_load_goes_round_the_people() {
        let mut plan = Steady::new(1, 4, 3, 2, 0.0);
        let persons: Vec<_> = (0..7)
            .filter_map(|_| plan.next_visit())
            .map(|visit| visit.orders[0].person)
            .collect();
        assert_eq!(persons, [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn checks_take_their_share() {
        let mut plan = Steady::new(1, 4, 1_000, 1, 0.25);
        let checks = (0..10_000)
            .filter_map(|_| plan.next_visit())
            .filter(|visit| visit.orders[0].act == Act::Check)
            .count();
        assert!((2_300..2_700).contains(&checks), "{checks}");
    }
}
