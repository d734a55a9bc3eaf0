//! A ration program: dated rule versions in a time zone.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use quorate_proto::ids::{ProgramId, RuleId};
use thiserror::Error;

use crate::limits;

/// A program whose laws have been checked. See [`Program::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    id: ProgramId,
    zone_name: String,
    zone: TimeZone,
    rules: Vec<Rule>,
    version: u64,
}

/// One rule version: in force from its instant until that of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Names the version.
    pub id: RuleId,
    /// Unix milliseconds.
    pub effective_from_ms: i64,
    /// Units a person may take in one window.
    pub limit: u32,
    /// Largest quantity of one sale.
    pub sale_quantity_max: u32,
    /// Over which time sales add up.
    pub window: WindowKind,
}

/// Over which time sales add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Monday 00:00 to Sunday 24:00 in the program's time zone.
    CalendarWeek,
}

impl Program {
    /// Checks a program's laws: a known time zone; rules that ascend by effective instant, with distinct
    /// ids; a limit and a largest sale of 1 or more. A largest sale above the limit is lawful: what is
    /// between them is denied, not refused.
    ///
    /// `version` grows by one with every change of the definition. The time zone database is part of this
    /// program, never the machine's.
    ///
    /// # Errors
    /// Names the broken law.
    pub fn new(
        id: ProgramId,
        time_zone: &str,
        rules: Vec<Rule>,
        version: u64,
    ) -> Result<Self, ProgramError> {
        if time_zone.len() > limits::TIME_ZONE_BYTES_MAX {
            return Err(ProgramError::TimeZone);
        }
        let zone = TimeZoneDatabase::bundled()
            .get(time_zone)
            .map_err(|_| ProgramError::TimeZone)?;
        let zone_name = zone.iana_name().ok_or(ProgramError::TimeZone)?.to_owned();
        if rules.is_empty() || rules.len() > limits::RULES_MAX {
            return Err(ProgramError::RuleCount);
        }
        for (index, rule) in rules.iter().enumerate() {
            let earlier = &rules[..index];
            if !(0..=limits::TIME_MS_MAX).contains(&rule.effective_from_ms)
                || earlier
                    .last()
                    .is_some_and(|last| last.effective_from_ms >= rule.effective_from_ms)
            {
                return Err(ProgramError::Order { rule: rule.id });
            }
            if earlier.iter().any(|other| other.id == rule.id) {
                return Err(ProgramError::Twice { rule: rule.id });
            }
            if !(1..=limits::RULE_LIMIT_MAX).contains(&rule.limit) {
                return Err(ProgramError::Limit { rule: rule.id });
            }
            if rule.sale_quantity_max == 0 {
                return Err(ProgramError::SaleQuantity { rule: rule.id });
            }
        }
        Ok(Self {
            id,
            zone_name,
            zone,
            rules,
            version,
        })
    }

    /// Names the program.
    #[must_use]
    pub fn id(&self) -> ProgramId {
        self.id
    }

    /// IANA name.
    #[must_use]
    pub fn time_zone(&self) -> &str {
        &self.zone_name
    }

    /// Grows by one with every change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// By effective instant.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule in force: the last one that is not after this instant, Unix milliseconds.
    #[must_use]
    pub fn rule_at(&self, at_ms: i64) -> Option<&Rule> {
        let after = self
            .rules
            .partition_point(|rule| rule.effective_from_ms <= at_ms);
        self.rules.get(after.checked_sub(1)?)
    }

    /// The rule version of that name.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// Whether `newer` may take this one's place. Answers are repeated by the rule version that gave them,
    /// in the time zone of that time: so the time zone stays, and a rule version once known stays and
    /// keeps its window. Its limits and its instant may change.
    ///
    /// # Errors
    /// Names the broken law.
    pub fn check_successor(&self, newer: &Self) -> Result<(), ProgramError> {
        if newer.zone_name != self.zone_name {
            return Err(ProgramError::TimeZoneChanged);
        }
        for rule in &self.rules {
            match newer.rule(rule.id) {
                None => return Err(ProgramError::Removed { rule: rule.id }),
                Some(same) if same.window != rule.window => {
                    return Err(ProgramError::WindowChanged { rule: rule.id });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

/// The law that a program breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProgramError {
    /// The time zone is unknown.
    #[error("the time zone is not a name of the IANA database")]
    TimeZone,
    /// No rule, or too many.
    #[error("a program has 1 to {} rules", limits::RULES_MAX)]
    RuleCount,
    /// Rules do not ascend.
    #[error(
        "rule {rule} does not come into force after the one before it, or lies outside the calendar"
    )]
    Order {
        /// The later rule.
        rule: RuleId,
    },
    /// An id is used twice.
    #[error("rule {rule} is listed twice")]
    Twice {
        /// The rule.
        rule: RuleId,
    },
    /// The limit is out of bounds.
    #[error(
        "the limit of rule {rule} is not between 1 and {}",
        limits::RULE_LIMIT_MAX
    )]
    Limit {
        /// The rule.
        rule: RuleId,
    },
    /// The largest sale is nothing.
    #[error("the largest sale of rule {rule} is 0")]
    SaleQuantity {
        /// The rule.
        rule: RuleId,
    },
    /// The time zone would change.
    #[error("the time zone of a program cannot change: answers given in it are repeated")]
    TimeZoneChanged,
    /// A rule version would vanish.
    #[error("rule {rule} cannot be removed: answers given by it are repeated")]
    Removed {
        /// The rule.
        rule: RuleId,
    },
    /// A rule version's window would change.
    #[error("the window of rule {rule} cannot change: answers given by it are repeated")]
    WindowChanged {
        /// The rule.
        rule: RuleId,
    },
}
