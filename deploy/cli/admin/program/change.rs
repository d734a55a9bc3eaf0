//! A program with some of its rules in another state. Pure.

use quorate_core::ledger::{Program, ProgramDraft, Rule, RuleState};
use quorate_proto::ids::RuleId;

use crate::exit::Failure;

/// The current program and, in shadow, every rule of the wanted one that it does not list.
pub(super) fn with_shadows(current: &Program, wanted: &Program) -> Result<Program, Failure> {
    let mut draft = current.to_draft();
    let new = wanted
        .rules()
        .iter()
        .filter(|rule| current.rule(rule.id).is_none());
    draft.rules.extend(new.cloned().map(|rule| Rule {
        state: RuleState::Shadow,
        ..rule
    }));
    if draft.rules.len() == current.rules().len() {
        return Err(Failure::usage(format!(
            "every rule of the file is known to program {}",
            current.id()
        ))
        .next("give the rule to try a new id"));
    }
    build(draft)
}

/// The program with a rule in force from an instant on; without one, from its own.
pub(super) fn activated(
    current: &Program,
    id: RuleId,
    at_ms: Option<i64>,
) -> Result<Program, Failure> {
    let mut draft = current.to_draft();
    let Some(rule) = draft.rules.iter_mut().find(|rule| rule.id == id) else {
        return Err(
            Failure::usage(format!("program {} has no rule {id}", current.id()))
                .next(format!("see `quorate admin program show {}`", current.id())),
        );
    };
    rule.state = RuleState::Active;
    rule.effective_from_ms = at_ms.unwrap_or(rule.effective_from_ms);
    build(draft)
}

/// The program without its newest active rule.
pub(super) fn rolled_back(current: &Program) -> Result<Program, Failure> {
    let mut draft = current.to_draft();
    let active = |rule: &&mut Rule| rule.state == RuleState::Active;
    let mut newest_first = draft.rules.iter_mut().rev().filter(active);
    let newest = newest_first.next();
    match (newest, newest_first.next()) {
        (Some(newest), Some(_)) => newest.state = RuleState::Withdrawn,
        _ => {
            return Err(Failure::usage(format!(
                "program {} has no earlier rule to go back to",
                current.id()
            ))
            .next("to stop sales, apply a rule that says `closed: true`"));
        }
    }
    build(draft)
}

fn build(mut draft: ProgramDraft) -> Result<Program, Failure> {
    draft.rules.sort_by_key(|rule| rule.effective_from_ms);
    Program::new(draft).map_err(|law| Failure::usage(law.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;

    use super::*;
    use crate::config;

    fn program(rules: &[(&str, &str)]) -> Program {
        let mut text = "id: mask\ntime_zone: Asia/Seoul\nrules:\n".to_owned();
        for (id, from) in rules {
            text += &format!(
                "  - {{id: {id}, from: {from}, limit: 2, largest_sale: 2, window: calendar-week}}\n"
            );
        }
        config::program::parse(Path::new("p.yaml"), &text).unwrap()
    }

    fn states(program: &Program) -> Vec<(String, RuleState)> {
        let rules = program.rules().iter();
        rules
            .map(|rule| (rule.id.to_string(), rule.state))
            .collect()
    }

    #[test]
    fn a_rule_is_tried_brought_into_force_and_taken_back() {
        let current = program(&[("a", "2020-03-09T00:00"), ("c", "2020-05-09T00:00")]);
        let wanted = program(&[("a", "2020-03-09T00:00"), ("b", "2020-04-09T00:00")]);
        let tried = with_shadows(&current, &wanted).unwrap();
        let (active, shadow, withdrawn) =
            (RuleState::Active, RuleState::Shadow, RuleState::Withdrawn);
        let named = |states: [RuleState; 3]| {
            let names = ["a", "b", "c"].map(str::to_owned);
            names.into_iter().zip(states).collect::<Vec<_>>()
        };
        assert_eq!(states(&tried), named([active, shadow, active]));
        assert!(with_shadows(&tried, &wanted).is_err(), "nothing new");

        let b = RuleId::parse("b").unwrap();
        let in_force = activated(&tried, b, None).unwrap();
        assert_eq!(states(&in_force), named([active, active, active]));
        let later = current.rules()[1].effective_from_ms + 1;
        let moved = activated(&tried, b, Some(later)).unwrap();
        assert_eq!(moved.rules()[2].id, b);
        assert!(activated(&tried, RuleId::parse("z").unwrap(), None).is_err());

        let back = rolled_back(&in_force).unwrap();
        assert_eq!(states(&back), named([active, active, withdrawn]));
        let further = rolled_back(&back).unwrap();
        assert!(rolled_back(&further).is_err(), "one rule stays");
    }
}
