//! Each rule of the ledger on its own: sales, voids, programs, time.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{
    DAY_MS, EPOCH, MONDAY_MS, NINE_MS, Shard, error_kind, mask, program, recorded, request, rule,
    sale, site, void, voided,
};
use quorate_core::{
    codec, keys,
    ledger::{CommandBody, CommandErrorKind, DenialReason, OutboxKind, VoidRefusal, Window},
    limits,
};
use quorate_proto::ids::RuleId;

const WEEK: Window = Window {
    start_ms: MONDAY_MS,
    end_ms: MONDAY_MS + 7 * DAY_MS,
};

#[test]
fn the_third_mask_of_a_week_is_denied_until_monday() {
    let mut shard = Shard::new(2, 2);
    let first = shard.sell(1, 7, 1);
    assert_eq!((first.denied, first.remaining, first.limit), (None, 1, 2));
    assert_eq!((first.next_eligible_ms, first.window), (None, Some(WEEK)));
    assert_eq!(first.rule, Some(RuleId::parse("r1").unwrap()));
    assert_eq!(first.decided_at_ms, NINE_MS);

    let second = shard.sell(2, 7, 1);
    assert_eq!((second.denied, second.remaining), (None, 0));
    assert_eq!(second.next_eligible_ms, Some(WEEK.end_ms));
    let bought: Vec<_> = second
        .purchases
        .iter()
        .map(|sale| sale.request_id)
        .collect();
    assert_eq!(bought, [request(2), request(1)]);

    let third = shard.sell(3, 7, 1);
    assert_eq!(third.denied, Some(DenialReason::OverLimit));
    assert_eq!(
        (third.remaining, third.next_eligible_ms),
        (0, Some(WEEK.end_ms))
    );
    assert_eq!(third.purchases, second.purchases);

    assert_eq!(shard.sell(4, 8, 2).denied, None, "another citizen");
    shard.now_ms = WEEK.end_ms - 1;
    assert_eq!(shard.sell(5, 7, 1).denied, Some(DenialReason::OverLimit));
    shard.now_ms = WEEK.end_ms;
    assert_eq!(shard.sell(6, 7, 2).denied, None, "a new week");
}

#[test]
fn what_remains_is_said_when_too_much_is_asked() {
    let mut shard = Shard::new(3, 3);
    shard.sell(1, 7, 2);
    let denied = shard.sell(2, 7, 2);
    assert_eq!(denied.denied, Some(DenialReason::OverLimit));
    assert_eq!(
        (denied.remaining, denied.next_eligible_ms),
        (1, Some(WEEK.end_ms))
    );
    assert_eq!(shard.sell(3, 7, 1).remaining, 0);
}

#[test]
fn more_than_a_window_allows_is_denied_without_a_date() {
    let mut shard = Shard::new(2, 5);
    let denied = shard.sell(1, 7, 3);
    assert_eq!(denied.denied, Some(DenialReason::OverLimit));
    assert_eq!((denied.remaining, denied.next_eligible_ms), (2, None));
    shard.sell(2, 7, 2);
    let exhausted = shard.sell(3, 7, 3);
    assert_eq!(
        (exhausted.remaining, exhausted.next_eligible_ms),
        (0, Some(WEEK.end_ms))
    );
    let outcome = shard.one(sale(4, 7, 6, 1));
    assert_eq!(error_kind(&outcome), CommandErrorKind::QuantityTooLarge);
}

#[test]
fn a_check_says_what_a_sale_would_and_writes_nothing() {
    let mut shard = Shard::new(3, 3);
    shard.sell(1, 7, 2);
    for quantity in 1..=3 {
        let check = shard.check(7, quantity);
        let sold = shard.clone().sell(9, 7, quantity);
        assert_eq!(check.denied, sold.denied);
        assert_eq!((check.remaining, check.window), (1, sold.window));
        assert_eq!(check.next_eligible_ms.is_some(), check.denied.is_some());
        assert_eq!(check.purchases.len(), 1);
    }
    assert_eq!(shard.list(7).len(), 1);
    assert_eq!(shard.check(8, 3).remaining, 3, "a citizen never seen");
}

