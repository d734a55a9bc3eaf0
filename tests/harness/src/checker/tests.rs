//! The checker is proven: an honest run passes, and every planted violation is found.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use super::{
    honest::{Honest, RULE, request},
    *,
};
use crate::{
    history::{Purchase, SlipReply, Verdict},
    linearize::{self, Opinion},
};

/// Some record that fits, its place chosen by the seed.
fn pick(history: &History, fits: impl Fn(&Record) -> bool) -> usize {
    let fitting: Vec<usize> = (0..history.records.len())
        .filter(|&index| fits(&history.records[index]))
        .collect();
    fitting[fitting.len() / 2]
}

fn verdict(record: &Record) -> Option<&Verdict> {
    match &record.reply {
        Reply::Verdict(verdict) => Some(verdict),
        _ => None,
    }
}

fn verdict_mut(record: &mut Record) -> &mut Verdict {
    match &mut record.reply {
        Reply::Verdict(verdict) => verdict,
        other => panic!("no verdict: {other:?}"),
    }
}

fn is_fresh_grant(record: &Record) -> bool {
    record.call.request().is_some() && verdict(record).is_some_and(|v| v.granted && !v.repeated)
}

fn is_check(record: &Record) -> bool {
    matches!(record.call, Call::Check { .. })
}

#[test]
fn an_honest_run_passes_both_opinions() {
    for seed in 0..200 {
        let history = Honest::run(seed, 400);
        let report = check(&history);
        assert!(report.violations.is_empty(), "seed {seed}: {report}");
        assert!(
            report.grants > 10 && report.denials > 10 && report.unknown > 10 && report.slips > 10,
            "{report}"
        );
        assert_eq!(linearize::check(&history), BTreeMap::new(), "seed {seed}");
    }
}

/// Breaks honest runs and expects the checker to name the breach.
fn planted(plant: impl Fn(&mut History), names: fn(&Violation) -> bool) -> Vec<History> {
    (0..5)
        .map(|seed| {
            let mut history = Honest::run(seed, 400);
            plant(&mut history);
            let report = check(&history);
            assert!(report.violations.iter().any(names), "seed {seed}: {report}");
            history
        })
        .collect()
}

fn second_opinion_agrees(histories: Vec<History>) {
    for history in histories {
        let opinions = linearize::check(&history);
        assert!(
            opinions
                .values()
                .any(|opinion| *opinion == Opinion::Violated),
            "{opinions:?}"
        );
    }
}

#[test]
fn an_acknowledged_sale_that_is_lost() {
    let histories = planted(
        |history| {
            let lost = history.records[pick(history, is_fresh_grant)]
                .call
                .request()
                .unwrap();
            for record in &mut history.records {
                let shown = match &mut record.reply {
                    Reply::Verdict(verdict) => &mut verdict.purchases,
                    Reply::Listed(list) => &mut list.purchases,
                    _ => continue,
                };
                shown.retain(|sale| sale.request != lost);
            }
        },
        |found| matches!(found, Violation::SaleLost { .. }),
    );
    second_opinion_agrees(histories);
}

#[test]
fn a_sale_granted_twice() {
    planted(
        |history| {
            let mut again = history.records[pick(history, is_fresh_grant)].clone();
            let last = history.records.last().unwrap();
            (again.start_us, again.end_us) = (last.start_us, last.end_us);
            verdict_mut(&mut again).position.index = 100_000;
            history.records.push(again);
        },
        |found| matches!(found, Violation::DecidedTwice { .. }),
    );
}

#[test]
fn a_grant_over_the_quota() {
    let histories = planted(
        |history| {
            let denied = pick(history, |record| {
                record.call.request().is_some()
                    && verdict(record).is_some_and(|v| !v.granted && !v.repeated)
            });
            let record = &mut history.records[denied];
            let (citizen, start_us) = (record.citizen, record.start_us);
            let Call::Sell { request, quantity } = record.call else {
                unreachable!("a verdict with a request id is a sale's")
            };
            let verdict = verdict_mut(record);
            (verdict.granted, verdict.remaining) = (true, 0);
            verdict.reason.clear();
            // The cluster then shows it everywhere, as if nothing were wrong.
            for record in &mut history.records {
                let shown = match &mut record.reply {
                    Reply::Verdict(verdict) => &mut verdict.purchases,
                    Reply::Listed(list) => &mut list.purchases,
                    _ => continue,
                };
                if record.citizen == citizen && record.start_us > start_us {
                    shown.push(Purchase {
                        request,
                        quantity,
                        voided: false,
                    });
                }
            }
        },
        |found| matches!(found, Violation::WrongAnswer { .. }),
    );
    second_opinion_agrees(histories);
}

