//! Judges a history by the log positions that every answer carries: linear time.
//!
//! Three judges, each in its own file, look at the same records:
//! * [`order`]: no position is given twice, terms grow with the index, and the log agrees with real time;
//! * [`answers`]: one request has one answer, nothing acknowledged is lost, nothing appears from nowhere;
//! * [`replay`]: the model, fed in log order, gives every answer that was given.
//!
//! A fourth, [`stock`], compares what sites say of their stock with what their clients sold.
//!
//! A run is judged after every unknown outcome was resolved by sending its request again, and after each
//! citizen was listed once more. Deliberately absent: tolerance. A history that cannot be judged fails.

mod answers;
mod floating;
#[cfg(test)]
mod honest;
mod order;
mod replay;
pub mod stock;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use quorate_proto::ids::RequestId;
use thiserror::Error;

use crate::history::{Call, History, Position, Record, Reply, SlipOutcome};

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// Two different commands claim one place in the log.
    #[error("{first} and {second} were both decided at {position:?}")]
    PositionTwice {
        /// The place.
        position: Position,
        /// One request.
        first: RequestId,
        /// The other.
        second: RequestId,
    },
    /// A later entry carries an earlier term, or one entry carries two.
    #[error("shard {shard}: index {index} has term {term}, but an entry before it has {earlier}")]
    TermOrder {
        /// The Raft group.
        shard: u32,
        /// Of the later entry.
        index: u64,
        /// Of the later entry.
        term: u64,
        /// Of the earlier entry.
        earlier: u64,
    },
    /// A call that began after another had ended was ordered before it.
    #[error("{later:?} began after {earlier:?} had ended, and was ordered before it")]
    RealTime {
        /// Ended first.
        earlier: Position,
        /// Began later.
        later: Position,
    },
    /// One citizen was decided in two shards.
    #[error("citizen {citizen} was decided in shards {first} and {second}")]
    TwoShards {
        /// Index into the population.
        citizen: u64,
        /// One shard.
        first: u32,
        /// The other.
        second: u32,
    },
    /// One request got two different answers.
    #[error("request {request} got different answers: {difference}")]
    AnswersDiffer {
        /// The request.
        request: RequestId,
        /// Which part differs.
        difference: String,
    },
    /// One request was decided twice.
    #[error("request {request} was decided anew at {first:?} and at {second:?}")]
    DecidedTwice {
        /// The request.
        request: RequestId,
        /// One entry.
        first: Position,
        /// The other.
        second: Position,
    },
    /// A granted sale is missing from a later reply.
    #[error("citizen {citizen}: sale {request} was acknowledged and is missing at {at:?}")]
    SaleLost {
        /// Index into the population.
        citizen: u64,
        /// The sale.
        request: RequestId,
        /// The reply that lacks it.
        at: Position,
    },
    /// A reply shows a sale that nobody was granted, or shows it with other content.
    #[error("citizen {citizen}: sale {request} at {at:?} {problem}")]
    GhostSale {
        /// Index into the population.
        citizen: u64,
        /// The sale.
        request: RequestId,
        /// The reply that shows it.
        at: Position,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The model, in log order, answers otherwise.
    #[error("citizen {citizen} at {at:?}: answered {answered}, should be {expected}")]
    WrongAnswer {
        /// Index into the population.
        citizen: u64,
        /// The reply.
        at: Position,
        /// What was answered.
        answered: String,
        /// What the model says.
        expected: String,
    },
    /// More was granted in one window than the rule allows.
    #[error("citizen {citizen} holds {units} units in one window, the rule allows {limit}")]
    OverQuota {
        /// Index into the population.
        citizen: u64,
        /// Granted and not given back.
        units: u32,
        /// What the rule allows.
        limit: u32,
    },
    /// A site's stock is not what its sales make of it.
    #[error(
        "site {site} shows received, adjusted, sold, voided, on hand {shown}, should be {expected}"
    )]
    Shelf {
        /// Index of the site.
        site: usize,
        /// What it shows.
        shown: String,
        /// What the clients' records say.
        expected: String,
    },
    /// A site's list of sales is not what was sold there.
    #[error("site {site}: sale {request} {problem}")]
    Listed {
        /// Index of the site.
        site: usize,
        /// The sale.
        request: RequestId,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An unknown outcome that was never resolved.
    #[error("request {request} of citizen {citizen} was never resolved")]
    Unresolved {
        /// Index into the population.
        citizen: u64,
        /// The request.
        request: RequestId,
    },
    /// A citizen with grants was not listed after the last of them.
    #[error("citizen {citizen} was not listed after the last grant")]
    NotAudited {
        /// Index into the population.
        citizen: u64,
    },
}

