//! A ration program: what is rationed, and dated rule versions in a time zone.
//!
//! Invariant: a [`Program`] keeps the laws that [`Program::new`] names, so nothing behind it checks them again.

use jiff::{
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};
use quorate_proto::ids::{GroundId, ProductId, ProgramId, RuleId};
use thiserror::Error;

use super::rule::{BirthYears, ProxyGround, Rule, RuleState, WindowKind};
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

fn check_products(products: &[Product]) -> Result<(), ProgramError> {
    if products.len() > limits::PRODUCTS_MAX {
        return Err(ProgramError::ProductCount);
    }
    for (index, product) in products.iter().enumerate() {
        let twice = products[..index].iter().any(|other| other.id == product.id);
        if twice || !is_label(&product.name) {
            let product = product.id;
            return Err(match twice {
                true => ProgramError::ProductTwice { product },
                false => ProgramError::ProductName { product },
            });
        }
    }
    Ok(())
}

fn check_holidays(mut holidays: Vec<Date>) -> Result<Vec<Date>, ProgramError> {
    holidays.sort_unstable();
    if holidays.len() > limits::HOLIDAYS_MAX {
        return Err(ProgramError::HolidayCount);
    }
    let wrong = holidays.windows(2).find(|pair| pair[0] == pair[1]);
    let outside = holidays.iter().find(|date| !in_calendar(**date));
    match wrong.map(|pair| pair[0]).or(outside.copied()) {
        Some(date) => Err(ProgramError::Holiday { date }),
        None => Ok(holidays),
    }
}

fn check_order(earlier: &[Rule], rule: &Rule) -> Result<(), ProgramError> {
    if earlier.iter().any(|other| other.id == rule.id) {
        return Err(ProgramError::Twice { rule: rule.id });
    }
    let follows = |other: &Rule| {
        let both_active = other.state == RuleState::Active && rule.state == RuleState::Active;
        other.effective_from_ms < rule.effective_from_ms
            || (other.effective_from_ms == rule.effective_from_ms && !both_active)
    };
    if !(0..=limits::TIME_MS_MAX).contains(&rule.effective_from_ms) || !earlier.iter().all(follows)
    {
        return Err(ProgramError::Order { rule: rule.id });
    }
    Ok(())
}

fn check_rule(rule: &Rule) -> Result<(), RuleLaw> {
    let limit_lawful = |limit: u32| (1..=limits::RULE_LIMIT_MAX).contains(&limit);
    let in_force = !rule.closed;
    if in_force && !limit_lawful(rule.limit) {
        return Err(RuleLaw::Limit);
    }
    if in_force && rule.sale_quantity_max == 0 {
        return Err(RuleLaw::SaleQuantity);
    }
    match rule.window {
        WindowKind::CalendarWeek => {}
        WindowKind::RollingDays(days) => {
            if !(1..=limits::WINDOW_DAYS_MAX).contains(&days) {
                return Err(RuleLaw::Window);
            }
        }
        WindowKind::FixedDates { first, last } => {
            let days = last.duration_since(first).as_hours() / 24 + 1;
            if !in_calendar(first) || !(1..=i64::from(limits::WINDOW_DAYS_MAX)).contains(&days) {
                return Err(RuleLaw::Window);
            }
        }
    }
    if rule.birth_year_limits.len() > limits::BIRTH_YEAR_LIMITS_MAX {
        return Err(RuleLaw::BirthYearLimits);
    }
    for other in &rule.birth_year_limits {
        if !limit_lawful(other.limit) || !is_range(other.born) {
            return Err(RuleLaw::BirthYearLimits);
        }
    }
    let types = &rule.site_types;
    if (1..types.len()).any(|index| types[..index].contains(&types[index])) {
        return Err(RuleLaw::SiteTypes);
    }
    check_proxies(&rule.proxies)
}

fn check_proxies(proxies: &[ProxyGround]) -> Result<(), RuleLaw> {
    if proxies.len() > limits::PROXIES_MAX {
        return Err(RuleLaw::ProxyCount);
    }
    for (index, proxy) in proxies.iter().enumerate() {
        let twice = |other: &ProxyGround| (other.id, other.born) == (proxy.id, proxy.born);
        if proxies[..index].iter().any(twice) || !is_range(proxy.born) || !is_label(&proxy.note) {
            return Err(RuleLaw::Proxy { ground: proxy.id });
        }
    }
    Ok(())
}

