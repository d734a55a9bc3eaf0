//! Programs ↔ their messages.

use jiff::civil::Date;
use quorate_proto::storage as pb;

use super::{
    DecodeError,
    fields::{self, required},
};
use crate::ledger::{
    BirthYearLimit, BirthYears, Digits, Product, Program, ProgramDraft, ProxyGround, Rotation,
    RotationDigit, Rule, RuleState, WindowKind,
};

/// A program as it is stored and travels: always the same message for the same program.
#[must_use]
pub fn program_to_proto(program: &Program) -> pb::ProgramDefinition {
    let products = program.products().iter().map(|product| pb::Product {
        id: product.id.to_string(),
        name: product.name.clone(),
    });
    pb::ProgramDefinition {
        id: program.id().to_string(),
        time_zone: program.time_zone().to_owned(),
        rules: program.rules().iter().map(rule_to_proto).collect(),
        version: program.version(),
        products: products.collect(),
        holidays: program.holidays().iter().map(Date::to_string).collect(),
    }
}

/// Reads a program, checking its laws.
///
/// # Errors
/// Names the broken law.
pub fn program_from_proto(message: pb::ProgramDefinition) -> Result<Program, DecodeError> {
    let products = message.products.into_iter().map(|product| {
        Ok(Product {
            id: fields::product_id(&product.id)?,
            name: product.name,
        })
    });
    let draft = ProgramDraft {
        id: fields::program_id(&message.id)?,
        time_zone: message.time_zone,
        products: products.collect::<Result<_, DecodeError>>()?,
        holidays: collect(&message.holidays, |text| date("holiday", text))?,
        rules: collect(&message.rules, rule_from_proto)?,
        version: message.version,
    };
    Program::new(draft).map_err(|why| DecodeError::invalid("program", why))
}

fn rule_to_proto(rule: &Rule) -> pb::Rule {
    let limits = rule.birth_year_limits.iter().map(|other| {
        let (born_first, born_last) = born_numbers(other.born);
        pb::BirthYearLimit {
            born_first,
            born_last,
            limit: other.limit,
        }
    });
    let proxies = rule.proxies.iter().map(|proxy| {
        let (born_first, born_last) = born_numbers(proxy.born);
        pb::ProxyGround {
            id: proxy.id.to_string(),
            born_first,
            born_last,
            note: proxy.note.clone(),
        }
    });
    pb::Rule {
        id: rule.id.to_string(),
        effective_from_ms: rule.effective_from_ms,
        limit: rule.limit,
        sale_quantity_max: rule.sale_quantity_max,
        window: Some(window_to_proto(rule.window)),
        birth_year_limits: limits.collect(),
        rotation: rule.rotation.as_ref().map(rotation_to_proto),
        single_visit: rule.single_visit,
        site_types: rule.site_types.iter().map(|t| t.get().into()).collect(),
        proxies: proxies.collect(),
        proxy_either_day: rule.proxy_either_day,
        state: match rule.state {
            RuleState::Active => 0,
            RuleState::Shadow => 1,
            RuleState::Withdrawn => 2,
        },
        closed: rule.closed,
    }
}

fn rule_from_proto(rule: &pb::Rule) -> Result<Rule, DecodeError> {
    Ok(Rule {
        id: fields::rule_id(&rule.id)?,
        effective_from_ms: rule.effective_from_ms,
        limit: rule.limit,
        sale_quantity_max: rule.sale_quantity_max,
        window: window_from_proto(required("window of a rule", rule.window.as_ref())?)?,
        birth_year_limits: collect(&rule.birth_year_limits, |other| {
            Ok(BirthYearLimit {
                born: born(other.born_first, other.born_last)?,
                limit: other.limit,
            })
        })?,
        rotation: rule
            .rotation
            .as_ref()
            .map(rotation_from_proto)
            .transpose()?,
        single_visit: rule.single_visit,
        site_types: collect(&rule.site_types, |number| fields::site_type(*number))?,
        proxies: collect(&rule.proxies, |proxy| {
            Ok(ProxyGround {
                id: fields::ground_id(&proxy.id)?,
                born: born(proxy.born_first, proxy.born_last)?,
                note: proxy.note.clone(),
            })
        })?,
        proxy_either_day: rule.proxy_either_day,
        state: match rule.state {
            0 => RuleState::Active,
            1 => RuleState::Shadow,
            2 => RuleState::Withdrawn,
            _ => return Err(fields::not_known("state of a rule")),
        },
        closed: rule.closed,
    })
}

