//! Clients at counters: seeded, many at once on few citizens, each call and each reply recorded.
//!
//! A workload runs until it is stopped. Then every request whose outcome is unknown is sent again until it
//! is told, and every citizen is listed once more: only then can the history be judged. Citizens pass by:
//! each is hot for a while, so that clients meet on it, and no record grows without bound.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::bail;
use quorate_client::{Terminal, new_request_id};
use quorate_link::{Env, TaskHandle};
use quorate_proto::ids::RequestId;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    cluster::Cluster,
    history::{Call, History, Reply},
    recorder::{Recorder, lock},
};

/// Citizens that are hot at the same time: so few that clients meet on each, so many that the orders in which
/// their calls may have been decided can still be searched.
const HOT_CITIZENS_MIN: u64 = 8;
const CLIENTS_PER_HOT_CITIZEN: u64 = 8;
/// Calls that each citizen gets, on average.
const CALLS_PER_CITIZEN: u64 = 20;
/// After this long an unknown outcome is a finding, not a delay.
const RESOLVE_TIME_MAX: Duration = Duration::from_secs(60);
const RESOLVE_PAUSE: Duration = Duration::from_millis(100);
/// How often progress is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Answered requests of a client that may be sent again.
const ANSWERED_KEPT: usize = 20;

/// What a workload does.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadOptions {
    /// The same seed makes the same choices.
    pub seed: u64,
    /// Clients, each with a connection of its own.
    pub clients: u32,
    /// How long one call may take, its retries included.
    pub call_time_limit: Duration,
    /// From one call of a client to its next, on average; a call that takes longer puts the next off. Like customers
    /// who come whether answers are quick or slow, so that a slower answer is not a lower rate.
    pub interval: Duration,
    /// Of a hundred calls, how many hand in a slip.
    pub slips: u32,
    /// The first index of the population: workloads on one cluster must not share citizens.
    pub first_citizen: u64,
}

impl WorkloadOptions {
    /// Sixteen clients and some thousand calls a second: enough to be in the middle of something whenever
    /// a fault strikes, and little enough to leave a two-core machine its breath.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            clients: 16,
            call_time_limit: Duration::from_secs(5),
            interval: Duration::from_millis(10),
            slips: 0,
            first_citizen: 0,
        }
    }

    /// The same with one call in ten handing in a slip.
    #[must_use]
    pub const fn with_slips(seed: u64) -> Self {
        Self {
            slips: 10,
            ..Self::new(seed)
        }
    }
}

/// A workload that runs.
pub struct Workload {
    shared: Arc<Shared>,
    clients: Vec<TaskHandle>,
    terminals: Vec<Terminal>,
}

/// A call that is not answered yet. Another terminal must not make it: it may stand at another site, and
/// the same request id from there would be another sale.
#[derive(Clone, Copy, Debug)]
struct Open {
    client: u32,
    citizen: u64,
    call: Call,
}

struct Shared {
    options: WorkloadOptions,
    recorder: Arc<Recorder>,
    stop: AtomicBool,
    calls: AtomicU64,
    answers: Arc<AtomicU64>,
    grants: AtomicU64,
    /// Requests without a told outcome, when their client ended.
    open: Mutex<Vec<Open>>,
}

