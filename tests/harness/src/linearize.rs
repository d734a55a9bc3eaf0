//! The second opinion: is there any order of one citizen's operations that respects real time and gives
//! every answer? A search in the manner of Wing and Gong with a memory of visited states; it does not
//! look at log positions, so a node that lies about them does not deceive it.
//!
//! All attempts of one request are one operation, from the first start to the first told outcome; one
//! that was never told may have happened at any time, or never. Deliberately absent: citizens whose run
//! crosses the end of a window; they are reported as not searched.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use quorate_proto::ids::RequestId;

use crate::{
    history::{Call, History, Record, Reply, Rule, SlipOutcome},
    model::{Account, Decision, SlipDecision},
};

/// More unknown outcomes on one citizen prove nothing, whatever the search says.
pub const UNKNOWN_MAX: usize = 25;
/// Bounds the memory of one citizen's search to some hundred megabytes.
const STATES_MAX: usize = 1_000_000;

/// What the search says of one citizen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// There is such an order.
    Linearizable,
    /// There is none.
    Violated,
    /// Too many unknown outcomes, or too many states.
    Inconclusive,
    /// The run crossed the end of a window.
    NotSearched,
}

/// Opinions on a whole run, by citizen; those that are fine are left out.
#[must_use]
pub fn check(history: &History) -> BTreeMap<u64, Opinion> {
    let mut citizens: BTreeMap<u64, Vec<&Record>> = BTreeMap::new();
    for record in &history.records {
        citizens.entry(record.citizen).or_default().push(record);
    }
    citizens
        .into_iter()
        .map(|(citizen, records)| (citizen, search(history.rule, &records)))
        .filter(|(_, opinion)| *opinion != Opinion::Linearizable)
        .collect()
}

/// One operation, all attempts together.
struct Operation {
    call: Call,
    start_us: u64,
    /// `None`: never told, may never have happened.
    end_us: Option<u64>,
    answer: Option<Answer>,
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Decision(Decision),
    Slip(SlipDecision),
    /// A slip that was recorded by an attempt whose answer was lost.
    Recorded,
    /// Request, quantity and whether it was undone.
    Sales(BTreeSet<(RequestId, u32, bool)>),
}

fn search(rule: Rule, records: &[&Record]) -> Opinion {
    let windows: BTreeSet<i64> = records
        .iter()
        .filter_map(|record| match &record.reply {
            Reply::Verdict(verdict) => Some(verdict.window_start_ms),
            _ => None,
        })
        .collect();
    if windows.len() > 1 {
        return Opinion::NotSearched;
    }
    let operations = operations(records);
    let open = operations
        .iter()
        .filter(|operation| operation.end_us.is_none())
        .count();
    if open > UNKNOWN_MAX {
        return Opinion::Inconclusive;
    }
    Search {
        rule,
        operations,
        visited: HashSet::new(),
    }
    .run()
}

fn operations(records: &[&Record]) -> Vec<Operation> {
    let mut requests: BTreeMap<RequestId, Operation> = BTreeMap::new();
    let mut operations = Vec::new();
    for record in records {
        let answer = match &record.reply {
            Reply::NotDone { .. } => continue,
            Reply::HandedIn(reply) if reply.outcome == SlipOutcome::Rejected => continue,
            Reply::Unknown { .. } => None,
            reply => answer_of(reply),
        };
        let operation = Operation {
            call: record.call,
            start_us: record.start_us,
            end_us: answer.is_some().then_some(record.end_us),
            answer,
        };
        let Some(request) = record.call.request() else {
            if operation.answer.is_some() {
                operations.push(operation);
            }
            continue;
        };
        match requests.remove(&request) {
            None => requests.insert(request, operation),
            Some(known) => requests.insert(
                request,
                Operation {
                    call: known.call,
                    start_us: known.start_us.min(operation.start_us),
                    end_us: match (known.end_us, operation.end_us) {
                        (Some(one), Some(other)) => Some(one.min(other)),
                        (one, other) => one.or(other),
                    },
                    answer: match (known.answer, operation.answer) {
                        // What it says of the balance tells more than that it was there.
                        (None | Some(Answer::Recorded), Some(other)) => Some(other),
                        (answer, _) => answer,
                    },
                },
            ),
        };
    }
    operations.extend(requests.into_values());
    operations.sort_by_key(|operation| operation.start_us);
    operations
}

