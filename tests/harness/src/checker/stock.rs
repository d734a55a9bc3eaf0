//! Sales and stock: what was sold at a site, and only that, has left its shelf, once.
//!
//! Judged after the run, when every sale has reached its site: on hand = received + adjusted − sold + voided;
//! sold and voided are what the clients' own records say; the site's list holds each of its sales once.

use std::collections::{BTreeMap, BTreeSet};

use quorate_proto::ids::RequestId;

use super::Violation;
use crate::history::{Call, History, Record, Reply, SlipOutcome};

/// What a site says of its only product, and of its sales.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    /// Units that came in.
    pub received: u64,
    /// Sum of all adjustments.
    pub adjusted: i64,
    /// Units sold.
    pub sold: u64,
    /// Units given back.
    pub voided: u64,
    /// Units there.
    pub on_hand: i64,
    /// The site's list of sales: request, quantity, and whether it was undone.
    pub listed: Vec<(RequestId, u32, bool)>,
}

/// One sale as its clients know it.
#[derive(Clone, Copy, Debug)]
struct Sold {
    quantity: u32,
    voided: bool,
    site: usize,
}

/// Judges all shelves. `site_of` says at which site a client stands; `moved` what came in at each and what
/// was adjusted, by whoever did so.
#[must_use]
pub fn check(
    history: &History,
    site_of: impl Fn(u32) -> usize,
    shelves: &[Shelf],
    moved: &[(u64, i64)],
) -> Vec<Violation> {
    let sales = sales(&history.records, site_of);
    let mut found = Vec::new();
    for (site, (shelf, moved)) in shelves.iter().zip(moved).enumerate() {
        let own = sales.iter().filter(|(_, sale)| sale.site == site);
        let own: BTreeMap<RequestId, Sold> = own.map(|(id, sale)| (*id, *sale)).collect();
        counts(site, shelf, *moved, &own, &mut found);
        list(site, shelf, &own, &mut found);
    }
    found
}

/// Every sale that is known to be on record, undone or not.
fn sales(records: &[Record], site_of: impl Fn(u32) -> usize) -> BTreeMap<RequestId, Sold> {
    let mut sales = BTreeMap::new();
    for record in records {
        let (request, quantity) = match (&record.call, &record.reply) {
            (Call::Sell { request, quantity }, Reply::Verdict(verdict)) if verdict.granted => {
                (*request, *quantity)
            }
            (Call::Slip { request, quantity }, Reply::HandedIn(reply))
                if reply.outcome != SlipOutcome::Rejected =>
            {
                (*request, *quantity)
            }
            _ => continue,
        };
        sales.entry(request).or_insert(Sold {
            quantity,
            voided: false,
            site: site_of(record.client),
        });
    }
    for record in records {
        if let (Call::Void { sale, .. }, Reply::Voided(reply)) = (&record.call, &record.reply)
            && reply.voided
            && let Some(sale) = sales.get_mut(sale)
        {
            sale.voided = true;
        }
    }
    sales
}

fn counts(
    site: usize,
    shelf: &Shelf,
    (received, adjusted): (u64, i64),
    own: &BTreeMap<RequestId, Sold>,
    found: &mut Vec<Violation>,
) {
    let units = |wanted: fn(&Sold) -> bool| -> u64 {
        let counted = own.values().filter(|sale| wanted(sale));
        counted.map(|sale| u64::from(sale.quantity)).sum()
    };
    let (sold, voided) = (units(|_| true), units(|sale| sale.voided));
    let signed = |units: u64| i64::try_from(units).unwrap_or(i64::MAX);
    let on_hand = signed(received) + adjusted - signed(sold) + signed(voided);
    let expected = (received, adjusted, sold, voided, on_hand);
    let shown = (
        shelf.received,
        shelf.adjusted,
        shelf.sold,
        shelf.voided,
        shelf.on_hand,
    );
    if shown != expected {
        found.push(Violation::Shelf {
            site,
            shown: format!("{shown:?}"),
            expected: format!("{expected:?}"),
        });
    }
}

