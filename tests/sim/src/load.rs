//! Clients at counters: few citizens, many at once, every call and every reply kept.
//!
//! State owned: the history, and what each client has open. Laws: calls of one client do not overlap; a
//! request whose outcome is unknown is sent again with its id, through whatever gateway, until it is told.
//! [`LoadKind`] is the list of what clients do; whatever is added there joins every run.

mod client;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cluster::Cluster;
use crate::counter::{Counter, request_id};
use crate::coverage::Coverage;
use crate::plan::{LIMIT, Plan, SITES, ZONE};
use quorate_check::history::{Call, History, Record, Reply};
use quorate_check::rules::{Rule, Rules, WindowKind};
use quorate_link::Env;

use client::Client;

/// After this long, in a cluster that is whole, a call that is not answered is a finding.
const TELL_TIME_MAX: Duration = Duration::from_secs(60);
const TELL_PAUSE: Duration = Duration::from_millis(200);
/// In a cluster that is whole, each shard decides a sale within this time.
const SERVE_TIME_MAX: Duration = Duration::from_secs(10);
/// So many citizens live in every shard for sure.
const CITIZENS_SERVED_MAX: u64 = 64;

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoadKind {
    /// Ask what a citizen may take.
    Check,
    /// Sell.
    Sell,
    /// Undo a sale of one's own site.
    Void,
    /// An administrator undoes a sale.
    Correct,
    /// Hand in a slip.
    Slip,
    /// List what a citizen bought.
    List,
    /// Send again what was answered.
    Repeat,
    /// Send an answered request id again, with another quantity.
    Conflict,
    /// Send again what was not.
    Resolve,
    /// Goods come in at the site.
    Stock,
    /// Change the program.
    Program,
}

impl LoadKind {
    /// All of them.
    pub const ALL: [LoadKind; 11] = [
        LoadKind::Check,
        LoadKind::Sell,
        LoadKind::Void,
        LoadKind::Correct,
        LoadKind::Slip,
        LoadKind::List,
        LoadKind::Repeat,
        LoadKind::Conflict,
        LoadKind::Resolve,
        LoadKind::Stock,
        LoadKind::Program,
    ];
}

/// A call that is not answered yet. Only a client of the same site may make it again: from another site the
/// same id would be another request.
#[derive(Clone, Copy, Debug)]
struct Open {
    client: u32,
    citizen: u64,
    call: Call,
}

/// What all clients share.
pub struct Load {
    cluster: Arc<Cluster>,
    plan: Arc<Plan>,
    env: Env,
    coverage: Coverage,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stopped: bool,
    records: Vec<Record>,
    open: Vec<Open>,
    running: usize,
}

impl Load {
    /// Nobody calls yet.
    pub fn new(cluster: Arc<Cluster>, plan: Arc<Plan>, env: Env, coverage: Coverage) -> Arc<Self> {
        Arc::new(Self {
            cluster,
            plan,
            env,
            coverage,
            state: Mutex::default(),
        })
    }

    /// The site at which a client stands.
    pub fn site_of(client: u32) -> u64 {
        u64::from(client) % SITES
    }

    /// Starts every client.
    pub fn start(self: &Arc<Self>) {
        self.lock().running = self.plan.load.clients as usize;
        for number in 0..self.plan.load.clients {
            let client = Client::new(number, self.clone());
            self.env.spawn("client", client.run());
        }
    }

    /// Stops the clients and waits until each has had its last answer.
    pub async fn stop(&self) {
        self.lock().stopped = true;
        while self.lock().running > 0 {
            self.env.sleep(TELL_PAUSE).await;
        }
    }

    /// Sends every request again that was not told its outcome, then lists every citizen.
    ///
    /// # Errors
    /// One is not answered, although the cluster is whole.
    pub async fn settle(&self) -> Result<(), String> {
        let open = std::mem::take(&mut self.lock().open);
        self.until_told(open, TELL_TIME_MAX).await?;
        // A list that is to show what was told before must begin later.
        self.env.sleep(TELL_PAUSE).await;
        let citizens: BTreeSet<u64> = {
            let state = self.lock();
            state.records.iter().map(|record| record.citizen).collect()
        };
        let lists = citizens.into_iter().map(|citizen| Open {
            client: 0,
            citizen,
            call: Call::List,
        });
        self.until_told(lists.collect(), TELL_TIME_MAX).await?;
        Ok(())
    }

