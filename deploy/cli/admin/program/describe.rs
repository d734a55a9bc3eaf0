//! A program in words: to be shown, and to be compared. Pure.

use jiff::Timestamp;
use quorate_core::ledger::{
    BirthYears, Digits, Program, Rotation, RotationDigit, Rule, RuleState, WindowKind,
};
use serde_json::{Map, Value, json};

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The program itself, or one of its rules.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) facts: Vec<(&'static str, String)>,
}

/// The program, then its rules.
pub(super) fn sections(program: &Program) -> Vec<Section> {
    let products = program.products().iter();
    let products: Vec<_> = products
        .map(|product| format!("{} ({})", product.id, product.name))
        .collect();
    let holidays: Vec<_> = program.holidays().iter().map(ToString::to_string).collect();
    let head = Section {
        name: format!("program {}", program.id()),
        facts: vec![
            ("time zone", program.time_zone().to_owned()),
            ("products", products.join(", ")),
            ("holidays", holidays.join(", ")),
        ],
    };
    let rules = program.rules().iter().map(|rule| section(program, rule));
    std::iter::once(head).chain(rules).collect()
}

/// One line for a list, as JSON.
pub(super) fn summary(program: &Program) -> Value {
    json!({
        "program": program.id().to_string(),
        "version": program.version(),
        "time_zone": program.time_zone(),
        "rules": program.rules().iter().map(|rule| rule.id.to_string()).collect::<Vec<_>>(),
    })
}

/// Everything, as JSON.
pub(super) fn json(program: &Program) -> Value {
    let sections = sections(program).into_iter().map(|section| {
        let facts = section.facts.into_iter();
        let facts: Map<_, _> = facts
            .map(|(name, value)| (name.replace(' ', "_"), json!(value)))
            .collect();
        json!({ "name": section.name, "facts": facts })
    });
    json!({
        "program": program.id().to_string(),
        "version": program.version(),
        "sections": sections.collect::<Vec<_>>(),
    })
}

/// What is new (`+`), gone (`-`) and other (`~`), a line each.
pub(super) fn differences(current: Option<&Program>, wanted: &Program) -> Vec<String> {
    let before = current.map_or_else(Vec::new, sections);
    let after = sections(wanted);
    let mut lines = Vec::new();
    for section in &after {
        match before.iter().find(|other| other.name == section.name) {
            None => {
                lines.push(format!("+ {}", section.name));
                let facts = section.facts.iter().filter(|(_, value)| !value.is_empty());
                lines.extend(facts.map(|(name, value)| format!("+   {name}: {value}")));
            }
            Some(other) => {
                let pairs = other.facts.iter().zip(&section.facts);
                lines.extend(pairs.filter(|(one, two)| one != two).map(|(one, two)| {
                    format!("~ {}: {} {:?} → {:?}", section.name, one.0, one.1, two.1)
                }));
            }
        }
    }
    let gone = before
        .iter()
        .filter(|section| !after.iter().any(|other| other.name == section.name));
    lines.extend(gone.map(|section| format!("- {}", section.name)));
    lines
}

fn section(program: &Program, rule: &Rule) -> Section {
    let limits = rule.birth_year_limits.iter();
    let limits: Vec<_> = limits
        .map(|other| format!("{} if born {}", other.limit, years(other.born)))
        .collect();
    let types: Vec<_> = rule.site_types.iter().map(ToString::to_string).collect();
    let proxies = rule.proxies.iter();
    let proxies: Vec<_> = proxies
        .map(|proxy| match proxy.born {
            born if born == BirthYears::default() => proxy.id.to_string(),
            born => format!("{} (born {})", proxy.id, years(born)),
        })
        .collect();
    let rotation = rule.rotation.as_ref();
    Section {
        name: format!("rule {}", rule.id),
        facts: vec![
            ("from", instant(program, rule.effective_from_ms)),
            ("state", state(rule).to_owned()),
            ("limit", rule.limit.to_string()),
            ("other limits", limits.join(", ")),
            ("largest sale", rule.sale_quantity_max.to_string()),
            ("window", window(rule.window)),
            (
                "visit",
                if rule.single_visit { "single" } else { "split" }.to_owned(),
            ),
            ("rotation", rotation.map_or_else(String::new, whose_day)),
            ("site types", types.join(", ")),
            ("proxies", proxies.join(", ")),
            (
                "proxy day",
                if rule.proxy_either_day {
                    "either"
                } else {
                    "recipient"
                }
                .to_owned(),
            ),
        ],
    }
}

fn state(rule: &Rule) -> &'static str {
    match (rule.state, rule.closed) {
        (RuleState::Active, false) => "active",
        (RuleState::Active, true) => "active: closed",
        (RuleState::Shadow, _) => "shadow",
        (RuleState::Withdrawn, _) => "withdrawn",
    }
}

fn instant(program: &Program, at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(
        |_| at_ms.to_string(),
        |at| {
            let local = at.to_zoned(program.zone().clone());
            local.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
        },
    )
}

fn window(window: WindowKind) -> String {
    match window {
        WindowKind::CalendarWeek => "calendar week".to_owned(),
        WindowKind::RollingDays(days) => format!("{days} rolling days"),
        WindowKind::FixedDates { first, last } => format!("{first} to {last}"),
    }
}

fn whose_day(rotation: &Rotation) -> String {
    let digit = match rotation.digit {
        RotationDigit::BirthYear => "birth year",
        RotationDigit::Id => "ID",
    };
    let days = WEEKDAYS.iter().zip(rotation.days);
    let restricted = days.filter(|(_, digits)| *digits != Digits::ALL);
    let days: Vec<_> = restricted
        .map(|(day, digits)| {
            let digits: Vec<_> = digits.iter().map(|digit| digit.to_string()).collect();
            format!("{day} {}", digits.join("/"))
        })
        .collect();
    let holidays = if rotation.holidays_open {
        ", holidays open"
    } else {
        ""
    };
    format!("by {digit}: {}{holidays}", days.join(", "))
}

fn years(born: BirthYears) -> String {
    let year = |year: Option<u16>| year.map_or_else(String::new, |year| year.to_string());
    match (born.first, born.last) {
        (Some(first), Some(last)) if first == last => first.to_string(),
        (first, last) => format!("{}..{}", year(first), year(last)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;

    use super::*;
    use crate::config;

    const KR: &str = include_str!("../../../programs/kr-mask-2020.yaml");

    fn read(text: &str) -> Program {
        config::program::parse(Path::new("p.yaml"), text).unwrap()
    }

    #[test]
    fn a_difference_is_one_line() {
        let before = read(KR);
        assert!(differences(Some(&before), &before).is_empty());
        let after = read(&KR.replace("limit: 10\n", "limit: 12\n"));
        assert_eq!(
            differences(Some(&before), &after),
            ["~ rule 2020-06-18: limit \"10\" → \"12\""]
        );
        let new = differences(None, &after);
        assert_eq!(new[0], "+ program kr-mask-2020");
        assert!(new.contains(&"+ rule 2020-06-18".to_owned()));
        assert!(new.contains(&"+   rotation: by birth year: Mon 1/6, Tue 2/7, Wed 3/8, Thu 4/9, Fri 0/5, holidays open".to_owned()));
    }
}
