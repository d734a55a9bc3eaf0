//! The laws of a program, one function each. [`super::Program::new`] says them in words.

use jiff::civil::Date;

use super::{
    super::rule::{BirthYears, ProxyGround, Rule, RuleState, WindowKind},
    Product, ProgramError, RuleLaw,
};
use crate::limits;

pub(super) fn check_products(products: &[Product]) -> Result<(), ProgramError> {
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

pub(super) fn check_holidays(mut holidays: Vec<Date>) -> Result<Vec<Date>, ProgramError> {
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

pub(super) fn check_order(earlier: &[Rule], rule: &Rule) -> Result<(), ProgramError> {
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

pub(super) fn check_rule(rule: &Rule) -> Result<(), RuleLaw> {
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
