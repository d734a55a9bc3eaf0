//! What the shadow rules of a program would have decided.

use quorate_client::model::{ShadowCounts, ShadowReport};
use quorate_proto::ids::ProgramId;
use serde_json::{Map, Value, json};

use crate::{
    exit::{Exit, Failure},
    output::{self, Style},
    reach::Reach,
};

pub(super) async fn run(program: &ProgramId, reach: &Reach) -> Result<Exit, Failure> {
    let operator = reach.operator()?;
    let report = operator.shadow_counts(program, reach.time_limit).await?;
    reach.output.print(&to_json(program, &report), |painter| {
        let rows = report.rules.iter().map(|rule| {
            [
                rule.rule.clone(),
                rule.evaluated.to_string(),
                denied(rule).to_string(),
                reasons(rule),
                rule.would_grant.to_string(),
            ]
        });
        let table = output::table(
            ["rule", "evaluated", "would deny", "reasons", "would grant"],
            &[1, 2, 4],
            rows,
        );
        let shards = format!(
            "{} of {} shards",
            report.shards_counted, report.shards_total
        );
        let style = match report.shards_counted == report.shards_total {
            true => Style::Faint,
            false => Style::Doubtful,
        };
        match report.rules.is_empty() {
            true => format!("no rule of {program} was counted in shadow, in {shards}"),
            false => format!("{table}\n{}", painter.paint(style, &shards)),
        }
    })?;
    // A sum that lacks a shard is not the answer that was asked for.
    Ok(match report.shards_counted == report.shards_total {
        true => Exit::Ok,
        false => Exit::Unavailable,
    })
}

fn denied(rule: &ShadowCounts) -> u64 {
    rule.would_deny.iter().map(|(_, count)| count).sum()
}

fn reasons(rule: &ShadowCounts) -> String {
    let reasons = rule.would_deny.iter();
    let reasons: Vec<_> = reasons
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    reasons.join(", ")
}

fn to_json(program: &ProgramId, report: &ShadowReport) -> Value {
    let rules = report.rules.iter().map(|rule| {
        let reasons = rule.would_deny.iter();
        let reasons: Map<_, _> = reasons
            .map(|(name, count)| (name.clone(), json!(count)))
            .collect();
        json!({
            "rule": rule.rule,
            "evaluated": rule.evaluated,
            "would_deny": reasons,
            "would_grant": rule.would_grant,
        })
    });
    json!({
        "program": program.to_string(),
        "rules": rules.collect::<Vec<_>>(),
        "shards_counted": report.shards_counted,
        "shards_total": report.shards_total,
    })
}