#[test]
fn an_undone_sale_gives_its_units_back() {
    let mut shard = Shard::new(2, 2);
    shard.sell(1, 7, 2);
    let void = shard.void(2, 7, 1);
    assert_eq!((void.refused, void.quantity, void.remaining), (None, 2, 2));
    assert!(!void.repeated);
    let repeat = shard.void(2, 7, 1);
    assert!(repeat.repeated);
    assert_eq!((repeat.quantity, repeat.remaining), (2, 2));
    assert_eq!(shard.sell(3, 7, 2).denied, None);

    let listed = shard.list(7);
    assert_eq!(listed.len(), 2, "both facts are kept");
    assert_eq!(listed[1].voided_at_ms(), Some(void.decided_at_ms));
    let totals = shard.facts().totals().clone();
    assert_eq!((totals.voids, totals.units_voided), (1, 2));
}

#[test]
fn a_void_is_refused_to_other_sites_other_days_and_twice() {
    let mut shard = Shard::new(4, 2);
    shard.now_ms = MONDAY_MS + DAY_MS - 1;
    shard.sell(1, 7, 2);
    let other_site = voided(shard.one(void(10, 7, 1, 2)));
    assert_eq!(other_site.refused, Some(VoidRefusal::OtherSite));
    assert_eq!((other_site.quantity, other_site.remaining), (0, 2));
    let unknown = shard.void(11, 7, 99);
    assert_eq!(unknown.refused, Some(VoidRefusal::SaleNotFound));
    assert_eq!(
        shard.void(12, 8, 1).refused,
        Some(VoidRefusal::SaleNotFound)
    );

    shard.now_ms = MONDAY_MS + DAY_MS;
    let late = shard.void(13, 7, 1);
    assert_eq!(late.refused, Some(VoidRefusal::TooLate));
    shard.sell(2, 7, 1);
    assert_eq!(shard.void(14, 7, 2).refused, None);
    assert_eq!(
        shard.void(15, 7, 2).refused,
        Some(VoidRefusal::AlreadyVoided)
    );

    shard.now_ms += 10 * DAY_MS;
    let repeat = shard.void(13, 7, 1);
    assert!(repeat.repeated);
    assert_eq!(
        (repeat.refused, repeat.decided_at_ms),
        (late.refused, late.decided_at_ms)
    );
    assert!(!shard.void(11, 7, 99).repeated, "decided anew");
}

#[test]
fn before_the_first_rule_the_program_is_closed() {
    let mut shard = Shard::with_rules(&[rule("later", WEEK.end_ms, 2, 2)]);
    let check = shard.check(7, 2);
    let closed = shard.sell(1, 7, 2);
    assert_eq!(closed.denied, Some(DenialReason::ProgramClosed));
    assert_eq!(closed.next_eligible_ms, Some(WEEK.end_ms));
    assert_eq!((closed.remaining, closed.limit), (0, 0));
    assert_eq!((closed.window, closed.rule), (None, None));
    assert_eq!(check, closed);
    shard.now_ms = WEEK.end_ms;
    let repeat = recorded(shard.one(sale(1, 7, 2, 1)));
    assert!(repeat.repeated);
    assert_eq!(repeat.verdict, closed);
    assert_eq!(shard.sell(2, 7, 2).denied, None);
}

#[test]
fn a_rule_change_in_mid_week_counts_what_was_bought_before() {
    let thursday = MONDAY_MS + 3 * DAY_MS;
    let rules = [rule("two", MONDAY_MS, 2, 2), rule("ten", thursday, 10, 9)];
    let mut shard = Shard::with_rules(&rules);
    shard.sell(1, 7, 2);
    assert_eq!(
        error_kind(&shard.one(sale(2, 7, 3, 1))),
        CommandErrorKind::QuantityTooLarge
    );
    shard.now_ms = thursday;
    let sold = shard.sell(2, 7, 8);
    assert_eq!((sold.denied, sold.remaining, sold.limit), (None, 0, 10));
    assert_eq!(sold.rule, Some(RuleId::parse("ten").unwrap()));
    assert_eq!(shard.summary().records.records_over_limit, 0);
    let first = recorded(shard.one(sale(1, 7, 2, 1)));
    assert_eq!(first.verdict.rule, Some(RuleId::parse("two").unwrap()));
}

#[test]
fn bad_commands_are_errors_and_write_nothing() {
    let mut shard = Shard::new(2, 2);
    let mut other_program = sale(1, 7, 1, 1);
    if let CommandBody::RecordSale(sale) = &mut other_program {
        sale.program = "rice".parse().unwrap();
    }
    shard.one(CommandBody::Checkpoint { id: 1 });
    let before = shard.rows.clone();
    let unknown = shard.one(other_program);
    assert_eq!(error_kind(&unknown), CommandErrorKind::UnknownProgram);
    let too_large = shard.one(sale(1, 7, 3, 1));
    assert_eq!(error_kind(&too_large), CommandErrorKind::QuantityTooLarge);
    assert_eq!(shard.rows, before);
    assert_eq!(shard.sell(1, 7, 2).denied, None, "the id was not used up");
}