fn answer_of(reply: &Reply) -> Option<Answer> {
    match reply {
        Reply::Verdict(verdict) => Some(Answer::Decision(Decision {
            granted: verdict.granted,
            remaining: verdict.remaining,
        })),
        Reply::Voided(reply) => Some(Answer::Decision(Decision {
            granted: reply.voided,
            remaining: reply.remaining,
        })),
        Reply::HandedIn(reply) => Some(match reply.outcome {
            SlipOutcome::Duplicate => Answer::Recorded,
            _ => Answer::Slip(SlipDecision {
                over_by: reply.over_by,
                remaining: reply.remaining,
            }),
        }),
        Reply::Listed(list) => Some(Answer::Sales(
            list.purchases
                .iter()
                .map(|sale| (sale.request, sale.quantity, sale.voided))
                .collect(),
        )),
        Reply::NotDone { .. } | Reply::Unknown { .. } => None,
    }
}

/// A prefix of an order: which operations it holds, and the account after them.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    /// Every operation before this one is in.
    first_open: usize,
    /// Those after it that are in.
    beyond: BTreeSet<usize>,
    account: Account,
}

struct Search {
    rule: Rule,
    operations: Vec<Operation>,
    visited: HashSet<State>,
}

impl Search {
    fn run(mut self) -> Opinion {
        let mut pending = vec![State {
            first_open: 0,
            beyond: BTreeSet::new(),
            account: Account::default(),
        }];
        while let Some(state) = pending.pop() {
            if self.is_complete(&state) {
                return Opinion::Linearizable;
            }
            if self.visited.len() >= STATES_MAX {
                return Opinion::Inconclusive;
            }
            if !self.visited.insert(state.clone()) {
                continue;
            }
            // The last pushed is tried first: the one that started earliest.
            for index in self.candidates(&state).into_iter().rev() {
                pending.extend(self.after(&state, index));
            }
        }
        Opinion::Violated
    }

    fn open<'s>(&'s self, state: &'s State) -> impl Iterator<Item = usize> + 's {
        (state.first_open..self.operations.len()).filter(|index| !state.beyond.contains(index))
    }

    fn is_complete(&self, state: &State) -> bool {
        self.open(state)
            .all(|index| self.operations[index].end_us.is_none())
    }

    /// What may come next: whatever started before every open operation had ended.
    fn candidates(&self, state: &State) -> Vec<usize> {
        let mut candidates = Vec::new();
        let mut earliest_end_us = u64::MAX;
        for index in self.open(state) {
            let operation = &self.operations[index];
            if operation.start_us > earliest_end_us {
                break;
            }
            earliest_end_us = earliest_end_us.min(operation.end_us.unwrap_or(u64::MAX));
            candidates.push(index);
        }
        candidates.retain(|&index| self.operations[index].start_us <= earliest_end_us);
        candidates
    }

    /// The state with this operation next, if the model then gives its answer.
    fn after(&self, state: &State, index: usize) -> Option<State> {
        let operation = &self.operations[index];
        let mut next = state.clone();
        let given = match operation.call {
            Call::Check { quantity } => Answer::Decision(next.account.check(self.rule, quantity)),
            Call::Sell { request, quantity } => {
                Answer::Decision(next.account.sell(self.rule, request, quantity))
            }
            Call::Void { sale, .. } => Answer::Decision(next.account.void(self.rule, sale)),
            Call::Slip { request, quantity } => {
                let decision = next.account.hand_in(self.rule, request, quantity);
                match operation.answer {
                    Some(Answer::Recorded) => Answer::Recorded,
                    _ => Answer::Slip(decision),
                }
            }
            Call::List => Answer::Sales(
                next.account
                    .sales()
                    .map(|sale| (sale.request, sale.quantity, sale.voided))
                    .collect(),
            ),
        };
        if operation
            .answer
            .as_ref()
            .is_some_and(|answer| *answer != given)
        {
            return None;
        }
        next.beyond.insert(index);
        while next.beyond.remove(&next.first_open) {
            next.first_open += 1;
        }
        Some(next)
    }
}
