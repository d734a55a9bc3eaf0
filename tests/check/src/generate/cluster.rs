//! An honest cluster: it decides in log order, by the model, and repeats the answer of a request it has seen.

use std::collections::{BTreeMap, HashMap};

use quorate_proto::ids::RequestId;

use crate::{
    calendar::{Calendar, Frame},
    history::{
        Call, ListReply, Position, Purchase, Refusal, Reply, SlipOutcome, SlipReply, Verdict,
        VoidReply, Window,
    },
    model::{Account, Effect, Sale, Terms, Void},
    rules::Rules,
};

/// Everybody, and the logs.
pub(super) struct Cluster<'r> {
    calendar: Calendar<'r>,
    /// Index of the last entry, by shard.
    logs: Vec<u64>,
    citizens: BTreeMap<u64, Citizen>,
}

/// One citizen's ledger.
#[derive(Default)]
struct Citizen {
    born: u16,
    ids: Vec<RequestId>,
    sales: Vec<Sale>,
    account: Account,
    /// Of requests that were decided.
    answers: HashMap<RequestId, Reply>,
    /// The last sale online whose grant was told.
    granted: Option<RequestId>,
    /// The last stamp of anything, and of a void that undid something.
    last_ms: i64,
    last_void_ms: i64,
}

/// The year of birth of a citizen.
pub(super) fn born(citizen: u64) -> u16 {
    1_940 + (citizen % 80) as u16
}

impl<'r> Cluster<'r> {
    /// # Panics
    /// The rules are none.
    pub(super) fn new(rules: &'r Rules, shards: u32) -> Self {
        Self {
            calendar: Calendar::new(rules).expect("rules that a program can have"),
            logs: vec![0; shards.max(1) as usize],
            citizens: BTreeMap::new(),
        }
    }

    pub(super) fn citizens(&self) -> Vec<u64> {
        self.citizens.keys().copied().collect()
    }

    pub(super) fn granted(&self, citizen: u64) -> Option<RequestId> {
        self.citizens.get(&citizen)?.granted
    }

    /// Decides a call. `lost`: nobody will hear of it.
    pub(super) fn answer(&mut self, citizen: u64, call: Call, now_ms: i64, lost: bool) -> Reply {
        let shard = (citizen % self.logs.len() as u64) as usize;
        let log = &mut self.logs[shard];
        *log += u64::from(call.request().is_some());
        let at = Position {
            shard: shard as u32 + 1,
            term: 1 + *log / 50,
            index: *log,
            ordinal: 0,
        };
        let ledger = self.citizens.entry(citizen).or_insert_with(|| Citizen {
            born: born(citizen),
            ..Citizen::default()
        });
        let known = call.request().and_then(|id| ledger.answers.get(&id));
        let reply = match (known, &call) {
            // Denied online, or never decided there, and sold all the same.
            (Some(Reply::Verdict(verdict)), Call::Slip { .. }) if !verdict.granted() => None,
            (Some(answer), _) => Some(answer.clone()),
            (None, _) => None,
        };
        let reply = match reply {
            Some(answer) => ledger.repeat(&mut self.calendar, call, answer, now_ms, at),
            None => ledger.decide(&mut self.calendar, call, now_ms, at),
        };
        if let (Call::Sell { request, .. }, Reply::Verdict(verdict)) = (call, &reply)
            && verdict.granted()
            && !lost
        {
            ledger.granted = Some(request);
        }
        reply
    }
}

impl Citizen {
    fn repeat(
        &mut self,
        calendar: &mut Calendar<'_>,
        call: Call,
        mut answer: Reply,
        now_ms: i64,
        at: Position,
    ) -> Reply {
        if matches!(call, Call::Slip { .. }) {
            return Reply::HandedIn(SlipReply {
                outcome: SlipOutcome::Duplicate,
                over_by: 0,
                remaining: self.remaining(calendar, now_ms),
                position: at,
            });
        }
        match &mut answer {
            Reply::Verdict(verdict) => (verdict.repeated, verdict.position) = (true, at),
            Reply::Voided(reply) => (reply.repeated, reply.position) = (true, at),
            _ => {}
        }
        answer
    }

    fn decide(
        &mut self,
        calendar: &mut Calendar<'_>,
        call: Call,
        now_ms: i64,
        at: Position,
    ) -> Reply {
        let now_ms = now_ms.max(self.last_ms);
        let reply = match call {
            Call::Check { quantity } => {
                let (terms, window) = self.terms(calendar, now_ms);
                let decision = self.account.decide(&self.sales, &terms, quantity);
                Reply::Verdict(Verdict {
                    denied: decision.denied,
                    remaining: decision.left,
                    limit: terms.limit,
                    window_ms: window,
                    decided_ms: now_ms,
                    purchases: self.shown(&terms),
                    repeated: false,
                    position: at,
                })
            }
            Call::Sell { request, quantity } => self.sell(calendar, request, quantity, now_ms, at),
            Call::Void { sale, .. } => self.void(calendar, sale, false, now_ms, at),
            Call::Correct { sale, .. } => self.void(calendar, sale, true, now_ms, at),
            Call::Slip {
                request,
                quantity,
                sold_ms,
            } => self.hand_in(calendar, (request, quantity, sold_ms), now_ms, at),
            Call::List => Reply::Listed(ListReply {
                purchases: self.purchases(self.account.held.iter()),
                position: at,
            }),
        };
        if let Some(request) = call.request() {
            self.answers.insert(request, reply.clone());
        }
        reply
    }

