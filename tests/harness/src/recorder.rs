//! Calls made and replies seen, kept as records: what turns clients into a history.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quorate_client::{
    Terminal,
    model::{Sale, Undo},
};
use quorate_link::Env;

use crate::{
    citizens,
    cluster::{Cluster, program_id},
    history::{Call, History, Record, Reply, Rule},
    translate,
};

/// Makes calls and keeps what came of them. One clock for all its callers.
pub struct Recorder {
    rule: Rule,
    env: Env,
    started: Duration,
    call_time_limit: Duration,
    records: Mutex<Vec<Record>>,
}

impl Recorder {
    /// An empty history that begins now. A call, its retries included, takes `call_time_limit` at most.
    #[must_use]
    pub fn new(cluster: &Cluster, call_time_limit: Duration) -> Self {
        Self {
            rule: cluster.rule(),
            env: cluster.env.clone(),
            started: cluster.env.monotonic(),
            call_time_limit,
            records: Mutex::default(),
        }
    }

    /// One call, recorded.
    pub async fn call(&self, client: u32, terminal: &Terminal, citizen: u64, call: Call) -> Reply {
        let start_us = self.now_us();
        let reply = self.ask(terminal, citizen, call).await;
        lock(&self.records).push(Record {
            client,
            start_us,
            end_us: self.now_us(),
            citizen,
            call,
            reply: reply.clone(),
        });
        reply
    }

    async fn ask(&self, terminal: &Terminal, citizen: u64, call: Call) -> Reply {
        let (limit, program) = (self.call_time_limit, program_id());
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
            Call::Slip { .. } => Reply::NotDone {
                cause: "no terminal here hands in slips".to_owned(),
            },
            Call::List => translate::listed(terminal.list(&id, program, limit).await),
        }
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
        History {
            rule: self.rule,
            records: std::mem::take(&mut *lock(&self.records)),
        }
    }

    /// Clock and tasks.
    pub(crate) fn env(&self) -> &Env {
        &self.env
    }

    fn now_us(&self) -> u64 {
        let since_start = self.env.monotonic().saturating_sub(self.started);
        u64::try_from(since_start.as_micros()).unwrap_or(u64::MAX)
    }
}

/// A poisoned lock means that another test thread failed; its data is still worth a judgement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
