//! Puts a program and waits until every shard decides by it.

use std::time::Duration;

use quorate_client::model::{ProgramStatus, PutProgram};
use quorate_core::ledger::Program;
use serde_json::json;

use crate::{
    exit::{Exit, Failure},
    output::Style,
    progress,
    reach::Reach,
};

/// How often the shards are asked.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Puts the program; `expected_version` is the one that was looked at, 0 if none was.
pub(super) async fn apply(
    program: &Program,
    expected_version: u64,
    immediate: bool,
    reach: &Reach,
) -> Result<Exit, Failure> {
    let operator = reach.operator()?;
    let put = PutProgram {
        expected_version,
        immediate,
    };
    let message = super::message(program);
    let put = operator
        .put_program(&message, put, reach.time_limit)
        .await?;

    let id = program.id().to_string();
    let until = reach.env.monotonic() + reach.time_limit;
    let bar = progress::counter("shards", 0, reach.output);
    let status = loop {
        let status = operator.status(reach.time_limit).await?;
        let found = status.programs.into_iter().find(|p| p.program == id);
        let status = found.filter(|found| found.version >= put.version);
        if let Some(status) = &status {
            bar.set_length(status.shards_total.into());
            bar.set_position(status.shards_current.into());
        }
        match status {
            Some(status) if status.shards_current == status.shards_total => break status,
            status if reach.env.monotonic() >= until => {
                bar.finish_and_clear();
                return Err(incomplete(&id, put.version, status.as_ref()));
            }
            _ => reach.env.sleep(ASK_AGAIN).await,
        }
    };
    bar.finish_and_clear();
    let result = json!({
        "program": id,
        "version": put.version,
        "unchanged": put.unchanged,
        "shards_current": status.shards_current,
        "shards_total": status.shards_total,
    });
    reach.output.print(&result, |painter| {
        let shards = format!("{} of {}", status.shards_current, status.shards_total);
        let headline = match put.unchanged {
            true => format!("program {id} is as it was: version {}", put.version),
            false => format!("program {id} has version {}", put.version),
        };
        format!(
            "{}\n  {shards} shards have version {}",
            painter.paint(Style::Good, &headline),
            put.version
        )
    })?;
    Ok(Exit::Ok)
}

fn incomplete(id: &str, version: u64, status: Option<&ProgramStatus>) -> Failure {
    let (current, total) = status.map_or((0, 0), |status| {
        (status.shards_current, status.shards_total)
    });
    let what = format!(
        "program {id} has version {version}, and {current} of {total} shards are known to have it"
    );
    Failure::new(Exit::Unavailable, what)
        .next("it reaches the others as they answer: see `quorate admin status`")
}