    fn sell(
        &mut self,
        calendar: &mut Calendar<'_>,
        request: RequestId,
        quantity: u32,
        now_ms: i64,
        at: Position,
    ) -> Reply {
        // Whatever is decided after a void has a later stamp.
        let now_ms = now_ms.max(self.last_void_ms + 1);
        self.last_ms = now_ms;
        let sale = self.note(request, quantity, now_ms);
        let (terms, window) = self.terms(calendar, now_ms);
        let decision = self.account.decide(&self.sales, &terms, quantity);
        self.account
            .apply(self.account.sell(&self.sales, &terms, sale));
        let left = match decision.denied {
            None => self.account.remaining(&self.sales, &terms),
            Some(_) => decision.left,
        };
        Reply::Verdict(Verdict {
            denied: decision.denied,
            remaining: left,
            limit: terms.limit,
            window_ms: window,
            decided_ms: now_ms,
            purchases: self.shown(&terms),
            repeated: false,
            position: at,
        })
    }

    fn void(
        &mut self,
        calendar: &mut Calendar<'_>,
        sale: RequestId,
        by_administrator: bool,
        now_ms: i64,
        at: Position,
    ) -> Reply {
        self.last_ms = now_ms;
        let place = self.ids.iter().position(|id| *id == sale);
        let sold_ms = place.and_then(|place| self.sales[place].at_ms);
        let void = Void {
            sale: place,
            by_administrator,
            same_day: sold_ms.and_then(|sold_ms| calendar.same_day(sold_ms, now_ms)),
        };
        let held = place.is_some_and(|place| self.account.held.contains(place));
        let refused = match self.account.void(place) {
            Effect::Nothing if held => Some(Refusal::AlreadyVoided),
            Effect::Nothing => Some(Refusal::SaleNotFound),
            _ if !by_administrator && void.same_day == Some(false) => Some(Refusal::TooLate),
            effect => {
                self.account.apply(effect);
                self.last_void_ms = now_ms;
                None
            }
        };
        let quantity = place.map_or(0, |place| self.sales[place].quantity);
        Reply::Voided(VoidReply {
            refused,
            quantity: if refused.is_none() { quantity } else { 0 },
            remaining: self.remaining(calendar, now_ms),
            decided_ms: now_ms,
            repeated: false,
            position: at,
        })
    }

    fn hand_in(
        &mut self,
        calendar: &mut Calendar<'_>,
        (request, quantity, sold_ms): (RequestId, u32, i64),
        now_ms: i64,
        at: Position,
    ) -> Reply {
        let sale = self.note(request, quantity, sold_ms);
        let (terms, _) = self.terms(calendar, sold_ms);
        let over_by = self.account.over_by(&self.sales, &terms, sale);
        self.account.apply(self.account.hand_in(sale));
        Reply::HandedIn(SlipReply {
            outcome: match over_by {
                0 => SlipOutcome::Accepted,
                _ => SlipOutcome::OverQuotaRecorded,
            },
            over_by,
            remaining: self.remaining(calendar, now_ms),
            position: at,
        })
    }

    /// A sale's place in the table; the time is that of its last attempt.
    fn note(&mut self, request: RequestId, quantity: u32, at_ms: i64) -> usize {
        let at_ms = Some(at_ms);
        match self.ids.iter().position(|id| *id == request) {
            Some(place) => {
                self.sales[place].at_ms = at_ms;
                place
            }
            None => {
                self.ids.push(request);
                self.sales.push(Sale { quantity, at_ms });
                self.ids.len() - 1
            }
        }
    }

    fn remaining(&self, calendar: &mut Calendar<'_>, now_ms: i64) -> u32 {
        let (terms, _) = self.terms(calendar, now_ms);
        self.account.remaining(&self.sales, &terms)
    }

    fn terms(&self, calendar: &mut Calendar<'_>, at_ms: i64) -> (Terms, Option<Window>) {
        let (rule, window) = match calendar.frame(at_ms) {
            Frame::Open { rule, window } => (rule, window),
            Frame::AsAnswered { rule } => (rule, ALWAYS),
            Frame::Closed => {
                let closed = Terms {
                    closed: true,
                    ..Terms::default()
                };
                return (closed, None);
            }
        };
        let inside = |sale: &Sale| sale.at_ms.is_some_and(|at_ms| window.contains(at_ms));
        let places = self.sales.iter().enumerate();
        let terms = Terms {
            closed: false,
            limit: rule.limit_for(Some(self.born)),
            single_visit: rule.single_visit,
            may_deny: rule.may_deny.clone(),
            counted: places
                .filter(|(_, sale)| inside(sale))
                .map(|(place, _)| place)
                .collect(),
        };
        (terms, Some(window))
    }

    fn shown(&self, terms: &Terms) -> Vec<Purchase> {
        self.purchases(self.account.in_window(terms))
    }

    fn purchases(&self, sales: impl Iterator<Item = usize>) -> Vec<Purchase> {
        sales
            .map(|sale| Purchase {
                request: self.ids[sale],
                quantity: self.sales[sale].quantity,
                voided: self.account.voided.contains(sale),
            })
            .collect()
    }
}

/// Where the rules leave it open.
const ALWAYS: Window = Window {
    start_ms: 0,
    end_ms: i64::MAX,
};
