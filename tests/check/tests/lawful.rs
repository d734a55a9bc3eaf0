//! What an honest cluster answers is lawful, under every kind of rule.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use quorate_check::{
    check, check_on,
    facts::{Fact, Replica, Totals},
    generate::{Options, generate},
    history::{Call, History, Reply},
    rules::{BirthYearLimit, Rule, Rules, WindowKind},
};

/// Hours pass between calls, so that windows end all the time.
const SLOW_CLOCK_US: u64 = 3_600_000_000;

fn options(seed: u64, rules: Vec<Rule>, clock_us: u64) -> Options {
    Options {
        rules: Rules {
            time_zone: Some("Asia/Seoul".to_owned()),
            rules,
        },
        clock_us,
        ..Options::new(seed, 1_200)
    }
}

fn dates(first: &str, last: &str) -> WindowKind {
    WindowKind::FixedDates(first.parse().unwrap(), last.parse().unwrap())
}

/// Every kind of window, limits by year of birth, single visits, a change in the middle of a week, a pause.
fn kinds() -> Vec<Vec<Rule>> {
    let young = BirthYearLimit {
        first: Some(2002),
        last: None,
        limit: 15,
    };
    let week = Rule::new(10, WindowKind::CalendarWeek);
    let wednesday_ms = 1_583_938_800_000;
    vec![
        vec![week.clone()],
        vec![Rule {
            birth_year_limits: vec![young],
            ..week.clone()
        }],
        vec![Rule {
            single_visit: true,
            ..week.clone()
        }],
        vec![Rule::new(10, WindowKind::RollingDays(1))],
        vec![Rule::new(10, WindowKind::RollingDays(9))],
        vec![Rule::new(12, dates("2020-03-09", "2020-03-12"))],
        vec![
            week.clone(),
            Rule::new(4, WindowKind::RollingDays(3)).from_ms(wednesday_ms),
            Rule {
                closed: true,
                ..week.clone().from_ms(wednesday_ms + 86_400_000)
            },
            week.from_ms(wednesday_ms + 2 * 86_400_000),
        ],
    ]
}

#[test]
fn an_honest_run_is_lawful_under_every_rule() {
    for (kind, rules) in kinds().into_iter().enumerate() {
        for seed in 0..12 {
            for clock_us in [125, SLOW_CLOCK_US / 60, SLOW_CLOCK_US] {
                let history = generate(&options(seed, rules.clone(), clock_us));
                let report = check(&history);
                assert!(
                    report.is_lawful(),
                    "kind {kind}, seed {seed}, clock {clock_us}: {report}"
                );
                assert_eq!(report.calls, history.records.len());
                assert!(
                    report.grants > 10
                        && report.denials > 10
                        && report.unknown > 10
                        && report.slips > 10
                        && (report.voids > 3 || clock_us == SLOW_CLOCK_US),
                    "kind {kind}, seed {seed}: {report}"
                );
            }
        }
    }
}

#[test]
fn where_rules_leave_windows_open_the_answers_name_them() {
    let options = Options {
        rules: Rules::limit(10),
        ..Options::new(5, 1_200)
    };
    check(&generate(&options)).assert_clean();
}

/// However often a request was sent, it is one operation; a slip that follows a sale online is another.
#[test]
fn attempts_of_a_request_are_one_operation() {
    let history = generate(&Options::new(3, 1_200));
    let records = history.records.iter();
    let reads = records.filter(|record| record.call.request().is_none());
    let requests: BTreeSet<_> = history
        .records
        .iter()
        .filter_map(|record| {
            let is_slip = matches!(record.call, Call::Slip { .. });
            Some((record.call.request()?, is_slip))
        })
        .collect();
    let report = check(&history);
    assert_eq!(report.operations, reads.count() + requests.len());
    assert!(report.operations < report.calls, "{report}");
}

/// The report counts what the cluster counts, whoever counts on however many threads.
#[test]
fn the_clusters_own_counts_and_replicas_are_judged_too() {
    let mut history = generate(&Options::new(11, 5_000));
    let report = check(&history);
    history.facts.push(Fact::Totals(Totals {
        grants: report.grants,
        units_granted: report.units_granted,
        slips: report.slips,
        units_on_slips: report.units_on_slips,
        voids: report.voids,
        units_voided: report.units_voided,
    }));
    let replica = |node, index| {
        Fact::Replica(Replica {
            shard: 1,
            node,
            index,
            digest: format!("{index:x}"),
        })
    };
    history
        .facts
        .extend([replica(1, 70), replica(2, 70), replica(3, 71)]);
    for threads in [1, 2, 5] {
        let again = check_on(&history, threads);
        assert_eq!(again, report, "{threads} threads");
    }
}

/// A thousand calls at once for one citizen, answered in an order that has nothing to do with their starts.
#[test]
fn a_thousand_calls_at_once_are_ordered_by_their_stamps() {
    let mut options = Options::new(1, 1);
    options.shards = 1;
    let mut history = generate(&options);
    let sample = history
        .records
        .iter()
        .find_map(|record| match &record.reply {
            Reply::Verdict(verdict) => Some(verdict.clone()),
            _ => None,
        });
    let verdict = sample.unwrap_or_else(|| {
        let options = Options::new(2, 50);
        let mut verdicts = generate(&options).records.into_iter();
        verdicts
            .find_map(|record| match record.reply {
                Reply::Verdict(verdict) => Some(verdict),
                _ => None,
            })
            .unwrap()
    });
    let template = history.records[0].clone();
    history.records.clear();
    for place in 0..1_000_u64 {
        // Starts are in another order than decisions.
        let start_us = 1_000 + place * 617 % 1_000;
        let mut record = template.clone();
        (record.citizen, record.client) = (1, place as u32);
        (record.start_us, record.end_us) = (start_us, 10_000 + start_us);
        let request =
            quorate_proto::ids::RequestId::from_bytes((u128::from(place) + 1).to_be_bytes());
        record.call = Call::Sell {
            request: request.unwrap(),
            quantity: 6,
        };
        let first = 1_u128.to_be_bytes();
        let first = quorate_proto::ids::RequestId::from_bytes(first).unwrap();
        let mut own = verdict.clone();
        own.denied = (place > 0).then_some(quorate_check::history::Reason::OverLimit);
        (own.remaining, own.limit, own.repeated) = (4, 10, false);
        own.decided_ms += place as i64;
        own.purchases = vec![quorate_check::facts::Shelf::sale(first, 6, false)];
        (own.position.shard, own.position.term) = (1, 1);
        (own.position.index, own.position.ordinal) = (1 + place / 100, (place % 100) as u32);
        record.reply = Reply::Verdict(own);
        history.records.push(record);
    }
    let mut list = template;
    (list.citizen, list.start_us, list.end_us) = (1, 20_000, 20_001);
    list.call = Call::List;
    let first = quorate_proto::ids::RequestId::from_bytes(1_u128.to_be_bytes()).unwrap();
    list.reply = Reply::Listed(quorate_check::history::ListReply {
        purchases: vec![quorate_check::facts::Shelf::sale(first, 6, false)],
        position: (1, 1, 10, 0).into(),
    });
    history.records.push(list);
    let history = History::new(history.rules, history.records);
    check(&history).assert_clean();
}
