//! What the answers were, counted; how long they took, measured.
//!
//! Law: a sale is counted once, by the first definite answer to its request id, however often that id was
//! sent. So the counts can be compared with what the cluster counts, to the unit.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use quorate_client::model::{Decision, DenialReason, Verdict};
use serde::Serialize;

/// Longest latency that is told apart from longer ones.
const LATENCY_MAX: Duration = Duration::from_secs(120);

/// Latencies are kept to three decimal digits.
const LATENCY_DIGITS: u8 = 3;

/// Answers of one kind of call.
pub(crate) struct Answers {
    pub(crate) granted: u64,
    /// Units granted.
    pub(crate) units: u64,
    pub(crate) denied: BTreeMap<DenialReason, u64>,
    /// Microseconds, of answers inside the measured time.
    latency: Histogram<u64>,
}

impl Answers {
    fn new() -> Self {
        Self {
            granted: 0,
            units: 0,
            denied: BTreeMap::new(),
            latency: Histogram::new_with_max(micros(LATENCY_MAX), LATENCY_DIGITS)
                .expect("the bounds are constants"),
        }
    }

    fn count(&mut self, verdict: &Verdict, quantity: u32) {
        match verdict.decision {
            Decision::Granted => {
                self.granted += 1;
                self.units += u64::from(quantity);
            }
            Decision::Denied(reason) => *self.denied.entry(reason).or_default() += 1,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.granted += other.granted;
        self.units += other.units;
        for (reason, count) in &other.denied {
            *self.denied.entry(*reason).or_default() += count;
        }
        self.latency
            .add(&other.latency)
            .expect("all histograms have the same bounds");
    }

    /// Answers inside the measured time.
    pub(crate) fn measured(&self) -> u64 {
        self.latency.len()
    }

    pub(crate) fn latency(&self) -> Latency {
        let at = |quantile| self.latency.value_at_quantile(quantile);
        Latency {
            mean: self.latency.mean().round() as u64,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: self.latency.max(),
        }
    }
}

/// Microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) mean: u64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    #[serde(rename = "p99.9")]
    pub(crate) p99_9: u64,
    pub(crate) max: u64,
}

/// Everything that one worker saw; workers' tallies are merged at the end.
pub(crate) struct Tally {
    pub(crate) sales: Answers,
    pub(crate) checks: Answers,
    /// Requests that were sent again on purpose.
    pub(crate) resent: u64,
    /// Of those, answers that were not the first answer repeated.
    pub(crate) resent_unequal: u64,
    /// Calls without an answer, by cause; nothing was done.
    pub(crate) not_answered: BTreeMap<String, u64>,
    /// Sales whose outcome was unknown when they were sent first.
    pub(crate) unknown: u64,
    /// Of those, sales whose outcome was learnt by sending them again.
    pub(crate) resolved: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            sales: Answers::new(),
            checks: Answers::new(),
            resent: 0,
            resent_unequal: 0,
            not_answered: BTreeMap::new(),
            unknown: 0,
            resolved: 0,
        }
    }

    /// `latency` is `None` outside the measured time.
    pub(crate) fn checked(&mut self, verdict: &Verdict, quantity: u32, latency: Option<Duration>) {
        self.checks.count(verdict, quantity);
        measure(&mut self.checks.latency, latency);
    }

    /// The first definite answer to a sale. `latency` is `None` outside the measured time.
    pub(crate) fn sold(&mut self, verdict: &Verdict, quantity: u32, latency: Option<Duration>) {
        self.sales.count(verdict, quantity);
        measure(&mut self.sales.latency, latency);
    }

    pub(crate) fn failed(&mut self, cause: &str) {
        *self.not_answered.entry(cause.to_owned()).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.sales.merge(&other.sales);
        self.checks.merge(&other.checks);
        self.resent += other.resent;
        self.resent_unequal += other.resent_unequal;
        for (cause, count) in &other.not_answered {
            *self.not_answered.entry(cause.clone()).or_default() += count;
        }
        self.unknown += other.unknown;
        self.resolved += other.resolved;
    }

    /// Definite answers.
    pub(crate) fn answered(&self) -> u64 {
        let of = |answers: &Answers| answers.granted + answers.denied.values().sum::<u64>();
        of(&self.sales) + of(&self.checks)
    }
}

fn measure(latencies: &mut Histogram<u64>, latency: Option<Duration>) {
    if let Some(latency) = latency {
        latencies.saturating_record(micros(latency));
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use quorate_client::model::Position;

    use super::*;

    fn verdict(decision: Decision) -> Verdict {
        Verdict {
            decision,
            remaining: 0,
            limit: 2,
            next_eligible: None,
            window: None,
            rule_version: String::new(),
            decided_at: Timestamp::UNIX_EPOCH,
            purchases: Vec::new(),
            position: Position {
                shard: 1,
                term: 1,
                log_index: 1,
                ordinal: 0,
            },
            warnings: Vec::new(),
        }
    }

    #[test]
    fn tallies_of_workers_add_up() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let mut one = Tally::new();
        one.sold(&verdict(Decision::Granted), 2, ms(10));
        one.sold(
            &verdict(Decision::Denied(DenialReason::OverLimit)),
            1,
            ms(20),
        );
        one.failed("OVERLOADED");
        let mut two = Tally::new();
        two.sold(&verdict(Decision::Denied(DenialReason::OverLimit)), 1, None);
        two.checked(&verdict(Decision::Granted), 1, ms(1));
        two.failed("OVERLOADED");
        one.merge(&two);
        assert_eq!((one.sales.granted, one.sales.units), (1, 2));
        assert_eq!(one.sales.denied[&DenialReason::OverLimit], 2);
        assert_eq!(one.not_answered["OVERLOADED"], 2);
        assert_eq!(one.answered(), 4);
        // What lay outside the measured time is counted and not measured.
        assert_eq!(one.sales.measured(), 2);
    }

    #[test]
    fn percentiles_are_those_of_the_latencies() {
        let mut tally = Tally::new();
        for ms in 1..=1000 {
            let latency = Some(Duration::from_millis(ms));
            tally.sold(&verdict(Decision::Granted), 1, latency);
        }
        let latency = tally.sales.latency();
        let near = |found: u64, ms: u64| found.abs_diff(ms * 1000) <= ms;
        assert!(near(latency.p50, 500), "{latency:?}");
        assert!(near(latency.p99, 990), "{latency:?}");
        assert!(near(latency.p99_9, 999), "{latency:?}");
        assert!(near(latency.max, 1000), "{latency:?}");
    }

    #[test]
    fn what_takes_forever_is_counted_as_the_longest() {
        let mut tally = Tally::new();
        let forever = Some(Duration::from_secs(10_000));
        tally.sold(&verdict(Decision::Granted), 1, forever);
        assert!(tally.sales.latency().max >= micros(LATENCY_MAX));
    }
}
