//! The log as the replies describe it: one command a place, terms that grow, real time kept, one shard for one
//! citizen.

use super::violation;
use crate::{
    history::{Position, Record},
    report::{Law, Violation},
};

/// A reply with a position.
#[derive(Clone, Copy)]
pub(crate) struct Placed<'h> {
    /// Index and ordinal; a read comes behind every command of its entry.
    place: (u64, u64),
    at: Position,
    /// Place in the history.
    number: usize,
    record: &'h Record,
}

impl<'h> Placed<'h> {
    pub(crate) fn new(number: usize, record: &'h Record) -> Option<Self> {
        let at = record.reply.position()?;
        let ordinal = match record.call.request() {
            Some(_) => u64::from(at.ordinal),
            None => u64::MAX,
        };
        Some(Self {
            place: (at.index, ordinal),
            at,
            number,
            record,
        })
    }

    pub(crate) fn shard(&self) -> u32 {
        self.at.shard
    }

    fn is_read(&self) -> bool {
        self.record.call.request().is_none()
    }
}

/// Looks at all replies of one shard.
pub(crate) fn check(placed: &mut [Placed<'_>]) -> Vec<Violation> {
    let mut found = Vec::new();
    placed.sort_by_key(|placed| placed.place);
    one_command_a_place(placed, &mut found);
    terms_grow(placed, &mut found);
    real_time(placed, &mut found);
    found
}

fn one_command_a_place(placed: &[Placed<'_>], found: &mut Vec<Violation>) {
    for pair in placed.windows(2) {
        let [one, other] = pair else { continue };
        if one.place != other.place || one.is_read() || other.is_read() {
            continue;
        }
        let (first, second) = (one.record.call, other.record.call);
        if first.request() != second.request() {
            let why = format!("two commands were both decided at {}", text(one.at));
            let records = [one.number, other.number];
            found.push(violation(Law::PositionOnce, None, records, why));
        }
    }
}

/// Of entries only: a read carries the term of the leader that answered.
fn terms_grow(placed: &[Placed<'_>], found: &mut Vec<Violation>) {
    let mut last: Option<&Placed<'_>> = None;
    for one in placed.iter().filter(|placed| !placed.is_read()) {
        if let Some(last) = last {
            let same_entry = last.at.index == one.at.index;
            if one.at.term < last.at.term || (same_entry && one.at.term != last.at.term) {
                let why = format!(
                    "shard {}: index {} has term {}, index {} before it has {}",
                    one.at.shard, one.at.index, one.at.term, last.at.index, last.at.term
                );
                let records = [last.number, one.number];
                found.push(violation(Law::TermOrder, None, records, why));
            }
        }
        last = Some(one);
    }
}

/// Sweeps over the starts, keeping the latest place among the calls that had ended by then.
fn real_time(placed: &[Placed<'_>], found: &mut Vec<Violation>) {
    let sorted = |key: fn(&Record) -> u64| {
        let keyed = placed.iter().enumerate();
        let mut keys: Vec<(u64, usize)> =
            keyed.map(|(at, placed)| (key(placed.record), at)).collect();
        keys.sort_unstable();
        keys
    };
    let by_start = sorted(|record| record.start_us);
    let mut ended = sorted(|record| record.end_us).into_iter().peekable();
    let mut latest: Option<&Placed<'_>> = None;
    for (start_us, at) in by_start {
        let later = &placed[at];
        while let Some((_, at)) = ended.next_if(|(end_us, _)| *end_us < start_us) {
            let one = &placed[at];
            if latest.is_none_or(|latest| latest.place < one.place) {
                latest = Some(one);
            }
        }
        let Some(earlier) = latest else { continue };
        let both_read = earlier.is_read() && later.is_read();
        if later.place < earlier.place || (later.place == earlier.place && !both_read) {
            let why = format!(
                "{} was asked for after {} had been answered, and was ordered before it",
                text(later.at),
                text(earlier.at)
            );
            let records = [earlier.number, later.number];
            found.push(violation(Law::RealTime, None, records, why));
        }
    }
}

/// One citizen's replies all come from one shard.
pub(crate) fn one_shard(citizen: u64, records: &[(usize, &Record)], found: &mut Vec<Violation>) {
    let mut home: Option<(usize, u32)> = None;
    for &(number, record) in records {
        let Some(at) = record.reply.position() else {
            continue;
        };
        let (first, shard) = *home.get_or_insert((number, at.shard));
        if shard != at.shard {
            let why = format!("decided in shard {shard} and in shard {}", at.shard);
            found.push(violation(
                Law::OneShard,
                Some(citizen),
                [first, number],
                why,
            ));
        }
    }
}

/// A position for people.
pub(crate) fn text(at: Position) -> String {
    let Position {
        shard,
        term,
        index,
        ordinal,
    } = at;
    format!("shard {shard}, term {term}, index {index}, ordinal {ordinal}")
}
