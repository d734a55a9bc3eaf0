//! What the cluster said of itself, against what its clients know: shelves, counts, replicas.

use std::collections::{BTreeMap, BTreeSet};

use quorate_proto::ids::RequestId;

use super::{counts::Counts, violation};
use crate::{
    facts::{Fact, Replica, Shelf, Totals},
    history::{Call, History, Record, Reply},
    report::{Law, Violation},
};

/// Judges every fact of a run.
pub(crate) fn check(history: &History, counts: &Counts) -> Vec<Violation> {
    let mut found = Vec::new();
    let shelves = history
        .facts
        .iter()
        .enumerate()
        .filter_map(|(at, fact)| match fact {
            Fact::Shelf(shelf) => Some((at, shelf)),
            _ => None,
        });
    let shelves: Vec<(usize, &Shelf)> = shelves.collect();
    if !shelves.is_empty() {
        let sales = sales(&history.records);
        for (at, shelf) in shelves {
            let line = history.records.len() + at;
            judge_shelf(line, shelf, &sales, &mut found);
        }
    }
    let mut states: BTreeMap<(u32, u64), (usize, &Replica)> = BTreeMap::new();
    for (at, fact) in history.facts.iter().enumerate() {
        let line = history.records.len() + at;
        match fact {
            Fact::Totals(totals) => conserved(line, totals, counts, &mut found),
            Fact::Replica(replica) => {
                let key = (replica.shard, replica.index);
                let (first, one) = *states.entry(key).or_insert((line, replica));
                if one.digest != replica.digest {
                    let why = format!(
                        "shard {} at index {}: node {} has {}, node {} has {}",
                        key.0, key.1, one.node, one.digest, replica.node, replica.digest
                    );
                    found.push(violation(Law::Replicas, None, [first, line], why));
                }
            }
            Fact::Shelf(_) | Fact::Born { .. } => {}
        }
    }
    found
}

fn conserved(line: usize, totals: &Totals, counts: &Counts, found: &mut Vec<Violation>) {
    let sums = |totals: &Totals| {
        let units = totals.units_granted + totals.units_on_slips;
        (
            totals.grants + totals.slips,
            units,
            totals.voids,
            totals.units_voided,
        )
    };
    let agree = match counts.either {
        true => sums(totals) == sums(&counts.receipts),
        false => *totals == counts.receipts,
    };
    if !agree {
        let why = format!(
            "the cluster counts {totals:?}, the clients hold receipts for {:?}",
            counts.receipts
        );
        found.push(violation(Law::Conservation, None, [line], why));
    }
}

/// One sale as its clients know it.
#[derive(Clone, Copy, Debug)]
struct Sold {
    /// Place in the history.
    record: usize,
    quantity: u32,
    voided: bool,
    client: u32,
}

/// Every sale that is known to be on record, undone or not.
fn sales(records: &[Record]) -> BTreeMap<RequestId, Sold> {
    let mut sales = BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        let (request, quantity) = match (&record.call, &record.reply) {
            (&Call::Sell { request, quantity }, Reply::Verdict(verdict)) if verdict.granted() => {
                (request, quantity)
            }
            (
                &Call::Slip {
                    request, quantity, ..
                },
                Reply::HandedIn(reply),
            ) if reply.outcome.recorded() => (request, quantity),
            _ => continue,
        };
        sales.entry(request).or_insert(Sold {
            record: at,
            quantity,
            voided: false,
            client: record.client,
        });
    }
    for record in records {
        if let (Call::Void { sale, .. } | Call::Correct { sale, .. }, Reply::Voided(reply)) =
            (&record.call, &record.reply)
            && reply.voided()
            && let Some(sale) = sales.get_mut(sale)
        {
            sale.voided = true;
        }
    }
    sales
}

/// On hand = received + adjusted - sold + voided; sold and voided are what the clients' own records say; the
/// list holds each sale once.
fn judge_shelf(
    line: usize,
    shelf: &Shelf,
    sales: &BTreeMap<RequestId, Sold>,
    found: &mut Vec<Violation>,
) {
    let clients: BTreeSet<u32> = shelf.clients.iter().copied().collect();
    let own: BTreeMap<&RequestId, &Sold> = sales
        .iter()
        .filter(|(_, sale)| clients.contains(&sale.client))
        .collect();
    let units = |wanted: fn(&Sold) -> bool| -> u64 {
        let counted = own.values().filter(|sale| wanted(sale));
        counted.map(|sale| u64::from(sale.quantity)).sum()
    };
    let (sold, voided) = (units(|_| true), units(|sale| sale.voided));
    let on_hand = i128::from(shelf.brought) + i128::from(shelf.counted) - i128::from(sold)
        + i128::from(voided);
    let expected = (shelf.brought, shelf.counted, sold, voided, on_hand);
    let shown = (
        shelf.received,
        shelf.adjusted,
        shelf.sold,
        shelf.voided,
        i128::from(shelf.on_hand),
    );
    if shown != expected {
        let why = format!(
            "site {} shows received, adjusted, sold, voided, on hand {shown:?}, should be {expected:?}",
            shelf.site
        );
        found.push(violation(Law::Shelf, None, [line], why));
    }
    let mut listed = |record: Option<usize>, id: &RequestId, problem: &str| {
        let why = format!("site {}: sale {id} {problem}", shelf.site);
        let records = record.into_iter().chain([line]);
        found.push(violation(Law::ShelfList, None, records, why));
    };
    let mut seen = BTreeSet::new();
    for sale in &shelf.listed {
        let id = &sale.request;
        match own.get(id) {
            None => listed(None, id, "was not made there"),
            Some(known) if !seen.insert(*id) => listed(Some(known.record), id, "is listed twice"),
            Some(known) if (known.quantity, known.voided) != (sale.quantity, sale.voided) => {
                listed(
                    Some(known.record),
                    id,
                    "is listed otherwise than it was made",
                );
            }
            Some(_) => {}
        }
    }
    for (id, sale) in &own {
        if !seen.contains(*id) {
            listed(Some(sale.record), id, "is not listed");
        }
    }
}
