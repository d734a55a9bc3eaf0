//! Requests that are sent again, and how long and how much is remembered.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{DAY_MS, MONDAY_MS, NINE_MS, Shard, error_kind, recorded, sale, void};
use quorate_core::{
    ledger::{CommandBody, CommandErrorKind, Outcome, RecordOutcome, VoidRefusal, Window},
    limits,
};

const WEEK: Window = Window {
    start_ms: MONDAY_MS,
    end_ms: MONDAY_MS + 7 * DAY_MS,
};

#[test]
fn a_repeat_repeats_the_first_answer_whatever_happened_since() {
    let mut shard = Shard::new(3, 3);
    let granted = shard.sell(1, 7, 2);
    let denied = shard.sell(2, 7, 2);
    shard.sell(3, 7, 1);
    shard.now_ms += 3_600_000;
    assert_eq!(shard.void(4, 7, 1).refused, None);
    shard.now_ms += 20 * DAY_MS;
    shard.sell(5, 7, 3);
    for (id, first) in [(1, granted), (2, denied)] {
        let repeat = recorded(shard.one(sale(id, 7, 2, 1)));
        let expected = RecordOutcome {
            verdict: first,
            repeated: true,
        };
        assert_eq!(repeat, expected);
    }
    assert_eq!(shard.facts().totals().grants, 3);
    assert_eq!(shard.facts().totals().denials[1], 1);
}

/// Plays acts at one instant, then each of them again a day later: every answer must be repeated.
/// Returns the number of purchases that each sale was answered with.
fn play_twice(acts: Vec<CommandBody>) -> Vec<usize> {
    let mut shard = Shard::new(3, 3);
    let first = shard.batch(acts.clone());
    shard.now_ms += DAY_MS;
    let mut purchases = Vec::new();
    for (act, first) in acts.into_iter().zip(first) {
        let repeated = match first {
            Outcome::Record(mut record) => {
                purchases.push(record.verdict.purchases.len());
                record.repeated = true;
                Outcome::Record(record)
            }
            Outcome::Void(mut void) => {
                void.repeated = true;
                Outcome::Void(void)
            }
            other => other,
        };
        assert_eq!(shard.one(act), repeated);
    }
    purchases
}

#[test]
fn acts_of_one_millisecond_are_told_apart() {
    // A denial between two sales, and a void between two sales.
    let purchases = play_twice(vec![
        sale(1, 7, 2, 1),
        sale(2, 7, 2, 1),
        sale(3, 7, 1, 1),
        void(4, 7, 1, 1),
        sale(5, 7, 2, 1),
        sale(6, 7, 1, 1),
        void(7, 7, 3, 1),
    ]);
    assert_eq!(purchases, [1, 1, 2, 2, 2]);
    // A denial between two voids.
    let purchases = play_twice(vec![
        sale(1, 7, 1, 1),
        sale(2, 7, 2, 1),
        void(3, 7, 1, 1),
        sale(4, 7, 2, 1),
        void(5, 7, 2, 1),
        sale(6, 7, 3, 1),
    ]);
    assert_eq!(purchases, [1, 2, 1, 1]);
}

#[test]
fn a_request_id_with_other_content_is_a_conflict_and_writes_nothing() {
    let mut shard = Shard::new(2, 2);
    shard.sell(1, 7, 2);
    shard.sell(2, 7, 1);
    shard.void(3, 7, 1);
    let before = shard.rows.clone();
    let reused = [
        sale(1, 7, 1, 1),
        sale(1, 7, 2, 2),
        sale(2, 7, 2, 1),
        sale(2, 7, 1, 2),
        sale(3, 7, 2, 1),
        void(1, 7, 1, 1),
        void(2, 7, 1, 1),
        void(3, 7, 2, 1),
        void(3, 7, 1, 2),
    ];
    for body in reused {
        let outcome = shard.one(body);
        assert_eq!(error_kind(&outcome), CommandErrorKind::RequestIdConflict);
    }
    assert_eq!(shard.rows, before);
}

