//! An honest cluster in memory: what the checker must pass, and what planted violations start from.

use std::collections::{BTreeMap, HashMap};

use quorate_proto::ids::RequestId;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    history::{
        Call, History, ListReply, Position, Purchase, Record, Reply, Rule, SlipOutcome, SlipReply,
        Verdict, VoidReply,
    },
    model::{Account, Decision},
};

/// In force in every honest run.
pub(super) const RULE: Rule = Rule { limit: 10 };
const CITIZENS: u64 = 8;

/// An honest cluster of one shard: it decides in log order, loses some answers on the way, and repeats
/// the answer of a request it has seen.
pub(super) struct Honest {
    random: StdRng,
    accounts: BTreeMap<u64, Account>,
    answers: HashMap<RequestId, Reply>,
    /// Requests in the order of their decision.
    decided: Vec<RequestId>,
    /// Of each citizen: the last stamp of a void, and the last one of anything.
    stamps: BTreeMap<u64, (i64, i64)>,
    now_us: u64,
    index: u64,
    requests: u64,
    records: Vec<Record>,
}

impl Honest {
    /// A run with lost answers, every one of them resolved, and everyone listed at the end.
    pub(super) fn run(seed: u64, calls: usize) -> History {
        let mut cluster = Self {
            random: StdRng::seed_from_u64(seed),
            accounts: BTreeMap::new(),
            answers: HashMap::new(),
            decided: Vec::new(),
            stamps: BTreeMap::new(),
            now_us: 1_000,
            index: 1,
            requests: 0,
            records: Vec::new(),
        };
        let mut open = Vec::new();
        for _ in 0..calls {
            let citizen = cluster.random.random_range(0..CITIZENS);
            let call = cluster.any_call(citizen);
            let lose = call.request().is_some() && cluster.random.random_ratio(1, 8);
            cluster.call(citizen, call, lose);
            if lose {
                open.push((citizen, call));
            }
            if cluster.random.random_ratio(1, 10) && !open.is_empty() {
                let again = cluster.random.random_range(0..open.len());
                let (citizen, call) = open.swap_remove(again);
                cluster.call(citizen, call, false);
            }
        }
        for (citizen, call) in open {
            cluster.call(citizen, call, false);
        }
        cluster.now_us += 1_000;
        for citizen in 0..CITIZENS {
            cluster.call(citizen, Call::List, false);
        }
        History {
            rule: RULE,
            records: cluster.records,
        }
    }

    fn any_call(&mut self, citizen: u64) -> Call {
        self.requests += 1;
        let request = request(self.requests);
        let quantity = 1 << self.random.random_range(0..4);
        match self.random.random_range(0..10) {
            0..2 => Call::Check { quantity },
            2 => Call::List,
            3 => {
                // A client undoes only what it was told.
                let told = self
                    .records
                    .iter()
                    .filter(|record| record.citizen == citizen);
                let mut granted = told.filter_map(|record| match &record.reply {
                    Reply::Verdict(verdict) if verdict.granted => record.call.request(),
                    _ => None,
                });
                match granted.next_back() {
                    Some(sale) => Call::Void { request, sale },
                    None => Call::Check { quantity },
                }
            }
            4 => Call::Slip { request, quantity },
            _ => Call::Sell { request, quantity },
        }
    }

    /// Calls overlap: each begins a little before the one before it has ended.
    fn call(&mut self, citizen: u64, call: Call, lose: bool) {
        let start_us = self.now_us - 300;
        self.now_us += 1_000;
        self.index += u64::from(call.request().is_some());
        let position = Position {
            shard: 1,
            term: 1 + self.index / 50,
            index: self.index,
            ordinal: 0,
        };
        let reply = self.decide(citizen, call, position);
        self.records.push(Record {
            client: 0,
            start_us,
            end_us: self.now_us - 100,
            citizen,
            call,
            reply: if lose {
                Reply::Unknown {
                    cause: "connection lost".to_owned(),
                }
            } else {
                reply
            },
        });
    }

