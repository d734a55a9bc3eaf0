//! `quorate terminal hand-in`: hands in the slips that wait, and says what became of each.

use quorate_client::model::{SlipAnswer, SlipOutcome};
use quorate_terminal::HandInReport;
use serde_json::json;

use super::{open, sell, slips};
use crate::{
    exit::{Exit, Failure},
    output::{Painter, Style, table},
    progress,
    reach::Reach,
};

pub(super) async fn run(reach: &Reach) -> Result<Exit, Failure> {
    let counter = open::counter(reach)?;
    let waiting = counter.journal().lock().book().waiting();
    let bar = progress::counter("handing in", waiting as u64, reach.output);
    let report = quorate_terminal::hand_in(
        counter.online(),
        counter.journal(),
        &open::env(reach),
        |_| bar.inc(1),
    )
    .await;
    bar.finish_and_clear();
    let value = json!({
        "slips": report.answers,
        "waiting": report.waiting,
        "stopped_by": report.stopped_by.as_ref().map(ToString::to_string),
    });
    reach
        .output
        .print(&value, |painter| in_words(&report, painter))?;
    if let Some(error) = report.not_noted {
        return Err(Failure::unexpected(error.to_string())
            .next("the slips are recorded; handing them in again changes nothing"));
    }
    if let Some(error) = report.stopped_by {
        let failure = Failure::from(error);
        let waiting = sell::slips(report.waiting);
        let what = format!("{waiting} not yet handed in: {}", failure.what);
        return Err(Failure { what, ..failure }.next("hand in again; nothing is lost"));
    }
    Ok(exit(report.answers.iter()))
}

/// Rejected slips are an answer, like a denial; undecided ones can be handed in again.
pub(super) fn exit<'a>(mut answers: impl Iterator<Item = &'a SlipAnswer> + Clone) -> Exit {
    let rejected = |answer: &SlipAnswer| matches!(answer.outcome, SlipOutcome::Rejected(_));
    if answers.clone().any(|answer| !answer.outcome.is_final()) {
        Exit::Unavailable
    } else if answers.any(rejected) {
        Exit::Denied
    } else {
        Exit::Ok
    }
}

fn in_words(report: &HandInReport, painter: Painter) -> String {
    if report.answers.is_empty() && report.waiting == 0 {
        return "no slip waits".to_owned();
    }
    let mut answers: Vec<_> = report.answers.iter().collect();
    answers.sort_by_key(|answer| answer.sequence);
    let rows = answers.iter().map(|answer| {
        [
            answer.sequence.to_string(),
            answer.request_id.to_string(),
            slips::outcome(answer),
        ]
    });
    let text = table(["slip", "request", "outcome"], &[0], rows);
    format!(
        "{}\n\n{text}",
        summary(answers.into_iter(), report.waiting, painter)
    )
}

/// One line that counts.
pub(super) fn summary<'a>(
    answers: impl Iterator<Item = &'a SlipAnswer>,
    waiting: usize,
    painter: Painter,
) -> String {
    let (mut accepted, mut duplicate, mut over, mut rejected) = (0, 0, 0, 0);
    for answer in answers {
        match answer.outcome {
            SlipOutcome::Accepted => accepted += 1,
            SlipOutcome::Duplicate => duplicate += 1,
            SlipOutcome::OverQuotaRecorded => over += 1,
            SlipOutcome::Rejected(_) => rejected += 1,
            SlipOutcome::NotDecided => {}
        }
    }
    let line = format!(
        "{accepted} accepted, {over} over quota (recorded), {duplicate} duplicate, {rejected} rejected, {waiting} waiting"
    );
    let style = match (rejected + over, waiting) {
        (0, 0) => Style::Good,
        (_, 0) => Style::Doubtful,
        _ => Style::Bad,
    };
    painter.paint(style, &line)
}
