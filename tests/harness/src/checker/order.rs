//! The log as the replies describe it: one command a place, terms that grow, and real time kept.

use std::collections::BTreeMap;

use crate::{
    checker::Violation,
    history::{Position, Record},
};

/// Where an answer sits in its shard's log. A read at index `i` comes after every command of entry `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) index: u64,
    ordinal: u64,
}

impl Place {
    /// Of a reply that carries a position.
    pub(super) fn of(record: &Record, position: Position) -> Self {
        Self {
            index: position.index,
            ordinal: match record.call.request() {
                Some(_) => u64::from(position.ordinal),
                None => u64::MAX,
            },
        }
    }
}

/// Looks at every record that carries a position.
pub(super) fn check(records: &[Record]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut shards: BTreeMap<u32, Vec<(Place, Position, &Record)>> = BTreeMap::new();
    let mut homes = BTreeMap::new();
    for record in records {
        let Some(position) = record.reply.position() else {
            continue;
        };
        let home = *homes.entry(record.citizen).or_insert(position.shard);
        if home != position.shard {
            found.push(Violation::TwoShards {
                citizen: record.citizen,
                first: home,
                second: position.shard,
            });
        }
        let placed = (Place::of(record, position), position, record);
        shards.entry(position.shard).or_default().push(placed);
    }
    for placed in shards.values_mut() {
        placed.sort_by_key(|(place, _, record)| (*place, record.start_us));
        one_command_a_place(placed, &mut found);
        terms_grow(placed, &mut found);
        real_time(placed, &mut found);
    }
    found
}

type Placed<'a> = [(Place, Position, &'a Record)];

fn one_command_a_place(placed: &Placed<'_>, found: &mut Vec<Violation>) {
    for pair in placed.windows(2) {
        let [(first_place, position, first), (second_place, _, second)] = pair else {
            continue;
        };
        let requests = first.call.request().zip(second.call.request());
        if first_place == second_place
            && let Some((first, second)) = requests
            && first != second
        {
            found.push(Violation::PositionTwice {
                position: *position,
                first,
                second,
            });
        }
    }
}

/// Of entries only: a read carries the term of the leader that answered.
fn terms_grow(placed: &Placed<'_>, found: &mut Vec<Violation>) {
    let mut last: Option<Position> = None;
    for (_, position, record) in placed {
        if record.call.request().is_none() {
            continue;
        }
        if let Some(last) = last {
            let same_entry = last.index == position.index;
            if position.term < last.term || (same_entry && position.term != last.term) {
                found.push(Violation::TermOrder {
                    shard: position.shard,
                    index: position.index,
                    term: position.term,
                    earlier: last.term,
                });
            }
        }
        last = Some(*position);
    }
}

/// Sweeps over the starts, keeping the latest place among the calls that had ended by then.
fn real_time(placed: &Placed<'_>, found: &mut Vec<Violation>) {
    let mut by_start: Vec<_> = placed.iter().collect();
    by_start.sort_by_key(|(_, _, record)| record.start_us);
    let mut by_end: Vec<_> = placed.iter().collect();
    by_end.sort_by_key(|(_, _, record)| record.end_us);
    let mut ended = by_end.into_iter().peekable();
    let mut latest: Option<&(Place, Position, &Record)> = None;
    for later in by_start {
        while let Some(one) = ended.next_if(|one| one.2.end_us < later.2.start_us) {
            if latest.is_none_or(|latest| latest.0 < one.0) {
                latest = Some(one);
            }
        }
        let Some(earlier) = latest else { continue };
        let both_read = earlier.2.call.request().is_none() && later.2.call.request().is_none();
        if later.0 < earlier.0 || (later.0 == earlier.0 && !both_read) {
            found.push(Violation::RealTime {
                earlier: earlier.1,
                later: later.1,
            });
        }
    }
}
