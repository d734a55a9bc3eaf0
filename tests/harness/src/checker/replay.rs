//! The model, fed one citizen's commands in log order, gives every answer that was given.
//!
//! A request whose first answer was lost has no known place in the log; [`super::floating`] finds one.

use std::collections::{BTreeMap, BTreeSet};

use quorate_proto::ids::RequestId;

use super::{
    floating::{floating, stamp},
    order::Place,
};
use crate::{
    checker::Violation,
    history::{
        Call, ListReply, Position, Purchase, Record, Reply, Rule, SlipOutcome, SlipReply, Verdict,
        VoidReply,
    },
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

/// Stands for the window of the first verdict until there is one.
const NO_WINDOW: i64 = i64::MIN;

pub(super) struct Replay<'a> {
    pub(super) citizen: u64,
    pub(super) rule: Rule,
    /// By the start of the window.
    pub(super) accounts: BTreeMap<i64, Account>,
    pub(super) floating: BTreeMap<RequestId, &'a Record>,
    /// Every balance this citizen ever had, for denials whose place is not known.
    pub(super) remaining_seen: BTreeSet<u32>,
    pub(super) found: Vec<Violation>,
}

impl Replay<'_> {
    fn step(&mut self, at: Position, record: &Record) {
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
                let window = self.last_window();
                let (rule, account) = self.account(window);
                let balance = account.remaining(rule);
                let over_by_all = quantity.saturating_sub(balance);
                if over_by_all != reply.over_by {
                    // Something whose place is not known came first, and left what this answer shows.
                    self.explain(at, balance, quantity.saturating_sub(reply.over_by));
                } else if reply.over_by == 0 {
                    self.explain(at, balance, reply.remaining + quantity);
                }
                let (rule, account) = self.account(window);
                let expected = account.hand_in(rule, request, quantity);
                let answered = (reply.over_by, reply.remaining);
                let flagged = reply.outcome == SlipOutcome::OverQuota;
                if answered != (expected.over_by, expected.remaining)
                    || flagged != (expected.over_by > 0)
                {
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

fn as_purchase(sale: &crate::model::Sale) -> Purchase {
    Purchase {
        request: sale.request,
        quantity: sale.quantity,
        voided: sale.voided,
    }
}
