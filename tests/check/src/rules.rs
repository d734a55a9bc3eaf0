//! The ration that a run was played under, as far as the checker judges by it: limits and windows.
//!
//! Deliberately absent: rotation, kinds of sites, proxies. Whether such a clause applies cannot be seen in a
//! history; a denial for it is taken as given, and what it says of the balance is judged all the same. A rule
//! may say which of these denials can occur at all.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::history::Reason;

/// Every rule version that was in force during the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// IANA name of the program's time zone; needed by windows that are days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Ascending by their instant.
    pub rules: Vec<Rule>,
}

/// One rule version, in force from its instant until that of the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unix milliseconds. Nothing: since ever.
    #[serde(default = "since_ever", skip_serializing_if = "is_since_ever")]
    pub from_ms: i64,
    /// Units a citizen may take in one window.
    pub limit: u32,
    /// Over which time sales add up.
    pub window: WindowKind,
    /// Other limits by year of birth; the first that fits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub birth_year_limits: Vec<BirthYearLimit>,
    /// One sale in a window, or any number within the limit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub single_visit: bool,
    /// No sales at all.
    #[serde(default, skip_serializing_if = "is_false")]
    pub closed: bool,
    /// Of the reasons that the model lacks, those that may be given; any other is a denial without a cause. `None`:
    /// all may be. Reasons that the model has need not be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_deny: Option<Vec<Reason>>,
}

/// Over which time sales add up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// Whatever windows the answers name; they must hold the instants that they were given at.
    AsAnswered,
    /// Monday 00:00 to Sunday 24:00, local time.
    CalendarWeek,
    /// The local day of the sale and the days before it, this many together.
    RollingDays(u8),
    /// One window, both local dates inclusive; outside it the program is closed.
    FixedDates(Date, Date),
}

/// Another limit for some years of birth, inclusive; nothing: open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BirthYearLimit {
    /// First year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u16>,
    /// Last year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u16>,
    /// Units a person may take in one window.
    pub limit: u32,
}

impl Rules {
    /// One rule for the whole run, with the windows that the answers name.
    #[must_use]
    pub fn limit(limit: u32) -> Self {
        Self {
            time_zone: None,
            rules: vec![Rule::new(limit, WindowKind::AsAnswered)],
        }
    }

    /// One rule for the whole run.
    #[must_use]
    pub fn one(time_zone: &str, rule: Rule) -> Self {
        Self {
            time_zone: Some(time_zone.to_owned()),
            rules: vec![rule],
        }
    }

    /// The rule in force at an instant, Unix milliseconds.
    #[must_use]
    pub fn rule_at(&self, at_ms: i64) -> Option<&Rule> {
        let begun = self.rules.partition_point(|rule| rule.from_ms <= at_ms);
        Some(&self.rules[begun.checked_sub(1)?])
    }
}

impl Default for Rules {
    /// No rule at all: every sale is denied.
    fn default() -> Self {
        Self {
            time_zone: None,
            rules: Vec::new(),
        }
    }
}

impl Rule {
    /// In force since ever, the same for everybody.
    #[must_use]
    pub fn new(limit: u32, window: WindowKind) -> Self {
        Self {
            from_ms: since_ever(),
            limit,
            window,
            birth_year_limits: Vec::new(),
            single_visit: false,
            closed: false,
            may_deny: None,
        }
    }

    /// In force from this instant, Unix milliseconds.
    #[must_use]
    pub fn from_ms(self, from_ms: i64) -> Self {
        Self { from_ms, ..self }
    }

    /// Where, of the reasons that the model lacks, only these may be given.
    #[must_use]
    pub fn may_deny(self, reasons: &[Reason]) -> Self {
        Self {
            may_deny: Some(reasons.to_vec()),
            ..self
        }
    }

    /// Units that it allows somebody born in that year.
    #[must_use]
    pub fn limit_for(&self, born: Option<u16>) -> u32 {
        let other = born.and_then(|year| {
            self.birth_year_limits.iter().find(|other| {
                other.first.is_none_or(|first| first <= year)
                    && other.last.is_none_or(|last| year <= last)
            })
        });
        other.map_or(self.limit, |other| other.limit)
    }
}

const fn since_ever() -> i64 {
    i64::MIN
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
const fn is_since_ever(from_ms: &i64) -> bool {
    *from_ms == i64::MIN
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}
