//! Calls made and replies seen, kept as records: what turns clients into a history.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quorate_check::rules::Rules;
use quorate_client::{
    DeviceKey, Operator, SignedSlip, Terminal, TerminalIdentity,
    model::{Correction, PaperSale, Sale, Undo},
};
use quorate_link::{Env, SealingKey};

use crate::{
    citizens,
    cluster::{Cluster, program_id},
    history::{Call, History, Record, Reply},
    translate,
};

/// Makes calls and keeps what came of them. One clock for all its callers.
pub struct Recorder {
    rules: Rules,
    env: Env,
    started: Duration,
    call_time_limit: Duration,
    device_key: DeviceKey,
    sealing_key: SealingKey,
    /// Who corrects; in words why nobody can.
    operator: Result<Operator, String>,
    records: Mutex<Vec<Record>>,
}

impl Recorder {
    /// An empty history that begins now. A call, its retries included, takes `call_time_limit` at most.
    #[must_use]
    pub fn new(cluster: &Cluster, call_time_limit: Duration) -> Self {
        Self {
            rules: cluster.rules(),
            env: cluster.env.clone(),
            started: cluster.env.monotonic(),
            call_time_limit,
            device_key: cluster.identity(0).key,
            sealing_key: cluster.sealing_key(),
            operator: cluster.operator().map_err(|error| format!("{error:#}")),
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

    fn now_us(&self) -> u64 {
        let since_start = self.env.monotonic().saturating_sub(self.started);
        u64::try_from(since_start.as_micros()).unwrap_or(u64::MAX)
    }
}

/// A poisoned lock means that another test thread failed; its data is still worth a judgement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