#[test]
fn after_the_retention_time_a_request_is_new_and_old_sales_are_dropped() {
    let mut shard = Shard::new(2, 2);
    shard.sell(1, 7, 2);
    shard.now_ms = NINE_MS + limits::RETENTION_MS - 1;
    assert!(recorded(shard.one(sale(1, 7, 2, 1))).repeated);
    assert_eq!(shard.list(7).len(), 1);

    shard.now_ms += 1;
    assert_eq!(shard.list(7), []);
    assert_eq!(shard.check(7, 1).purchases, []);
    let missing = shard.void(8, 7, 1);
    assert_eq!(missing.refused, Some(VoidRefusal::SaleNotFound));
    assert_eq!(shard.facts().totals().grants_retired, 0, "not touched yet");

    assert_eq!(shard.sell(1, 7, 1).denied, None);
    assert_eq!(shard.list(7).len(), 1);
    let totals = shard.facts().totals().clone();
    assert_eq!((totals.grants_retired, totals.units_retired), (1, 2));
    let summary = shard.summary();
    assert_eq!((summary.records.grants, summary.records.units), (1, 1));
    assert_eq!(summary.totals.grants, 2);
}

#[test]
fn a_repeat_still_lists_a_purchase_that_is_forgotten_itself() {
    let mut shard = Shard::new(2, 2);
    shard.now_ms = MONDAY_MS;
    shard.sell(1, 7, 1);
    shard.now_ms = WEEK.end_ms - 1;
    let sunday = shard.sell(2, 7, 1);
    assert_eq!(sunday.purchases.len(), 2);
    // Monday's sale is forgotten, Sunday's is not; touching the record must not lose it yet.
    shard.now_ms = MONDAY_MS + limits::RETENTION_MS + DAY_MS;
    shard.sell(3, 7, 1);
    assert_eq!(shard.list(7).len(), 2);
    assert_eq!(recorded(shard.one(sale(2, 7, 1, 1))).verdict, sunday);
    shard.now_ms += 7 * DAY_MS;
    shard.sell(4, 7, 1);
    assert_eq!(shard.facts().totals().grants_retired, 2);
}

#[test]
fn a_void_is_remembered_by_its_own_time() {
    let mut shard = Shard::new(2, 2);
    shard.now_ms = MONDAY_MS;
    shard.sell(1, 7, 2);
    shard.now_ms = MONDAY_MS + DAY_MS - 1;
    let first = shard.void(2, 7, 1);
    // The sale is forgotten, the void is not; another sale rewrites the record in between.
    shard.now_ms = MONDAY_MS + limits::RETENTION_MS;
    shard.sell(3, 8, 1);
    shard.sell(4, 7, 1);
    let repeat = shard.void(2, 7, 1);
    assert!(repeat.repeated);
    assert_eq!(repeat.decided_at_ms, first.decided_at_ms);
    shard.now_ms += DAY_MS;
    assert_eq!(shard.void(2, 7, 1).refused, Some(VoidRefusal::SaleNotFound));
}

#[test]
fn denials_and_void_attempts_are_bounded() {
    let mut shard = Shard::new(2, 2);
    shard.sell(0, 7, 2);
    let count = limits::DENIALS_KEPT_MAX as u64 + 3;
    for id in 1..=count {
        shard.sell(id, 7, 1);
    }
    assert!(recorded(shard.one(sale(4, 7, 1, 1))).repeated);
    assert!(!recorded(shard.one(sale(3, 7, 1, 1))).repeated, "dropped");
    assert_eq!(shard.facts().totals().denials[1], count + 1);

    for id in 100..100 + 2 * limits::VOID_ATTEMPTS_KEPT_MAX as u64 {
        let outcome = shard.void(id, 7, 0);
        assert_eq!(outcome.refused.is_none(), id == 100);
    }
    assert!(shard.void(100, 7, 0).repeated, "the void itself stays");
    let listed = shard.list(7);
    assert_eq!(
        listed[0].void_attempts.len(),
        limits::VOID_ATTEMPTS_KEPT_MAX
    );
}