#[test]
fn a_window_that_ends_up_over_the_limit() {
    planted(
        |history| {
            history.rule.limit = 4;
            for record in &mut history.records {
                if let Reply::Verdict(verdict) = &mut record.reply {
                    verdict.limit = 4;
                }
            }
        },
        |found| matches!(found, Violation::OverQuota { .. }),
    );
}

fn slip_mut(record: &mut Record) -> &mut SlipReply {
    match &mut record.reply {
        Reply::HandedIn(reply) => reply,
        other => panic!("no slip: {other:?}"),
    }
}

fn is_slip(record: &Record, outcome: SlipOutcome) -> bool {
    matches!(&record.reply, Reply::HandedIn(reply) if reply.outcome == outcome)
}

#[test]
fn a_slip_that_is_lost() {
    let histories = planted(
        |history| {
            let slip = pick(history, |record| is_slip(record, SlipOutcome::Accepted));
            let lost = history.records[slip].call.request().unwrap();
            for record in &mut history.records {
                let shown = match &mut record.reply {
                    Reply::Verdict(verdict) => &mut verdict.purchases,
                    Reply::Listed(list) => &mut list.purchases,
                    _ => continue,
                };
                shown.retain(|sale| sale.request != lost);
            }
        },
        |found| matches!(found, Violation::SaleLost { .. }),
    );
    second_opinion_agrees(histories);
}

#[test]
fn a_slip_over_quota_that_is_not_flagged() {
    let histories = planted(
        |history| {
            let slip = pick(history, |record| is_slip(record, SlipOutcome::OverQuota));
            let reply = slip_mut(&mut history.records[slip]);
            (reply.outcome, reply.over_by) = (SlipOutcome::Accepted, 0);
        },
        |found| matches!(found, Violation::WrongAnswer { .. }),
    );
    second_opinion_agrees(histories);
}

#[test]
fn a_slip_that_does_not_count_against_later_sales() {
    let histories = planted(
        |history| {
            let slip = pick(history, |record| is_slip(record, SlipOutcome::Accepted));
            let Call::Slip { quantity, .. } = history.records[slip].call else {
                panic!("a slip's reply is to a slip")
            };
            slip_mut(&mut history.records[slip]).remaining += quantity;
        },
        |found| matches!(found, Violation::WrongAnswer { .. }),
    );
    second_opinion_agrees(histories);
}

#[test]
fn a_slip_recorded_twice() {
    planted(
        |history| {
            let again = pick(history, |record| is_slip(record, SlipOutcome::Duplicate));
            slip_mut(&mut history.records[again]).outcome = SlipOutcome::OverQuota;
            let request = history.records[again].call.request();
            let fresh = history.records.iter().any(|record| {
                record.call.request() == request && is_slip(record, SlipOutcome::Accepted)
            });
            if !fresh {
                let mut first = history.records[again].clone();
                slip_mut(&mut first).position.index -= 1;
                history.records.push(first);
            }
        },
        |found| matches!(found, Violation::DecidedTwice { .. }),
    );
}

#[test]
fn a_slip_that_was_rejected_and_is_shown() {
    planted(
        |history| {
            let slip = pick(history, |record| is_slip(record, SlipOutcome::Accepted));
            let request = history.records[slip].call.request();
            for record in &mut history.records {
                if record.call.request() == request
                    && let Reply::HandedIn(reply) = &mut record.reply
                {
                    reply.outcome = SlipOutcome::Rejected;
                }
            }
        },
        |found| matches!(found, Violation::GhostSale { .. }),
    );
}