#[test]
fn grants_and_voids_write_the_outbox_in_order() {
    let mut shard = Shard::new(2, 2);
    shard.sell(1, 7, 2);
    shard.sell(2, 7, 1);
    shard.void(3, 7, 1);
    shard.void(4, 7, 1);
    let row = |sequence| {
        let bytes = shard.rows.get(&keys::outbox(common::SHARD, sequence))?;
        Some(codec::decode_outbox_row(bytes).unwrap())
    };
    let (sold, undone) = (row(1).unwrap(), row(2).unwrap());
    assert_eq!(
        (sold.kind, undone.kind),
        (OutboxKind::Sold, OutboxKind::Voided)
    );
    assert_eq!(
        (sold.request_id, undone.request_id),
        (request(1), request(1))
    );
    assert_eq!((sold.quantity, undone.quantity), (2, 2));
    assert_eq!((sold.site_code, sold.program), (site(1).code, mask()));
    assert_eq!((row(0), row(3)), (None, None));
    assert_eq!(shard.facts().outbox_rows(), 2);
}

#[test]
fn a_record_full_of_sales_takes_no_more() {
    let mut shard = Shard::new(1, 1);
    let mut id = 0;
    for _ in 0..limits::SALES_KEPT_MAX {
        let outcomes = shard.batch(vec![sale(id, 7, 1, 1), void(id + 1, 7, id, 1)]);
        assert!(recorded(outcomes[0].clone()).verdict.denied.is_none());
        id += 2;
    }
    let full = shard.sell(id, 7, 1);
    assert_eq!(full.denied, Some(DenialReason::OverLimit));
    assert_eq!(full.next_eligible_ms, Some(NINE_MS + limits::RETENTION_MS));
    assert_eq!(shard.check(7, 1).denied, full.denied);
    shard.now_ms = NINE_MS + limits::RETENTION_MS;
    assert_eq!(shard.sell(id + 1, 7, 1).denied, None);
}

#[test]
fn time_never_goes_back() {
    let mut shard = Shard::new(2, 2);
    shard.one(CommandBody::Checkpoint { id: 1 });
    shard.now_ms = NINE_MS - DAY_MS;
    assert_eq!(shard.sell(1, 7, 1).decided_at_ms, NINE_MS);
    assert_eq!(shard.check(7, 1).decided_at_ms, NINE_MS);
    assert_eq!(shard.facts().clock_ms(), NINE_MS);
}

#[test]
fn only_a_newer_lawful_program_takes_the_place_of_the_known_one() {
    let mut shard = Shard::new(2, 2);
    let newer = [rule("r1", MONDAY_MS, 2, 2), rule("r2", NINE_MS, 5, 5)];
    shard.one(CommandBody::PutProgram(program(&newer, 1)));
    assert_eq!(shard.check(7, 1).limit, 2, "same version");
    shard.one(CommandBody::PutProgram(program(&newer[1..], 2)));
    assert_eq!(shard.check(7, 1).limit, 2, "rule r1 would vanish");
    let outcomes = shard.batch(vec![
        sale(1, 7, 2, 1),
        CommandBody::PutProgram(program(&newer, 2)),
        sale(2, 7, 3, 1),
    ]);
    assert_eq!(
        recorded(outcomes[2].clone()).verdict.limit,
        5,
        "within the batch"
    );
    let versions = quorate_core::ledger::program_versions(&shard.rows, common::SHARD);
    assert_eq!(versions.unwrap(), [(mask(), 2)]);
}

#[test]
fn an_epoch_that_differs_is_turned_away() {
    let mut shard = Shard::new(2, 2);
    let command = |epoch| quorate_core::ledger::Command {
        epoch: quorate_proto::ids::Epoch(epoch),
        body: sale(1, 7, 1, 1),
    };
    let outcomes = shard.commands(vec![
        command(EPOCH.get() + 1),
        command(EPOCH.get()),
        command(0),
    ]);
    assert_eq!(error_kind(&outcomes[0]), CommandErrorKind::WrongShard);
    assert!(!recorded(outcomes[1].clone()).repeated);
    assert!(recorded(outcomes[2].clone()).repeated);
    assert_eq!(shard.list(7)[0].request_id, request(1));
}
