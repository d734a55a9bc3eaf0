//! The model, fed one citizen's commands in log order, gives every answer that was given.
//!
//! A request whose first answer was lost has no known place in the log; [`super::floating`] finds one.

use std::collections::{BTreeMap, BTreeSet};

use quorate_proto::ids::RequestId;

use super::{
    floating::{Choices, Stamp, floating, stamp},
    order::Place,
};
use crate::{
    checker::Violation,
    history::{
        Call, ListReply, Position, Purchase, Record, Reply, Rule, SlipOutcome, SlipReply, Verdict,
        VoidReply,
    },
    model::{Account, Decision, SlipDecision},
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
    let horizons = horizons(&placed);
    let run = |choices: Choices, to_the_end: bool| {
        let mut replay = Replay {
            citizen,
            rule,
            accounts: BTreeMap::new(),
            floating: floating(records),
            first_start_us: first_starts(records),
            end_us: 0,
            horizon: None,
            remaining_seen: BTreeSet::from([rule.limit]),
            choices,
            found: Vec::new(),
        };
        for ((_, at, record), horizon) in placed.iter().zip(&horizons) {
            replay.horizon = *horizon;
            replay.step(*at, record);
            if !to_the_end && !replay.found.is_empty() {
                break;
            }
        }
        replay
    };
    let mut choices = Choices::default();
    for _ in 0..RUNS_MAX {
        let replay = run(choices, false);
        if replay.found.is_empty() {
            return Vec::new();
        }
        match replay.choices.next() {
            Some(next) => choices = next,
            None => break,
        }
    }
    // No explanation of what nobody saw makes it right: what the first one leaves open is reported.
    run(Choices::default(), true).found
}

/// Ways to place the commands whose place nobody saw that are tried for one citizen. A contradiction shows
/// soon after the choice that led to it.
const RUNS_MAX: usize = 256;

/// Stands for the window of the first verdict until there is one.
const NO_WINDOW: i64 = i64::MIN;

pub(super) struct Replay<'a> {
    pub(super) citizen: u64,
    pub(super) rule: Rule,
    /// By the start of the window.
    pub(super) accounts: BTreeMap<i64, Account>,
    pub(super) floating: BTreeMap<RequestId, &'a Record>,
    /// When each request was first sent.
    pub(super) first_start_us: BTreeMap<RequestId, u64>,
    /// When the reply that is being looked at was there: nothing that was sent later came before it.
    pub(super) end_us: u64,
    /// The stamp of the first command at or behind this place whose place is known: what was decided later
    /// than that came later.
    pub(super) horizon: Option<Stamp>,
    /// Every balance this citizen ever had, for denials whose place is not known.
    pub(super) remaining_seen: BTreeSet<u32>,
    /// Which of several explanations is taken, each time that there is one to choose.
    pub(super) choices: Choices,
    pub(super) found: Vec<Violation>,
}

