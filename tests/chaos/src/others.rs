//! What shards whose leader was not struck keep of their rate, told from the history of a round.
//!
//! A client that waits for a silent shard asks nobody else, so that the plain rate of all others falls with it and
//! says nothing. What is compared is therefore the rate of the clients that ask other shards: their answers for
//! each second that calls on these shards have taken, a client's usual interval at least.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

use quorate_harness::history::Record;

use crate::kind::Kind;

/// A second with fewer calls says nothing.
const CALLS_MIN: usize = 20;
const SECOND_US: u64 = 1_000_000;

/// A step in which one node alone was struck that led shards.
#[derive(Clone, Debug)]
pub(crate) struct Struck {
    /// Index among the steps of the run.
    pub(crate) step: usize,
    /// The shards that it led.
    pub(crate) led: BTreeSet<u32>,
    /// What is compared with, since the history began.
    pub(crate) calm: Range<Duration>,
    /// From the strike until it began to be healed, since the history began.
    pub(crate) held: Range<Duration>,
}

/// Whether a step takes the leader from some shards and nothing from the others. The power cuts of one step strike
/// several nodes, each in its turn.
pub(crate) fn spares_others(kinds: &[Kind]) -> bool {
    matches!(
        kinds,
        [Kind::KillNode | Kind::PauseNode | Kind::PartitionMinority]
    )
}

/// In percent, in the worst full second that a fault was held; `None`: nobody asked.
pub(crate) fn kept_percent(records: &[Record], interval: Duration, struck: &Struck) -> Option<u64> {
    let shards: BTreeMap<u64, u32> = records
        .iter()
        .filter_map(|record| Some((record.citizen, record.reply.position()?.shard)))
        .collect();
    let others: Vec<&Record> = records
        .iter()
        .filter(|record| {
            let shard = shards.get(&record.citizen);
            shard.is_some_and(|shard| !struck.led.contains(shard))
        })
        .collect();
    let rate = |during: Range<u64>| -> Option<f64> {
        let asked = others
            .iter()
            .filter(|record| during.contains(&record.start_us));
        let (mut calls, mut answers, mut time_us) = (0, 0_u64, 0.0);
        for record in asked {
            calls += 1;
            answers += u64::from(record.reply.position().is_some());
            time_us += micros(interval).max(record.end_us - record.start_us) as f64;
        }
        (calls >= CALLS_MIN).then(|| answers as f64 / time_us)
    };
    let usual = rate(micros(struck.calm.start)..micros(struck.calm.end))?;
    let held = micros(struck.held.start)..micros(struck.held.end);
    let seconds = (held.end.saturating_sub(held.start)) / SECOND_US;
    let by_second = (0..seconds).filter_map(|second| {
        let begin = held.start + second * SECOND_US;
        rate(begin..begin + SECOND_US)
    });
    let worst = by_second.min_by(f64::total_cmp)?;
    Some((100.0 * worst / usual).floor() as u64)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use quorate_harness::history::{Call, ListReply, Position, Reply};

    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);
    /// Of a usual call.
    const USUAL_US: u64 = 20_000;

    fn second(from: u64, to: u64) -> Range<Duration> {
        Duration::from_secs(from)..Duration::from_secs(to)
    }

    /// Shard 1 is struck from 3 s to 6 s. Forty calls a second on shard 2, and as many on shard 1.
    fn played(on_others: impl Fn(u64) -> (u64, bool)) -> Option<u64> {
        let mut records = Vec::new();
        for call in 0..6 * 40 {
            let start_us = call * SECOND_US / 40;
            for shard in 1..=2 {
                let (time_us, is_answered) = match shard {
                    1 if start_us >= 3 * SECOND_US => (5 * SECOND_US, false),
                    1 => (USUAL_US, true),
                    _ => on_others(start_us),
                };
                let position = Position {
                    shard,
                    ..Position::default()
                };
                let reply = match is_answered {
                    true => Reply::Listed(ListReply {
                        purchases: Vec::new(),
                        position,
                    }),
                    false => Reply::Unknown {
                        cause: String::new(),
                    },
                };
                records.push(Record {
                    client: shard,
                    start_us,
                    end_us: start_us + time_us,
                    citizen: shard.into(),
                    call: Call::List,
                    reply,
                });
            }
        }
        let struck = Struck {
            step: 0,
            led: BTreeSet::from([1]),
            calm: second(0, 3),
            held: second(3, 6),
        };
        kept_percent(&records, INTERVAL, &struck)
    }

    #[test]
    fn a_silent_shard_takes_nothing_from_others() {
        assert_eq!(played(|_| (USUAL_US, true)), Some(100));
    }

    #[test]
    fn late_and_lost_answers_of_others_are_told() {
        let in_fifth = |start_us: u64| start_us / SECOND_US == 4;
        let late = |start_us| {
            (
                if in_fifth(start_us) {
                    10 * USUAL_US
                } else {
                    USUAL_US
                },
                true,
            )
        };
        // A hundred milliseconds from call to call have become two hundred.
        assert_eq!(played(late), Some(50));
        let lost = |start_us| (USUAL_US, !(in_fifth(start_us) && start_us % 50_000 == 0));
        assert_eq!(played(lost), Some(50));
    }

    #[test]
    fn a_second_without_calls_says_nothing() {
        let struck = Struck {
            step: 0,
            led: BTreeSet::new(),
            calm: second(0, 3),
            held: second(3, 6),
        };
        assert_eq!(kept_percent(&[], INTERVAL, &struck), None);
    }
}
