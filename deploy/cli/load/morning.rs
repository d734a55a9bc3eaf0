//! A national morning: every person is bought for once, some by their family; a few try again elsewhere;
//! some answers are lost and asked for again.
//!
//! Sizes of families, quantities and shares are plausible, not measured; that large sites draw more people
//! than small ones is (Zipf's law over the sites).

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
};

use super::plan::{Act, Chance, Order, Plan, Visit};

/// Persons bought for at one visit: 1, 2, 3, 4, each with its share.
const FAMILY_SHARES: [f64; 4] = [0.55, 0.20, 0.13, 0.12];

/// Sales of two units; the others are of one.
const TWO_UNITS_SHARE: f64 = 0.9;

/// Persons who try again at another site.
const SECOND_ATTEMPT_SHARE: f64 = 0.08;

/// Sales whose answer is taken for lost.
const LOST_ANSWER_SHARE: f64 = 0.01;

/// Visits that pass before a second attempt, at least and at most: the walk to the next shop.
const WALK_VISITS: (u64, u64) = (2_000, 60_000);

/// Exponent of Zipf's law. With 0.8, the largest of 25,000 sites draws 3 % of a morning.
const ZIPF_EXPONENT: f64 = 0.8;

pub(crate) struct Morning {
    chance: Chance,
    sites: Zipf,
    persons: u64,
    next_person: u64,
    check_share: f64,
    visits: u64,
    /// By the visit after which they come.
    second_attempts: BinaryHeap<Reverse<SecondAttempt>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct SecondAttempt {
    due: u64,
    person: u64,
    quantity: u32,
    /// Where the first attempt was.
    first_site: usize,
}

/// What a morning amounts to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) calls: u64,
    /// Sites that anybody goes to.
    pub(crate) sites: BTreeSet<usize>,
}

impl Morning {
    pub(crate) fn new(seed: u64, sites: usize, persons: u64, check_share: f64) -> Self {
        let mut chance = Chance::new(seed);
        Self {
            sites: Zipf::new(sites, &mut chance),
            chance,
            persons,
            next_person: 0,
            check_share,
            visits: 0,
            second_attempts: BinaryHeap::new(),
        }
    }

    /// Plays it through on paper.
    pub(crate) fn outline(mut self) -> Outline {
        let mut outline = Outline {
            calls: 0,
            sites: BTreeSet::new(),
        };
        while let Some(visit) = self.next_visit() {
            outline.sites.insert(visit.site);
            outline.calls += visit
                .orders
                .iter()
                .map(|order| order.act.calls())
                .sum::<u64>();
        }
        outline
    }

    fn family_visit(&mut self) -> Visit {
        let site = self.sites.pick(&mut self.chance);
        let size = self.family_size().min(self.persons - self.next_person);
        let mut orders = Vec::with_capacity(size as usize);
        for _ in 0..size {
            let person = self.next_person;
            self.next_person += 1;
            let quantity = match self.chance.happens(TWO_UNITS_SHARE) {
                true => 2,
                false => 1,
            };
            orders.push(self.order(person, quantity));
            if self.chance.happens(SECOND_ATTEMPT_SHARE) {
                let (least, most) = WALK_VISITS;
                self.second_attempts.push(Reverse(SecondAttempt {
                    due: self.visits + least + self.chance.below(most - least),
                    person,
                    quantity,
                    first_site: site,
                }));
            }
        }
        Visit { site, orders }
    }

    fn second_visit(&mut self, attempt: &SecondAttempt) -> Visit {
        let mut site = self.sites.pick(&mut self.chance);
        if site == attempt.first_site {
            site = self.sites.after(site);
        }
        let order = self.order(attempt.person, attempt.quantity);
        Visit {
            site,
            orders: vec![order],
        }
    }

    fn order(&mut self, person: u64, quantity: u32) -> Order {
        let act = if self.chance.happens(LOST_ANSWER_SHARE) {
            Act::SellTwice
        } else if self.chance.happens(self.check_share) {
            Act::CheckThenSell
        } else {
            Act::Sell
        };
        Order {
            person,
            quantity,
            act,
        }
    }

    fn family_size(&mut self) -> u64 {
        let mut rest = self.chance.fraction();
        for (size, share) in (1..).zip(FAMILY_SHARES) {
            if rest < share {
                return size;
            }
            rest -= share;
        }
        1
    }
}

impl Plan for Morning {
    fn next_visit(&mut self) -> Option<Visit> {
        let everybody_was_there = self.next_person == self.persons;
        let due = self
            .second_attempts
            .peek()
            .is_some_and(|Reverse(attempt)| attempt.due <= self.visits || everybody_was_there);
        let visit = if due {
            let Reverse(attempt) = self.second_attempts.pop()?;
            self.second_visit(&attempt)
        } else if everybody_was_there {
            return None;
        } else {
            self.family_visit()
        };
        self.visits += 1;
        Some(visit)
    }
}