impl Replay<'_> {
    fn step(&mut self, at: Position, record: &Record) {
        self.end_us = record.end_us;
        if !record.reply.repeated()
            && let Some(stamp) = stamp(record)
        {
            self.feed_decided_before(at, stamp);
        }
        match (&record.call, &record.reply) {
            (Call::Sell { request, .. }, Reply::Verdict(verdict)) if verdict.repeated => {
                self.feed_sale(at, *request, verdict.window_start_ms);
            }
            (Call::Sell { request, quantity }, Reply::Verdict(verdict)) => {
                let window = verdict.window_start_ms;
                self.feed_sales(at, &verdict.purchases, Some(*request), window);
                let (rule, account) = self.account(verdict.window_start_ms);
                let decision = account.sell(rule, *request, *quantity);
                self.compare(at, verdict, decision);
                self.compare_purchases(at, verdict, Some(*request));
            }
            (Call::Check { quantity }, Reply::Verdict(verdict)) => {
                self.feed_sales(at, &verdict.purchases, None, verdict.window_start_ms);
                self.feed_hidden(at, verdict);
                let (rule, account) = self.account(verdict.window_start_ms);
                let decision = account.check(rule, *quantity);
                self.compare(at, verdict, decision);
                self.compare_purchases(at, verdict, None);
            }
            (Call::Void { request, sale }, Reply::Voided(reply)) => {
                self.step_void(at, *request, *sale, reply);
            }
            (Call::Slip { request, quantity }, Reply::HandedIn(reply)) => {
                self.step_slip(at, *request, *quantity, reply);
            }
            (Call::List, Reply::Listed(list)) => self.step_list(at, list),
            (call, reply) => self.wrong(at, format!("{reply:?}"), format!("an answer to {call:?}")),
        }
        self.note_balances();
    }

    fn step_void(&mut self, at: Position, request: RequestId, sale: RequestId, reply: &VoidReply) {
        // The model has no calendar: a void after midnight is nobody's fault.
        if reply.refusal == "TOO_LATE" {
            return;
        }
        let fed_here = self.floating.remove(&request).is_some() && reply.voided;
        if !reply.repeated || fed_here {
            self.decide_void(at, sale, reply);
        }
    }

    /// A slip is recorded whatever the rule says; what must be right is by how much it exceeds the ration.
    fn step_slip(&mut self, at: Position, request: RequestId, quantity: u32, reply: &SlipReply) {
        match reply.outcome {
            SlipOutcome::Rejected => {}
            SlipOutcome::Duplicate => self.feed_sale(at, request, self.last_window()),
            SlipOutcome::Accepted | SlipOutcome::OverQuota => {
                let answered = SlipDecision {
                    over_by: reply.over_by,
                    remaining: reply.remaining,
                };
                self.explain(at, |replay| {
                    let account = replay.accounts.get(&replay.last_window()).cloned();
                    let mut account = account.unwrap_or_default();
                    account.hand_in(replay.rule, request, quantity) == answered
                });
                let (rule, account) = self.account(self.last_window());
                let expected = account.hand_in(rule, request, quantity);
                let flagged = reply.outcome == SlipOutcome::OverQuota;
                if answered != expected || flagged != (expected.over_by > 0) {
                    self.wrong(at, format!("slip {reply:?}"), format!("{expected:?}"));
                }
            }
        }
    }

    /// Decides a void whose answer is known.
    pub(super) fn decide_void(&mut self, at: Position, sale: RequestId, reply: &VoidReply) {
        if reply.voided {
            self.feed_sale(at, sale, self.last_window());
        } else {
            self.feed_void_of(at, sale);
        }
        let answered = Decision {
            granted: reply.voided,
            remaining: reply.remaining,
        };
        self.explain(at, |replay| {
            let account = replay.account_of(sale).cloned();
            account.is_none_or(|mut account| account.void(replay.rule, sale) == answered)
        });
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
        self.feed_sales(at, &list.purchases, None, self.last_window());
        for purchase in list.purchases.iter().rev().filter(|sale| sale.voided) {
            self.feed_void_of(at, purchase.request);
        }
        let held: Vec<Purchase> = self
            .accounts
            .values()
            .flat_map(Account::sales)
            .map(as_purchase)
            .collect();
        self.compare_sets(at, &list.purchases, &held);
    }

    /// The model's decision on a void; `None` if it knows no such sale.
    pub(super) fn void(&mut self, sale: RequestId) -> Option<Decision> {
        let window = self.window_of(sale)?;
        let (rule, account) = self.account(window);
        Some(account.void(rule, sale))
    }

    pub(super) fn compare(&mut self, at: Position, verdict: &Verdict, expected: Decision) {
        let answered = Decision {
            granted: verdict.granted,
            remaining: verdict.remaining,
        };
        if answered != expected || verdict.limit != self.rule.limit {
            let answered = format!("{answered:?} of {}", verdict.limit);
            self.wrong(at, answered, format!("{expected:?} of {}", self.rule.limit));
        }
    }

    /// A verdict shows the sales of its window that were not undone; its own sale may be among them.
    fn compare_purchases(&mut self, at: Position, verdict: &Verdict, own: Option<RequestId>) {
        let not_own = |purchase: &Purchase| Some(purchase.request) != own;
        let shown: Vec<_> = verdict.purchases.iter().copied().filter(not_own).collect();
        let account = self.accounts.get(&verdict.window_start_ms);
        let held: Vec<_> = account
            .into_iter()
            .flat_map(Account::sales)
            .filter(|sale| !sale.voided)
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

    pub(super) fn account(&mut self, window: i64) -> (Rule, &mut Account) {
        // A slip says nothing of windows: what came before the first verdict belongs to that one's.
        if window != NO_WINDOW
            && let Some(before) = self.accounts.remove(&NO_WINDOW)
        {
            self.accounts.insert(window, before);
        }
        (self.rule, self.accounts.entry(window).or_default())
    }

    pub(super) fn account_of(&self, sale: RequestId) -> Option<&Account> {
        self.accounts.get(&self.window_of(sale)?)
    }

    pub(super) fn window_of(&self, sale: RequestId) -> Option<i64> {
        self.accounts
            .iter()
            .find_map(|(&window, account)| account.sale(sale).map(|_| window))
    }

    pub(super) fn last_window(&self) -> i64 {
        self.accounts
            .keys()
            .next_back()
            .copied()
            .unwrap_or(NO_WINDOW)
    }

    pub(super) fn note_balances(&mut self) {
        let rule = self.rule;
        self.remaining_seen.extend(
            self.accounts
                .values()
                .map(|account| account.remaining(rule)),
        );
    }

    pub(super) fn wrong(&mut self, at: Position, answered: String, expected: String) {
        self.found.push(Violation::WrongAnswer {
            citizen: self.citizen,
            at,
            answered,
            expected,
        });
    }
}

/// For each place, the stamp of the first command at it or behind it that was decided there.
fn horizons(placed: &[(Place, Position, &Record)]) -> Vec<Option<Stamp>> {
    let mut next = None;
    let mut horizons: Vec<_> = placed
        .iter()
        .rev()
        .map(|(_, _, record)| {
            if !record.reply.repeated() {
                next = stamp(record).or(next);
            }
            next
        })
        .collect();
    horizons.reverse();
    horizons
}

fn first_starts(records: &[&Record]) -> BTreeMap<RequestId, u64> {
    let mut starts: BTreeMap<RequestId, u64> = BTreeMap::new();
    for record in records {
        if let Some(request) = record.call.request() {
            let start_us = starts.entry(request).or_insert(record.start_us);
            *start_us = record.start_us.min(*start_us);
        }
    }
    starts
}

fn as_purchase(sale: &crate::model::Sale) -> Purchase {
    Purchase {
        request: sale.request,
        quantity: sale.quantity,
        voided: sale.voided,
    }
}
