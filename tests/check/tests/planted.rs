//! Every law is proven: histories that break it are found, by its name and by the lines that show it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use quorate_check::{
    Law, check,
    history::{
        Call, History, Purchase, Reason, Record, Refusal, Reply, SlipOutcome, Verdict, Window,
    },
};
use quorate_proto::ids::RequestId;
use support::*;

#[test]
fn every_law_has_a_name_of_its_own() {
    for law in Law::ALL {
        let named: Vec<_> = Law::ALL
            .iter()
            .filter(|other| other.name() == law.name())
            .collect();
        assert_eq!(named, [&law]);
        let name = serde_json::to_value(law).unwrap();
        assert_eq!(name, law.name(), "the same in JSON");
        let documented = include_str!("../../../docs/history.md");
        assert!(documented.contains(&format!("`{}`", law.name())), "{law:?}");
    }
}

#[test]
fn an_acknowledged_sale_that_is_lost() {
    planted(Law::NothingLost, true, |history| {
        let lost = id_of(history, find(history, is_fresh_grant));
        hide(history, lost);
    });
}

#[test]
fn a_slip_that_is_lost() {
    planted(Law::NothingLost, true, |history| {
        let lost = id_of(
            history,
            find(history, |record| is_slip(record, SlipOutcome::Accepted)),
        );
        hide(history, lost);
    });
}

#[test]
fn a_sale_granted_twice() {
    planted(Law::DecidedOnce, false, |history| {
        let mut again = history.records[find(history, is_fresh_grant)].clone();
        let last = history.records.last().unwrap();
        (again.start_us, again.end_us) = (last.start_us, last.end_us);
        verdict_mut(&mut again).position.index = 100_000;
        history.records.push(again);
    });
}

#[test]
fn a_slip_recorded_twice() {
    planted(Law::DecidedOnce, false, |history| {
        let first = find(history, |record| is_slip(record, SlipOutcome::Accepted));
        let mut again = history.records[first].clone();
        slip_mut(&mut again).position.index += 1_000;
        history.records.push(again);
    });
}

/// The cluster shows it everywhere afterwards, as if nothing were wrong.
fn grant(history: &mut History, denied: usize) {
    let record = &mut history.records[denied];
    let (citizen, start_us) = (record.citizen, record.start_us);
    let Call::Sell { request, quantity } = record.call else {
        unreachable!("a verdict with a request id is a sale's")
    };
    let verdict = verdict_mut(record);
    (verdict.denied, verdict.remaining) = (None, 0);
    for record in &mut history.records {
        if record.citizen == citizen
            && record.start_us >= start_us
            && let Some(shown) = purchases_mut(record)
        {
            shown.push(Purchase {
                request,
                quantity,
                voided: false,
            });
        }
    }
}

fn is_fresh_denial(record: &Record) -> bool {
    record.call.request().is_some()
        && verdict(record)
            .is_some_and(|verdict| !verdict.repeated && verdict.denied == Some(Reason::OverLimit))
}

#[test]
fn a_grant_over_the_quota() {
    planted(Law::LogOrder, true, |history| {
        let denied = find(history, is_fresh_denial);
        grant(history, denied);
    });
}

#[test]
fn a_window_that_ends_up_over_the_limit() {
    planted(Law::OverQuota, false, |history| {
        history.rules.rules[0].limit = 4;
        for record in &mut history.records {
            if let Reply::Verdict(verdict) = &mut record.reply {
                verdict.limit = 4;
            }
        }
    });
}

#[test]
fn a_limit_that_is_not_the_citizens() {
    planted(Law::LogOrder, true, |history| {
        let grant = find(history, is_fresh_grant);
        verdict_mut(&mut history.records[grant]).limit += 1;
    });
}

#[test]
fn a_denial_without_a_cause() {
    planted(Law::LogOrder, true, |history| {
        let check = find(history, is_granted_check);
        verdict_mut(&mut history.records[check]).denied = Some(Reason::AlreadyVisited);
    });
}

fn is_granted_check(record: &Record) -> bool {
    is_check(record) && verdict(record).is_some_and(Verdict::granted)
}

#[test]
fn a_denial_for_a_clause_that_the_rule_lacks() {
    planted(Law::LogOrder, true, |history| {
        history.rules.rules[0].may_deny = Some(Vec::new());
        let check = find(history, is_granted_check);
        verdict_mut(&mut history.records[check]).denied = Some(Reason::NotYourDay);
    });
    planted(Law::LogOrder, true, |history| {
        history.rules.rules[0].may_deny = Some(vec![Reason::SiteSuspended]);
        let sale = find(history, is_fresh_denial);
        verdict_mut(&mut history.records[sale]).denied = Some(Reason::QuantityTooLarge);
    });
}

