//! One client: what it does next, by its own chance, and what it knows of what it did.
//!
//! State owned: its sales, what was answered to it, and what it is still to be told. What is left of that when it
//! stops goes to the load.

use std::sync::Arc;
use std::time::Duration;

use quorate_check::history::{Call, Reply};
use quorate_proto::ids::RequestId;

use super::{Load, LoadKind, Open, is_told};
use crate::chance::Chance;
use crate::counter::request_id;
use crate::plan::CITIZENS;

/// Sales of one citizen are sums of these, so that any balance tells which.
const QUANTITIES: u64 = 7;
/// How long ago a slip may have been written. The run is in the middle of a week, and of a day.
const SLIP_AGE_MS_MAX: u64 = 10 * 60 * 1000;
/// So many of its last answers a client asks for again.
const ANSWERS_RECENT: usize = 20;

pub(super) struct Client {
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
    pub(super) fn new(number: u32, load: Arc<Load>) -> Self {
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

    pub(super) async fn run(mut self) {
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
                let recent = self.answered.len().saturating_sub(ANSWERS_RECENT);
                let (citizen, call) = *self.chance.pick(&self.answered[recent..]);
                (LoadKind::Repeat, citizen, Some(call))
            }
            32..50 if !self.open.is_empty() => {
                let (citizen, call) = self.open.swap_remove(0);
                (LoadKind::Resolve, citizen, Some(call))
            }
            50..52 => (LoadKind::Stock, citizen, None),
            52 => self.conflict(citizen),
            53 => (LoadKind::Program, citizen, None),
            54..62 => {
                let age_ms = match self.chance.one_in(4) {
                    true => self.chance.below(SLIP_AGE_MS_MAX),
                    false => 0,
                };
                let sold_ms = self.load.env.unix_ms() - age_ms.cast_signed();
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

    /// An answered sale as another one; nothing was answered yet: a check.
    fn conflict(&mut self, citizen: u64) -> (LoadKind, u64, Option<Call>) {
        let sales = self.answered.iter().rev().take(ANSWERS_RECENT).filter_map(
            |(citizen, call)| match *call {
                Call::Sell { request, quantity } => Some((*citizen, request, quantity)),
                _ => None,
            },
        );
        let sales: Vec<_> = sales.collect();
        if sales.is_empty() {
            return (LoadKind::Check, citizen, Some(Call::Check { quantity: 1 }));
        }
        let (citizen, request, quantity) = *self.chance.pick(&sales);
        let quantity = quantity ^ 3;
        let other = Call::Sell { request, quantity };
        (LoadKind::Conflict, citizen, Some(other))
    }

    async fn call(&mut self, kind: LoadKind, citizen: u64, call: Call) {
        let open = Open {
            client: self.number,
            citizen,
            call,
        };
        let choice = self.chance.u64();
        if kind == LoadKind::Conflict {
            if self.load.conflict(open, choice).await {
                self.load.coverage.load(kind);
            }
            return;
        }
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
