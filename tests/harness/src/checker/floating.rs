//! Commands whose deciding entry nobody saw: they are known by a repeated answer, or by what other
//! replies show. This file decides where the replay feeds them to the model.
//!
//! A command is fed at the latest at its own repeated answer. Before that: when a command with a later
//! stamp is decided, when a reply shows what it did, or when a balance is explained by nothing else.

use std::collections::BTreeMap;

use quorate_proto::ids::RequestId;

use super::replay::Replay;
use crate::{
    history::{Call, Position, Purchase, Record, Reply, Verdict},
    model::{Account, Sale},
};

/// Commands whose deciding entry nobody saw: answered only as a repetition, or not at all.
pub(super) fn floating<'a>(records: &[&'a Record]) -> BTreeMap<RequestId, &'a Record> {
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

/// When a command was decided, by the leader's clock, and whether it is a void. Stamps of one citizen's
/// commands never decrease, and every sale decided after a void has a later one.
pub(super) type Stamp = (i64, bool);

/// A read has none: its time is of the clock of whoever answered it, and orders nothing.
pub(super) fn stamp(record: &Record) -> Option<Stamp> {
    match (&record.call, &record.reply) {
        (Call::Sell { .. }, Reply::Verdict(verdict)) => Some((verdict.decided_at_ms, false)),
        (Call::Void { .. }, Reply::Voided(reply)) => Some((reply.decided_at_ms, true)),
        _ => None,
    }
}

/// Which explanation is taken at each place that needs one: the first, unless a run with it failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Choices {
    /// Explanations to skip, by place.
    script: Vec<usize>,
    /// Places met so far.
    met: usize,
    /// The last place had no explanation that far down.
    exhausted: bool,
    /// Inside an explanation that is being tried: places in there take their first.
    trying: bool,
}

impl Choices {
    /// How many explanations are skipped at the next place.
    fn take(&mut self) -> usize {
        if self.trying {
            return 0;
        }
        if self.met == self.script.len() {
            self.script.push(0);
        }
        self.met += 1;
        self.script[self.met - 1]
    }

    /// What to try after a run that failed: the next explanation at the last place that may have one.
    pub(super) fn next(mut self) -> Option<Self> {
        self.script.truncate(self.met);
        if self.exhausted {
            self.script.pop();
        }
        *self.script.last_mut()? += 1;
        Some(Self {
            script: self.script,
            ..Self::default()
        })
    }
}

