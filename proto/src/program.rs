//! A program as operators send it and as it is stored: the same facts in two messages.
//!
//! Only shapes are looked at here. Deliberately absent: the laws of programs, which the core keeps.

use thiserror::Error;

use crate::{admin, ids::SiteType, storage};

/// A part that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {why}")]
pub struct ProgramShapeError {
    /// The field, such as `program.rules[2].site_types`.
    pub field: String,
    /// What it must be.
    pub why: &'static str,
}

/// The stored form; its version is left to whoever stores it.
///
/// # Errors
/// Names the field that cannot be read.
pub fn to_definition(
    program: admin::Program,
) -> Result<storage::ProgramDefinition, ProgramShapeError> {
    let rules = program.rules.into_iter().enumerate();
    let products = program
        .products
        .into_iter()
        .map(|product| storage::Product {
            id: product.id,
            name: product.name,
        });
    Ok(storage::ProgramDefinition {
        id: program.id,
        time_zone: program.time_zone,
        rules: rules
            .map(|(index, rule)| rule_to_stored(&format!("program.rules[{index}]"), rule))
            .collect::<Result<_, _>>()?,
        version: 0,
        products: products.collect(),
        holidays: program.holidays,
    })
}

/// The form that operators see.
#[must_use]
pub fn from_definition(program: &storage::ProgramDefinition) -> admin::Program {
    let products = program.products.iter().map(|product| admin::Product {
        id: product.id.clone(),
        name: product.name.clone(),
    });
    admin::Program {
        id: program.id.clone(),
        time_zone: program.time_zone.clone(),
        rules: program.rules.iter().map(rule_from_stored).collect(),
        products: products.collect(),
        holidays: program.holidays.clone(),
        version: program.version,
    }
}

fn rule_to_stored(
    field: &str,
    rule: admin::RuleVersion,
) -> Result<storage::Rule, ProgramShapeError> {
    use admin::rule_version::Window as Sent;
    use storage::rule::Window as Stored;
    let wrong = |part: &str, why| ProgramShapeError {
        field: format!("{field}.{part}"),
        why,
    };
    let window = match rule.window {
        Some(Sent::CalendarWeek(_)) => Stored::CalendarWeek(storage::CalendarWeek {}),
        Some(Sent::RollingDays(rolling)) => {
            let days = rolling.days;
            Stored::RollingDays(storage::RollingDays { days })
        }
        Some(Sent::FixedDates(dates)) => Stored::FixedDates(storage::FixedDates {
            first: dates.first,
            last: dates.last,
        }),
        None => return Err(wrong("window", "a window is required")),
    };
    let limits = rule
        .birth_year_limits
        .iter()
        .map(|other| storage::BirthYearLimit {
            born_first: other.born_first,
            born_last: other.born_last,
            limit: other.limit,
        });
    let site_types = rule.site_types.iter().map(|text| {
        let site_type = SiteType::parse(text);
        site_type
            .map(|site_type| site_type.get().into())
            .map_err(|_| wrong("site_types", "a site type is two digits, such as \"01\""))
    });
    let proxies = rule.proxies.into_iter().map(|proxy| storage::ProxyGround {
        id: proxy.id,
        born_first: proxy.born_first,
        born_last: proxy.born_last,
        note: proxy.note,
    });
    let unsigned =
        |number: i32, part: &str, why| u32::try_from(number).map_err(|_| wrong(part, why));
    Ok(storage::Rule {
        id: rule.id,
        effective_from_ms: rule.effective_from_ms,
        limit: rule.limit,
        sale_quantity_max: rule.sale_quantity_max,
        window: Some(window),
        birth_year_limits: limits.collect(),
        rotation: match rule.rotation {
            Some(rotation) => Some(storage::Rotation {
                digit: unsigned(rotation.digit, "rotation.digit", "a digit is required")?,
                days: rotation
                    .days
                    .into_iter()
                    .map(|day| storage::RotationDay {
                        weekday: day.weekday,
                        digits: day.digits,
                    })
                    .collect(),
                holidays_open: rotation.holidays_open,
            }),
            None => None,
        },
        single_visit: rule.single_visit,
        site_types: site_types.collect::<Result<_, _>>()?,
        proxies: proxies.collect(),
        proxy_either_day: rule.proxy_either_day,
        state: unsigned(
            rule.state,
            "state",
            "a state is active, shadow or withdrawn",
        )?,
        closed: rule.closed,
    })
}