    /// Sells in every data shard.
    ///
    /// # Errors
    /// One decides nothing, although the cluster is whole.
    pub async fn sell_everywhere(&self) -> Result<(), String> {
        let mut silent: BTreeSet<u32> = (1..=self.plan.shards).collect();
        for citizen in 0..CITIZENS_SERVED_MAX {
            let request = request_id(self.env.unix_ms(), citizen);
            let call = Call::Sell {
                request,
                quantity: 1,
            };
            let open = Open {
                client: 0,
                citizen,
                call,
            };
            let reply = self.until_told(vec![open], SERVE_TIME_MAX).await?;
            if let Some(position) = reply.and_then(|reply| reply.position()) {
                silent.remove(&position.shard);
            }
            if silent.is_empty() {
                return Ok(());
            }
        }
        Err(format!("no sale was decided by the shards {silent:?}"))
    }

    /// Makes each call until it is told; the last reply.
    async fn until_told(
        &self,
        calls: Vec<Open>,
        time_limit: Duration,
    ) -> Result<Option<Reply>, String> {
        let deadline = self.env.monotonic() + time_limit;
        let mut last = None;
        for open in calls {
            let mut attempt = 0;
            loop {
                let reply = self.call(open, attempt).await;
                if is_told(&open.call, &reply) {
                    last = Some(reply);
                    break;
                }
                if self.env.monotonic() > deadline {
                    return Err(format!("{open:?} is not answered: {reply:?}"));
                }
                attempt += 1;
                self.env.sleep(TELL_PAUSE).await;
            }
        }
        Ok(last)
    }

    /// One call, recorded.
    async fn call(&self, open: Open, choice: u64) -> Reply {
        let start_us = self.now_us();
        let reply = self.ask(open, choice).await;
        if let Some(position) = reply.position() {
            self.cluster.acknowledged(&open.call, position);
        }
        self.lock().records.push(Record {
            client: open.client,
            start_us,
            end_us: self.now_us(),
            citizen: open.citizen,
            call: open.call,
            reply: reply.clone(),
        });
        reply
    }

    async fn ask(&self, open: Open, choice: u64) -> Reply {
        let Some((gateway, env)) = self.cluster.gateway(choice) else {
            return Reply::NotDone {
                cause: "no gateway is up".to_owned(),
            };
        };
        let site = Self::site_of(open.client);
        let deadline = env.monotonic() + self.plan.load.call_time_max;
        Counter { site }
            .call(&gateway, open.citizen, open.call, deadline)
            .await
    }

    /// An answered id with other content, which is no operation of its own: it must be refused, and is not
    /// recorded. Whether it was.
    async fn conflict(&self, open: Open, choice: u64) -> bool {
        let reply = self.ask(open, choice).await;
        let refused = is_refused_as_conflict(&reply);
        if refused == Some(false) {
            let detail =
                format!("{open:?} was answered before with other content, and now {reply:?}");
            self.cluster.find("an id names one request", detail);
        }
        refused == Some(true)
    }

    /// Everything that was called and answered.
    pub fn history(&self) -> History {
        let rule = Rule::new(LIMIT, WindowKind::CalendarWeek).may_deny(&[]);
        let rules = Rules::one(ZONE, rule);
        History::new(rules, self.lock().records.clone())
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.env.monotonic().as_micros()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the reply says what became of the call.
fn is_told(call: &Call, reply: &Reply) -> bool {
    match (call, reply) {
        (_, Reply::Unknown { .. }) => false,
        // A slip that is refused for good is told.
        (Call::Slip { .. }, Reply::NotDone { cause }) => cause.starts_with("rejected"),
        (_, Reply::NotDone { .. }) => false,
        _ => true,
    }
}

/// Whether a request was refused because its id names another one; `None`: it was not told.
fn is_refused_as_conflict(reply: &Reply) -> Option<bool> {
    match reply {
        Reply::NotDone { cause } if cause == "rejected: RequestIdConflict" => Some(true),
        Reply::NotDone { cause } if cause.starts_with("rejected") => Some(false),
        Reply::NotDone { .. } | Reply::Unknown { .. } => None,
        Reply::Verdict(_) | Reply::Voided(_) | Reply::HandedIn(_) | Reply::Listed(_) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_request_under_an_answered_id_must_be_refused_as_that() {
        let not_done = |cause: &str| {
            let cause = cause.to_owned();
            is_refused_as_conflict(&Reply::NotDone { cause })
        };
        assert_eq!(not_done("rejected: RequestIdConflict"), Some(true));
        assert_eq!(not_done("rejected: UnknownProgram"), Some(false));
        assert_eq!(not_done("not done: nobody leads"), None);
        let cause = String::new();
        assert_eq!(is_refused_as_conflict(&Reply::Unknown { cause }), None);
        let listed = Reply::Listed(quorate_check::history::ListReply {
            purchases: Vec::new(),
            position: quorate_check::history::Position::default(),
        });
        assert_eq!(is_refused_as_conflict(&listed), Some(false));
    }
}
