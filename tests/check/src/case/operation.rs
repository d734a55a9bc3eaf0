//! Operations: what a model is fed, with the answers that it must give.

use super::{Case, Request, Run, is_answered_read};
use crate::{
    bits::Bits,
    history::{Call, Position, Purchase, Record, Reply, SlipReply, Verdict, VoidReply},
    model::{Account, Effect, Terms, Void},
};

/// A read, or all attempts of one request.
#[derive(Debug)]
pub(crate) struct Operation<'h> {
    /// Place in the history of the call that tells most of it.
    pub(crate) record: usize,
    pub(crate) act: Act,
    pub(crate) answer: Answer<'h>,
    /// When it was first asked for.
    pub(crate) start_us: u64,
    /// When it was first told; `None`: never, it may not have happened.
    pub(crate) told_us: Option<u64>,
    /// Of the entry that decided it, or that it was read at; `None`: nobody saw that.
    pub(crate) place: Option<Position>,
    /// Of the first entry that repeated its answer: it was decided before.
    pub(crate) before: Option<Position>,
    /// When it was decided, where its answer says so.
    pub(crate) stamp: Option<Stamp>,
}

/// When a command was decided, by the leader's clock. Stamps of one citizen's commands never decrease, and a
/// sale that is decided after a void has a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    /// Unix milliseconds.
    pub(crate) at_ms: i64,
    /// It undid a sale.
    pub(crate) undid: bool,
    /// It is a sale, granted or denied.
    pub(crate) sale: bool,
}

impl Stamp {
    /// Whether a command with this stamp may follow one with that.
    fn may_follow(self, last: Self) -> bool {
        self.at_ms > last.at_ms || (self.at_ms == last.at_ms && !(last.undid && self.sale))
    }
}

/// What is asked of the model.
#[derive(Debug)]
pub(crate) enum Act {
    Check {
        quantity: u32,
        terms: Terms,
    },
    Sell {
        sale: usize,
        terms: Terms,
    },
    Void {
        void: Void,
        terms: Terms,
    },
    Slip {
        sale: usize,
        terms: Terms,
        now: Vec<Terms>,
    },
    List,
}

/// What it must answer.
#[derive(Debug)]
pub(crate) enum Answer<'h> {
    /// Nobody was told.
    None,
    /// The verdict, and the sales that it shows.
    Verdict(&'h Verdict, Bits),
    Void(&'h VoidReply),
    Slip(&'h SlipReply),
    /// The sales that it shows, and those of them that are undone.
    List(Bits, Bits),
}

/// Why an operation cannot come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The model answers otherwise.
    Otherwise,
    /// A sale with the stamp of a void that came before it.
    Earlier,
    /// By the stamps, something else comes first.
    Later,
}

impl<'h> Case<'h> {
    /// Everything that the model can be fed, by first start.
    pub(crate) fn operations(&self, run: &mut Run<'_>) -> Vec<Operation<'h>> {
        let mut operations = Vec::with_capacity(self.records.len());
        for &(place, record) in self.records {
            if is_answered_read(record)
                && let Some(operation) = self.read(run, place, record)
            {
                operations.push(operation);
            }
        }
        for request in &self.requests {
            if request.is_operation() {
                operations.push(self.write(run, request));
            }
        }
        operations.sort_by_key(|operation| operation.start_us);
        operations
    }

    fn read(
        &self,
        run: &mut Run<'_>,
        record_at: usize,
        record: &'h Record,
    ) -> Option<Operation<'h>> {
        let (act, answer) = match (&record.call, &record.reply) {
            (&Call::Check { quantity }, Reply::Verdict(verdict)) => {
                let terms = self.terms(run, verdict.decided_ms, verdict.window_ms);
                let shown = self.shown(&verdict.purchases, |_| true);
                (
                    Act::Check { quantity, terms },
                    Answer::Verdict(verdict, shown),
                )
            }
            (Call::List, Reply::Listed(list)) => {
                let shown = self.shown(&list.purchases, |_| true);
                let undone = self.shown(&list.purchases, |sale| sale.voided);
                (Act::List, Answer::List(shown, undone))
            }
            _ => return None,
        };
        Some(Operation {
            record: record_at,
            act,
            answer,
            start_us: record.start_us,
            told_us: Some(record.end_us),
            place: record.reply.position(),
            before: None,
            stamp: None,
        })
    }

    fn write(&self, run: &mut Run<'_>, request: &Request<'h>) -> Operation<'h> {
        let told = request.told.map(|(_, record)| &record.reply);
        let (act, answer, stamp) = match *request.call {
            Call::Void { sale, .. } | Call::Correct { sale, .. } => {
                let sale = self.sale(sale);
                let reply = match told {
                    Some(Reply::Voided(reply)) => Some(reply),
                    _ => None,
                };
                let sold_ms = sale.and_then(|sale| self.sales[sale].at_ms);
                let days = sold_ms.zip(reply.map(|reply| reply.decided_ms));
                let void = Void {
                    sale,
                    by_administrator: matches!(request.call, Call::Correct { .. }),
                    same_day: days.and_then(|(one, other)| run.calendar.same_day(one, other)),
                };
                let terms = match reply {
                    Some(reply) => self.terms(run, reply.decided_ms, None),
                    None => Terms::default(),
                };
                let stamp = reply.map(|reply| Stamp {
                    at_ms: reply.decided_ms,
                    undid: reply.voided(),
                    sale: false,
                });
                (
                    Act::Void { void, terms },
                    reply.map_or(Answer::None, Answer::Void),
                    stamp,
                )
            }
            Call::Slip { sold_ms, .. } => {
                let terms = self.terms(run, sold_ms, None);
                let mut now: Vec<Terms> = Vec::with_capacity(1);
                for &(at_ms, window) in run.windows {
                    let terms = self.terms(run, at_ms, window);
                    if !now.contains(&terms) {
                        now.push(terms);
                    }
                }
                if now.is_empty() {
                    now.push(terms.clone());
                }
                let answer = match told {
                    Some(Reply::HandedIn(reply)) => Answer::Slip(reply),
                    _ => Answer::None,
                };
                (
                    Act::Slip {
                        sale: self.place_of(request),
                        terms,
                        now,
                    },
                    answer,
                    None,
                )
            }
            Call::Sell { .. } | Call::Check { .. } | Call::List => {
                let verdict = request.verdict();
                let terms = match verdict {
                    Some(verdict) => self.terms(run, verdict.decided_ms, verdict.window_ms),
                    // Whenever it was: the last window that anybody was told of.
                    None => match run.windows.last() {
                        Some(&(at_ms, window)) => self.terms(run, at_ms, window),
                        None => Terms::default(),
                    },
                };
                let answer = verdict.map_or(Answer::None, |verdict| {
                    Answer::Verdict(verdict, self.shown(&verdict.purchases, |_| true))
                });
                let stamp = verdict.map(|verdict| Stamp {
                    at_ms: verdict.decided_ms,
                    undid: false,
                    sale: true,
                });
                (
                    Act::Sell {
                        sale: self.place_of(request),
                        terms,
                    },
                    answer,
                    stamp,
                )
            }
        };
        let places = request.attempts.iter();
        let repeated = places.filter(|(_, record)| record.reply.repeated());
        let position = request.told.and_then(|(_, record)| record.reply.position());
        Operation {
            record: request.told.unwrap_or(request.attempts[0]).0,
            act,
            answer,
            start_us: request.start_us,
            told_us: request.told_us,
            place: position.filter(|_| request.fresh),
            before: repeated
                .filter_map(|(_, record)| record.reply.position())
                .min_by_key(|at| (at.index, at.ordinal)),
            stamp,
        }
    }

    /// The table holds every request that is a sale.
    fn place_of(&self, request: &Request<'_>) -> usize {
        let place = self.sale(request.id);
        debug_assert!(place.is_some(), "a sale is in the table of sales");
        place.unwrap_or_default()
    }

    /// Those of the sales shown that anybody asked for.
    fn shown(&self, purchases: &[Purchase], wanted: impl Fn(&Purchase) -> bool) -> Bits {
        let shown = purchases.iter().filter(|sale| wanted(sale));
        shown.filter_map(|sale| self.sale(sale.request)).collect()
    }
}