fn rule_from_stored(rule: &storage::Rule) -> admin::RuleVersion {
    use admin::rule_version::Window as Sent;
    use storage::rule::Window as Stored;
    let limits = rule
        .birth_year_limits
        .iter()
        .map(|other| admin::BirthYearLimit {
            born_first: other.born_first,
            born_last: other.born_last,
            limit: other.limit,
        });
    let proxies = rule.proxies.iter().map(|proxy| admin::ProxyGround {
        id: proxy.id.clone(),
        born_first: proxy.born_first,
        born_last: proxy.born_last,
        note: proxy.note.clone(),
    });
    // Stored numbers are small: the laws of programs bound them.
    let number = |number: u32| i32::try_from(number).unwrap_or_default();
    admin::RuleVersion {
        id: rule.id.clone(),
        effective_from_ms: rule.effective_from_ms,
        limit: rule.limit,
        sale_quantity_max: rule.sale_quantity_max,
        window: rule.window.as_ref().map(|window| match window {
            Stored::CalendarWeek(_) => Sent::CalendarWeek(admin::CalendarWeek {}),
            Stored::RollingDays(rolling) => {
                let days = rolling.days;
                Sent::RollingDays(admin::RollingDays { days })
            }
            Stored::FixedDates(dates) => Sent::FixedDates(admin::FixedDates {
                first: dates.first.clone(),
                last: dates.last.clone(),
            }),
        }),
        birth_year_limits: limits.collect(),
        rotation: rule.rotation.as_ref().map(|rotation| admin::Rotation {
            digit: number(rotation.digit),
            days: rotation
                .days
                .iter()
                .map(|day| admin::RotationDay {
                    weekday: day.weekday,
                    digits: day.digits.clone(),
                })
                .collect(),
            holidays_open: rotation.holidays_open,
        }),
        single_visit: rule.single_visit,
        site_types: rule
            .site_types
            .iter()
            .map(|number| format!("{number:02}"))
            .collect(),
        proxies: proxies.collect(),
        proxy_either_day: rule.proxy_either_day,
        state: number(rule.state),
        closed: rule.closed,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn program() -> admin::Program {
        let rule = |id: &str, window| admin::RuleVersion {
            id: id.to_owned(),
            effective_from_ms: 1,
            limit: 3,
            sale_quantity_max: 2,
            window: Some(window),
            birth_year_limits: vec![admin::BirthYearLimit {
                born_first: 2002,
                born_last: 0,
                limit: 5,
            }],
            rotation: Some(admin::Rotation {
                digit: admin::rotation::Digit::Id.into(),
                days: vec![admin::RotationDay {
                    weekday: 1,
                    digits: vec![1, 6],
                }],
                holidays_open: true,
            }),
            single_visit: true,
            site_types: vec!["01".to_owned(), "12".to_owned()],
            proxies: vec![admin::ProxyGround {
                id: "family".to_owned(),
                born_first: 0,
                born_last: 1940,
                note: "note".to_owned(),
            }],
            proxy_either_day: true,
            state: admin::RuleState::Shadow.into(),
            closed: true,
        };
        use admin::rule_version::Window;
        let dates = admin::FixedDates {
            first: "2020-03-06".to_owned(),
            last: "2020-03-08".to_owned(),
        };
        admin::Program {
            id: "mask".to_owned(),
            time_zone: "Asia/Seoul".to_owned(),
            rules: vec![
                rule("week", Window::CalendarWeek(admin::CalendarWeek {})),
                rule(
                    "rolling",
                    Window::RollingDays(admin::RollingDays { days: 7 }),
                ),
                rule("fixed", Window::FixedDates(dates)),
            ],
            products: vec![admin::Product {
                id: "kf94".to_owned(),
                name: "KF94".to_owned(),
            }],
            holidays: vec!["2020-05-05".to_owned()],
            version: 0,
        }
    }

    #[test]
    fn nothing_is_lost_on_the_way_and_back() {
        let stored = to_definition(program()).unwrap();
        assert_eq!(from_definition(&stored), program());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        type Break = fn(&mut admin::RuleVersion);
        let cases: [(Break, &str); 4] = [
            (|rule| rule.window = None, "program.rules[1].window"),
            (
                |rule| rule.site_types.push("1".to_owned()),
                "program.rules[1].site_types",
            ),
            (|rule| rule.state = -1, "program.rules[1].state"),
            (
                |rule| rule.rotation.as_mut().unwrap().digit = -1,
                "program.rules[1].rotation.digit",
            ),
        ];
        for (break_it, field) in cases {
            let mut program = program();
            break_it(&mut program.rules[1]);
            assert_eq!(to_definition(program).unwrap_err().field, field);
        }
    }
}