/// What was judged, and how it came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls.
    pub calls: usize,
    /// Sales granted, each counted once.
    pub grants: usize,
    /// Units of those sales.
    pub units_granted: u64,
    /// Sales denied, each counted once.
    pub denials: usize,
    /// Slips recorded, each counted once.
    pub slips: usize,
    /// Units on them.
    pub units_on_slips: u64,
    /// Slips that are known to exceed the ration.
    pub slips_over_quota: usize,
    /// Calls whose outcome was unknown when they ended.
    pub unknown: usize,
    /// Calls that were known to have done nothing.
    pub not_done: usize,
    /// What was broken, at most [`VIOLATIONS_MAX`].
    pub violations: Vec<Violation>,
}

/// More than this are not listed: the first few tell.
pub const VIOLATIONS_MAX: usize = 100;

/// Judges a finished run.
#[must_use]
pub fn check(history: &History) -> Report {
    let mut report = count(history);
    let mut found = order::check(&history.records);
    let citizens = by_citizen(&history.records);
    for (&citizen, records) in &citizens {
        found.extend(answers::check(citizen, history.rule, records));
        found.extend(replay::check(citizen, history.rule, records));
    }
    found.truncate(VIOLATIONS_MAX);
    report.violations = found;
    report
}

fn by_citizen(records: &[Record]) -> BTreeMap<u64, Vec<&Record>> {
    let mut citizens: BTreeMap<u64, Vec<&Record>> = BTreeMap::new();
    for record in records {
        citizens.entry(record.citizen).or_default().push(record);
    }
    citizens
}

fn count(history: &History) -> Report {
    let mut report = Report {
        calls: history.records.len(),
        ..Report::default()
    };
    let mut decided = BTreeMap::new();
    let mut slips: BTreeMap<RequestId, (u32, bool)> = BTreeMap::new();
    for record in &history.records {
        match (&record.call, &record.reply) {
            (Call::Sell { request, quantity }, Reply::Verdict(verdict)) => {
                decided.insert(*request, (verdict.granted, *quantity));
            }
            (Call::Slip { request, quantity }, Reply::HandedIn(reply))
                if reply.outcome != SlipOutcome::Rejected =>
            {
                let known = slips.entry(*request).or_insert((*quantity, false));
                known.1 |= reply.outcome == SlipOutcome::OverQuota;
            }
            (_, Reply::Unknown { .. }) => report.unknown += 1,
            (_, Reply::NotDone { .. }) => report.not_done += 1,
            _ => {}
        }
    }
    for (quantity, over) in slips.into_values() {
        report.slips += 1;
        report.units_on_slips += u64::from(quantity);
        report.slips_over_quota += usize::from(over);
    }
    for (granted, quantity) in decided.into_values() {
        if granted {
            report.grants += 1;
            report.units_granted += u64::from(quantity);
        } else {
            report.denials += 1;
        }
    }
    report
}

impl Report {
    /// # Panics
    /// Something was broken; the message lists it.
    pub fn assert_clean(&self) {
        assert!(self.violations.is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} calls: {} sales granted ({} units), {} denied, {} slips ({} over quota), {} unknown when they ended, {} not done, {} violations",
            self.calls,
            self.grants,
            self.units_granted,
            self.denials,
            self.slips,
            self.slips_over_quota,
            self.unknown,
            self.not_done,
            self.violations.len()
        )?;
        for violation in &self.violations {
            write!(f, "\n  {violation}")?;
        }
        Ok(())
    }
}
