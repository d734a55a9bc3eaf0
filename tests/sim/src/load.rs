//! Clients at counters: few citizens, many at once, every call and every reply kept.
//!
//! State owned: the history, and what each client has open. Laws: calls of one client do not overlap; a
//! request whose outcome is unknown is sent again with its id, through whatever gateway, until it is told.
//! [`LoadKind`] is the list of what clients do; whatever is added there joins every run.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::chance::Chance;
use crate::cluster::Cluster;
use crate::counter::{Counter, request_id};
use crate::coverage::Coverage;
use crate::plan::{CITIZENS, LIMIT, Plan, SITES, ZONE};
use quorate_check::history::{Call, History, Record, Reply};
use quorate_check::rules::{Rule, Rules, WindowKind};
use quorate_link::Env;
use quorate_proto::ids::RequestId;

/// After this long, in a cluster that is whole, a call that is not answered is a finding.
const TELL_TIME_MAX: Duration = Duration::from_secs(60);
const TELL_PAUSE: Duration = Duration::from_millis(200);
/// Sales of one citizen are sums of these, so that any balance tells which.
const QUANTITIES: u64 = 7;

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
    /// Send again what was not.
    Resolve,
    /// Goods come in at the site.
    Stock,
    /// Change the program.
    Program,
}

impl LoadKind {
    /// All of them.
    pub const ALL: [LoadKind; 10] = [
        LoadKind::Check,
        LoadKind::Sell,
        LoadKind::Void,
        LoadKind::Correct,
        LoadKind::Slip,
        LoadKind::List,
        LoadKind::Repeat,
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
        self.until_told(open).await?;
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
        self.until_told(lists.collect()).await
    }

    async fn until_told(&self, calls: Vec<Open>) -> Result<(), String> {
        let deadline = self.env.monotonic() + TELL_TIME_MAX;
        for open in calls {
            let mut attempt = 0;
            loop {
                let reply = self.call(open, attempt).await;
                if is_told(&open.call, &reply) {
                    break;
                }
                if self.env.monotonic() > deadline {
                    return Err(format!("{open:?} is not answered: {reply:?}"));
                }
                attempt += 1;
                self.env.sleep(TELL_PAUSE).await;
            }
        }
        Ok(())
    }

    /// One call, recorded.
    async fn call(&self, open: Open, choice: u64) -> Reply {
        let start_us = self.now_us();
        let counter = Counter {
            site: Self::site_of(open.client),
        };
        let reply = match self.cluster.gateway(choice) {
            Some((gateway, env)) => {
                let deadline = env.monotonic() + self.plan.load.call_time_max;
                counter
                    .call(&gateway, open.citizen, open.call, deadline)
                    .await
            }
            None => Reply::NotDone {
                cause: "no gateway is up".to_owned(),
            },
        };
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

    /// Everything that was called and answered.
    pub fn history(&self) -> History {
        let rule = Rule::new(LIMIT, WindowKind::CalendarWeek);
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

struct Client {
    number: u32,
    load: Arc<Load>,
    chance: Chance,
    /// Told and granted, not yet undone.
    sold: Vec<(u64, RequestId)>,
    answered: Vec<(u64, Call)>,
    open: Vec<(u64, Call)>,
    calls: u64,
}

impl Client {
    fn new(number: u32, load: Arc<Load>) -> Self {
        let mut chance = Chance::new(load.plan.seed ^ u64::from(number).rotate_left(32));
        Self {
            number,
            load,
            chance: chance.fork("client"),
            sold: Vec::new(),
            answered: Vec::new(),
            open: Vec::new(),
            calls: 0,
        }
    }

    async fn run(mut self) {
        while !self.load.lock().stopped {
            let (kind, citizen, call) = self.next();
            match call {
                Some(call) => self.call(kind, citizen, call).await,
                None => self.other(kind).await,
            }
            let pause_max = self.load.plan.load.pause_max;
            let pause = self.chance.duration(Duration::ZERO, pause_max);
            self.load.env.sleep(pause).await;
        }
        let client = self.number;
        let left = self.open.into_iter().map(|(citizen, call)| Open {
            client,
            citizen,
            call,
        });
        let mut state = self.load.lock();
        state.open.extend(left);
        state.running -= 1;
    }

    fn next(&mut self) -> (LoadKind, u64, Option<Call>) {
        self.calls += 1;
        // Citizens pass by, a few at a time, so that no record grows without bound.
        let hot = self.calls / 40 * 2;
        let citizen = hot + self.chance.below(CITIZENS);
        let quantity = 1 << self.chance.below(QUANTITIES);
        let request = request_id(self.load.env.unix_ms(), self.chance.u64());
        let choice = self.chance.below(100);
        match choice {
            0..14 => (LoadKind::Check, citizen, Some(Call::Check { quantity })),
            14..18 => (LoadKind::List, citizen, Some(Call::List)),
            18..25 if !self.sold.is_empty() => {
                let (citizen, sale) = self.sold.swap_remove(0);
                (LoadKind::Void, citizen, Some(Call::Void { request, sale }))
            }
            25..32 if !self.answered.is_empty() => {
                let recent = self.answered.len().saturating_sub(20);
                let (citizen, call) = *self.chance.pick(&self.answered[recent..]);
                (LoadKind::Repeat, citizen, Some(call))
            }
            32..50 if !self.open.is_empty() => {
                let (citizen, call) = self.open.swap_remove(0);
                (LoadKind::Resolve, citizen, Some(call))
            }
            50..53 => (LoadKind::Stock, citizen, None),
            53 => (LoadKind::Program, citizen, None),
            54..62 => {
                let sold_ms = self.load.env.unix_ms();
                let slip = Call::Slip {
                    request,
                    quantity,
                    sold_ms,
                };
                (LoadKind::Slip, citizen, Some(slip))
            }
            62..64 if !self.sold.is_empty() => {
                let (citizen, sale) = *self.chance.pick(&self.sold);
                let correct = Call::Correct { request, sale };
                (LoadKind::Correct, citizen, Some(correct))
            }
            _ => (
                LoadKind::Sell,
                citizen,
                Some(Call::Sell { request, quantity }),
            ),
        }
    }

    async fn call(&mut self, kind: LoadKind, citizen: u64, call: Call) {
        let open = Open {
            client: self.number,
            citizen,
            call,
        };
        let choice = self.chance.u64();
        let reply = self.load.call(open, choice).await;
        if reply.position().is_some() {
            self.load.coverage.load(kind);
        }
        self.note(citizen, call, &reply);
    }

    fn note(&mut self, citizen: u64, call: Call, reply: &Reply) {
        if call.request().is_none() {
            return;
        }
        if !is_told(&call, reply) {
            self.open.push((citizen, call));
            return;
        }
        let again = self.answered.iter().any(|(_, answered)| *answered == call);
        if again {
            return;
        }
        self.answered.push((citizen, call));
        let granted = matches!(reply, Reply::Verdict(verdict) if verdict.granted());
        if let (Call::Sell { request, .. }, true) = (call, granted) {
            self.sold.push((citizen, request));
        }
    }

    /// What no citizen is concerned by.
    async fn other(&mut self, kind: LoadKind) {
        let choice = self.chance.u64();
        let cluster = &self.load.cluster;
        let done = match kind {
            LoadKind::Stock => {
                let site = Load::site_of(self.number);
                let units = u32::try_from(self.chance.between(1, 1000)).unwrap_or(1);
                cluster
                    .shelves()
                    .receive(cluster, site, units, choice)
                    .await
            }
            _ => cluster.change_program(choice).await,
        };
        if done {
            self.load.coverage.load(kind);
        }
    }
}
