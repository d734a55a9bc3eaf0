//! Every law over a whole history, on several threads: the orders of the shards, and citizens in portions.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    calendar::Calendar,
    case::{Case, Run},
    facts::Fact,
    history::{History, Record, Reply, Window},
    laws::{
        answers,
        counts::{self, Counts},
        facts,
        order::{self, Placed},
        replay, violation,
    },
    limits,
    report::{Law, Report, Violation},
};

/// Judges a finished run.
#[must_use]
pub fn check(history: &History) -> Report {
    check_on(history, limits::THREADS_DEFAULT)
}

/// Judges a finished run on that many threads. The report is the same for any number.
#[must_use]
pub fn check_on(history: &History, threads: usize) -> Report {
    let calendar = match Calendar::new(&history.rules) {
        Ok(calendar) => calendar,
        Err(error) => return unlawful_rules(history, &error.to_string()),
    };
    let records = &history.records[..];
    let (records, (shards, doubted), windows) = match threads {
        ..=1 => (by_citizen(records), by_shard(records), windows(records)),
        _ => thread::scope(|scope| {
            let shards = scope.spawn(|| (by_shard(records), windows(records)));
            let citizens = by_citizen(records);
            match shards.join() {
                Ok((shards, windows)) => (citizens, shards, windows),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }),
    };
    let shards: Vec<Mutex<Vec<Placed<'_>>>> = shards.into_values().map(Mutex::new).collect();
    let run = Run {
        calendar,
        windows: &windows,
    };
    let citizens = Citizens {
        portions: portions(&records),
        born: born(&history.facts),
    };
    let tasks = AtomicUsize::new(0);
    let sum = Mutex::new((Vec::new(), Counts::default()));
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let (mut found, mut counts) = (Vec::new(), Counts::default());
                let mut run = run.clone();
                loop {
                    let task = tasks.fetch_add(1, Ordering::Relaxed);
                    if let Some(shard) = shards.get(task) {
                        let mut placed = shard.lock().unwrap_or_else(PoisonError::into_inner);
                        found.append(&mut order::check(&mut placed, &doubted));
                    } else if let Some(portion) = citizens.portions.get(task - shards.len()) {
                        citizens.judge(portion, &mut run, &mut found, &mut counts);
                    } else {
                        break;
                    }
                }
                let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                sum.0.append(&mut found);
                sum.1.merge(&counts);
            });
        }
    });
    let (mut found, counts) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.append(&mut facts::check(history, &counts));
    let mut report = counts.report(history.records.len());
    report.shards = shards.len();
    report.found(found);
    report
}

fn unlawful_rules(history: &History, why: &str) -> Report {
    let mut report = Counts::default().report(history.records.len());
    let mut violation = violation(Law::Window, None, [], why);
    violation.lines = vec![1];
    report.found(vec![violation]);
    report
}

/// A record with its place in the history.
type Numbered<'h> = (usize, &'h Record);

/// All records, one citizen's together, each citizen's in the order of the history.
fn by_citizen(records: &[Record]) -> Vec<Numbered<'_>> {
    let mut keys: Vec<(u64, u32)> = records
        .iter()
        .zip(0..)
        .map(|(record, at)| (record.citizen, at))
        .collect();
    keys.sort_unstable();
    let numbered = keys.into_iter().map(|(_, at)| at as usize);
    numbered.map(|at| (at, &records[at])).collect()
}

/// Everything with a place, by shard; and the citizens of whom some call was not answered at once.
fn by_shard(records: &[Record]) -> (BTreeMap<u32, Vec<Placed<'_>>>, HashSet<u64>) {
    let mut shards: BTreeMap<u32, Vec<Placed<'_>>> = BTreeMap::new();
    let mut doubted = HashSet::new();
    for (number, record) in records.iter().enumerate() {
        if let Some(placed) = Placed::new(number, record) {
            shards.entry(placed.shard()).or_default().push(placed);
        }
        if matches!(record.reply, Reply::Unknown { .. }) || record.reply.repeated() {
            doubted.insert(record.citizen);
        }
    }
    (shards, doubted)
}

/// Every window that a verdict names, and every limit in it, with an instant at which it was named.
fn windows(records: &[Record]) -> Vec<(i64, Option<Window>)> {
    let mut windows: BTreeMap<(Option<Window>, u32), i64> = BTreeMap::new();
    let mut last = None;
    for record in records {
        if let Reply::Verdict(verdict) = &record.reply {
            let key = (verdict.window_ms, verdict.limit);
            if last != Some(key) {
                last = Some(key);
                windows.entry(key).or_insert(verdict.decided_ms);
            }
        }
    }
    windows
        .into_iter()
        .map(|((window, _), at_ms)| (at_ms, window))
        .collect()
}

fn born(facts: &[Fact]) -> HashMap<u64, u16> {
    let born = facts.iter().filter_map(|fact| match fact {
        Fact::Born { citizen, year } => Some((*citizen, *year)),
        _ => None,
    });
    born.collect()
}

/// Whole citizens, some thousand a portion.
fn portions<'a, 'h>(records: &'a [Numbered<'h>]) -> Vec<&'a [Numbered<'h>]> {
    let mut portions = Vec::new();
    let (mut start, mut citizens) = (0, 0);
    for (at, pair) in records.windows(2).enumerate() {
        citizens += usize::from(pair[0].1.citizen != pair[1].1.citizen);
        if citizens == limits::CITIZENS_PER_TASK {
            portions.push(&records[start..=at]);
            (start, citizens) = (at + 1, 0);
        }
    }
    if start < records.len() {
        portions.push(&records[start..]);
    }
    portions
}

struct Citizens<'a, 'h> {
    portions: Vec<&'a [Numbered<'h>]>,
    born: HashMap<u64, u16>,
}

impl Citizens<'_, '_> {
    fn judge(
        &self,
        portion: &[Numbered<'_>],
        run: &mut Run<'_>,
        found: &mut Vec<Violation>,
        counts: &mut Counts,
    ) {
        for records in portion.chunk_by(|one, other| one.1.citizen == other.1.citizen) {
            let citizen = records[0].1.citizen;
            let born = self.born.get(&citizen).copied();
            let case = Case::new(citizen, born, records);
            counts.add(&case);
            found.append(&mut answers::check(&case, run));
            found.append(&mut replay::check(&case, run));
            found.extend(counts::conserved(&case));
        }
    }
}
