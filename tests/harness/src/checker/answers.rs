//! Requests and their answers, without regard to the log: one answer per request, nothing acknowledged
//! is lost, nothing appears from nowhere, no window holds more than the rule allows.

use std::collections::BTreeMap;

use quorate_proto::ids::RequestId;

use crate::{
    checker::Violation,
    history::{Call, Purchase, Record, Reply, Rule, SlipOutcome},
};

/// All attempts of one request.
struct Attempts<'a> {
    call: &'a Call,
    first_start_us: u64,
    /// When the first attempt ended that told the outcome.
    told_us: Option<u64>,
    /// A reply that told the outcome.
    told: Option<&'a Record>,
    /// The reply of the entry that decided it.
    fresh: Option<&'a Record>,
    maybe_done: bool,
}

/// Judges one citizen's records.
pub(super) fn check(citizen: u64, rule: Rule, records: &[&Record]) -> Vec<Violation> {
    let mut found = Vec::new();
    let requests = gather(records, &mut found);
    for (&request, attempts) in &requests {
        if attempts.maybe_done && attempts.told.is_none() {
            found.push(Violation::Unresolved { citizen, request });
        }
    }
    for record in records {
        if let Some(purchases) = purchases(&record.reply) {
            nothing_from_nowhere(citizen, record, purchases, &requests, &mut found);
        }
    }
    nothing_lost(citizen, records, &requests, &mut found);
    no_window_over(citizen, rule, records, &requests, &mut found);
    found
}

/// The sales that a reply shows.
fn purchases(reply: &Reply) -> Option<&[Purchase]> {
    match reply {
        Reply::Verdict(verdict) => Some(&verdict.purchases),
        Reply::Listed(list) => Some(&list.purchases),
        Reply::Voided(_) | Reply::HandedIn(_) | Reply::NotDone { .. } | Reply::Unknown { .. } => {
            None
        }
    }
}

fn gather<'a>(
    records: &[&'a Record],
    found: &mut Vec<Violation>,
) -> BTreeMap<RequestId, Attempts<'a>> {
    let mut requests: BTreeMap<RequestId, Attempts<'_>> = BTreeMap::new();
    for &record in records {
        let Some(request) = record.call.request() else {
            continue;
        };
        let attempts = requests.entry(request).or_insert(Attempts {
            call: &record.call,
            first_start_us: record.start_us,
            told_us: None,
            told: None,
            fresh: None,
            maybe_done: false,
        });
        attempts.first_start_us = attempts.first_start_us.min(record.start_us);
        if attempts.call != &record.call {
            found.push(differ(request, "one id names two requests"));
        }
        match &record.reply {
            Reply::NotDone { .. } => continue,
            Reply::Unknown { .. } => {
                attempts.maybe_done = true;
                continue;
            }
            Reply::Verdict(_) | Reply::Voided(_) | Reply::HandedIn(_) | Reply::Listed(_) => {}
        }
        if let Some(difference) = attempts.told.and_then(|told| difference(told, record)) {
            found.push(differ(request, difference));
        }
        attempts.told.get_or_insert(record);
        let told_us = attempts.told_us.get_or_insert(record.end_us);
        *told_us = record.end_us.min(*told_us);
        if !record.reply.repeated() {
            let place = |record: &Record| record.reply.position();
            if let Some((first, second)) = attempts.fresh.and_then(place).zip(place(record))
                && first != second
            {
                found.push(Violation::DecidedTwice {
                    request,
                    first,
                    second,
                });
            }
            attempts.fresh.get_or_insert(record);
        }
    }
    requests
}

fn differ(request: RequestId, difference: &str) -> Violation {
    Violation::AnswersDiffer {
        request,
        difference: difference.to_owned(),
    }
}

/// What differs between two answers to one request; position and repetition mark may.
fn difference(one: &Record, other: &Record) -> Option<&'static str> {
    match (&one.reply, &other.reply) {
        (Reply::Verdict(one), Reply::Verdict(other)) => {
            if one.granted != other.granted {
                Some("granted and denied")
            } else if one.reason != other.reason {
                Some("the reasons")
            } else if (one.remaining, one.limit) != (other.remaining, other.limit) {
                Some("what remains")
            } else if one.decided_at_ms != other.decided_at_ms {
                Some("the times of decision")
            } else {
                None
            }
        }
        (Reply::Voided(one), Reply::Voided(other)) => {
            let told = |reply: &crate::history::VoidReply| {
                (
                    reply.voided,
                    reply.quantity,
                    reply.remaining,
                    reply.decided_at_ms,
                )
            };
            let differ = told(one) != told(other) || one.refusal != other.refusal;
            differ.then_some("the outcomes of a void")
        }
        (Reply::HandedIn(one), Reply::HandedIn(other)) => {
            let recorded = |outcome| outcome != SlipOutcome::Rejected;
            let differ = recorded(one.outcome) != recorded(other.outcome);
            differ.then_some("recorded and rejected")
        }
        _ => Some("their kinds"),
    }
}

