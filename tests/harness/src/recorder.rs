//! Calls made and replies seen, kept as records: what turns clients into a history.
//!
//! Law: what was recorded and never taken to be judged is kept beside the logs of a cluster whose test failed.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::bail;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use quorate_check::rules::Rules;
use quorate_client::{
    DeviceKey, Operator, SignedSlip, Terminal, TerminalIdentity,
    model::{Correction, PaperSale, Sale, Undo},
};
use quorate_link::{Env, SealingKey};
use quorate_proto::ids::ProgramId;

use crate::{
    citizens,
    cluster::{Cluster, program_id},
    history::{Call, History, Record, Reply},
    translate,
};

/// After this long a citizen who cannot be listed is a finding, not a delay.
const LIST_TIME_MAX: Duration = Duration::from_secs(60);
const LIST_PAUSE: Duration = Duration::from_millis(100);
/// Lists under way at once.
const LISTS: usize = 16;
/// Each last list has a client of its own, with a number that no client of a test has.
const FIRST_LISTER: u32 = 1 << 31;

/// Makes calls and keeps what came of them. One clock for all its callers.
pub struct Recorder {
    rules: Rules,
    program: ProgramId,
    env: Env,
    started: Duration,
    call_time_limit: Duration,
    device_key: DeviceKey,
    sealing_key: SealingKey,
    /// Who corrects; in words why nobody can.
    operator: Result<Operator, String>,
    records: Mutex<Vec<Record>>,
    /// Where records go that nobody has taken.
    untaken: PathBuf,
}

impl Recorder {
    /// An empty history that begins now. A call, its retries included, takes `call_time_limit` at most.
    #[must_use]
    pub fn new(cluster: &Cluster, call_time_limit: Duration) -> Self {
        Self {
            rules: cluster.rules(),
            program: program_id(),
            env: cluster.env.clone(),
            started: cluster.env.monotonic(),
            call_time_limit,
            device_key: cluster.identity(0).key,
            sealing_key: cluster.sealing_key(),
            operator: cluster.operator().map_err(|error| format!("{error:#}")),
            records: Mutex::default(),
            untaken: cluster.path("history.jsonl"),
        }
    }

    /// The same for another program, played under these rules.
    #[must_use]
    pub fn of(mut self, program: ProgramId, rules: Rules) -> Self {
        self.program = program;
        self.rules = rules;
        self
    }

    /// One call, recorded.
    pub async fn call(&self, client: u32, terminal: &Terminal, citizen: u64, call: Call) -> Reply {
        let start_us = self.now_us();
        let reply = self.ask(terminal, citizen, call).await;
        self.note(client, start_us, citizen, call, reply.clone());
        reply
    }

    /// Records a call that the caller has made, from `start_us` until now.
    pub fn note(&self, client: u32, start_us: u64, citizen: u64, call: Call, reply: Reply) {
        lock(&self.records).push(Record {
            client,
            start_us,
            end_us: self.now_us(),
            citizen,
            call,
            reply,
        });
    }

    /// Lists everybody once more, so that the history can be judged. No call may be under way, and none may follow.
    ///
    /// # Errors
    /// A citizen could not be listed.
    pub async fn list_everybody(&self, terminal: &Terminal) -> anyhow::Result<()> {
        let citizens = self.citizens();
        let lists = (FIRST_LISTER..)
            .zip(citizens)
            .map(|(lister, citizen)| async move {
                let deadline = self.env.monotonic() + LIST_TIME_MAX;
                loop {
                    let reply = self.call(lister, terminal, citizen, Call::List).await;
                    if reply.position().is_some() {
                        return Ok(());
                    }
                    if self.env.monotonic() > deadline {
                        bail!("citizen {citizen} is not listed after {LIST_TIME_MAX:?}: {reply:?}");
                    }
                    self.env.sleep(LIST_PAUSE).await;
                }
            });
        let lists = stream::iter(lists).buffer_unordered(LISTS);
        lists.try_collect().await
    }

