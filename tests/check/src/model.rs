//! One citizen's account and what it must answer. Pure and sequential.
//!
//! Sales are known by their place in a table of everything that the citizen ever asked for, so that an account
//! is two small sets: what is held, and what of it was undone. What a window counts, and what the rule allows
//! in it, is worked out once per call and handed in as [`Terms`].
//!
//! Deliberately absent: request ids seen before. Whoever replays a history knows which replies repeat.

use crate::{
    bits::Bits,
    history::{Reason, Refusal, SlipOutcome, SlipReply, Verdict, VoidReply},
    limits,
};

/// Something that was sold, or asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sale {
    /// Units.
    pub(crate) quantity: u32,
    /// When, Unix milliseconds: this puts it into a window. `None`: not known, and it counts in all.
    pub(crate) at_ms: Option<i64>,
}

/// What the rule says at the instant of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// No sale is granted.
    pub(crate) closed: bool,
    /// Units that this citizen may take in the window.
    pub(crate) limit: u32,
    /// One sale in a window.
    pub(crate) single_visit: bool,
    /// Reasons that the model lacks and that may be given; `None`: all of them.
    pub(crate) may_deny: Option<Vec<Reason>>,
    /// Sales that lie in the window.
    pub(crate) counted: Bits,
}

/// What one citizen holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub(crate) held: Bits,
    /// Of those held.
    pub(crate) voided: Bits,
}

/// What a call does to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    Hold(usize),
    Void(usize),
}

/// Units left, and why the sale is denied, if it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) denied: Option<Reason>,
    /// Before the sale.
    pub(crate) left: u32,
}

impl Account {
    /// Sales in the window that are not undone.
    pub(crate) fn in_window<'a>(&'a self, terms: &'a Terms) -> impl Iterator<Item = usize> + 'a {
        let held = self.held.iter();
        held.filter(|&sale| terms.counted.contains(sale) && !self.voided.contains(sale))
    }

    /// Units still available.
    pub(crate) fn remaining(&self, sales: &[Sale], terms: &Terms) -> u32 {
        let (mut visited, mut used) = (false, 0_u32);
        for sale in self.in_window(terms) {
            visited = true;
            used = used.saturating_add(sales[sale].quantity);
        }
        if terms.closed || (terms.single_visit && visited) {
            return 0;
        }
        terms.limit.saturating_sub(used)
    }

    /// May the citizen take that many?
    pub(crate) fn decide(&self, sales: &[Sale], terms: &Terms, quantity: u32) -> Decision {
        let left = self.remaining(sales, terms);
        let denied = if terms.closed {
            Some(Reason::ProgramClosed)
        } else if terms.single_visit && self.in_window(terms).next().is_some() {
            Some(Reason::AlreadyVisited)
        } else if quantity > left || self.held.len() >= limits::SALES_KEPT_MAX {
            Some(Reason::OverLimit)
        } else {
            None
        };
        Decision { denied, left }
    }

    /// Whether a check may have been answered so. A denial for a clause that the model lacks is taken as given, if
    /// the rule has such a clause.
    pub(crate) fn admits_check(
        &self,
        sales: &[Sale],
        terms: &Terms,
        quantity: u32,
        verdict: &Verdict,
    ) -> bool {
        let decision = self.decide(sales, terms, quantity);
        agree(decision, terms, verdict) && verdict.remaining == decision.left
    }

    /// Whether a sale may have been answered so, and what that does. Handed in as a slip before: it repeats.
    pub(crate) fn admits_sale(
        &self,
        sales: &[Sale],
        terms: &Terms,
        sale: usize,
        verdict: &Verdict,
    ) -> Option<Effect> {
        if self.held.contains(sale) {
            return verdict.granted().then_some(Effect::Nothing);
        }
        let quantity = sales[sale].quantity;
        let decision = self.decide(sales, terms, quantity);
        if !agree(decision, terms, verdict) {
            return None;
        }
        let (effect, remaining) = match verdict.granted() {
            true if terms.single_visit => (Effect::Hold(sale), 0),
            true => (Effect::Hold(sale), decision.left - quantity),
            false => (Effect::Nothing, decision.left),
        };
        (verdict.remaining == remaining).then_some(effect)
    }

    /// What a sale does whose answer nobody saw.
    pub(crate) fn sell(&self, sales: &[Sale], terms: &Terms, sale: usize) -> Effect {
        let decision = self.decide(sales, terms, sales[sale].quantity);
        if decision.denied.is_none() && !self.held.contains(sale) {
            Effect::Hold(sale)
        } else {
            Effect::Nothing
        }
    }

    /// What a void does whose answer nobody saw. `sale`: the one it names, if anybody asked for it.
    pub(crate) fn void(&self, sale: Option<usize>) -> Effect {
        match sale {
            Some(sale) if self.held.contains(sale) && !self.voided.contains(sale) => {
                Effect::Void(sale)
            }
            _ => Effect::Nothing,
        }
    }