/// A sale that is shown was asked for, was not denied, and is shown as it was asked for.
fn nothing_from_nowhere(
    citizen: u64,
    record: &Record,
    purchases: &[Purchase],
    requests: &BTreeMap<RequestId, Attempts<'_>>,
    found: &mut Vec<Violation>,
) {
    let Some(at) = record.reply.position() else {
        return;
    };
    for purchase in purchases {
        let problem = match requests.get(&purchase.request) {
            None => "was never asked for",
            Some(attempts) if attempts.first_start_us > record.end_us => "was asked for later",
            Some(attempts) => match (attempts.call, attempts.told.map(|told| &told.reply)) {
                (Call::Sell { quantity, .. } | Call::Slip { quantity, .. }, _)
                    if *quantity != purchase.quantity =>
                {
                    "shows another quantity"
                }
                (Call::Sell { .. }, Some(Reply::Verdict(verdict))) if !verdict.granted => {
                    "was denied"
                }
                (Call::Slip { .. }, Some(Reply::HandedIn(reply)))
                    if reply.outcome == SlipOutcome::Rejected =>
                {
                    "was rejected"
                }
                (Call::Sell { .. } | Call::Slip { .. }, None) if !attempts.maybe_done => {
                    "was said not to have been done"
                }
                (Call::Sell { .. } | Call::Slip { .. }, _) => continue,
                _ => "is no sale",
            },
        };
        found.push(Violation::GhostSale {
            citizen,
            request: purchase.request,
            at,
            problem,
        });
    }
}

/// Every list that began after a grant or a slip was told shows it, and there is such a list.
fn nothing_lost(
    citizen: u64,
    records: &[&Record],
    requests: &BTreeMap<RequestId, Attempts<'_>>,
    found: &mut Vec<Violation>,
) {
    let granted: Vec<(RequestId, u64)> = recorded(requests)
        .filter_map(|(request, attempts)| Some((request, attempts.told_us?)))
        .collect();
    let mut last_list_us = None;
    for record in records {
        let Reply::Listed(list) = &record.reply else {
            continue;
        };
        last_list_us = last_list_us.max(Some(record.start_us));
        for &(request, told_us) in &granted {
            let shown = list.purchases.iter().any(|sale| sale.request == request);
            if told_us < record.start_us && !shown {
                found.push(Violation::SaleLost {
                    citizen,
                    request,
                    at: list.position,
                });
            }
        }
    }
    let last_told_us = granted.iter().map(|(_, told_us)| *told_us).max();
    if last_told_us.is_some_and(|told_us| last_list_us.is_none_or(|list_us| list_us <= told_us)) {
        found.push(Violation::NotAudited { citizen });
    }
}

/// Sales that were said to be on record: granted online, or handed in.
fn recorded<'m, 'a>(
    requests: &'m BTreeMap<RequestId, Attempts<'a>>,
) -> impl Iterator<Item = (RequestId, &'m Attempts<'a>)> {
    requests.iter().filter_map(|(&request, attempts)| {
        let told = &attempts.told?.reply;
        let is_there = match told {
            Reply::Verdict(verdict) => verdict.granted,
            Reply::HandedIn(reply) => reply.outcome != SlipOutcome::Rejected,
            _ => false,
        };
        is_there.then_some((request, attempts))
    })
}

/// What was granted online and is in the last list stays within the limit, window by window. Slips are
/// recorded whatever the rule says.
fn no_window_over(
    citizen: u64,
    rule: Rule,
    records: &[&Record],
    requests: &BTreeMap<RequestId, Attempts<'_>>,
    found: &mut Vec<Violation>,
) {
    let windows: BTreeMap<RequestId, i64> = recorded(requests)
        .filter_map(|(request, attempts)| match &attempts.told?.reply {
            Reply::Verdict(verdict) => Some((request, verdict.window_start_ms)),
            _ => None,
        })
        .collect();
    let lists = records.iter().filter_map(|record| match &record.reply {
        Reply::Listed(list) => Some((record.start_us, list)),
        _ => None,
    });
    let Some((_, last)) = lists.max_by_key(|(start_us, _)| *start_us) else {
        return;
    };
    let mut units: BTreeMap<Option<i64>, u32> = BTreeMap::new();
    let on_paper = |request| {
        let attempts = requests.get(&request);
        attempts.is_some_and(|attempts| matches!(attempts.call, Call::Slip { .. }))
    };
    let counted = last.purchases.iter();
    for sale in counted.filter(|sale| !sale.voided && !on_paper(sale.request)) {
        *units
            .entry(windows.get(&sale.request).copied())
            .or_default() += sale.quantity;
    }
    for units in units.into_values().filter(|&units| units > rule.limit) {
        found.push(Violation::OverQuota {
            citizen,
            units,
            limit: rule.limit,
        });
    }
}