fn list(site: usize, shelf: &Shelf, own: &BTreeMap<RequestId, Sold>, found: &mut Vec<Violation>) {
    let mut seen = BTreeSet::new();
    for (request, quantity, voided) in &shelf.listed {
        let problem = match own.get(request) {
            None => "was not made there",
            Some(_) if !seen.insert(*request) => "is listed twice",
            Some(sale) if (sale.quantity, sale.voided) != (*quantity, *voided) => {
                "is listed otherwise than it was made"
            }
            Some(_) => continue,
        };
        found.push(Violation::Listed {
            site,
            request: *request,
            problem,
        });
    }
    for request in own.keys().filter(|request| !seen.contains(request)) {
        found.push(Violation::Listed {
            site,
            request: *request,
            problem: "is not listed",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::honest::Honest;

    const MOVED: [(u64, i64); 1] = [(5_000, -20)];

    /// A shelf as an honest cluster would keep it.
    fn shelf(history: &History) -> Shelf {
        let mut shelf = Shelf {
            received: MOVED[0].0,
            adjusted: MOVED[0].1,
            ..Shelf::default()
        };
        for (request, sale) in sales(&history.records, |_| 0) {
            shelf.sold += u64::from(sale.quantity);
            shelf.voided += u64::from(if sale.voided { sale.quantity } else { 0 });
            shelf.listed.push((request, sale.quantity, sale.voided));
        }
        let signed = |units: u64| i64::try_from(units).expect("few units");
        shelf.on_hand = 5_000 - 20 - signed(shelf.sold) + signed(shelf.voided);
        shelf
    }

    fn planted(plant: impl Fn(&mut Shelf), names: fn(&Violation) -> bool) {
        for seed in 0..5 {
            let history = Honest::run(seed, 400);
            let mut shelf = shelf(&history);
            let judge = |shelf: &Shelf| check(&history, |_| 0, std::slice::from_ref(shelf), &MOVED);
            assert_eq!(judge(&shelf), Vec::new(), "seed {seed}");
            plant(&mut shelf);
            let found = judge(&shelf);
            assert!(found.iter().any(names), "seed {seed}: {found:?}");
        }
    }

    fn is_count(found: &Violation) -> bool {
        matches!(found, Violation::Shelf { .. })
    }

    #[test]
    fn a_sale_delivered_twice() {
        planted(
            |shelf| {
                let again = u64::from(shelf.listed[3].1);
                shelf.sold += again;
                shelf.on_hand -= i64::try_from(again).expect("few units");
            },
            is_count,
        );
    }

    #[test]
    fn a_void_that_never_arrived() {
        planted(
            |shelf| {
                let undone = shelf.listed.iter_mut().find(|sale| sale.2);
                let undone = undone.expect("an honest run has voids");
                undone.2 = false;
                shelf.voided -= u64::from(undone.1);
                shelf.on_hand -= i64::from(undone.1);
            },
            is_count,
        );
    }

    #[test]
    fn a_sum_that_does_not_add_up() {
        planted(|shelf| shelf.on_hand += 1, is_count);
    }

    #[test]
    fn an_adjustment_made_twice() {
        planted(
            |shelf| (shelf.adjusted, shelf.on_hand) = (shelf.adjusted - 20, shelf.on_hand - 20),
            is_count,
        );
    }

    #[test]
    fn a_list_that_lacks_a_sale_or_has_one_twice_or_anothers() {
        let lists = |problem: &'static str| move |found: &Violation| matches!(found, Violation::Listed { problem: named, .. } if *named == problem);
        type Fault = fn(&mut Shelf);
        let cases: [(Fault, &str); 4] = [
            (|shelf| shelf.listed.truncate(1), "is not listed"),
            (
                |shelf| shelf.listed.push(shelf.listed[0]),
                "is listed twice",
            ),
            (
                |shelf| shelf.listed[2].1 += 1,
                "is listed otherwise than it was made",
            ),
            (
                |shelf| {
                    let foreign = crate::checker::honest::request(u64::MAX);
                    shelf.listed.push((foreign, 1, false));
                },
                "was not made there",
            ),
        ];
        for (plant, problem) in cases {
            for seed in 0..5 {
                let history = Honest::run(seed, 400);
                let mut shelf = shelf(&history);
                plant(&mut shelf);
                let found = check(&history, |_| 0, &[shelf], &MOVED);
                assert!(found.iter().any(lists(problem)), "{problem}: {found:?}");
            }
        }
    }
}
