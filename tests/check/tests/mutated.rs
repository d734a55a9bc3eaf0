//! Whatever is changed in a lawful history so that it says something else, the checker notices.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use proptest::prelude::*;
use quorate_check::{
    check,
    history::{Call, History, Record, Reply, SlipOutcome},
};
use support::*;

/// A change, and the records that it can be made at.
type Change = (&'static str, fn(&Record) -> bool, fn(&mut History, usize));

const CHANGES: [Change; 12] = [
    ("a sale is lost", is_fresh_grant, |history, at| {
        let lost = id_of(history, at);
        hide(history, lost);
    }),
    ("a grant is given twice", is_fresh_grant, |history, at| {
        let mut again = history.records[at].clone();
        verdict_mut(&mut again).position.index += 1_000_000;
        history.records.push(again);
    }),
    (
        "two positions are swapped",
        is_fresh_grant,
        |history, at| {
            let own = position(history, at);
            let other = (0..history.records.len()).rev().find(|&other| {
                let record = &history.records[other];
                let at = &history.records[at];
                is_fresh_grant(record)
                    && (record.end_us < at.start_us || at.end_us < record.start_us)
                    && position(history, other).shard == own.shard
            });
            let other = other.unwrap();
            let others = position(history, other);
            verdict_mut(&mut history.records[at]).position = others;
            verdict_mut(&mut history.records[other]).position = own;
        },
    ),
    ("a check is stale", is_late_check, |history, at| {
        let verdict = verdict_mut(&mut history.records[at]);
        (verdict.denied, verdict.remaining) = (None, LIMIT);
        verdict.purchases.clear();
    }),
    ("a balance is wrong", is_verdict, |history, at| {
        verdict_mut(&mut history.records[at]).remaining ^= 1;
    }),
    ("a limit is wrong", is_verdict, |history, at| {
        verdict_mut(&mut history.records[at]).limit += 1;
    }),
    ("a window is wrong", is_verdict, |history, at| {
        let verdict = verdict_mut(&mut history.records[at]);
        verdict.window_ms.as_mut().unwrap().end_ms += 1;
    }),
    ("a grant does not show itself", is_fresh_grant, hide_itself),
    (
        "a purchase is shown otherwise",
        shows_something,
        |history, at| {
            purchases_mut(&mut history.records[at]).unwrap()[0].quantity += 1;
        },
    ),
    ("a void is undone", is_undone, |history, at| {
        let request = id_of(history, at);
        let Call::Void { sale, .. } = history.records[at].call else {
            unreachable!("only voids are chosen")
        };
        for record in &mut history.records {
            if let Some(shown) = purchases_mut(record) {
                for shown in shown.iter_mut().filter(|shown| shown.request == sale) {
                    shown.voided = false;
                }
            }
        }
        assert_eq!(history.records[at].call.request(), Some(request));
    }),
    ("a slip's excess is not said", is_over, |history, at| {
        slip_mut(&mut history.records[at]).over_by -= 1;
    }),
    (
        "an answer is withheld for ever",
        is_unknown,
        |history, at| {
            let open = history.records[at].call.request();
            history.records.retain(|record| {
                record.call.request() != open || matches!(record.reply, Reply::Unknown { .. })
            });
        },
    ),
];

fn hide_itself(history: &mut History, at: usize) {
    let own = id_of(history, at);
    let shown = purchases_mut(&mut history.records[at]).unwrap();
    shown.retain(|sale| sale.request != own);
}

fn is_verdict(record: &Record) -> bool {
    verdict(record).is_some()
}

fn is_late_check(record: &Record) -> bool {
    is_check(record) && verdict(record).is_some_and(|verdict| verdict.remaining < LIMIT)
}

fn shows_something(record: &Record) -> bool {
    record
        .reply
        .purchases()
        .is_some_and(|shown| !shown.is_empty())
}

/// The sale that it undid is listed at the end of every run.
fn is_undone(record: &Record) -> bool {
    matches!(record.call, Call::Void { .. })
        && matches!(&record.reply, Reply::Voided(reply) if reply.voided())
}

fn is_over(record: &Record) -> bool {
    is_slip(record, SlipOutcome::OverQuotaRecorded)
}

fn is_unknown(record: &Record) -> bool {
    matches!(record.reply, Reply::Unknown { .. })
}

/// In this history a purchase that a list did not show once went unnoticed: an order explained it. That a grant
/// does not show itself, no order explains, at whatever place.
#[test]
fn no_grant_hides_itself_in_a_history_that_once_hid_a_purchase() {
    let lawful = lawful(548, 800);
    for at in 0..lawful.records.len() {
        if !is_fresh_grant(&lawful.records[at]) {
            continue;
        }
        let mut history = lawful.clone();
        hide_itself(&mut history, at);
        assert!(
            !check(&history).is_lawful(),
            "line {}",
            History::line_of(at)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 384,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(4),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_changed_history_is_never_lawful(
        seed in 0_u64..1_000,
        change in 0..CHANGES.len(),
        place in any::<prop::sample::Index>(),
    ) {
        let mut history = lawful(seed, 800);
        let (what, fits, make) = CHANGES[change];
        let fitting: Vec<usize> = (0..history.records.len())
            .filter(|&at| fits(&history.records[at]))
            .collect();
        prop_assume!(!fitting.is_empty());
        let at = fitting[place.index(fitting.len())];
        make(&mut history, at);
        let report = check(&history);
        prop_assert!(!report.is_lawful(), "{what}, at line {}: {report}", History::line_of(at));
    }

    /// No order of lines, of threads or of clients' numbers changes a judgement.
    #[test]
    fn the_order_of_lines_does_not_matter(seed in 0_u64..1_000, turn in any::<prop::sample::Index>()) {
        let mut history = lawful(seed, 800);
        let turn = turn.index(history.records.len());
        history.records.rotate_left(turn);
        let report = check(&history);
        prop_assert!(report.is_lawful(), "{report}");
    }
}
