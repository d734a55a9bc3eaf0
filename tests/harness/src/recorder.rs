//! Calls made and replies seen, kept as records: what turns clients into a history.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quorate_client::{
    DeviceKey, SignedSlip, Terminal, TerminalIdentity,
    model::{PaperSale, Sale, Undo},
};
use quorate_link::{Env, SealingKey};
use quorate_proto::ids::RequestId;

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
    device_key: DeviceKey,
    sealing_key: SealingKey,
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
            device_key: cluster.identity(0).key,
            sealing_key: cluster.sealing_key(),
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
            Call::Slip { request, quantity } => {
                let sale = PaperSale {
                    request_id: request,
                    sequence: 1,
                    citizen: id,
                    program,
                    product: None,
                    quantity,
                    sold_at_ms: made_at_ms(request),
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

/// When a slip was written, Unix milliseconds: request ids here are of version 7 and begin with their time.
fn made_at_ms(request: RequestId) -> i64 {
    let [a, b, c, d, e, f, ..] = request.get();
    i64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// A poisoned lock means that another test thread failed; its data is still worth a judgement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
