//! Taking slips to a gateway, until each has been answered.
//!
//! Laws: slips are handed in as they were written; any order and any number of repetitions leave each recorded once;
//! a slip that is not decided holds up no other; pauses grow while nothing comes of it.

use std::{collections::BTreeMap, time::Duration};

use quorate_client::{ReadError, SignedSlip, model::SlipAnswer, retry::RetryPolicy};
use quorate_link::Env;
use quorate_proto::ids::RequestId;
use tokio::sync::Notify;

use crate::{
    journal::{JournalError, SharedJournal},
    limits,
    online::Online,
};

/// What came of handing in.
#[derive(Debug, Default)]
pub struct HandInReport {
    /// In the order they came.
    pub answers: Vec<SlipAnswer>,
    /// Slips that still wait.
    pub waiting: usize,
    /// Why some were not answered at all.
    pub stopped_by: Option<ReadError>,
    /// Why an outcome could not be noted; the slip will be handed in again.
    pub not_noted: Option<JournalError>,
}

/// Hands in everything that waits, once. `answered` hears of each.
pub async fn hand_in<O: Online>(
    online: &O,
    journal: &SharedJournal,
    env: &Env,
    mut answered: impl FnMut(&SlipAnswer) + Send,
) -> HandInReport {
    let open: Vec<_> = journal.lock().book().open().cloned().collect();
    let mut report = HandInReport::default();
    for batch in open.chunks(limits::HAND_IN_BATCH) {
        let HandInReport {
            answers, not_noted, ..
        } = &mut report;
        let mut unheard: BTreeMap<RequestId, &SignedSlip> =
            batch.iter().map(|slip| (slip.request_id(), slip)).collect();
        let mut hear = |answer: SlipAnswer| {
            // Only what was asked is an answer.
            if unheard.remove(&answer.request_id).is_none() {
                return;
            }
            let noted = journal.lock().settle(answer.clone(), env.unix_ms());
            *not_noted = not_noted.take().or(noted.err());
            answered(&answer);
            answers.push(answer);
        };
        let handed = online.hand_in(batch, limits::HAND_IN_PATIENCE, &mut hear);
        if let Err(error) = handed.await {
            let unheard: Vec<_> = unheard.into_keys().collect();
            journal.lock().tried(&unheard, &error.to_string());
            report.stopped_by = Some(error);
            break;
        }
    }
    let mut journal = journal.lock();
    if let Some(key) = online.sealing_key()
        && let Err(error) = journal.keep_key(key)
    {
        report.not_noted = Some(error);
    }
    if !report.answers.is_empty()
        && let Err(error) = journal.sync()
    {
        report.not_noted = Some(error);
    }
    report.waiting = journal.book().waiting();
    report
}

/// Hands in whatever waits, for ever: at once when something is written down, and again after growing pauses while
/// nothing comes of it. `written` is told of new slips; `changed` is called when something became known.
pub async fn keep_handing_in<O: Online>(
    online: &O,
    journal: &SharedJournal,
    env: &Env,
    written: &Notify,
    mut changed: impl FnMut() + Send,
) {
    let pauses = RetryPolicy {
        backoff_first: limits::HAND_IN_PAUSE_MIN,
        backoff_max: limits::HAND_IN_PAUSE_MAX,
    };
    let mut fruitless = 0;
    loop {
        if journal.lock().book().waiting() == 0 {
            fruitless = 0;
            written.notified().await;
        }
        let report = hand_in(online, journal, env, |_| {}).await;
        changed();
        let settled = report
            .answers
            .iter()
            .any(|answer| answer.outcome.is_final());
        fruitless = if settled { 0 } else { fruitless + 1 };
        if report.waiting > 0 {
            let pause = pauses.pause(fruitless.max(1), None, env.random_u64());
            env.sleep(pause.max(Duration::from_millis(1))).await;
        }
    }
}