#[test]
fn a_stale_read() {
    let histories = planted(
        |history| {
            // A deposed leader answers as if nothing had been sold for the whole run.
            let check = pick(history, |record| {
                is_check(record) && verdict(record).is_some_and(|v| v.remaining < RULE.limit)
            });
            let verdict = verdict_mut(&mut history.records[check]);
            (verdict.granted, verdict.remaining, verdict.position.index) = (true, RULE.limit, 1);
            verdict.purchases.clear();
        },
        |found| matches!(found, Violation::RealTime { .. }),
    );
    second_opinion_agrees(histories);
}

#[test]
fn answers_out_of_order() {
    planted(
        |history| {
            let first = pick(history, is_fresh_grant);
            let second = (first + 3..history.records.len())
                .find(|&index| is_fresh_grant(&history.records[index]))
                .unwrap();
            let swap = verdict(&history.records[first]).unwrap().position;
            let with = verdict(&history.records[second]).unwrap().position;
            verdict_mut(&mut history.records[first]).position = with;
            verdict_mut(&mut history.records[second]).position = swap;
        },
        |found| matches!(found, Violation::RealTime { .. }),
    );
}

#[test]
fn two_commands_in_one_place() {
    planted(
        |history| {
            let first = pick(history, is_fresh_grant);
            let second = (first + 1..history.records.len())
                .find(|&index| is_fresh_grant(&history.records[index]))
                .unwrap();
            let place = verdict(&history.records[first]).unwrap().position;
            verdict_mut(&mut history.records[second]).position = place;
        },
        |found| matches!(found, Violation::PositionTwice { .. }),
    );
}

#[test]
fn an_entry_of_an_earlier_term() {
    planted(
        |history| {
            let record = pick(history, is_fresh_grant);
            verdict_mut(&mut history.records[record]).position.term = 0;
        },
        |found| matches!(found, Violation::TermOrder { .. }),
    );
}

#[test]
fn a_citizen_in_two_shards() {
    planted(
        |history| {
            let record = pick(history, is_fresh_grant);
            verdict_mut(&mut history.records[record]).position.shard = 2;
        },
        |found| matches!(found, Violation::TwoShards { .. }),
    );
}

#[test]
fn a_repetition_that_answers_otherwise() {
    planted(
        |history| {
            let record = pick(history, is_fresh_grant);
            let mut again = history.records[record].clone();
            let verdict = verdict_mut(&mut again);
            verdict.repeated = true;
            verdict.remaining += 1;
            history.records.push(again);
        },
        |found| matches!(found, Violation::AnswersDiffer { .. }),
    );
}

#[test]
fn a_sale_that_nobody_made() {
    planted(
        |history| {
            let last = history.records.last_mut().unwrap();
            let Reply::Listed(list) = &mut last.reply else {
                panic!("a run ends with lists")
            };
            list.purchases.push(Purchase {
                request: request(u64::MAX),
                quantity: 1,
                voided: false,
            });
        },
        |found| matches!(found, Violation::GhostSale { .. }),
    );
}

#[test]
fn an_outcome_that_stays_unknown() {
    planted(
        |history| {
            let open = history
                .records
                .iter()
                .find(|record| matches!(record.reply, Reply::Unknown { .. }))
                .and_then(|record| record.call.request());
            history.records.retain(|record| {
                record.call.request() != open || matches!(record.reply, Reply::Unknown { .. })
            });
        },
        |found| matches!(found, Violation::Unresolved { .. }),
    );
}

#[test]
fn a_run_without_a_last_look() {
    planted(
        |history| history.records.retain(|record| record.call != Call::List),
        |found| matches!(found, Violation::NotAudited { .. }),
    );
}

#[test]
fn a_balance_that_no_order_explains() {
    let histories = planted(
        |history| {
            let check = pick(history, is_check);
            verdict_mut(&mut history.records[check]).remaining += 16;
        },
        |found| matches!(found, Violation::WrongAnswer { .. }),
    );
    second_opinion_agrees(histories);
}

#[test]
fn a_history_survives_its_file() {
    let history = Honest::run(7, 200);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.jsonl");
    history.save(&path).unwrap();
    assert_eq!(History::load(&path).unwrap(), history);
}
