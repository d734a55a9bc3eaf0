//! `quorate terminal slips`: every slip of this counter and what became of it.

use jiff::{Timestamp, tz::TimeZone};
use quorate_client::model::{SlipAnswer, SlipOutcome};
use quorate_terminal::Entry;
use serde_json::{Value, json};

use super::{open, sell};
use crate::{
    exit::{Exit, Failure},
    output::{Painter, Style, table},
    reach::Reach,
    time,
};

pub(super) fn run(reach: &Reach) -> Result<Exit, Failure> {
    let journal = open::journal(reach)?;
    let journal = journal.lock();
    let book = journal.book();
    let value = json!({
        "waiting": book.waiting(),
        "slips": book.entries().iter().map(to_json).collect::<Vec<_>>(),
    });
    reach.output.print(&value, |painter| {
        in_words(book.entries(), book.waiting(), &reach.time_zone, painter)
    })?;
    Ok(Exit::Ok)
}

fn to_json(entry: &Entry) -> Value {
    let settled = entry.settled.as_ref();
    json!({
        "sequence": entry.slip.sequence(),
        "request_id": entry.slip.request_id().to_string(),
        "sold_at": sold_at(entry).to_string(),
        "program": entry.slip.program(),
        "quantity": entry.slip.quantity(),
        "answer": settled.map(|settled| &settled.answer),
        "last_try": entry.last_try,
    })
}

fn sold_at(entry: &Entry) -> Timestamp {
    Timestamp::from_millisecond(entry.slip.sold_at_ms()).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn in_words(entries: &[Entry], waiting: usize, zone: &TimeZone, painter: Painter) -> String {
    if entries.is_empty() {
        return "no slips".to_owned();
    }
    let rows = entries.iter().map(|entry| {
        let outcome = match &entry.settled {
            Some(settled) => outcome(&settled.answer),
            None => "not yet handed in".to_owned(),
        };
        [
            entry.slip.sequence().to_string(),
            time::short(sold_at(entry), zone),
            entry.slip.program().to_owned(),
            entry.slip.quantity().to_string(),
            outcome,
        ]
    });
    let head = ["slip", "sold", "program", "units", "outcome"];
    let text = table(head, &[0, 3], rows);
    match waiting {
        0 => text,
        waiting => {
            let line = format!("{} not yet handed in", sell::slips(waiting));
            format!("{text}\n\n{}", painter.paint(Style::Doubtful, &line))
        }
    }
}

/// What became of a slip, in words.
pub(super) fn outcome(answer: &SlipAnswer) -> String {
    let mut text = match answer.outcome {
        SlipOutcome::Accepted => "accepted".to_owned(),
        SlipOutcome::Duplicate => "duplicate: counted once".to_owned(),
        SlipOutcome::OverQuotaRecorded => {
            format!("OVER QUOTA by {}, recorded", answer.over_by)
        }
        SlipOutcome::Rejected(rejection) => format!("REJECTED: {rejection}"),
        SlipOutcome::NotDecided => format!("not decided: {}", answer.detail),
    };
    if let Some(irregularity) = answer.irregularity {
        text.push_str(&format!(" (irregular: {irregularity})"));
    }
    for warning in &answer.warnings {
        text.push_str(&format!(" (note: {warning})"));
    }
    text
}