/// Where nothing is said of them, all may be given.
#[test]
fn a_denial_for_a_clause_that_the_rule_may_have() {
    for may_deny in [None, Some(vec![Reason::NotYourDay])] {
        let mut history = lawful(1, 1_500);
        history.rules.rules[0].may_deny = may_deny;
        let denied = find(&history, is_granted_check);
        verdict_mut(&mut history.records[denied]).denied = Some(Reason::NotYourDay);
        check(&history).assert_clean();
    }
}

#[test]
fn a_window_that_is_not_the_rules() {
    planted(Law::Window, false, |history| {
        let check = find(history, is_check);
        let verdict = verdict_mut(&mut history.records[check]);
        let Window { start_ms, end_ms } = verdict.window_ms.unwrap();
        verdict.window_ms = Some(Window {
            start_ms: start_ms - 1,
            end_ms,
        });
    });
}

#[test]
fn a_slip_over_quota_that_is_not_flagged() {
    planted(Law::LogOrder, true, |history| {
        let slip = find(history, |record| {
            is_slip(record, SlipOutcome::OverQuotaRecorded)
        });
        let reply = slip_mut(&mut history.records[slip]);
        (reply.outcome, reply.over_by) = (SlipOutcome::Accepted, 0);
    });
}

#[test]
fn a_slip_that_does_not_count_against_later_sales() {
    planted(Law::LogOrder, true, |history| {
        let slip = find(history, |record| is_slip(record, SlipOutcome::Accepted));
        let Call::Slip { quantity, .. } = history.records[slip].call else {
            panic!("a slip's reply is to a slip")
        };
        slip_mut(&mut history.records[slip]).remaining += quantity;
    });
}

#[test]
fn a_slip_that_was_rejected_and_is_shown() {
    planted(Law::NothingFromNowhere, false, |history| {
        let slip = find(history, |record| is_slip(record, SlipOutcome::Accepted));
        let request = id_of(history, slip);
        for record in &mut history.records {
            if record.call.request() == Some(request)
                && let Reply::HandedIn(reply) = &mut record.reply
            {
                reply.outcome = SlipOutcome::Rejected;
            }
        }
        // The attempt online that came before it, if there was one, was denied.
        history.records.retain(|record| {
            record.call.request() != Some(request) || !matches!(record.call, Call::Sell { .. })
        });
    });
}

#[test]
fn a_stale_read() {
    planted(Law::RealTime, true, |history| {
        // A deposed leader answers as if nothing had been sold for the whole run.
        let check = find(history, |record| {
            is_check(record) && verdict(record).is_some_and(|verdict| verdict.remaining < LIMIT)
        });
        let verdict = verdict_mut(&mut history.records[check]);
        (verdict.denied, verdict.remaining, verdict.position.index) = (None, LIMIT, 1);
        verdict.purchases.clear();
    });
}

#[test]
fn answers_out_of_order() {
    planted(Law::RealTime, false, |history| {
        let first = find(history, is_fresh_grant);
        let shard = position(history, first).shard;
        let second = (first + 9..history.records.len())
            .find(|&at| {
                is_fresh_grant(&history.records[at]) && position(history, at).shard == shard
            })
            .unwrap();
        let (one, other) = (position(history, first), position(history, second));
        verdict_mut(&mut history.records[first]).position = other;
        verdict_mut(&mut history.records[second]).position = one;
    });
}

#[test]
fn time_that_runs_backwards() {
    planted(Law::LogOrder, true, |history| {
        let late = (0..history.records.len())
            .rev()
            .find(|&at| {
                let record = &history.records[at];
                is_fresh_grant(record)
                    && history.records[..at]
                        .iter()
                        .any(|other| other.citizen == record.citizen && is_fresh_grant(other))
            })
            .unwrap();
        let request = history.records[late].call.request();
        for record in &mut history.records {
            if record.call.request() == request
                && let Reply::Verdict(verdict) = &mut record.reply
            {
                verdict.decided_ms -= 60_000;
            }
        }
    });
}

#[test]
fn two_commands_in_one_place() {
    planted(Law::PositionOnce, false, |history| {
        let first = find(history, is_fresh_grant);
        let shard = position(history, first).shard;
        let second = (first + 1..history.records.len())
            .find(|&at| {
                is_fresh_grant(&history.records[at]) && position(history, at).shard == shard
            })
            .unwrap();
        verdict_mut(&mut history.records[second]).position = position(history, first);
    });
}

#[test]
fn an_entry_of_an_earlier_term() {
    planted(Law::TermOrder, false, |history| {
        let record = find(history, is_fresh_grant);
        verdict_mut(&mut history.records[record]).position.term = 0;
    });
}

#[test]
fn a_citizen_in_two_shards() {
    planted(Law::OneShard, false, |history| {
        let record = find(history, is_fresh_grant);
        verdict_mut(&mut history.records[record]).position.shard = 77;
    });
}

#[test]
fn a_reply_to_another_question() {
    planted(Law::FittingReply, false, |history| {
        let list = find(history, |record| record.call == Call::List);
        history.records[list].call = Call::Check { quantity: 1 };
    });
    planted(Law::FittingReply, false, |history| {
        let record = find(history, is_check);
        let record = &mut history.records[record];
        record.end_us = record.start_us - 1;
    });
}