impl Workload {
    /// Starts the clients.
    ///
    /// # Errors
    /// A terminal cannot be set up.
    pub fn start(cluster: &Cluster, options: WorkloadOptions) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            options,
            recorder: Arc::new(Recorder::new(cluster, options.call_time_limit)),
            stop: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            answers: Arc::default(),
            grants: AtomicU64::new(0),
            open: Mutex::default(),
        });
        let terminals = (0..options.clients)
            .map(|number| cluster.terminal(number as usize))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let clients = (0..options.clients)
            .zip(&terminals)
            .map(|(number, terminal)| {
                let client = Client::new(number, terminal.clone(), shared.clone());
                shared.env().spawn("client", Box::pin(client.run()))
            })
            .collect();
        Ok(Self {
            shared,
            clients,
            terminals,
        })
    }

    /// Sales granted so far, repeated answers included.
    #[must_use]
    pub fn grants(&self) -> u64 {
        self.shared.grants.load(Ordering::Relaxed)
    }

    /// Counts the calls that were answered, whatever the answer.
    #[must_use]
    pub fn answers(&self) -> Arc<AtomicU64> {
        self.shared.answers.clone()
    }

    /// For calls of others that belong to the same history. Each must be repeated until it is answered, and
    /// `client` must be the number of the terminal that makes it.
    #[must_use]
    pub fn recorder(&self) -> Arc<Recorder> {
        self.shared.recorder.clone()
    }

    /// Waits until that many more sales were granted than now.
    ///
    /// # Errors
    /// They were not within `time_limit`.
    pub async fn await_grants(&self, more: u64, time_limit: Duration) -> anyhow::Result<()> {
        let goal = self.grants() + more;
        let deadline = self.shared.env().monotonic() + time_limit;
        while self.grants() < goal {
            if self.shared.env().monotonic() > deadline {
                let missing = goal - self.grants();
                bail!("{missing} of {more} sales were not granted within {time_limit:?}");
            }
            self.shared.env().sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Stops the clients, resolves every unknown outcome, lists every citizen.
    ///
    /// # Errors
    /// An outcome stayed unknown, or a citizen could not be listed.
    pub async fn finish(mut self) -> anyhow::Result<History> {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in &mut self.clients {
            client.finished().await;
        }
        let open = std::mem::take(&mut *lock(&self.shared.open));
        self.until_told(open).await?;
        let citizens = self.shared.recorder.citizens();
        let lists = citizens
            .into_iter()
            .zip((0..self.shared.options.clients).cycle());
        let lists = lists.map(|(citizen, client)| Open {
            client,
            citizen,
            call: Call::List,
        });
        self.until_told(lists.collect()).await?;
        Ok(self.shared.recorder.take())
    }

    /// Makes these calls again and again until each was answered.
    async fn until_told(&self, calls: Vec<Open>) -> anyhow::Result<()> {
        let deadline = self.shared.env().monotonic() + RESOLVE_TIME_MAX;
        let mut workers = Vec::new();
        for (client, terminal) in (0..).zip(&self.terminals) {
            let share: Vec<Open> = calls
                .iter()
                .copied()
                .filter(|open| open.client == client)
                .collect();
            let (shared, terminal) = (self.shared.clone(), terminal.clone());
            let work = async move {
                for open in share {
                    while shared.call(&terminal, open).await.is_none() {
                        if shared.env().monotonic() > deadline {
                            lock(&shared.open).push(open);
                            break;
                        }
                        shared.env().sleep(RESOLVE_PAUSE).await;
                    }
                }
            };
            workers.push(self.shared.env().spawn("resolve", Box::pin(work)));
        }
        for worker in &mut workers {
            worker.finished().await;
        }
        let open = lock(&self.shared.open);
        if let Some(first) = open.first() {
            let count = open.len();
            bail!("{count} calls not answered after {RESOLVE_TIME_MAX:?}, among them {first:?}");
        }
        Ok(())
    }
}

impl Shared {
    /// One call. `None`: not answered; otherwise whether a sale was granted.
    async fn call(&self, terminal: &Terminal, open: Open) -> Option<bool> {
        let (client, citizen) = (open.client, open.citizen);
        let reply = self
            .recorder
            .call(client, terminal, citizen, open.call)
            .await;
        let granted = matches!(&reply, Reply::Verdict(verdict) if verdict.granted())
            && matches!(open.call, Call::Sell { .. });
        self.grants.fetch_add(u64::from(granted), Ordering::Relaxed);
        let told = reply.position().map(|_| granted);
        let answered = u64::from(told.is_some());
        self.answers.fetch_add(answered, Ordering::Relaxed);
        told
    }

    fn env(&self) -> &Env {
        self.recorder.env()
    }
}

struct Client {
    number: u32,
    terminal: Terminal,
    shared: Arc<Shared>,
    random: StdRng,
    /// Told and granted, not yet undone by this client: only its own site may.
    sold: Vec<(u64, RequestId)>,
    /// The last answered requests, some of which are sent again.
    answered: VecDeque<(u64, Call)>,
    open: Vec<Open>,
}

impl Client {
    fn new(number: u32, terminal: Terminal, shared: Arc<Shared>) -> Self {
        let seed = shared.options.seed.wrapping_mul(1_000_003) ^ u64::from(number);
        Self {
            number,
            terminal,
            shared,
            random: StdRng::seed_from_u64(seed),
            sold: Vec::new(),
            answered: VecDeque::with_capacity(ANSWERED_KEPT),
            open: Vec::new(),
        }
    }

    async fn run(mut self) {
        while !self.shared.stop.load(Ordering::Relaxed) {
            let (citizen, call) = self.next_call();
            let open = Open {
                client: self.number,
                citizen,
                call,
            };
            let shared = self.shared.clone();
            let next = shared.env().monotonic() + self.interval();
            let told = shared.call(&self.terminal, open).await;
            self.note(open, told);
            let rest = next.saturating_sub(shared.env().monotonic());
            shared.env().sleep(rest).await;
        }
        lock(&self.shared.open).append(&mut self.open);
    }

    /// Half of the interval to one and a half: those who were answered at the same moment, as all are after an outage,
    /// do not go on calling at the same moments.
    fn interval(&mut self) -> Duration {
        let interval = self.shared.options.interval;
        self.random.random_range(interval / 2..=interval * 3 / 2)
    }

    fn next_call(&mut self) -> (u64, Call) {
        let calls = self.shared.calls.fetch_add(1, Ordering::Relaxed);
        let clients = u64::from(self.shared.options.clients);
        let hot_citizens = HOT_CITIZENS_MIN.max(clients / CLIENTS_PER_HOT_CITIZEN);
        let hot = calls / CALLS_PER_CITIZEN + self.random.random_range(0..hot_citizens);
        let citizen = self.shared.options.first_citizen + hot;
        let quantity = 1 << self.random.random_range(0..7);
        let request = new_request_id(self.shared.env());
        match self.random.random_range(0..100) {
            0..12 => (citizen, Call::Check { quantity }),
            12..18 => (citizen, Call::List),
            18..22 if !self.sold.is_empty() => {
                let (citizen, sale) = self.sold.swap_remove(0);
                match self.random.random_ratio(1, 4) {
                    true => (citizen, Call::Correct { request, sale }),
                    false => (citizen, Call::Void { request, sale }),
                }
            }
            22..27 if !self.answered.is_empty() => {
                self.answered[self.random.random_range(0..self.answered.len())]
            }
            27..37 if !self.open.is_empty() => {
                let open = self.open.swap_remove(0);
                (open.citizen, open.call)
            }
            choice if choice >= 100 - self.shared.options.slips => {
                let slip = Call::Slip {
                    request,
                    quantity,
                    sold_ms: made_at_ms(request),
                };
                (citizen, slip)
            }
            _ => (citizen, Call::Sell { request, quantity }),
        }
    }

    fn note(&mut self, open: Open, told: Option<bool>) {
        match (open.call, told) {
            (Call::Check { .. } | Call::List, _) => {}
            (
                Call::Sell { .. } | Call::Void { .. } | Call::Correct { .. } | Call::Slip { .. },
                None,
            ) => self.open.push(open),
            (call, Some(granted)) => {
                let again = self.answered.iter().any(|(_, answered)| *answered == call);
                if !again {
                    if self.answered.len() == ANSWERED_KEPT {
                        self.answered.pop_front();
                    }
                    self.answered.push_back((open.citizen, call));
                }
                if let Call::Sell { request, .. } = call
                    && granted
                    && !again
                {
                    self.sold.push((open.citizen, request));
                }
            }
        }
    }
}

/// When a slip was written, Unix milliseconds: request ids here are of version 7 and begin with their time.
fn made_at_ms(request: RequestId) -> i64 {
    let [a, b, c, d, e, f, ..] = request.get();
    i64::from_be_bytes([0, 0, a, b, c, d, e, f])
}