    /// Never decreases; a sale after a void has a later one. Several calls share one millisecond.
    fn stamp(&mut self, citizen: u64, call: Call) -> i64 {
        let now_ms = i64::try_from(self.now_us / 8_000).expect("fits");
        let (last_void_ms, last_ms) = self.stamps.entry(citizen).or_insert((-1, 0));
        let stamp_ms = match call {
            Call::Void { .. } => now_ms.max(*last_ms),
            _ => now_ms.max(*last_ms).max(*last_void_ms + 1),
        };
        if call
            .request()
            .is_some_and(|request| !self.answers.contains_key(&request))
        {
            *last_ms = stamp_ms;
            if matches!(call, Call::Void { .. }) {
                *last_void_ms = stamp_ms;
            }
        }
        stamp_ms
    }

    fn decide(&mut self, citizen: u64, call: Call, at: Position) -> Reply {
        let now_ms = self.stamp(citizen, call);
        let account = self.accounts.entry(citizen).or_default();
        let decided = &self.decided;
        let newest_first = |account: &Account| {
            let this_one = call.request();
            this_one
                .into_iter()
                .chain(decided.iter().rev().copied())
                .filter_map(|request| account.sale(request))
                .map(|sale| Purchase {
                    request: sale.request,
                    quantity: sale.quantity,
                    voided: sale.voided,
                })
                .collect::<Vec<_>>()
        };
        if let Some(answer) = call
            .request()
            .and_then(|request| self.answers.get(&request))
        {
            let mut answer = answer.clone();
            match &mut answer {
                Reply::Verdict(verdict) => (verdict.repeated, verdict.position) = (true, at),
                Reply::Voided(reply) => (reply.repeated, reply.position) = (true, at),
                Reply::HandedIn(reply) => {
                    reply.outcome = SlipOutcome::Duplicate;
                    (reply.over_by, reply.remaining) = (0, account.remaining(RULE));
                    reply.position = at;
                }
                _ => unreachable!("only writes are kept"),
            }
            return answer;
        }
        let verdict = |decision: Decision, purchases| {
            Reply::Verdict(Verdict {
                granted: decision.granted,
                reason: if decision.granted { "" } else { "OVER_LIMIT" }.to_owned(),
                remaining: decision.remaining,
                limit: RULE.limit,
                window_start_ms: 0,
                window_end_ms: i64::MAX,
                decided_at_ms: now_ms,
                purchases,
                repeated: false,
                position: at,
            })
        };
        let not_undone = |account: &Account| {
            let mut purchases = newest_first(account);
            purchases.retain(|sale| !sale.voided);
            purchases
        };
        let reply = match call {
            Call::Check { quantity } => verdict(account.check(RULE, quantity), not_undone(account)),
            Call::Sell { request, quantity } => {
                let decision = account.sell(RULE, request, quantity);
                verdict(decision, not_undone(account))
            }
            Call::Void { sale, .. } => {
                let decision = account.void(RULE, sale);
                Reply::Voided(VoidReply {
                    voided: decision.granted,
                    refusal: String::new(),
                    quantity: account.sale(sale).map_or(0, |sale| sale.quantity),
                    remaining: decision.remaining,
                    decided_at_ms: now_ms,
                    repeated: false,
                    position: at,
                })
            }
            Call::Slip { request, quantity } => {
                let decision = account.hand_in(RULE, request, quantity);
                Reply::HandedIn(SlipReply {
                    outcome: match decision.over_by {
                        0 => SlipOutcome::Accepted,
                        _ => SlipOutcome::OverQuota,
                    },
                    over_by: decision.over_by,
                    remaining: decision.remaining,
                    position: at,
                })
            }
            Call::List => Reply::Listed(ListReply {
                purchases: newest_first(account),
                position: at,
            }),
        };
        if let Some(request) = call.request() {
            self.answers.insert(request, reply.clone());
            self.decided.push(request);
        }
        reply
    }
}

pub(super) fn request(number: u64) -> RequestId {
    RequestId::from_bytes(u128::from(number).to_be_bytes()).expect("not nil")
}
