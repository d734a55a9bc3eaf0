//! Which law a program breaks, in words for whoever wrote it.

use jiff::civil::Date;
use quorate_proto::ids::{GroundId, ProductId, RuleId};
use thiserror::Error;

use crate::limits;

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