/// Sites in a random order, the first drawn most often.
struct Zipf {
    by_rank: Vec<usize>,
    /// Sums of the weights up to and including each rank.
    cumulative: Vec<f64>,
}

impl Zipf {
    /// # Panics
    /// There are no sites.
    fn new(sites: usize, chance: &mut Chance) -> Self {
        assert!(sites > 0, "a morning needs one site at least");
        let mut by_rank: Vec<_> = (0..sites).collect();
        chance.shuffle(&mut by_rank);
        let mut sum = 0.0;
        let cumulative = (1..=sites).map(|rank| {
            sum += (rank as f64).powf(-ZIPF_EXPONENT);
            sum
        });
        Self {
            cumulative: cumulative.collect(),
            by_rank,
        }
    }

    fn pick(&self, chance: &mut Chance) -> usize {
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        let point = chance.fraction() * total;
        let rank = self.cumulative.partition_point(|sum| *sum <= point);
        self.by_rank[rank.min(self.by_rank.len() - 1)]
    }

    /// Another site, if there is one.
    fn after(&self, site: usize) -> usize {
        (site + 1) % self.by_rank.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const PERSONS: u64 = 100_000;

    fn visits(seed: u64) -> Vec<Visit> {
        let mut morning = Morning::new(seed, 1_000, PERSONS, 0.25);
        std::iter::from_fn(|| morning.next_visit()).collect()
    }

    #[test]
    fn everybody_is_bought_for_and_eight_in_a_hundred_try_again_elsewhere() {
        let mut sites_by_person: HashMap<u64, Vec<usize>> = HashMap::new();
        for visit in visits(1) {
            for order in visit.orders {
                sites_by_person
                    .entry(order.person)
                    .or_default()
                    .push(visit.site);
            }
        }
        assert_eq!(sites_by_person.len() as u64, PERSONS);
        let again = sites_by_person
            .values()
            .filter(|sites| sites.len() == 2)
            .inspect(|sites| assert_ne!(sites[0], sites[1]))
            .count();
        assert!(sites_by_person.values().all(|sites| sites.len() <= 2));
        let share = again as f64 / PERSONS as f64;
        assert!((share - SECOND_ATTEMPT_SHARE).abs() < 0.004, "{share}");
    }

    #[test]
    fn a_second_attempt_comes_after_a_walk() {
        let mut first_visit = HashMap::new();
        let visits = visits(1);
        let last_family = visits.iter().rposition(|visit| visit.orders.len() > 1);
        for (index, visit) in visits.iter().enumerate() {
            for order in &visit.orders {
                let first = *first_visit.entry(order.person).or_insert(index);
                // Those left over when everybody has been there come at once.
                if first != index && Some(index) < last_family {
                    assert!((index - first) as u64 >= WALK_VISITS.0);
                }
            }
        }
    }

    #[test]
    fn large_sites_draw_more_people() {
        let mut by_site = vec![0_u64; 1_000];
        for visit in visits(1) {
            by_site[visit.site] += 1;
        }
        by_site.sort_unstable_by_key(|count| Reverse(*count));
        let expected = 10_f64.powf(ZIPF_EXPONENT);
        let found = by_site[0] as f64 / by_site[9] as f64;
        assert!((found / expected - 1.0).abs() < 0.2, "{found}");
    }

    #[test]
    fn families_and_lost_answers_occur_as_often_as_said() {
        let visits = visits(2);
        let families = visits.iter().filter(|visit| visit.orders.len() > 1).count();
        assert!(families * 3 > visits.len(), "{families}");
        let orders: Vec<_> = visits.iter().flat_map(|visit| &visit.orders).collect();
        let lost = orders
            .iter()
            .filter(|order| order.act == Act::SellTwice)
            .count();
        let share = lost as f64 / orders.len() as f64;
        assert!((share - LOST_ANSWER_SHARE).abs() < 0.002, "{share}");
    }

    #[test]
    fn the_same_seed_is_the_same_morning() {
        assert_eq!(visits(5), visits(5));
        assert_ne!(visits(5), visits(6));
    }

    #[test]
    fn the_outline_is_that_of_the_morning() {
        let outline = Morning::new(1, 1_000, PERSONS, 0.25).outline();
        let calls: u64 = visits(1)
            .iter()
            .flat_map(|visit| &visit.orders)
            .map(|order| order.act.calls())
            .sum();
        assert_eq!(outline.calls, calls);
        assert!(outline.sites.len() > 900);
    }
}
