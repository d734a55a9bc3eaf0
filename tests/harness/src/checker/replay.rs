//! The model, fed one citizen's commands in log order, gives every answer that was given.
//!
//! A request whose first answer was lost is known only by its repeated answer: its own place in the log is
//! not known. It is fed where the evidence first shows it, in a reply that lists it or, at the latest, at
//! its own repeated answer; from there on it counts like any other.

use std::collections::{BTreeMap, BTreeSet};

use quorate_proto::ids::RequestId;

use super::order::Place;
use crate::{
    checker::Violation,
    history::{Call, ListReply, Position, Purchase, Record, Reply, Rule, Verdict, VoidReply},
    model::{Account, Decision},
};

/// Judges one citizen's records.
pub(super) fn check(citizen: u64, rule: Rule, records: &[&Record]) -> Vec<Violation> {
    let mut placed: Vec<(Place, Position, &Record)> = records
        .iter()
        .filter_map(|&record| {
            let position = record.reply.position()?;
            Some((Place::of(record, position), position, record))
        })
        .collect();
    // Two shards are another judge's finding; here the order between them does not matter.
    placed.sort_by_key(|(place, position, record)| (position.shard, *place, record.start_us));
    let mut replay = Replay {
        citizen,
        rule,
        accounts: BTreeMap::new(),
        floating: floating(records),
        remaining_seen: BTreeSet::from([rule.limit]),
        found: Vec::new(),
    };
    for (_, at, record) in placed {
        replay.step(at, record);
    }
    replay.found
}

/// Commands whose deciding entry nobody saw: answered only as a repetition, or not at all.
fn floating<'a>(records: &[&'a Record]) -> BTreeMap<RequestId, &'a Record> {
    let mut floating = BTreeMap::new();
    for &record in records {
        if let Some(request) = record.call.request()
            && !matches!(record.reply, Reply::NotDone { .. })
        {
            let known = floating.entry(request).or_insert(record);
            if record.reply.position().is_some() {
                *known = record;
            }
        }
    }
    for record in records {
        if record.reply.position().is_some()
            && !record.reply.repeated()
            && let Some(request) = record.call.request()
        {
            floating.remove(&request);
        }
    }
    floating
}

/// More commands of one citizen without a known place are not searched for an explanation; a workload
/// that leaves so many cannot be judged anyway.
const FLOATING_MAX: usize = 12;

struct Replay<'a> {
    citizen: u64,
    rule: Rule,
    /// By the start of the window.
    accounts: BTreeMap<i64, Account>,
    floating: BTreeMap<RequestId, &'a Record>,
    /// Every balance this citizen ever had, for denials whose place is not known.
    remaining_seen: BTreeSet<u32>,
    found: Vec<Violation>,
}

