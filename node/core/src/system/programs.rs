//! Programs as operators define them.

use jiff::{Timestamp, civil::Date};
use quorate_proto::storage::{ClusterView, PutProgramDefinition};

use super::{Change, Refused};
use crate::{
    codec,
    ledger::{Program, Rule, RuleState},
    limits,
};

/// Adds a program or its next version. The sender's version number is not looked at. A definition equal to
/// the current one changes nothing.
///
/// A change of a known program that alters what is in force before every shard can have it is refused: two
/// shards would decide by two rules at one instant. `immediate` accepts that.
pub(super) fn put(mut view: ClusterView, put: &PutProgramDefinition) -> Result<Change, Refused> {
    let Some(definition) = &put.program else {
        return Err(Refused("the program is missing".to_owned()));
    };
    let known = view.programs.iter().position(|p| p.id == definition.id);
    let version = known.map_or(0, |at| view.programs[at].version);
    let mut newer = definition.clone();
    newer.version = version + 1;
    let program = codec::program_from_proto(newer).map_err(|why| Refused(why.to_string()))?;
    let mut newer = codec::program_to_proto(&program);
    newer.version = version;
    // Looked at before anything that a first attempt may have changed.
    if known.is_some_and(|at| newer == view.programs[at]) {
        return Ok(Change::Nothing);
    }
    newer.version = version + 1;
    if put.expected_version != 0 && put.expected_version != version {
        return Err(Refused(format!(
            "the program has version {version} by now, not {}: look at it again and apply again",
            put.expected_version
        )));
    }

    match known {
        Some(at) => {
            let current = codec::program_from_proto(view.programs[at].clone())
                .map_err(|why| Refused(format!("the stored program is not valid: {why}")))?;
            current
                .check_successor(&program)
                .map_err(|why| Refused(why.to_string()))?;
            if !put.immediate {
                check_lead(&current, &program, put.proposed_at_ms)?;
            }
            view.programs[at] = newer;
        }
        None if view.programs.len() >= limits::PROGRAMS_MAX => {
            let most = limits::PROGRAMS_MAX;
            return Err(Refused(format!("a cluster has at most {most} programs")));
        }
        None => {
            view.programs.push(newer);
            view.programs.sort_by(|one, other| one.id.cmp(&other.id));
        }
    }
    Ok(Change::To(view))
}

/// Refuses a change of what is in force before the earliest instant that every shard surely has it by.
fn check_lead(current: &Program, newer: &Program, proposed_at_ms: i64) -> Result<(), Refused> {
    let earliest_ms = proposed_at_ms.saturating_add(limits::PROGRAM_LEAD_MS);
    let too_near = |what: String, from_ms: i64| {
        Refused(format!(
            "{what} would change what is decided from {} on; shards surely have a change from {} on: give \
             it a later instant, or say --now to change decisions at once, shard by shard",
            local(newer, from_ms),
            local(newer, earliest_ms),
        ))
    };
    let (before, after) = (in_force(current, earliest_ms), in_force(newer, earliest_ms));
    let mut pairs = before.iter().zip(&after);
    let first_changed = pairs.position(|(one, other)| one != other);
    let changed_at = first_changed.unwrap_or(before.len().min(after.len()));
    let changed = [before.get(changed_at), after.get(changed_at)];
    if let Some(rule) = changed
        .into_iter()
        .flatten()
        .min_by_key(|rule| rule.effective_from_ms)
    {
        let what = format!("rule {}", rule.id);
        return Err(too_near(what, rule.effective_from_ms));
    }
    let one_sided = |date: &&Date| current.is_holiday(**date) != newer.is_holiday(**date);
    let dates = current.holidays().iter().chain(newer.holidays());
    if let Some(date) = dates.filter(one_sided).min()
        && let Ok(start) = newer.zone().to_timestamp(date.at(0, 0, 0, 0))
        && start.as_millisecond() < earliest_ms
    {
        return Err(too_near(
            format!("the holiday {date}"),
            start.as_millisecond(),
        ));
    }
    Ok(())
}

/// The rules that are in force at some instant before this one, by their instant.
fn in_force(program: &Program, before_ms: i64) -> Vec<&Rule> {
    let rules = program.rules().iter();
    rules
        .filter(|rule| rule.state == RuleState::Active && rule.effective_from_ms < before_ms)
        .collect()
}

/// An instant on the program's clocks.
fn local(program: &Program, at_ms: i64) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(at) => at
            .to_zoned(program.zone().clone())
            .strftime("%Y-%m-%dT%H:%M:%S%:z")
            .to_string(),
        Err(_) => format!("{at_ms} ms"),
    }
}
