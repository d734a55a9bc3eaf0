//! What a judgement says: what was counted, what was broken, by which lines, and why.

use std::fmt;

use serde::Serialize;

use crate::limits;

/// A law that a history can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// One place in the log decides one command.
    PositionOnce,
    /// Terms never decrease along the log, and an entry has one.
    TermOrder,
    /// A call that began after another had ended is not ordered before it.
    RealTime,
    /// One citizen is decided in one shard.
    OneShard,
    /// A reply fits its call, and ends after it began.
    FittingReply,
    /// One request has one content and one answer, however often it is sent.
    OneAnswer,
    /// One request is decided once.
    DecidedOnce,
    /// What was acknowledged is in every later list.
    NothingLost,
    /// What is shown was asked for, was not denied, and is shown as it was asked for.
    NothingFromNowhere,
    /// A verdict names the window of the rule in force.
    Window,
    /// The model, fed in log order, gives every answer.
    LogOrder,
    /// No window holds more online sales than its rule allows.
    OverQuota,
    /// Some order that respects real time gives every answer.
    Linearizable,
    /// Every unknown outcome was resolved.
    Resolved,
    /// Every citizen with sales was listed after the last of them.
    Audited,
    /// The search for an order came to an end.
    Conclusive,
    /// A site's stock is what its sales make of it.
    Shelf,
    /// A site's list holds each of its sales once.
    ShelfList,
    /// Ledgers, receipts and the cluster's counts agree to the unit.
    Conservation,
    /// Replicas with one applied index have one state.
    Replicas,
}

impl Law {
    /// Every law.
    pub const ALL: [Self; 20] = [
        Self::PositionOnce,
        Self::TermOrder,
        Self::RealTime,
        Self::OneShard,
        Self::FittingReply,
        Self::OneAnswer,
        Self::DecidedOnce,
        Self::NothingLost,
        Self::NothingFromNowhere,
        Self::Window,
        Self::LogOrder,
        Self::OverQuota,
        Self::Linearizable,
        Self::Resolved,
        Self::Audited,
        Self::Conclusive,
        Self::Shelf,
        Self::ShelfList,
        Self::Conservation,
        Self::Replicas,
    ];

    /// As in the documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PositionOnce => "position-once",
            Self::TermOrder => "term-order",
            Self::RealTime => "real-time",
            Self::OneShard => "one-shard",
            Self::FittingReply => "fitting-reply",
            Self::OneAnswer => "one-answer",
            Self::DecidedOnce => "decided-once",
            Self::NothingLost => "nothing-lost",
            Self::NothingFromNowhere => "nothing-from-nowhere",
            Self::Window => "window",
            Self::LogOrder => "log-order",
            Self::OverQuota => "over-quota",
            Self::Linearizable => "linearizable",
            Self::Resolved => "resolved",
            Self::Audited => "audited",
            Self::Conclusive => "conclusive",
            Self::Shelf => "shelf",
            Self::ShelfList => "shelf-list",
            Self::Conservation => "conservation",
            Self::Replicas => "replicas",
        }
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Violation {
    /// Which promise.
    pub law: Law,
    /// Of the file, counted from 1: the calls that show it.
    pub lines: Vec<usize>,
    /// Index into the population, where it is about one citizen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub citizen: Option<u64>,
    /// In words.
    pub why: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.law.name())?;
        if let Some(citizen) = self.citizen {
            write!(f, "citizen {citizen}: ")?;
        }
        f.write_str(&self.why)?;
        for (number, line) in self.lines.iter().enumerate() {
            let before = if number == 0 { " [line " } else { ", " };
            write!(f, "{before}{line}")?;
        }
        if self.lines.is_empty() {
            return Ok(());
        }
        f.write_str("]")
    }
}

/// What was judged, and how it came out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Calls: every attempt of every request.
    pub calls: usize,
    /// What a model is fed: reads that were answered, and requests, each with all its attempts, that were told or
    /// may have been done. A sale and a slip of one id are two.
    pub operations: usize,
    /// Citizens they were about.
    pub citizens: usize,
    /// Shards that decided them.
    pub shards: usize,
    /// Sales granted, each counted once.
    pub grants: u64,
    /// Units of those sales.
    pub units_granted: u64,
    /// Sales denied, each counted once.
    pub denials: u64,
    /// Sales and slips undone.
    pub voids: u64,
    /// Units of them.
    pub units_voided: u64,
    /// Slips recorded, each counted once.
    pub slips: u64,
    /// Units on them.
    pub units_on_slips: u64,
    /// Slips that are known to exceed the ration.
    pub slips_over_quota: u64,
    /// Calls whose outcome was unknown when they ended.
    pub unknown: u64,
    /// Calls that were known to have done nothing.
    pub not_done: u64,
    /// How many promises were broken.
    pub violations_total: usize,
    /// The first of them by line, at most [`limits::VIOLATIONS_MAX`].
    pub violations: Vec<Violation>,
}

impl Report {
    /// Whether every law was kept.
    #[must_use]
    pub fn is_lawful(&self) -> bool {
        self.violations_total == 0
    }

    /// # Panics
    /// Something was broken; the message lists it.
    pub fn assert_clean(&self) {
        assert!(self.is_lawful(), "{self}");
    }

    /// Whether this law was broken.
    #[must_use]
    pub fn breaks(&self, law: Law) -> bool {
        self.violations.iter().any(|found| found.law == law)
    }

    /// Takes what the judges found. Each law keeps its first, so that none hides behind another's many.
    pub(crate) fn found(&mut self, mut violations: Vec<Violation>) {
        violations.sort_by(|one, other| (&one.lines, one.law).cmp(&(&other.lines, other.law)));
        self.violations_total = violations.len();
        let mut seen = std::collections::BTreeSet::new();
        let (mut first, others): (Vec<_>, Vec<_>) = violations
            .into_iter()
            .partition(|violation| seen.insert(violation.law));
        let room = limits::VIOLATIONS_MAX.saturating_sub(first.len());
        first.extend(others.into_iter().take(room));
        self.violations = first;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} calls ({} operations) for {} citizens in {} shards: {} sales granted ({} units), {} denied, {} undone, {} slips ({} over quota), {} unknown when they ended, {} not done, {} violations",
            self.calls,
            self.operations,
            self.citizens,
            self.shards,
            self.grants,
            self.units_granted,
            self.denials,
            self.voids,
            self.slips,
            self.slips_over_quota,
            self.unknown,
            self.not_done,
            self.violations_total,
        )?;
        for violation in &self.violations {
            write!(f, "\n  {violation}")?;
        }
        let hidden = self.violations_total - self.violations.len();
        if hidden > 0 {
            write!(f, "\n  and {hidden} more")?;
        }
        Ok(())
    }
}
