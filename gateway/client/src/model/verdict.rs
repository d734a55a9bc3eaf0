//! What a terminal is told.

use std::fmt;

use jiff::Timestamp;
use quorate_proto::ids::{RequestId, SiteType};
use serde::{Serialize, Serializer};

use super::SaleKind;

/// Why a sale was denied. Closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DenialReason {
    /// The window's limit would be exceeded.
    OverLimit,
    /// The rotation gives this person another day.
    NotYourDay,
    /// One visit a window, and there was one.
    AlreadyVisited,
    /// No rule is in force.
    ProgramClosed,
    /// This kind of site takes no part.
    SiteTypeNotAllowed,
    /// This person may not be bought for.
    ProxyNotAllowed,
    /// Above the largest single sale.
    QuantityTooLarge,
    /// The site is suspended.
    SiteSuspended,
}

impl DenialReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::OverLimit,
        Self::NotYourDay,
        Self::AlreadyVisited,
        Self::ProgramClosed,
        Self::SiteTypeNotAllowed,
        Self::ProxyNotAllowed,
        Self::QuantityTooLarge,
        Self::SiteSuspended,
    ];

    /// As in `quorate.v1.DenialReason`, without the prefix.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OverLimit => "OVER_LIMIT",
            Self::NotYourDay => "NOT_YOUR_DAY",
            Self::AlreadyVisited => "ALREADY_VISITED",
            Self::ProgramClosed => "PROGRAM_CLOSED",
            Self::SiteTypeNotAllowed => "SITE_TYPE_NOT_ALLOWED",
            Self::ProxyNotAllowed => "PROXY_NOT_ALLOWED",
            Self::QuantityTooLarge => "QUANTITY_TOO_LARGE",
            Self::SiteSuspended => "SITE_SUSPENDED",
        }
    }

    /// The reason of that name, with or without the prefix of the contract.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.strip_prefix("DENIAL_REASON_").unwrap_or(name);
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl fmt::Display for DenialReason {
    /// For a clerk to read out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OverLimit => "more than this person may still take",
            Self::NotYourDay => "not this person's day",
            Self::AlreadyVisited => "this person has already bought in this window",
            Self::ProgramClosed => "the program is not open",
            Self::SiteTypeNotAllowed => "this kind of site may not sell",
            Self::ProxyNotAllowed => "nobody may buy for this person",
            Self::QuantityTooLarge => "more than may be sold at once",
            Self::SiteSuspended => "this site is suspended",
        })
    }
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(
    rename_all = "SCREAMING_SNAKE_CASE",
    tag = "decision",
    content = "reason"
)]
pub enum Decision {
    /// The person may take it; after a record: has taken it.
    Granted,
    /// The person may not.
    Denied(DenialReason),
}

/// The span of time that a limit counts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Inclusive.
    pub start: Timestamp,
    /// Exclusive.
    pub end: Timestamp,
}

/// Where in the replicated log an answer was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    /// The shard.
    pub shard: u32,
    /// Its Raft term.
    pub term: u64,
    /// Index of the entry.
    pub log_index: u64,
    /// Order inside the entry.
    pub ordinal: u32,
}

/// Something a clerk should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Warning {
    /// The check digit of the ID does not match. Numbers issued since October 2020 carry none.
    IdChecksumMismatch,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdChecksumMismatch => {
                f.write_str("the ID's check digit does not match: read the card again")
            }
        }
    }
}

/// One sale as a clerk may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Purchase {
    /// The request that recorded it.
    #[serde(serialize_with = "as_text")]
    pub request_id: RequestId,
    /// Units.
    pub quantity: u32,
    /// When.
    pub sold_at: Timestamp,
    /// At what kind of site.
    #[serde(serialize_with = "as_text")]
    pub site_type: SiteType,
    /// In which province or metropolitan city; empty if not known.
    pub region: String,
    /// When it was undone, if it was.
    pub voided_at: Option<Timestamp>,
    /// Whether this very site recorded it.
    pub own_site: bool,
    /// How it came in.
    pub kind: SaleKind,
    /// What was sold.
    pub product: String,
    /// The rule version in force when it was sold; empty if none was.
    pub rule_version: String,
    /// Paper sales only: units above what the rule left at the time of the sale.
    pub over_by: u32,
    /// Paper sales only: what else the rule had against it.
    pub irregularity: Option<DenialReason>,
    /// The ground on which somebody else bought; empty if nobody did.
    pub proxy_ground: String,
    /// Of an administrator's correction that undid it; empty if none did.
    pub void_case_number: String,
}

/// The answer to "may this person take N more".
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Yes or no, and why not.
    #[serde(flatten)]
    pub decision: Decision,
    /// Units left in this window.
    pub remaining: u32,
    /// Units allowed in this window.
    pub limit: u32,
    /// The first instant at which a sale can be granted again, where it is not now.
    pub next_eligible: Option<Timestamp>,
    /// `None` where no rule is in force.
    pub window: Option<Window>,
    /// The rule version that decided.
    pub rule_version: String,
    /// The shard's time of the decision.
    pub decided_at: Timestamp,
    /// What was bought in this window, newest first.
    pub purchases: Vec<Purchase>,
    /// Where it was decided.
    pub position: Position,
    /// What to look at.
    pub warnings: Vec<Warning>,
}

/// The answer to a sale that was to be recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// The request.
    #[serde(serialize_with = "as_text")]
    pub request_id: RequestId,
    /// Whether this answer repeats an earlier one.
    pub repeated_answer: bool,
    /// The decision; a grant is durable.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Why a sale was not undone. Closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VoidRefusal {
    /// No such sale inside the retention time.
    SaleNotFound,
    /// Another site made the sale.
    OtherSite,
    /// The day of the sale is over.
    TooLate,
    /// It is undone already.
    AlreadyVoided,
}

impl fmt::Display for VoidRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SaleNotFound => "there is no such sale",
            Self::OtherSite => "another site made the sale",
            Self::TooLate => "a sale can be undone on its own day only",
            Self::AlreadyVoided => "the sale is undone already",
        })
    }
}

/// Whether a sale was undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(
    rename_all = "SCREAMING_SNAKE_CASE",
    tag = "outcome",
    content = "refusal"
)]
pub enum VoidOutcome {
    /// It was.
    Voided,
    /// It was not.
    Refused(VoidRefusal),
}

/// The answer to a void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Voided {
    /// The request.
    #[serde(serialize_with = "as_text")]
    pub request_id: RequestId,
    /// Whether this answer repeats an earlier one.
    pub repeated_answer: bool,
    /// Done or not.
    #[serde(flatten)]
    pub outcome: VoidOutcome,
    /// Units given back.
    pub quantity: u32,
    /// Units left in this window.
    pub remaining: u32,
    /// The shard's time of the decision.
    pub decided_at: Timestamp,
    /// Where it was decided.
    pub position: Position,
}

/// What a person bought inside the retention time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sales {
    /// Newest first.
    pub purchases: Vec<Purchase>,
    /// Where it was read.
    pub position: Position,
    /// What to look at.
    pub warnings: Vec<Warning>,
}

pub(super) fn as_text<T: fmt::Display, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_found_by_either_name() {
        for reason in DenialReason::ALL {
            assert_eq!(DenialReason::from_name(reason.name()), Some(reason));
            let long = format!("DENIAL_REASON_{}", reason.name());
            assert_eq!(DenialReason::from_name(&long), Some(reason));
        }
        assert_eq!(DenialReason::from_name("UNSPECIFIED"), None);
    }
}
