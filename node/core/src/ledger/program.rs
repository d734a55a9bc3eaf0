//! A ration program: what is rationed, and dated rule versions in a time zone.
//!
//! Invariant: a [`Program`] keeps the laws that [`Program::new`] names, so nothing behind it checks them again.

mod error;
mod laws;

use jiff::{
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};
use quorate_proto::ids::{ProductId, ProgramId, RuleId};

pub use self::error::{ProgramError, RuleLaw};

use self::laws::{check_holidays, check_order, check_products, check_rule};
use super::rule::{Rule, RuleState};
use crate::limits;

/// A program whose laws have been checked. See [`Program::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    id: ProgramId,
    zone_name: String,
    zone: TimeZone,
    products: Vec<Product>,
    holidays: Vec<Date>,
    rules: Vec<Rule>,
    version: u64,
}

/// A program that nobody has checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramDraft {
    /// Names the program.
    pub id: ProgramId,
    /// IANA name.
    pub time_zone: String,
    /// What is rationed; the first is meant where none is named. Empty: one product named as the program.
    pub products: Vec<Product>,
    /// Local dates.
    pub holidays: Vec<Date>,
    /// By effective instant.
    pub rules: Vec<Rule>,
    /// Grows by one with every change.
    pub version: u64,
}

/// Something that is rationed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Names it.
    pub id: ProductId,
    /// For people.
    pub name: String,
}

impl Program {
    /// Checks a program's laws. The time zone is known to the database that is part of this program, never
    /// the machine's. Rules ascend by effective instant, and no two active ones share theirs; ids are
    /// distinct; a rule that is not closed has a limit and a largest sale of 1 or more; a window spans at
    /// most 31 days. A largest sale above the limit is lawful: what is between them is denied, not refused.
    ///
    /// # Errors
    /// Names the broken law and the rule that breaks it.
    pub fn new(draft: ProgramDraft) -> Result<Self, ProgramError> {
        if draft.time_zone.len() > limits::TIME_ZONE_BYTES_MAX {
            return Err(ProgramError::TimeZone);
        }
        let zone = TimeZoneDatabase::bundled()
            .get(&draft.time_zone)
            .map_err(|_| ProgramError::TimeZone)?;
        let zone_name = zone.iana_name().ok_or(ProgramError::TimeZone)?.to_owned();
        check_products(&draft.products)?;
        let holidays = check_holidays(draft.holidays)?;
        if draft.rules.is_empty() || draft.rules.len() > limits::RULES_MAX {
            return Err(ProgramError::RuleCount);
        }
        for (index, rule) in draft.rules.iter().enumerate() {
            check_order(&draft.rules[..index], rule)?;
            check_rule(rule).map_err(|law| ProgramError::Rule { rule: rule.id, law })?;
        }
        Ok(Self {
            id: draft.id,
            zone_name,
            zone,
            products: draft.products,
            holidays,
            rules: draft.rules,
            version: draft.version,
        })
    }

    /// The parts again, for a change.
    #[must_use]
    pub fn to_draft(&self) -> ProgramDraft {
        ProgramDraft {
            id: self.id,
            time_zone: self.zone_name.clone(),
            products: self.products.clone(),
            holidays: self.holidays.clone(),
            rules: self.rules.clone(),
            version: self.version,
        }
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

    /// The time zone itself.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Grows by one with every change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// As listed; empty: one product named as the program.
    #[must_use]
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// The product that is meant where none is named.
    #[must_use]
    pub fn first_product(&self) -> ProductId {
        let first = self.products.first();
        first.map_or_else(|| self.id.into(), |product| product.id)
    }

    /// Whether this product is rationed by the program.
    #[must_use]
    pub fn has_product(&self, id: ProductId) -> bool {
        id == self.first_product() || self.products.iter().any(|product| product.id == id)
    }

    /// Local dates, ascending.
    #[must_use]
    pub fn holidays(&self) -> &[Date] {
        &self.holidays
    }

    /// Whether the local date is listed.
    #[must_use]
    pub fn is_holiday(&self, date: Date) -> bool {
        self.holidays.binary_search(&date).is_ok()
    }

    /// By effective instant.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule in force: the last active one that is not after this instant, Unix milliseconds.
    #[must_use]
    pub fn rule_at(&self, at_ms: i64) -> Option<&Rule> {
        let after = self
            .rules
            .partition_point(|rule| rule.effective_from_ms <= at_ms);
        let begun = self.rules[..after].iter().rev();
        begun
            .into_iter()
            .find(|rule| rule.state == RuleState::Active)
    }

    /// Instant at which another rule comes into force, after this one; Unix milliseconds.
    #[must_use]
    pub fn next_change_ms(&self, after_ms: i64) -> Option<i64> {
        let from = self
            .rules
            .partition_point(|rule| rule.effective_from_ms <= after_ms);
        let mut later = self.rules[from..].iter();
        let next = later.find(|rule| rule.state == RuleState::Active)?;
        Some(next.effective_from_ms)
    }

    /// Rules that are counted and not enforced, and that have begun at this instant, Unix milliseconds.
    pub fn shadows_at(&self, at_ms: i64) -> impl Iterator<Item = &Rule> {
        self.rules
            .iter()
            .filter(move |rule| rule.state == RuleState::Shadow && rule.effective_from_ms <= at_ms)
    }

    /// The rule version of that name.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// Whether `newer` may take this one's place. Answers are repeated by the rule version that gave them,
    /// in the time zone of that time, and stock is kept by product: so the time zone stays, a product once
    /// known stays and the first stays first, and a rule version once known stays, keeps its window and
    /// stays open or closed. Its limits, its instant and its state may change.
    ///
    /// # Errors
    /// Names the broken law.
    pub fn check_successor(&self, newer: &Self) -> Result<(), ProgramError> {
        if newer.zone_name != self.zone_name {
            return Err(ProgramError::TimeZoneChanged);
        }
        if newer.first_product() != self.first_product() {
            return Err(ProgramError::FirstProductChanged);
        }
        for product in &self.products {
            if !newer.has_product(product.id) {
                let product = product.id;
                return Err(ProgramError::ProductRemoved { product });
            }
        }
        for rule in &self.rules {
            match newer.rule(rule.id) {
                None => return Err(ProgramError::Removed { rule: rule.id }),
                Some(same) if same.window != rule.window || same.closed != rule.closed => {
                    return Err(ProgramError::WindowChanged { rule: rule.id });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