fn window_to_proto(window: WindowKind) -> pb::rule::Window {
    use pb::rule::Window;
    match window {
        WindowKind::CalendarWeek => Window::CalendarWeek(pb::CalendarWeek {}),
        WindowKind::RollingDays(days) => Window::RollingDays(pb::RollingDays { days: days.into() }),
        WindowKind::FixedDates { first, last } => Window::FixedDates(pb::FixedDates {
            first: first.to_string(),
            last: last.to_string(),
        }),
    }
}

fn window_from_proto(window: &pb::rule::Window) -> Result<WindowKind, DecodeError> {
    use pb::rule::Window;
    Ok(match window {
        Window::CalendarWeek(_) => WindowKind::CalendarWeek,
        // Above 255: no more lawful than 255 is.
        Window::RollingDays(rolling) => {
            WindowKind::RollingDays(u8::try_from(rolling.days).unwrap_or(u8::MAX))
        }
        Window::FixedDates(fixed) => WindowKind::FixedDates {
            first: date("first day of a window", &fixed.first)?,
            last: date("last day of a window", &fixed.last)?,
        },
    })
}

/// Open days are not listed.
fn rotation_to_proto(rotation: &Rotation) -> pb::Rotation {
    let days = (1..).zip(rotation.days);
    let restricted = days.filter(|(_, digits)| *digits != Digits::ALL);
    pb::Rotation {
        digit: match rotation.digit {
            RotationDigit::BirthYear => 1,
            RotationDigit::Id => 2,
        },
        days: restricted
            .map(|(weekday, digits)| pb::RotationDay {
                weekday,
                digits: digits.iter().map(u32::from).collect(),
            })
            .collect(),
        holidays_open: rotation.holidays_open,
    }
}

fn rotation_from_proto(message: &pb::Rotation) -> Result<Rotation, DecodeError> {
    let mut days = [None; 7];
    for day in &message.days {
        let index = (day.weekday as usize).wrapping_sub(1);
        let Some(slot @ None) = days.get_mut(index) else {
            let why = "must be a weekday from 1 to 7, each listed once";
            return Err(DecodeError::invalid("day of a rotation", why));
        };
        let digits = Digits::new(day.digits.iter().copied());
        *slot = Some(digits.ok_or_else(|| {
            let why = "must be one or more of 0 to 9, each listed once";
            DecodeError::invalid("digits of a rotation", why)
        })?);
    }
    Ok(Rotation {
        digit: match message.digit {
            1 => RotationDigit::BirthYear,
            2 => RotationDigit::Id,
            _ => return Err(fields::not_known("digit of a rotation")),
        },
        days: days.map(|digits| digits.unwrap_or(Digits::ALL)),
        holidays_open: message.holidays_open,
    })
}

fn born_numbers(born: BirthYears) -> (u32, u32) {
    let number = |year: Option<u16>| year.map_or(0, u32::from);
    (number(born.first), number(born.last))
}

fn born(first: u32, last: u32) -> Result<BirthYears, DecodeError> {
    Ok(BirthYears {
        first: fields::year(first)?,
        last: fields::year(last)?,
    })
}

fn date(what: &'static str, text: &str) -> Result<Date, DecodeError> {
    let date = text.parse::<Date>().ok();
    // Only the form in which it is written: the message must be the same when it is written again.
    date.filter(|date| date.to_string() == text)
        .ok_or_else(|| DecodeError::invalid(what, "must be a date such as 2020-05-05"))
}

fn collect<M, T>(
    messages: &[M],
    read: impl FnMut(&M) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    messages.iter().map(read).collect()
}
