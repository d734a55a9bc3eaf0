//! Adds a program or its next version, lists programs, sums what shadow rules would have decided.
//!
//! Only shapes are checked here; the laws of programs are the system shard's, which names the one broken.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt as _, stream};
use quorate_proto::{
    admin::{
        self, DenialCount, GetShadowCountsRequest, GetShadowCountsResponse, ListProgramsResponse,
        PutProgramRequest, PutProgramResponse,
    },
    ids::{ProgramId, RuleId},
    program,
    status::ErrorReason,
    storage::{self, system_command},
    v1::DenialReason,
};
use tonic::Status;

use crate::{
    directory::View,
    limits,
    model::{
        Place,
        report::{ListShadows, ShadowCount},
    },
    nodes::SystemError,
    service::{border::Border, errors},
};

pub(super) async fn put(
    border: &Border,
    mut request: PutProgramRequest,
    deadline: Duration,
) -> Result<PutProgramResponse, Status> {
    let (id, program) = read(&mut request)?;
    let before = border.dispatcher.directory.view();
    let version_of = |view: &View| view.program(&id).map_or(0, |program| program.version);
    let version_before = before.map_or(0, |view| version_of(&view));
    let command = storage::SystemCommand {
        body: Some(system_command::Body::PutProgram(
            storage::PutProgramDefinition {
                program: Some(program),
                expected_version: request.expected_version,
                // Stamped by the node that proposes it.
                proposed_at_ms: 0,
                immediate: request.immediate,
            },
        )),
    };
    let time_left = || deadline.saturating_sub(border.env().monotonic());
    let nodes = &border.dispatcher.nodes;
    let view_version = nodes
        .propose(&command, time_left())
        .await
        .map_err(|error| match error {
            SystemError::Refused(why) => errors::invalid("program", why),
            SystemError::Unavailable => errors::unavailable(border.env()),
            SystemError::OutcomeUnknown => errors::outcome_unknown(None),
        })?;

    // Recorded. Its version stands in the view, which is on its way to us.
    let directory = &border.dispatcher.directory;
    loop {
        let seen = directory.revision();
        if let Some(view) = directory.view()
            && view.map.version() >= view_version
        {
            let version = version_of(&view);
            return Ok(PutProgramResponse {
                version,
                unchanged: version == version_before,
            });
        }
        let news = directory.changed_since(seen);
        if border.env().timeout(time_left(), news).await.is_err() {
            return Err(errors::outcome_unknown(None));
        }
    }
}

fn read(
    request: &mut PutProgramRequest,
) -> Result<(ProgramId, storage::ProgramDefinition), Status> {
    let program = request
        .program
        .take()
        .ok_or_else(|| errors::invalid("program", "a program is required"))?;
    let id = ProgramId::parse(&program.id).map_err(|error| {
        let message = format!("a program's id {error}");
        errors::wrong_field(ErrorReason::InvalidField, "program.id", message)
    })?;
    let count = program.rules.len();
    if !(1..=limits::PROGRAM_RULES_MAX).contains(&count) {
        let most = limits::PROGRAM_RULES_MAX;
        let message = format!("a program has 1 to {most} rule versions");
        return Err(errors::invalid("program.rules", message));
    }
    for (index, rule) in program.rules.iter().enumerate() {
        RuleId::parse(&rule.id).map_err(|error| {
            let message = format!("a rule version's id {error}");
            errors::invalid(&format!("program.rules[{index}].id"), message)
        })?;
    }
    let definition = program::to_definition(program)
        .map_err(|error| errors::invalid(&error.field, error.why))?;
    Ok((id, definition))
}

/// Every program, as this gateway has heard of it.
pub(super) fn list(view: &View) -> ListProgramsResponse {
    let programs = view.programs.iter();
    ListProgramsResponse {
        programs: programs
            .map(|program| program::from_definition(&program.definition))
            .collect(),
    }
}