    /// Whether a void may have been answered so, and what that does. `same_day`: whether it was asked for on
    /// the day of the sale, as far as that is known. Which site made a sale is not: a refusal for that is
    /// taken as given.
    pub(crate) fn admits_void(
        &self,
        sales: &[Sale],
        terms: &Terms,
        void: &Void,
        reply: &VoidReply,
    ) -> Option<Effect> {
        let effect = self.void(void.sale);
        let held = void.sale.is_some_and(|sale| self.held.contains(sale));
        let lawful = match reply.refused {
            None => {
                effect != Effect::Nothing && (void.by_administrator || void.same_day != Some(false))
            }
            Some(Refusal::SaleNotFound) => !held,
            Some(Refusal::AlreadyVoided) => held && effect == Effect::Nothing,
            Some(Refusal::OtherSite) => held && !void.by_administrator,
            Some(Refusal::TooLate) => {
                effect != Effect::Nothing && !void.by_administrator && void.same_day != Some(true)
            }
        };
        if !lawful {
            return None;
        }
        let effect = match reply.refused {
            None => effect,
            Some(_) => Effect::Nothing,
        };
        let mut after = self.clone();
        after.apply(effect);
        let given_back = match effect {
            Effect::Void(sale) => sales[sale].quantity,
            _ => 0,
        };
        let fits = reply.remaining == after.remaining(sales, terms) && reply.quantity == given_back;
        fits.then_some(effect)
    }

    /// Whether a slip may have been answered so, and what that does: it is recorded whatever the rule says.
    /// `now`: the terms of every window in which it may have been handed in.
    pub(crate) fn admits_slip(
        &self,
        sales: &[Sale],
        terms: &Terms,
        now: &[Terms],
        sale: usize,
        reply: &SlipReply,
    ) -> Option<Effect> {
        let effect = self.hand_in(sale);
        if reply.outcome == SlipOutcome::Duplicate {
            return Some(effect);
        }
        let over_by = self.over_by(sales, terms, sale);
        let flagged = reply.outcome == SlipOutcome::OverQuotaRecorded;
        let mut after = self.clone();
        after.apply(effect);
        let lawful = effect != Effect::Nothing
            && reply.over_by == over_by
            && flagged == (over_by > 0)
            && now
                .iter()
                .any(|terms| after.remaining(sales, terms) == reply.remaining);
        lawful.then_some(effect)
    }

    /// What a slip does.
    pub(crate) fn hand_in(&self, sale: usize) -> Effect {
        match self.held.contains(sale) {
            true => Effect::Nothing,
            false => Effect::Hold(sale),
        }
    }

    /// Units of a slip above what was left when it was sold. Outside every window there is none to exceed.
    pub(crate) fn over_by(&self, sales: &[Sale], terms: &Terms, sale: usize) -> u32 {
        match terms.closed {
            true => 0,
            false => sales[sale]
                .quantity
                .saturating_sub(self.remaining(sales, terms)),
        }
    }

    /// Does it.
    pub(crate) fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Nothing => {}
            Effect::Hold(sale) => self.held.insert(sale),
            Effect::Void(sale) => self.voided.insert(sale),
        }
    }

    /// Takes it back.
    pub(crate) fn undo(&mut self, effect: Effect) {
        match effect {
            Effect::Nothing => {}
            Effect::Hold(sale) => self.held.remove(sale),
            Effect::Void(sale) => self.voided.remove(sale),
        }
    }
}

/// An attempt to undo a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Void {
    /// `None`: nobody asked for such a sale.
    pub(crate) sale: Option<usize>,
    pub(crate) by_administrator: bool,
    /// `None`: not known.
    pub(crate) same_day: Option<bool>,
}

fn agree(decision: Decision, terms: &Terms, verdict: &Verdict) -> bool {
    let limit = if terms.closed { 0 } else { terms.limit };
    let reason = match (decision.denied, verdict.denied) {
        (own, given) if own == given => true,
        (Some(Reason::ProgramClosed), _) => false,
        // Clauses that the model lacks come before those that it has.
        (_, Some(given)) => may_deny(terms, given),
        (_, None) => false,
    };
    reason && verdict.limit == limit
}

/// Whether the rule may have denied a sale for a clause that the model lacks.
fn may_deny(terms: &Terms, given: Reason) -> bool {
    match given {
        Reason::OverLimit | Reason::AlreadyVisited | Reason::ProgramClosed => false,
        Reason::NotYourDay
        | Reason::SiteTypeNotAllowed
        | Reason::ProxyNotAllowed
        | Reason::QuantityTooLarge
        | Reason::SiteSuspended => {
            let reasons = terms.may_deny.as_ref();
            reasons.is_none_or(|reasons| reasons.contains(&given))
        }
    }
}
