//! Requests and their answers, without regard to the log: one answer per request, nothing acknowledged is lost,
//! nothing appears from nowhere, verdicts name the rule's window, no window holds more than the rule allows.

use quorate_proto::ids::RequestId;

use super::{order, violation};
use crate::{
    calendar::Frame,
    case::{Case, Request, Run, fits},
    history::{Call, Purchase, Record, Reply},
    report::{Law, Violation},
};

/// Judges one citizen.
pub(crate) fn check(case: &Case<'_>, run: &mut Run<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    order::one_shard(case.citizen, case.records, &mut found);
    for request in &case.requests {
        one_answer(case, request, &mut found);
    }
    one_use(case, &mut found);
    for &(number, record) in case.records {
        if !fits(record) {
            let why = "the reply is of another kind than the call, or ended before it began";
            found.push(of(case, Law::FittingReply, [number], why));
        }
        if let Some(purchases) = record.reply.purchases() {
            nothing_from_nowhere(case, number, record, purchases, &mut found);
        }
        if let Reply::Verdict(_) = &record.reply {
            window(case, run, number, record, &mut found);
        }
    }
    nothing_lost(case, &mut found);
    no_window_over(case, run, &mut found);
    found
}

fn of(
    case: &Case<'_>,
    law: Law,
    records: impl IntoIterator<Item = usize>,
    why: impl Into<String>,
) -> Violation {
    violation(law, Some(case.citizen), records, why)
}

/// All attempts of one request: one content, one decision, one answer, and an answer at last.
fn one_answer(case: &Case<'_>, request: &Request<'_>, found: &mut Vec<Violation>) {
    let id = request.id;
    let Some((told_at, told)) = request.told else {
        if request.maybe_done && !found_out_on_paper(case, request) {
            let attempts = request.attempts.iter().map(|(number, _)| *number);
            let why = format!("it was never found out whether {id} was done");
            found.push(of(case, Law::Resolved, attempts, why));
        }
        return;
    };
    for &(number, record) in &request.attempts {
        if record.call != *request.call {
            let why = format!("request {id} was sent with two contents");
            found.push(of(case, Law::OneAnswer, [told_at, number], why));
        }
        if number == told_at || !fits(record) {
            continue;
        }
        if let Some(difference) = difference(told, record) {
            let why = format!("request {id} was answered twice, and {difference} differ");
            found.push(of(case, Law::OneAnswer, [told_at, number], why));
        }
        let fresh = record.reply.position().is_some() && !record.reply.repeated();
        if fresh && request.fresh && record.reply.position() != told.reply.position() {
            let why = format!("request {id} was decided anew");
            found.push(of(case, Law::DecidedOnce, [told_at, number], why));
        }
    }
}

/// A counter that was not answered sold on paper under the same id: the slip's answer says what is on record.
pub(crate) fn found_out_on_paper(case: &Case<'_>, request: &Request<'_>) -> bool {
    let same = case.sale_requests(request.id).iter();
    let mut slips = same.filter(|other| matches!(other.call, Call::Slip { .. }));
    slips.any(Request::is_recorded)
}

/// An id names one request; only a sale tried online may be handed in as a slip under the same id.
fn one_use(case: &Case<'_>, found: &mut Vec<Violation>) {
    for pair in case.requests.windows(2) {
        let [one, other] = pair else { continue };
        if one.id != other.id {
            continue;
        }
        let same_sale = match (one.call, other.call) {
            (Call::Sell { quantity, .. }, Call::Slip { quantity: also, .. }) => quantity == also,
            _ => false,
        };
        if !same_sale {
            let why = format!("id {} names two requests", one.id);
            let records = [one.attempts[0].0, other.attempts[0].0];
            found.push(of(case, Law::OneAnswer, records, why));
        }
    }
}

