//! The log as the replies describe it: one command a place, terms that grow, real time kept, a time that never
//! runs backwards, one shard for one citizen.

use std::collections::{HashMap, HashSet};

use super::violation;
use crate::{
    history::{Position, Record, Reply},
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

/// When a call was decided, by the shard's time, Unix milliseconds. A repetition carries the time of another
/// entry, and slips and lists carry none.
fn decided_ms(record: &Record) -> Option<i64> {
    match &record.reply {
        Reply::Verdict(verdict) if !verdict.repeated => Some(verdict.decided_ms),
        Reply::Voided(reply) if !reply.repeated => Some(reply.decided_ms),
        _ => None,
    }
}

/// Looks at all replies of one shard. `doubted`: citizens of whom some call was not answered at once, so that
/// there may be decisions whose place or time nobody saw.
pub(crate) fn check(placed: &mut [Placed<'_>], doubted: &HashSet<u64>) -> Vec<Violation> {
    let mut found = Vec::new();
    placed.sort_by_key(|placed| placed.place);
    one_command_a_place(placed, &mut found);
    terms_grow(placed, &mut found);
    real_time(placed, &mut found);
    time_goes_on(placed, doubted, &mut found);
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

/// Along the log the shard's time never runs backwards, whomever the entries are about: a leader whose clock is
/// behind goes on from its predecessor's time.
///
/// A decision is made at the shard's time, or up to a millisecond behind an earlier one for the same citizen where
/// that is later. Such a stamp may be ahead of the shard, so it does not show the shard's time; nor does one of a
/// citizen in doubt. A read is held against the time, but does not move it: its leader's clock may be ahead.
fn time_goes_on(placed: &[Placed<'_>], doubted: &HashSet<u64>, found: &mut Vec<Violation>) {
    let mut own: HashMap<u64, i64> = HashMap::new();
    let mut latest: Option<(i64, &Placed<'_>)> = None;
    for one in placed {
        let Some(at_ms) = decided_ms(one.record) else {
            continue;
        };
        if let Some((latest_ms, last)) = latest
            && at_ms < latest_ms
        {
            let why = format!(
                "the shard's time ran backwards: {latest_ms} at {}, then {at_ms} at {}",
                text(last.at),
                text(one.at)
            );
            let records = [last.number, one.number];
            found.push(violation(Law::LogOrder, None, records, why));
            // Told once; what follows is held against the time that it went back to.
            latest = Some((at_ms, one));
            continue;
        }
        let citizen = one.record.citizen;
        if one.is_read() || doubted.contains(&citizen) {
            continue;
        }
        let last_own = own.entry(citizen).or_insert(i64::MIN);
        let shows_the_time = at_ms > last_own.saturating_add(1);
        *last_own = at_ms.max(*last_own);
        if shows_the_time {
            latest = Some((at_ms, one));
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