impl Replay<'_> {
    /// Feeds the floating commands whose answers say that they were decided earlier, in that order. Where
    /// two stamps are equal, what replies show decides.
    pub(super) fn feed_decided_before(&mut self, at: Position, before: Stamp) {
        while let Some((_, request)) = self
            .floating
            .iter()
            .filter_map(|(&request, record)| Some((stamp(record)?, request)))
            .filter(|(stamp, _)| *stamp < before)
            .min()
        {
            self.feed(at, request);
        }
    }

    /// Feeds the floating voids that a check gives away: those of sales it no longer shows. Sales and voids
    /// need no such evidence, their stamps order them.
    pub(super) fn feed_hidden(&mut self, at: Position, verdict: &Verdict) {
        let shown = |request| verdict.purchases.iter().any(|sale| sale.request == request);
        let account = self.accounts.get(&verdict.window_start_ms);
        let hidden: Vec<RequestId> = account
            .into_iter()
            .flat_map(Account::sales)
            .filter(|sale| !sale.voided && !shown(sale.request))
            .map(|sale| sale.request)
            .collect();
        for sale in hidden {
            self.feed_void_of(at, sale);
        }
    }

    /// Feeds every floating sale that a reply shows, oldest first.
    pub(super) fn feed_sales(
        &mut self,
        at: Position,
        shown: &[Purchase],
        own: Option<RequestId>,
        window: i64,
    ) {
        for purchase in shown.iter().rev() {
            let known = self.window_of(purchase.request).is_some();
            if !known && Some(purchase.request) != own {
                self.feed_sale(at, purchase.request, window);
            }
        }
    }

    /// Feeds the floating void that undid a sale, if the model still holds the sale.
    pub(super) fn feed_void_of(&mut self, at: Position, sale: RequestId) {
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

    /// The answers to voids and slips show a balance and no sales. Where the model would answer otherwise,
    /// floating commands came first: a set of them after which the answer fits and nothing is contradicted.
    /// Several sets may do; [`Choices`] says which is taken.
    pub(super) fn explain(&mut self, at: Position, fits: impl Fn(&Self) -> bool) {
        let mut skip = self.choices.take();
        let outermost = !std::mem::replace(&mut self.choices.trying, true);
        let candidates = self.floating_effects();
        let before = (
            self.accounts.clone(),
            self.floating.clone(),
            self.remaining_seen.clone(),
            self.found.len(),
        );
        for mask in 0_u32..1 << candidates.len() {
            for (index, request) in candidates.iter().enumerate() {
                if mask >> index & 1 == 1 {
                    self.feed(at, *request);
                }
            }
            if self.found.len() == before.3 && fits(self) {
                if skip == 0 {
                    self.choices.trying = !outermost;
                    return;
                }
                skip -= 1;
            }
            self.found.truncate(before.3);
            self.accounts.clone_from(&before.0);
            self.floating.clone_from(&before.1);
            self.remaining_seen.clone_from(&before.2);
        }
        self.choices.trying = !outermost;
        self.choices.exhausted |= outermost;
    }

    /// Commands that may have taken effect at a place nobody saw, before the reply that is looked at.
    fn floating_effects(&self) -> Vec<RequestId> {
        let sent_before = |request: &RequestId| self.first_start_us[request] < self.end_us;
        let decided_before = |record: &Record| {
            let both = stamp(record).zip(self.horizon);
            both.is_none_or(|(stamp, horizon)| stamp.0 <= horizon.0)
        };
        self.floating
            .iter()
            .filter(|(request, record)| sent_before(request) && decided_before(record))
            .filter(|(_, record)| match (record.call, &record.reply) {
                (Call::Sell { .. }, Reply::Verdict(verdict)) => verdict.granted,
                (Call::Void { .. }, Reply::Voided(reply)) => reply.voided,
                _ => true,
            })
            .map(|(&request, _)| request)
            .take(FLOATING_MAX)
            .collect()
    }

    /// Decides a floating command here.
    pub(super) fn feed(&mut self, at: Position, request: RequestId) {
        let Some(&record) = self.floating.get(&request) else {
            return;
        };
        let Call::Void { sale, .. } = record.call else {
            return self.feed_sale(at, request, self.last_window());
        };
        self.floating.remove(&request);
        match &record.reply {
            Reply::Voided(reply) if !reply.voided => {}
            Reply::Voided(reply) => {
                self.feed_decided_before(at, (reply.decided_at_ms, true));
                self.decide_void(at, sale, reply);
            }
            _ => {
                self.void(sale);
            }
        }
        self.note_balances();
    }

    /// Decides a floating sale here, and holds its answer, if one is known, against the model's.
    pub(super) fn feed_sale(&mut self, at: Position, request: RequestId, window: i64) {
        let Some(record) = self.floating.remove(&request) else {
            return;
        };
        let quantity = match record.call {
            Call::Sell { quantity, .. } => quantity,
            Call::Slip { quantity, .. } => {
                let (rule, account) = self.account(window);
                account.hand_in(rule, request, quantity);
                return self.note_balances();
            }
            Call::Void { .. } | Call::Check { .. } | Call::List => return,
        };
        // What its answer shows was decided before it.
        if let Reply::Verdict(verdict) = &record.reply {
            self.feed_decided_before(at, (verdict.decided_at_ms, false));
            let window = verdict.window_start_ms;
            self.feed_sales(at, &verdict.purchases, Some(request), window);
        }
        match &record.reply {
            Reply::Verdict(verdict) if !verdict.granted => {
                if !self.remaining_seen.contains(&verdict.remaining) {
                    let answered = format!("denied with {} remaining", verdict.remaining);
                    self.wrong(at, answered, "a balance this citizen ever had".to_owned());
                }
            }
            Reply::Verdict(verdict) => {
                // A slip without a known place may have been fed too early: the verdict does not show it.
                let shown = |sale: &Sale| {
                    let mut purchases = verdict.purchases.iter();
                    !sale.paper || purchases.any(|purchase| purchase.request == sale.request)
                };
                let (rule, account) = self.account(verdict.window_start_ms);
                let mut as_shown = account.with_only(shown);
                let decision = as_shown.sell(rule, request, quantity);
                if let Some(sale) = as_shown.sale(request) {
                    account.put(*sale);
                }
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
}