#[test]
fn a_repetition_that_answers_otherwise() {
    planted(Law::OneAnswer, false, |history| {
        let record = find(history, is_fresh_grant);
        let mut again = history.records[record].clone();
        let verdict = verdict_mut(&mut again);
        verdict.repeated = true;
        verdict.remaining += 1;
        history.records.push(again);
    });
}

#[test]
fn one_id_for_two_requests() {
    planted(Law::OneAnswer, false, |history| {
        let sale = find(history, is_fresh_grant);
        let request = id_of(history, sale);
        let mut void = history.records[sale].clone();
        void.call = Call::Void {
            request,
            sale: request,
        };
        void.reply = Reply::NotDone {
            cause: String::new(),
        };
        history.records.push(void);
    });
}

#[test]
fn a_sale_that_nobody_made() {
    planted(Law::NothingFromNowhere, false, |history| {
        let last = history.records.last_mut().unwrap();
        purchases_mut(last).unwrap().push(Purchase {
            request: RequestId::from_bytes([0xff; 16]).unwrap(),
            quantity: 1,
            voided: false,
        });
    });
}

#[test]
fn a_sale_that_is_shown_twice_or_otherwise() {
    let shown = |history: &History| {
        find(history, |record| {
            record
                .reply
                .purchases()
                .is_some_and(|shown| !shown.is_empty())
        })
    };
    planted(Law::NothingFromNowhere, false, |history| {
        let record = shown(history);
        let sales = purchases_mut(&mut history.records[record]).unwrap();
        sales.push(sales[0]);
    });
    planted(Law::NothingFromNowhere, false, |history| {
        let record = shown(history);
        purchases_mut(&mut history.records[record]).unwrap()[0].quantity += 1;
    });
}

#[test]
fn a_sale_said_not_to_have_been_done() {
    planted(Law::NothingFromNowhere, false, |history| {
        let sale = find(history, is_fresh_grant);
        let request = id_of(history, sale);
        for record in &mut history.records {
            if record.call.request() == Some(request) {
                record.reply = Reply::NotDone {
                    cause: "not the leader".to_owned(),
                };
            }
        }
    });
}

#[test]
fn a_void_that_gave_nothing_back() {
    planted(Law::LogOrder, true, |history| {
        let void = find(
            history,
            |record| matches!(&record.reply, Reply::Voided(reply) if reply.voided() && !reply.repeated),
        );
        let Reply::Voided(reply) = &mut history.records[void].reply else {
            unreachable!("it is the reply to a void")
        };
        reply.remaining = reply.remaining.saturating_sub(reply.quantity);
    });
}

#[test]
fn an_administrator_who_is_told_that_it_is_too_late() {
    planted(Law::LogOrder, true, |history| {
        let correction = find(history, |record| {
            matches!(record.call, Call::Correct { .. })
                && matches!(&record.reply, Reply::Voided(reply) if reply.voided())
        });
        let request = id_of(history, correction);
        for record in &mut history.records {
            if record.call.request() == Some(request)
                && let Reply::Voided(reply) = &mut record.reply
            {
                reply.refused = Some(Refusal::TooLate);
                reply.remaining = reply.remaining.saturating_sub(reply.quantity);
                reply.quantity = 0;
            }
        }
    });
}

#[test]
fn an_outcome_that_stays_unknown() {
    planted(Law::Resolved, false, |history| {
        let open = find(history, |record| {
            matches!(record.reply, Reply::Unknown { .. })
        });
        let open = history.records[open].call.request();
        history.records.retain(|record| {
            record.call.request() != open || matches!(record.reply, Reply::Unknown { .. })
        });
    });
}

#[test]
fn more_unknown_outcomes_than_can_be_judged() {
    planted(Law::Conclusive, false, |history| {
        let record = history.records[find(history, is_check)].clone();
        for number in 0..26_u128 {
            let mut unknown = record.clone();
            unknown.call = Call::Sell {
                request: RequestId::from_bytes((number + 1).to_be_bytes()).unwrap(),
                quantity: 1,
            };
            unknown.reply = Reply::Unknown {
                cause: String::new(),
            };
            history.records.push(unknown);
        }
    });
}

#[test]
fn a_run_without_a_last_look() {
    planted(Law::Audited, false, |history| {
        history.records.retain(|record| record.call != Call::List);
    });
}

#[test]
fn a_balance_that_no_order_explains() {
    planted(Law::LogOrder, true, |history| {
        let check = find(history, is_check);
        verdict_mut(&mut history.records[check]).remaining += 16;
    });
}

/// The ledger lost the void: its units are still counted.
#[test]
fn a_void_that_the_ledger_forgot() {
    planted(Law::Conservation, true, |history| {
        for record in &mut history.records {
            if let Reply::Listed(list) = &mut record.reply {
                for sale in &mut list.purchases {
                    sale.voided = false;
                }
            }
        }
    });
}