impl Operation<'_> {
    /// Whether it changes nothing, whatever comes before it.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.act, Act::Check { .. } | Act::List)
    }

    /// What it does to an account on which the last stamp is `last`, if it is answered as it was.
    pub(crate) fn follows(
        &self,
        case: &Case<'_>,
        account: &Account,
        last: Option<Stamp>,
    ) -> Result<Effect, Told> {
        if let (Some(last), Some(own)) = (last, self.stamp)
            && !own.may_follow(last)
        {
            return Err(Told::Earlier);
        }
        self.effect(case, account).ok_or(Told::Otherwise)
    }

    fn effect(&self, case: &Case<'_>, account: &Account) -> Option<Effect> {
        let sales = &case.sales;
        match (&self.act, &self.answer) {
            (Act::Check { quantity, terms }, Answer::Verdict(verdict, shown)) => {
                let fits = shown.len() == verdict.purchases.len()
                    && account.in_window(terms).eq(shown.iter())
                    && account.admits_check(sales, terms, *quantity, verdict);
                fits.then_some(Effect::Nothing)
            }
            (Act::Sell { sale, terms }, Answer::Verdict(verdict, shown)) => {
                let effect = account.admits_sale(sales, terms, *sale, verdict)?;
                let mut before = shown.clone();
                if effect == Effect::Hold(*sale) {
                    if !shown.contains(*sale) {
                        return None;
                    }
                    before.remove(*sale);
                }
                let repeats_a_slip = verdict.granted() && effect == Effect::Nothing;
                let shows = repeats_a_slip || account.in_window(terms).eq(before.iter());
                shows.then_some(effect)
            }
            (Act::Void { void, terms }, Answer::Void(reply)) => {
                account.admits_void(sales, terms, void, reply)
            }
            (Act::Slip { sale, terms, now }, Answer::Slip(reply)) => {
                account.admits_slip(sales, terms, now, *sale, reply)
            }
            (Act::List, Answer::List(shown, undone)) => {
                let same = *shown == account.held && *undone == account.voided;
                same.then_some(Effect::Nothing)
            }
            (Act::Sell { sale, terms }, _) => Some(account.sell(sales, terms, *sale)),
            (Act::Void { void, .. }, _) => Some(account.void(void.sale)),
            (Act::Slip { sale, .. }, _) => Some(account.hand_in(*sale)),
            (Act::Check { .. } | Act::List, _) => Some(Effect::Nothing),
        }
    }
}