impl Replay<'_> {
    fn step(&mut self, at: Position, record: &Record) {
        match (&record.call, &record.reply) {
            (Call::Sell { request, .. }, Reply::Verdict(verdict)) if verdict.repeated => {
                self.feed_sale(at, *request, verdict.window_start_ms);
            }
            (Call::Sell { request, quantity }, Reply::Verdict(verdict)) => {
                self.feed_shown(
                    at,
                    &verdict.purchases,
                    Some(*request),
                    verdict.window_start_ms,
                );
                let (rule, account) = self.account(verdict.window_start_ms);
                let decision = account.sell(rule, *request, *quantity);
                self.compare(at, verdict, decision);
                self.compare_purchases(at, verdict, Some(*request));
            }
            (Call::Check { quantity }, Reply::Verdict(verdict)) => {
                self.feed_shown(at, &verdict.purchases, None, verdict.window_start_ms);
                let (rule, account) = self.account(verdict.window_start_ms);
                let decision = account.check(rule, *quantity);
                self.compare(at, verdict, decision);
                self.compare_purchases(at, verdict, None);
            }
            (Call::Void { request, sale }, Reply::Voided(reply)) => {
                self.step_void(at, *request, *sale, reply);
            }
            (Call::List, Reply::Listed(list)) => self.step_list(at, list),
            (call, reply) => self.wrong(at, format!("{reply:?}"), format!("an answer to {call:?}")),
        }
        self.note_balances();
    }

    fn step_void(&mut self, at: Position, request: RequestId, sale: RequestId, reply: &VoidReply) {
        let fed_here = self.floating.remove(&request).is_some() && reply.voided;
        if !reply.repeated || fed_here {
            self.decide_void(at, sale, reply);
        }
    }

    /// Decides a void whose answer is known.
    fn decide_void(&mut self, at: Position, sale: RequestId, reply: &VoidReply) {
        if reply.voided {
            self.feed_sale(at, sale, self.last_window());
        } else {
            self.feed_void_of(at, sale);
        }
        let account = self.account_of(sale);
        let units = account
            .and_then(|account| account.sale(sale))
            .map_or(0, |sale| sale.quantity);
        let given_back = if reply.voided { units } else { 0 };
        let balance = account.map_or(self.rule.limit, |account| account.remaining(self.rule));
        self.explain(at, balance, reply.remaining.saturating_sub(given_back));

        let answered = Decision {
            granted: reply.voided,
            remaining: reply.remaining,
        };
        let refused = Decision {
            granted: false,
            remaining: reply.remaining,
        };
        let expected = self.void(sale).unwrap_or(refused);
        if answered != expected {
            self.wrong(at, format!("void {answered:?}"), format!("{expected:?}"));
        }
    }

    fn step_list(&mut self, at: Position, list: &ListReply) {
        self.feed_shown(at, &list.purchases, None, self.last_window());
        let held: Vec<Purchase> = self
            .accounts
            .values()
            .flat_map(Account::sales)
            .map(as_purchase)
            .collect();
        self.compare_sets(at, &list.purchases, &held);
    }

    /// Feeds every floating sale and void that a reply gives away: sales first, oldest first. A sale that
    /// was only possible after a void says so in its own answer.
    fn feed_shown(
        &mut self,
        at: Position,
        shown: &[Purchase],
        own: Option<RequestId>,
        window: i64,
    ) {
        for purchase in shown
            .iter()
            .rev()
            .filter(|purchase| Some(purchase.request) != own)
        {
            if self.window_of(purchase.request).is_none() {
                self.feed_sale(at, purchase.request, window);
            }
        }
        for purchase in shown.iter().rev().filter(|purchase| purchase.voided) {
            self.feed_void_of(at, purchase.request);
        }
    }

    /// Feeds the floating void that undid a sale, if the model still holds the sale.
    fn feed_void_of(&mut self, at: Position, sale: RequestId) {
        let known = self.account_of(sale).and_then(|account| account.sale(sale));
        if known.is_some_and(|sale| !sale.voided)
            && let Some(request) = self.floating_void(sale)
        {
            self.feed(at, request);
        }
    }

    /// The void that undid a sale, among those without a known place: one that was told so, if there is
    /// one, or else one that was never told.
    fn floating_void(&self, sale: RequestId) -> Option<RequestId> {
        let of_sale =
            |record: &Record| matches!(record.call, Call::Void { sale: of, .. } if of == sale);
        let with = |told: bool| {
            self.floating.iter().find(move |(_, record)| {
                let fits = match &record.reply {
                    Reply::Voided(reply) => told && reply.voided,
                    _ => !told,
                };
                fits && of_sale(record)
            })
        };
        with(true)
            .or_else(|| with(false))
            .map(|(&request, _)| request)
    }

    /// A void's answer shows a balance and no sales. Where the model's balance before it is another one,
    /// floating commands came first: the first set of them that makes up the difference and contradicts
    /// nothing.
    fn explain(&mut self, at: Position, model: u32, answered: u32) {
        let wanted = i64::from(answered) - i64::from(model);
        if wanted == 0 {
            return;
        }
        let effects = self.floating_effects();
        for mask in 1_u32..1 << effects.len() {
            let chosen: Vec<_> = effects
                .iter()
                .enumerate()
                .filter(|(index, _)| mask >> index & 1 == 1)
                .map(|(_, effect)| *effect)
                .collect();
            if chosen.iter().map(|(_, units)| units).sum::<i64>() == wanted {
                let before = (
                    self.accounts.clone(),
                    self.floating.clone(),
                    self.found.len(),
                );
                for (request, _) in chosen {
                    self.feed(at, request);
                }
                if self.found.len() == before.2 {
                    return;
                }
                self.found.truncate(before.2);
                (self.accounts, self.floating, _) = before;
            }
        }
    }

    /// Commands that may have taken effect at a place nobody saw, with the units they would give back.
    fn floating_effects(&self) -> Vec<(RequestId, i64)> {
        self.floating
            .iter()
            .filter_map(|(&request, record)| match (record.call, &record.reply) {
                (Call::Sell { .. }, Reply::Verdict(verdict)) if !verdict.granted => None,
                (Call::Sell { quantity, .. }, _) => Some((request, -i64::from(quantity))),
                (Call::Void { .. }, Reply::Voided(reply)) if !reply.voided => None,
                (Call::Void { sale, .. }, _) => {
                    let units = self.account_of(sale)?.sale(sale)?.quantity;
                    Some((request, i64::from(units)))
                }
                _ => None,
            })
            .take(FLOATING_MAX)
            .collect()
    }

    /// Decides a floating command here.
    fn feed(&mut self, at: Position, request: RequestId) {
        let Some(&record) = self.floating.get(&request) else {
            return;
        };
        let Call::Void { sale, .. } = record.call else {
            return self.feed_sale(at, request, self.last_window());
        };
        self.floating.remove(&request);
        match &record.reply {
            Reply::Voided(reply) => self.decide_void(at, sale, reply),
            _ => {
                self.void(sale);
            }
        }
        self.note_balances();
    }

    fn last_window(&self) -> i64 {
        self.accounts
            .keys()
            .next_back()
            .copied()
            .unwrap_or_default()
    }

    /// Decides a floating sale here, and holds its answer, if one is known, against the model's.
    fn feed_sale(&mut self, at: Position, request: RequestId, window: i64) {
        let Some(record) = self.floating.remove(&request) else {
            return;
        };
        let Call::Sell { quantity, .. } = record.call else {
            return;
        };
        // What its answer shows was decided before it.
        if let Reply::Verdict(verdict) = &record.reply {
            let window = verdict.window_start_ms;
            self.feed_shown(at, &verdict.purchases, Some(request), window);
        }
        match &record.reply {
            Reply::Verdict(verdict) if !verdict.granted => {
                if !self.remaining_seen.contains(&verdict.remaining) {
                    let answered = format!("denied with {} remaining", verdict.remaining);
                    self.wrong(at, answered, "a balance this citizen ever had".to_owned());
                }
            }
            Reply::Verdict(verdict) => {
                let (rule, account) = self.account(verdict.window_start_ms);
                let decision = account.sell(rule, request, quantity);
                self.compare(at, verdict, decision);
            }
            _ => {
                let (rule, account) = self.account(window);
                if !account.sell(rule, request, quantity).granted {
                    self.wrong(at, format!("{request} granted"), "denied".to_owned());
                }
            }
        }
        self.note_balances();
    }

    /// The model's decision on a void; `None` if it knows no such sale.
    fn void(&mut self, sale: RequestId) -> Option<Decision> {
        let window = self.window_of(sale)?;
        let (rule, account) = self.account(window);
        Some(account.void(rule, sale))
    }

    fn compare(&mut self, at: Position, verdict: &Verdict, expected: Decision) {
        let answered = Decision {
            granted: verdict.granted,
            remaining: verdict.remaining,
        };
        if answered != expected || verdict.limit != self.rule.limit {
            let answered = format!("{answered:?} of {}", verdict.limit);
            self.wrong(at, answered, format!("{expected:?} of {}", self.rule.limit));
        }
    }

    /// The purchases that a verdict shows are those of its window. Its own sale may be among them.
    fn compare_purchases(&mut self, at: Position, verdict: &Verdict, own: Option<RequestId>) {
        let not_own = |purchase: &Purchase| Some(purchase.request) != own;
        let shown: Vec<_> = verdict.purchases.iter().copied().filter(not_own).collect();
        let account = self.accounts.get(&verdict.window_start_ms);
        let held: Vec<_> = account
            .into_iter()
            .flat_map(Account::sales)
            .map(as_purchase)
            .filter(not_own)
            .collect();
        self.compare_sets(at, &shown, &held);
    }

    fn compare_sets(&mut self, at: Position, shown: &[Purchase], held: &[Purchase]) {
        let sorted = |sales: &[Purchase]| {
            let mut sales: Vec<_> = sales
                .iter()
                .map(|sale| (sale.request, sale.quantity, sale.voided))
                .collect();
            sales.sort_unstable();
            sales
        };
        let (shown, held) = (sorted(shown), sorted(held));
        if shown != held {
            self.wrong(at, format!("purchases {shown:?}"), format!("{held:?}"));
        }
    }

    fn account(&mut self, window: i64) -> (Rule, &mut Account) {
        (self.rule, self.accounts.entry(window).or_default())
    }

    fn account_of(&self, sale: RequestId) -> Option<&Account> {
        self.accounts.get(&self.window_of(sale)?)
    }

    fn window_of(&self, sale: RequestId) -> Option<i64> {
        self.accounts
            .iter()
            .find_map(|(&window, account)| account.sale(sale).map(|_| window))
    }

    fn note_balances(&mut self) {
        let rule = self.rule;
        self.remaining_seen.extend(
            self.accounts
                .values()
                .map(|account| account.remaining(rule)),
        );
    }

    fn wrong(&mut self, at: Position, answered: String, expected: String) {
        self.found.push(Violation::WrongAnswer {
            citizen: self.citizen,
            at,
            answered,
            expected,
        });
    }
}

fn as_purchase(sale: &crate::model::Sale) -> Purchase {
    Purchase {
        request: sale.request,
        quantity: sale.quantity,
        voided: sale.voided,
    }
}