    async fn ask(&self, terminal: &Terminal, citizen: u64, call: Call) -> Reply {
        let (limit, program) = (self.call_time_limit, self.program);
        let id = citizens::national_id(citizen);
        let sale = |quantity| Sale::new(id.clone(), program, quantity);
        match call {
            Call::Check { quantity } => {
                translate::checked(terminal.check(&sale(quantity), limit).await)
            }
            Call::Sell { request, quantity } => {
                translate::recorded(terminal.record(request, &sale(quantity), limit).await)
            }
            Call::Void { request, sale } => {
                let undo = Undo {
                    citizen: id.clone(),
                    program,
                    sale_request_id: sale,
                };
                translate::voided(terminal.void(request, &undo, limit).await)
            }
            Call::Correct { request, sale } => {
                let correction = Correction {
                    citizen: id,
                    program,
                    sale_request_id: sale,
                    reason: "sold by mistake".to_owned(),
                    case_number: "harness".to_owned(),
                };
                let operator = match &self.operator {
                    Ok(operator) => operator,
                    Err(cause) => {
                        return Reply::NotDone {
                            cause: cause.clone(),
                        };
                    }
                };
                translate::voided(operator.correct_sale(request, &correction, limit).await)
            }
            Call::Slip {
                request,
                quantity,
                sold_ms,
            } => {
                let sale = PaperSale {
                    request_id: request,
                    sequence: 1,
                    citizen: id,
                    program,
                    product: None,
                    quantity,
                    sold_at_ms: sold_ms,
                    proxy_ground: None,
                };
                self.hand_in(terminal, &sale).await
            }
            Call::List => translate::listed(terminal.list(&id, program, limit).await),
        }
    }

    /// Seals, signs and hands in one slip. Signed anew with every attempt, it is the same slip.
    async fn hand_in(&self, terminal: &Terminal, sale: &PaperSale) -> Reply {
        let by = TerminalIdentity {
            site: terminal.site(),
            device: terminal.device(),
            key: DeviceKey::from_seed(&self.device_key.seed()),
        };
        let slip = match SignedSlip::write(sale, &by, &self.sealing_key, &self.env) {
            Ok(slip) => slip,
            Err(error) => {
                return Reply::NotDone {
                    cause: error.to_string(),
                };
            }
        };
        let mut answer = None;
        let answered = |told| answer = Some(told);
        let slips = [slip];
        let ended = terminal
            .hand_in(&slips, self.call_time_limit, answered)
            .await;
        translate::handed_in(answer, ended)
    }

    /// Whoever was called about so far.
    #[must_use]
    pub fn citizens(&self) -> BTreeSet<u64> {
        lock(&self.records)
            .iter()
            .map(|record| record.citizen)
            .collect()
    }

    /// Everything so far; the recorder is empty afterwards.
    #[must_use]
    pub fn take(&self) -> History {
        let records = std::mem::take(&mut *lock(&self.records));
        History::new(self.rules.clone(), records)
    }

    /// Clock and tasks.
    pub(crate) fn env(&self) -> &Env {
        &self.env
    }

    /// The clock of the history, microseconds since it began.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        let since_start = self.env.monotonic().saturating_sub(self.started);
        u64::try_from(since_start.as_micros()).unwrap_or(u64::MAX)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let untaken = self.take();
        if !untaken.records.is_empty() {
            // The directory is gone where the test went well.
            let _nowhere = untaken.save(&self.untaken);
        }
    }
}

/// A poisoned lock means that another test thread failed; its data is still worth a judgement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use quorate_link::SealingSecret;

    use super::*;

    /// With one call in it.
    fn recorder(untaken: &Path) -> Recorder {
        let recorder = Recorder {
            rules: Rules::limit(1),
            program: program_id(),
            env: Env::system(),
            started: Duration::ZERO,
            call_time_limit: Duration::ZERO,
            device_key: DeviceKey::from_seed(&[1; 32]),
            sealing_key: SealingSecret::from_bytes(&[2; 32]).public().clone(),
            operator: Err("nobody".to_owned()),
            records: Mutex::default(),
            untaken: untaken.to_owned(),
        };
        let cause = "not the leader".to_owned();
        recorder.note(3, 0, 7, Call::List, Reply::NotDone { cause });
        recorder
    }

    #[test]
    fn what_nobody_took_is_kept() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("history.jsonl");
        drop(recorder(&path));
        let kept = History::load(&path).expect("it is kept");
        let [record] = &kept.records[..] else {
            panic!("one record: {kept:?}");
        };
        assert_eq!((record.client, record.citizen), (3, 7));

        fs::remove_file(&path).expect("it is there");
        let taken = recorder(&path).take();
        assert_eq!(taken.records.len(), 1);
        assert!(!path.exists(), "what was taken is somebody else's to keep");

        // A test that went well has taken its cluster's directory away.
        drop(recorder(&directory.path().join("gone/history.jsonl")));
    }
}