/// What differs between two answers to one request; position and repetition mark may.
fn difference(one: &Record, other: &Record) -> Option<&'static str> {
    match (&one.reply, &other.reply) {
        (Reply::Verdict(one), Reply::Verdict(other)) => {
            if one.denied != other.denied {
                Some("the decisions")
            } else if (one.remaining, one.limit) != (other.remaining, other.limit) {
                Some("the balances")
            } else if one.decided_ms != other.decided_ms {
                Some("the times of decision")
            } else if one.window_ms != other.window_ms {
                Some("the windows")
            } else if !same_sales(&one.purchases, &other.purchases) {
                Some("the purchases")
            } else {
                None
            }
        }
        (Reply::Voided(one), Reply::Voided(other)) => {
            let told = |reply: &crate::history::VoidReply| {
                (
                    reply.refused,
                    reply.quantity,
                    reply.remaining,
                    reply.decided_ms,
                )
            };
            (told(one) != told(other)).then_some("the outcomes of a void")
        }
        (Reply::HandedIn(one), Reply::HandedIn(other)) => {
            let differ = one.outcome.recorded() != other.outcome.recorded();
            differ.then_some("the outcomes of a slip")
        }
        _ => None,
    }
}

/// In whatever order.
fn same_sales(one: &[Purchase], other: &[Purchase]) -> bool {
    let sorted = |sales: &[Purchase]| {
        let mut sales = sales.to_vec();
        sales.sort_unstable();
        sales
    };
    one == other || sorted(one) == sorted(other)
}

/// A sale that is shown was asked for, was not denied, is shown as it was asked for, and once.
fn nothing_from_nowhere(
    case: &Case<'_>,
    number: usize,
    record: &Record,
    purchases: &[Purchase],
    found: &mut Vec<Violation>,
) {
    for (at, purchase) in purchases.iter().enumerate() {
        let id = purchase.request;
        let requests = case.sale_requests(id);
        let mut goods = requests.iter().filter(|request| is_sale(request));
        let problem = if purchases[..at].iter().any(|other| other.request == id) {
            "is shown twice"
        } else if requests.is_empty() {
            "was never asked for"
        } else if !goods.clone().any(|_| true) {
            "is no sale"
        } else if goods
            .clone()
            .all(|request| quantity(request) != Some(purchase.quantity))
        {
            "is shown with another quantity"
        } else if goods
            .clone()
            .all(|request| asked_us(request) > record.end_us)
        {
            "was asked for later"
        } else if !goods.any(Request::may_be_recorded) {
            "was denied, rejected, or said not to have been done"
        } else {
            continue;
        };
        let attempts = requests.iter().map(|request| request.attempts[0].0);
        let records = attempts.chain([number]);
        let why = format!("sale {id} is shown and {problem}");
        found.push(of(case, Law::NothingFromNowhere, records, why));
    }
}

fn is_sale(request: &Request<'_>) -> bool {
    quantity(request).is_some()
}

fn quantity(request: &Request<'_>) -> Option<u32> {
    match *request.call {
        Call::Sell { quantity, .. } | Call::Slip { quantity, .. } => Some(quantity),
        _ => None,
    }
}

fn asked_us(request: &Request<'_>) -> u64 {
    let starts = request.attempts.iter().map(|(_, record)| record.start_us);
    starts.min().unwrap_or(u64::MAX)
}

/// A verdict names the window of the rule in force when it was given.
fn window(
    case: &Case<'_>,
    run: &mut Run<'_>,
    number: usize,
    record: &Record,
    found: &mut Vec<Violation>,
) {
    let Reply::Verdict(verdict) = &record.reply else {
        return;
    };
    let expected = match run.calendar.frame(verdict.decided_ms) {
        Frame::Closed => None,
        Frame::Open { window, .. } => Some(window),
        Frame::AsAnswered { .. } => match verdict.window_ms {
            Some(window) if window.contains(verdict.decided_ms) => Some(window),
            _ => {
                let why = "the window of the verdict does not hold the instant of the decision";
                found.push(of(case, Law::Window, [number], why));
                return;
            }
        },
    };
    if verdict.window_ms != expected {
        let text = |window: Option<crate::history::Window>| match window {
            Some(window) => format!("{} to {}", window.start_ms, window.end_ms),
            None => "none".to_owned(),
        };
        let why = format!(
            "the verdict names the window {} ms, the rule in force at {} has {} ms",
            text(verdict.window_ms),
            verdict.decided_ms,
            text(expected)
        );
        found.push(of(case, Law::Window, [number], why));
    }
}

