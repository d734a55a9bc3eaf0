//! Adds a program or its next version.
//!
//! Only shapes are checked here; the laws of programs are the system shard's, which names the one broken.

use std::time::Duration;

use quorate_proto::{
    admin::{self, PutProgramRequest, PutProgramResponse, rule_version},
    ids::{ProgramId, RuleId},
    status::ErrorReason,
    storage::{self, system_command},
};
use tonic::Status;

use crate::{
    limits,
    nodes::SystemError,
    service::{border::Border, errors},
};

pub(super) async fn put(
    border: &Border,
    request: PutProgramRequest,
    deadline: Duration,
) -> Result<PutProgramResponse, Status> {
    let (id, program) = read(request)?;
    let command = storage::SystemCommand {
        body: Some(system_command::Body::PutProgram(
            storage::PutProgramDefinition {
                program: Some(program),
                ..Default::default()
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
            let version = view.program(&id).map_or(0, |program| program.version);
            return Ok(PutProgramResponse {
                version,
                unchanged: false,
            });
        }
        let news = directory.changed_since(seen);
        if border.env().timeout(time_left(), news).await.is_err() {
            return Err(errors::outcome_unknown(None));
        }
    }
}

fn read(request: PutProgramRequest) -> Result<(ProgramId, storage::ProgramDefinition), Status> {
    let program = request
        .program
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
    let rules = program.rules.into_iter().enumerate();
    let definition = storage::ProgramDefinition {
        id: program.id,
        time_zone: program.time_zone,
        rules: rules
            .map(|(index, rule)| read_rule(index, rule))
            .collect::<Result<_, _>>()?,
        // Given by the system shard.
        version: 0,
        ..Default::default()
    };
    Ok((id, definition))
}

fn read_rule(index: usize, rule: admin::RuleVersion) -> Result<storage::Rule, Status> {
    RuleId::parse(&rule.id).map_err(|error| {
        let message = format!("a rule version's id {error}");
        errors::invalid(&format!("program.rules[{index}].id"), message)
    })?;
    let window = match rule.window {
        Some(rule_version::Window::CalendarWeek(admin::CalendarWeek {})) => {
            storage::rule::Window::CalendarWeek(storage::CalendarWeek {})
        }
        _ => {
            let field = format!("program.rules[{index}].window");
            return Err(errors::invalid(&field, "a window is required"));
        }
    };
    Ok(storage::Rule {
        id: rule.id,
        effective_from_ms: rule.effective_from_ms,
        limit: rule.limit,
        sale_quantity_max: rule.sale_quantity_max,
        window: Some(window),
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use quorate_proto::status::{METADATA_FIELD, metadata_of, reason_of};

    use super::*;

    fn request() -> PutProgramRequest {
        let week = rule_version::Window::CalendarWeek(admin::CalendarWeek {});
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
        let (id, program) = read(request()).unwrap();
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
            let status = read(request).unwrap_err();
            assert_eq!(reason_of(&status), Some(ErrorReason::InvalidField));
            let named = metadata_of(&status, METADATA_FIELD);
            assert_eq!(named.as_deref(), Some(field));
        }
        let empty = read(PutProgramRequest::default()).unwrap_err();
        assert_eq!(reason_of(&empty), Some(ErrorReason::InvalidField));
    }
}