/// Sums what every shard has counted. A shard that does not answer is missing from `shards_counted`.
pub(super) async fn shadow_counts(
    border: &Border,
    view: &View,
    request: &GetShadowCountsRequest,
    deadline: Duration,
) -> Result<GetShadowCountsResponse, Status> {
    let program = ProgramId::parse(&request.program)
        .ok()
        .filter(|id| view.program(id).is_some())
        .ok_or_else(|| {
            let message = "there is no such program";
            errors::wrong_field(ErrorReason::UnknownProgram, "program", message)
        })?;
    let ask = ListShadows { program };
    let shards: Vec<_> = view.map.shards().iter().map(|shard| shard.shard).collect();
    let shards_total = shards.len() as u32;
    let answers = stream::iter(shards)
        .map(|shard| border.dispatcher.call(Place::Shard(shard), &ask, deadline))
        .buffer_unordered(limits::REPORT_SHARDS_AT_ONCE);
    let answers: Vec<_> = answers.collect().await;
    let mut shards_counted = 0;
    let mut rules: BTreeMap<String, ShadowCount> = BTreeMap::new();
    for answered in answers.into_iter().flatten() {
        shards_counted += 1;
        for (rule, counts) in answered.answer {
            rules.entry(rule).or_default().add(&counts);
        }
    }
    Ok(GetShadowCountsResponse {
        rules: rules
            .into_iter()
            .map(|(rule, counts)| admin::ShadowCounts {
                rule,
                evaluated: counts.evaluated,
                would_deny: denial_counts(counts.would_deny),
                would_grant: counts.would_grant,
            })
            .collect(),
        shards_counted,
        shards_total,
    })
}

fn denial_counts(counts: BTreeMap<DenialReason, u64>) -> Vec<DenialCount> {
    let counts = counts.into_iter();
    counts
        .map(|(reason, count)| DenialCount {
            reason: reason.as_str_name().to_owned(),
            count,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use quorate_proto::status::{METADATA_FIELD, metadata_of, reason_of};

    use super::*;

    fn request() -> PutProgramRequest {
        let week = admin::rule_version::Window::CalendarWeek(admin::CalendarWeek {});
        PutProgramRequest {
            program: Some(admin::Program {
                id: "mask".to_owned(),
                time_zone: "Asia/Seoul".to_owned(),
                rules: vec![admin::RuleVersion {
                    id: "2020-03-09".to_owned(),
                    effective_from_ms: 1,
                    limit: 2,
                    sale_quantity_max: 2,
                    window: Some(week),
                    ..admin::RuleVersion::default()
                }],
                ..admin::Program::default()
            }),
            ..PutProgramRequest::default()
        }
    }

    #[test]
    fn a_program_reads_as_it_was_sent() {
        let (id, program) = read(&mut request()).unwrap();
        assert_eq!(id.as_str(), "mask");
        assert_eq!(program.time_zone, "Asia/Seoul");
        assert_eq!((program.rules[0].limit, program.version), (2, 0));
    }

    #[test]
    fn wrong_shapes_are_named() {
        type Change = fn(&mut admin::Program);
        let cases: [(Change, &str); 5] = [
            (|program| program.id = "Mask".to_owned(), "program.id"),
            (|program| program.rules.clear(), "program.rules"),
            (
                |program| program.rules = vec![program.rules[0].clone(); 65],
                "program.rules",
            ),
            (|program| program.rules[0].id.clear(), "program.rules[0].id"),
            (
                |program| program.rules[0].window = None,
                "program.rules[0].window",
            ),
        ];
        for (change, field) in cases {
            let mut request = request();
            change(request.program.as_mut().unwrap());
            let status = read(&mut request).unwrap_err();
            assert_eq!(reason_of(&status), Some(ErrorReason::InvalidField));
            let named = metadata_of(&status, METADATA_FIELD);
            assert_eq!(named.as_deref(), Some(field));
        }
        let empty = read(&mut PutProgramRequest::default()).unwrap_err();
        assert_eq!(reason_of(&empty), Some(ErrorReason::InvalidField));
    }
}