/// Every list that began after a grant or a slip was told shows it, and there is such a list.
fn nothing_lost(case: &Case<'_>, found: &mut Vec<Violation>) {
    let recorded: Vec<(&Request<'_>, u64)> = case
        .requests
        .iter()
        .filter(|request| request.is_recorded())
        .filter_map(|request| Some((request, request.told_us?)))
        .collect();
    let mut last_list_us = None;
    for &(number, record) in case.records {
        let Reply::Listed(list) = &record.reply else {
            continue;
        };
        last_list_us = last_list_us.max(Some(record.start_us));
        for (request, told_us) in &recorded {
            let missing = || list.purchases.iter().all(|sale| sale.request != request.id);
            if *told_us < record.start_us && missing() {
                let why = format!("sale {} was acknowledged and is missing", request.id);
                let told = request.told.map(|(told, _)| told);
                found.push(of(
                    case,
                    Law::NothingLost,
                    told.into_iter().chain([number]),
                    why,
                ));
            }
        }
    }
    let last_told = recorded.iter().max_by_key(|(_, told_us)| *told_us);
    if let Some((request, told_us)) = last_told
        && last_list_us.is_none_or(|list_us| list_us <= *told_us)
    {
        let why = "nobody listed what is on record after the last sale";
        let told = request.told.map(|(told, _)| told);
        found.push(of(case, Law::Audited, told, why));
    }
}

/// The sales that the last list shows, and the place of that list.
pub(crate) fn last_list<'h>(case: &Case<'h>) -> Option<(usize, &'h [Purchase])> {
    let lists = case.records.iter().filter_map(|&(number, record)| {
        let list = match &record.reply {
            Reply::Listed(list) => list,
            _ => return None,
        };
        Some((record.start_us, number, list))
    });
    let (_, number, list) = lists.max_by_key(|(start_us, ..)| *start_us)?;
    Some((number, &list.purchases))
}

/// What was granted online and is in the last list stays within the limit, window by window: when each of them
/// was sold, those sold before it in its window were all held. Slips are recorded whatever the rule says.
fn no_window_over(case: &Case<'_>, run: &mut Run<'_>, found: &mut Vec<Violation>) {
    let Some((list, purchases)) = last_list(case) else {
        return;
    };
    let online = |id: RequestId| {
        let mut requests = case.sale_requests(id).iter();
        requests.find(|request| request.verdict().is_some_and(|verdict| verdict.granted()))
    };
    let held: Vec<(&Request<'_>, u32)> = purchases
        .iter()
        .filter(|sale| !sale.voided)
        .filter_map(|sale| Some((online(sale.request)?, sale.quantity)))
        .collect();
    for (request, _) in &held {
        let Some(verdict) = request.verdict() else {
            continue;
        };
        let Some(window) = verdict.window_ms else {
            continue;
        };
        let until_ms = verdict.decided_ms;
        let counted = held.iter().filter(|(other, _)| {
            other.verdict().is_some_and(|other| {
                window.contains(other.decided_ms) && other.decided_ms <= until_ms
            })
        });
        let units: u64 = counted.map(|(_, quantity)| u64::from(*quantity)).sum();
        let limit = match run.calendar.frame(until_ms) {
            Frame::Closed => 0,
            Frame::Open { rule, .. } | Frame::AsAnswered { rule } => rule.limit_for(case.born),
        };
        // At one instant the first sales may have been another window's; the last one counts all.
        if units > u64::from(limit) {
            let why = format!("holds {units} units in one window, the rule allows {limit}");
            let told = request.told.map(|(told, _)| told);
            found.push(of(
                case,
                Law::OverQuota,
                told.into_iter().chain([list]),
                why,
            ));
            return;
        }
    }
}
