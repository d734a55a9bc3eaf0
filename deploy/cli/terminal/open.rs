//! From the context to a counter with its journal.

use quorate_client::Terminal;
use quorate_link::Env;
use quorate_terminal::{Counter, Journal, SharedJournal, file};

use crate::{exit::Failure, reach::Reach};

/// The journal of the context's terminal. Says on the log what a loss of power left behind.
pub(super) fn journal(reach: &Reach) -> Result<SharedJournal, Failure> {
    let path = reach.context.journal().ok_or_else(|| {
        let failure = reach
            .context
            .invalid("there is no [terminal] in this context");
        Failure::from(failure).next("enrol a device with `quorate admin device enroll` and add it")
    })?;
    let file = file::DiskFile::open(&path).map_err(|error| match error {
        file::OpenError::InUse(_) => Failure::usage(error.to_string())
            .next("use the program that has it open, or end that one"),
        file::OpenError::Io { .. } => Failure::usage(error.to_string()),
    })?;
    let opened = Journal::open(Box::new(file));
    let (journal, found) =
        opened.map_err(|error| Failure::unexpected(format!("{}: {error}", path.display())))?;
    let path = path.display();
    if found.torn_bytes > 0 {
        let bytes = found.torn_bytes;
        tracing::warn!(%path, bytes, "the last write was cut off by a loss of power; it was never confirmed, and is gone");
    }
    if found.damaged_bytes > 0 {
        let bytes = found.damaged_bytes;
        tracing::warn!(%path, bytes, "a part of the journal is damaged; all slips around it are there");
    }
    if found.unknown_records > 0 {
        let records = found.unknown_records;
        tracing::warn!(%path, records, "some records were written by a later version");
    }
    Ok(SharedJournal::new(journal))
}

/// The counter of the context.
pub(super) fn counter(reach: &Reach) -> Result<Counter<Terminal>, Failure> {
    let terminal = reach.terminal()?;
    let first_key = reach.context.sealing_key()?;
    let journal = journal(reach)?;
    Ok(Counter::new(terminal, journal, first_key, env(reach)))
}

/// The counter's time: that of the cluster, where that runs on a clock of its own.
pub(super) fn env(reach: &Reach) -> Env {
    match reach.context.value.clock {
        Some(clock) => reach.env.on_set_clock(clock.into()),
        None => reach.env.clone(),
    }
}
