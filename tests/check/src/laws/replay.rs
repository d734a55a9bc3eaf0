//! The model gives every answer: along the log, and, as a second opinion, along real time.

use super::{order, violation};
use crate::{
    case::{Act, Answer, Case, Operation, Run, Told},
    history::Verdict,
    model::{Account, Effect},
    report::{Law, Violation},
    search::{self, DeadEnd, Outcome},
};

/// Judges one citizen.
pub(crate) fn check(case: &Case<'_>, run: &mut Run<'_>) -> Vec<Violation> {
    let operations = case.operations(run);
    let along_the_log = search::along_the_log(&operations);
    let along_real_time = search::along_real_time(&operations);
    let mut found = Vec::new();
    for (law, spans) in [
        (Law::LogOrder, along_the_log),
        (Law::Linearizable, along_real_time),
    ] {
        match search::search(case, &operations, &spans) {
            Outcome::Found => {}
            Outcome::Nowhere(dead_end) => {
                found.push(explain(law, case, &operations, &dead_end));
            }
            Outcome::Inconclusive(why) => {
                let records = operations.iter().filter(|one| one.told_us.is_none());
                let records = records.map(|one| one.record).take(10);
                found.push(violation(Law::Conclusive, Some(case.citizen), records, why));
            }
        }
    }
    found
}

fn explain(
    law: Law,
    case: &Case<'_>,
    operations: &[Operation<'_>],
    dead_end: &DeadEnd,
) -> Violation {
    let operation = &operations[dead_end.operation];
    let at = match operation.place.or(operation.before) {
        Some(at) => format!(" at {}", order::text(at)),
        None => String::new(),
    };
    let why = match dead_end.why {
        Told::Earlier => format!(
            "{}{at} carries the time of a void that was decided before it",
            name(operation)
        ),
        Told::Later => format!(
            "{}{at} carries a later time than something that can only come after it",
            name(operation)
        ),
        Told::Otherwise => {
            let (answered, expected) = both(case, operation, &dead_end.account);
            let order = match law {
                Law::LogOrder => "in log order",
                _ => "in no order that fits real time",
            };
            format!(
                "{order}: {}{at} was answered {answered}, where the model says {expected}",
                name(operation)
            )
        }
    };
    violation(law, Some(case.citizen), [operation.record], why)
}

fn name(operation: &Operation<'_>) -> &'static str {
    match operation.act {
        Act::Check { .. } => "a check",
        Act::Sell { .. } => "a sale",
        Act::Void { .. } => "a void",
        Act::Slip { .. } => "a slip",
        Act::List => "a list",
    }
}

/// What was answered, and what the model would have answered on this account.
fn both(case: &Case<'_>, operation: &Operation<'_>, account: &Account) -> (String, String) {
    let sales = &case.sales;
    let after = |effect: Effect| {
        let mut after = account.clone();
        after.apply(effect);
        after
    };
    match (&operation.act, &operation.answer) {
        (Act::Check { quantity, terms }, Answer::Verdict(verdict, _)) => {
            let decision = account.decide(sales, terms, *quantity);
            let held: Vec<usize> = account.in_window(terms).collect();
            let own = own_verdict(decision.denied, decision.left, terms.limit);
            (
                format!("{} showing {}", given(verdict), given_sales(verdict)),
                format!("{own} showing {}", list(case, held)),
            )
        }
        (Act::Sell { sale, terms }, Answer::Verdict(verdict, _)) => {
            let decision = account.decide(sales, terms, sales[*sale].quantity);
            let effect = account.sell(sales, terms, *sale);
            let left = match effect {
                Effect::Nothing => decision.left,
                _ => after(effect).remaining(sales, terms),
            };
            let held: Vec<usize> = after(effect).in_window(terms).collect();
            let own = own_verdict(decision.denied, left, terms.limit);
            (
                format!("{} showing {}", given(verdict), given_sales(verdict)),
                format!("{own} showing {}", list(case, held)),
            )
        }
        (Act::Void { void, terms }, Answer::Void(reply)) => {
            let effect = account.void(void.sale);
            let done = if effect == Effect::Nothing {
                "refused"
            } else {
                "undone"
            };
            let left = after(effect).remaining(sales, terms);
            let told = match reply.refused {
                None => "undone".to_owned(),
                Some(refusal) => format!("refused ({refusal:?})"),
            };
            (
                format!("{told} with {} left", reply.remaining),
                format!("{done} with {left} left"),
            )
        }
        (Act::Slip { sale, terms, now }, Answer::Slip(reply)) => {
            let over_by = account.over_by(sales, terms, *sale);
            let after = after(account.hand_in(*sale));
            let left: Vec<u32> = now
                .iter()
                .map(|terms| after.remaining(sales, terms))
                .collect();
            (
                format!(
                    "{:?}, over by {}, {} left",
                    reply.outcome, reply.over_by, reply.remaining
                ),
                format!("over by {over_by}, {left:?} left"),
            )
        }
        (_, Answer::List(shown, undone)) => (
            format!(
                "{}, of them undone {}",
                list(case, shown.iter()),
                list(case, undone.iter())
            ),
            format!(
                "{}, of them undone {}",
                list(case, account.held.iter()),
                list(case, account.voided.iter())
            ),
        ),
        _ => ("nothing".to_owned(), "otherwise".to_owned()),
    }
}

fn given(verdict: &Verdict) -> String {
    own_verdict(verdict.denied, verdict.remaining, verdict.limit)
}

fn given_sales(verdict: &Verdict) -> String {
    let shown = verdict.purchases.iter();
    bracket(shown.map(|sale| (sale.request.to_string(), sale.quantity)))
}

fn own_verdict(denied: Option<crate::history::Reason>, left: u32, limit: u32) -> String {
    match denied {
        None => format!("granted with {left} of {limit} left"),
        Some(reason) => format!("denied ({reason:?}) with {left} of {limit} left"),
    }
}

fn list(case: &Case<'_>, sales: impl IntoIterator<Item = usize>) -> String {
    let sales = sales.into_iter();
    bracket(sales.map(|sale| (case.sale_id(sale).to_string(), case.sales[sale].quantity)))
}

/// Ids are long: the last digits tell one of a citizen's sales from another.
fn bracket(sales: impl Iterator<Item = (String, u32)>) -> String {
    let sales: Vec<String> = sales
        .map(|(id, quantity)| {
            let tail = id.get(id.len().saturating_sub(6)..).unwrap_or_default();
            format!("…{tail}×{quantity}")
        })
        .collect();
    format!("[{}]", sales.join(" "))
}