fn is_range(born: BirthYears) -> bool {
    match (born.first, born.last) {
        (Some(first), Some(last)) => first <= last,
        _ => true,
    }
}

/// A text of one line for people.
fn is_label(text: &str) -> bool {
    text.len() <= limits::LABEL_BYTES_MAX && !text.chars().any(char::is_control)
}

/// The years for which instants are lawful, but for a margin at both ends.
fn in_calendar(date: Date) -> bool {
    (1971..9000).contains(&date.year())
}

/// The law that a program breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProgramError {
    /// The time zone is unknown.
    #[error("the time zone is not a name of the IANA database")]
    TimeZone,
    /// Too many products.
    #[error("a program has at most {} products", limits::PRODUCTS_MAX)]
    ProductCount,
    /// An id is used twice.
    #[error("product {product} is listed twice")]
    ProductTwice {
        /// The product.
        product: ProductId,
    },
    /// A name that cannot be shown.
    #[error(
        "the name of product {product} is longer than {} bytes or not of one line",
        limits::LABEL_BYTES_MAX
    )]
    ProductName {
        /// The product.
        product: ProductId,
    },
    /// Too many holidays.
    #[error("a program has at most {} holidays", limits::HOLIDAYS_MAX)]
    HolidayCount,
    /// A holiday that is listed twice, or lies outside the calendar.
    #[error("the holiday {date} is listed twice or lies outside the years 1971 to 8999")]
    Holiday {
        /// The date.
        date: Date,
    },
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
    /// A rule breaks a law of its own.
    #[error("rule {rule}: {law}")]
    Rule {
        /// The rule.
        rule: RuleId,
        /// The law.
        law: RuleLaw,
    },
    /// The time zone would change.
    #[error("the time zone of a program cannot change: answers given in it are repeated")]
    TimeZoneChanged,
    /// The first product would be another.
    #[error("the first product of a program cannot change: it is meant where none is named")]
    FirstProductChanged,
    /// A product would vanish.
    #[error("product {product} cannot be removed: sites keep stock of it")]
    ProductRemoved {
        /// The product.
        product: ProductId,
    },
    /// A rule version would vanish.
    #[error(
        "rule {rule} cannot be removed: answers given by it are repeated; list it as withdrawn"
    )]
    Removed {
        /// The rule.
        rule: RuleId,
    },
    /// A rule version's window would change.
    #[error(
        "the window of rule {rule} cannot change, nor whether it is closed: answers given by it are \
         repeated; add a rule version"
    )]
    WindowChanged {
        /// The rule.
        rule: RuleId,
    },
}

/// The law that one rule version breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RuleLaw {
    /// The limit is out of bounds.
    #[error("the limit is not between 1 and {}", limits::RULE_LIMIT_MAX)]
    Limit,
    /// The largest sale is nothing.
    #[error("the largest sale is 0")]
    SaleQuantity,
    /// The window is too long, empty or outside the calendar.
    #[error("the window does not span 1 to {} days", limits::WINDOW_DAYS_MAX)]
    Window,
    /// Limits by birth year are out of bounds.
    #[error(
        "limits by birth year are at most {}, each with years in order and a limit between 1 and {}",
        limits::BIRTH_YEAR_LIMITS_MAX,
        limits::RULE_LIMIT_MAX
    )]
    BirthYearLimits,
    /// A site type is listed twice.
    #[error("a site type is listed twice")]
    SiteTypes,
    /// Too many grounds.
    #[error("at most {} grounds for proxies can be listed", limits::PROXIES_MAX)]
    ProxyCount,
    /// A ground is wrong.
    #[error(
        "the proxy ground {ground} is listed twice for the same years, its years are out of order, or its \
         note is longer than {} bytes or not of one line",
        limits::LABEL_BYTES_MAX
    )]
    Proxy {
        /// The ground.
        ground: GroundId,
    },
}
