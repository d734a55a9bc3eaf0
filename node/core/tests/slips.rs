//! Sales made on paper, corrections, and what is counted of both.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::num::NonZeroU32;

use common::{
    CLAIMS, DAY_MS, MONDAY_MS, NINE_MS, Shard, citizen, draft, mask, play_random, request, rule,
    sale, site, void,
};
use proptest::collection::vec;
use quorate_core::{
    codec, keys,
    ledger::{
        Answer, CommandBody, Correction, DailyQuery, DenialReason, OutboxKind, Outcome, Product,
        Program, ProgramDraft, Query, RecordSlip, RuleState, SaleKind, ShadowQuery, SlipOutcome,
        SlipRejection, SlipResult, VoidBy, VoidRefusal, VoidSale, WindowKind,
    },
    limits,
};
use quorate_proto::ids::DeviceId;

fn slip(id: u64, who: u64, quantity: u32, sold_at_ms: i64) -> RecordSlip {
    RecordSlip {
        request_id: request(id),
        citizen: citizen(who),
        program: mask(),
        product: None,
        quantity: NonZeroU32::new(quantity).unwrap(),
        site: site(1),
        site_suspended: false,
        claims: CLAIMS,
        proxy_ground: None,
        sold_at_ms,
        device_id: DeviceId::parse("till-1").unwrap(),
        sequence: id,
    }
}

fn hand_in(shard: &mut Shard, slip: RecordSlip) -> SlipOutcome {
    match shard.one(CommandBody::RecordSlip(slip)) {
        Outcome::Slip(outcome) => outcome,
        other => panic!("not a slip's outcome: {other:?}"),
    }
}

fn rejected(outcome: SlipOutcome) -> SlipRejection {
    match outcome.result {
        SlipResult::Rejected(rejection) => rejection,
        other => panic!("not rejected: {other:?}"),
    }
}

fn correct(id: u64, who: u64, sale_id: u64) -> CommandBody {
    CommandBody::VoidSale(VoidSale {
        request_id: request(id),
        citizen: citizen(who),
        program: mask(),
        sale_request_id: request(sale_id),
        by: VoidBy::Administrator(Correction {
            case_number: "2020-117".to_owned(),
            reason: "mistyped ID".to_owned(),
            operator: "ops".to_owned(),
        }),
        claims: CLAIMS,
    })
}

#[test]
fn a_slip_counts_once_and_against_later_sales() {
    let mut shard = Shard::new(2, 2);
    let paper = slip(1, 7, 1, NINE_MS - 3_600_000);
    let first = hand_in(&mut shard, paper);
    assert_eq!((first.result, first.remaining), (SlipResult::Accepted, 1));
    assert_eq!(shard.check(7, 2).denied, Some(DenialReason::OverLimit));
    let again = hand_in(&mut shard, paper);
    assert_eq!((again.result, again.remaining), (SlipResult::Duplicate, 1));
    shard.sell(2, 7, 1);

    let over = hand_in(&mut shard, slip(3, 7, 2, NINE_MS - 1));
    assert_eq!(over.result, SlipResult::OverQuotaRecorded);
    assert_eq!((over.over_by, over.remaining), (2, 0));
    let listed = shard.list(7);
    assert_eq!(listed.len(), 3);
    assert!(listed.is_sorted_by_key(|sale| std::cmp::Reverse(sale.sold_at_ms)));
    let totals = shard.facts().totals().clone();
    assert_eq!(
        (totals.grants, totals.slips, totals.slips_over_quota),
        (1, 2, 1)
    );
    assert_eq!(
        shard.summary().records.records_over_limit,
        0,
        "a slip is no fault"
    );

    let bytes = &shard.rows[&keys::outbox(common::SHARD, 3)];
    let row = codec::decode_outbox_row(bytes).unwrap();
    assert_eq!(
        (row.kind, row.sale_kind, row.over_by),
        (OutboxKind::Sold, SaleKind::Paper, 2)
    );
    assert_eq!(
        (row.product.as_str(), row.sold_at_ms),
        ("mask", NINE_MS - 1)
    );
}

#[test]
fn a_slip_is_judged_by_the_rule_and_window_of_its_sale() {
    let thursday = MONDAY_MS + 3 * DAY_MS;
    let rules = [rule("two", MONDAY_MS, 2, 2), rule("ten", thursday, 10, 9)];
    let mut shard = Shard::with_rules(&rules);
    shard.now_ms = MONDAY_MS + 9 * DAY_MS;
    let before = hand_in(&mut shard, slip(1, 7, 3, NINE_MS));
    assert_eq!(
        (before.result, before.over_by),
        (SlipResult::OverQuotaRecorded, 1)
    );
    assert_eq!(before.irregularity, Some(DenialReason::QuantityTooLarge));
    assert_eq!(before.remaining, 10, "another week by now");
    let after = hand_in(&mut shard, slip(2, 7, 3, thursday));
    assert_eq!(
        (after.result, after.irregularity),
        (SlipResult::Accepted, None)
    );
    let closed = hand_in(&mut shard, slip(3, 7, 3, MONDAY_MS - 1));
    assert_eq!((closed.result, closed.over_by), (SlipResult::Accepted, 0));
    assert_eq!(closed.irregularity, Some(DenialReason::ProgramClosed));
    assert_eq!(shard.list(7)[2].rule, None);
}

#[test]
fn a_late_slip_that_overfills_a_later_window_is_flagged() {
    let mut seven_days = rule("two", MONDAY_MS, 2, 2);
    seven_days.window = WindowKind::RollingDays(7);
    let mut shard = Shard::with_rules(&[seven_days]);
    shard.now_ms = NINE_MS + 4 * DAY_MS;
    shard.sell(1, 7, 2);
    // On its own day nothing else was bought, but four days later two more were granted.
    let over = hand_in(&mut shard, slip(2, 7, 1, NINE_MS));
    assert_eq!(
        (over.result, over.over_by),
        (SlipResult::OverQuotaRecorded, 1)
    );
    shard.now_ms = NINE_MS + 9 * DAY_MS;
    let apart = hand_in(&mut shard, slip(3, 7, 2, NINE_MS - 8 * DAY_MS));
    assert_eq!(
        (apart.result, apart.irregularity),
        (SlipResult::Accepted, Some(DenialReason::ProgramClosed)),
        "before the first rule"
    );
}

/// In whatever order slips come, what exceeds the ration of any seven days is flagged.
#[test]
fn flags_cover_every_excess() {
    const LIMIT: u32 = 2;
    let paper = || (0..20i64, 1..=LIMIT);
    let papers = || vec(paper(), 0..6);
    let cases = (papers(), vec(0..3i64, 0..6), papers());
    play_random([(1, 300), (2, 300)], &cases, |(first, pauses, second)| {
        let mut seven_days = rule("two", MONDAY_MS, LIMIT, LIMIT);
        seven_days.window = WindowKind::RollingDays(7);
        let mut shard = Shard::with_rules(&[seven_days]);
        shard.now_ms = NINE_MS + 20 * DAY_MS;
        let mut ids = 1..;
        for (day, quantity) in first {
            let id = ids.next().unwrap();
            hand_in(&mut shard, slip(id, 7, *quantity, NINE_MS + day * DAY_MS));
        }
        for days in pauses {
            shard.now_ms += days * DAY_MS;
            shard.one(sale(ids.next().unwrap(), 7, 1, 1));
        }
        for (day, quantity) in second {
            let id = ids.next().unwrap();
            hand_in(&mut shard, slip(id, 7, *quantity, NINE_MS + day * DAY_MS));
        }
        let sales = shard.list(7);
        for last in &sales {
            let (mut units, mut flagged) = (0, 0);
            for sale in &sales {
                let days_before = (last.sold_at_ms - sale.sold_at_ms).div_euclid(DAY_MS);
                if (0..7).contains(&days_before) {
                    units += sale.quantity;
                    flagged += sale.over_by;
                }
            }
            assert!(
                units.saturating_sub(flagged) <= LIMIT,
                "{units} units, {flagged} flagged, in the seven days to {}",
                last.sold_at_ms
            );
        }
    });
}

#[test]
fn slips_that_are_never_recorded_say_why() {
    let mut shard = Shard::new(2, 2);
    shard.sell(1, 7, 1);
    shard.void(2, 7, 1);
    let mut other_program = slip(10, 7, 1, NINE_MS);
    other_program.program = "rice".parse().unwrap();
    let mut other_product = slip(10, 7, 1, NINE_MS);
    other_product.product = Some("rice".parse().unwrap());
    let before = shard.list(7);
    for (paper, why) in [
        (
            slip(10, 7, 1, NINE_MS - limits::RETENTION_MS),
            SlipRejection::TooOld,
        ),
        (
            slip(10, 7, 1, NINE_MS + limits::SLIP_AHEAD_MS_MAX + 1),
            SlipRejection::InTheFuture,
        ),
        (other_program, SlipRejection::UnknownProgram),
        (other_product, SlipRejection::UnknownProduct),
        (slip(1, 7, 2, NINE_MS), SlipRejection::RequestIdConflict),
        (slip(2, 7, 1, NINE_MS), SlipRejection::RequestIdConflict),
    ] {
        assert_eq!(rejected(hand_in(&mut shard, paper)), why);
    }
    assert_eq!(shard.list(7), before, "nothing was written");
    let online = hand_in(&mut shard, slip(1, 7, 1, NINE_MS - 5));
    assert_eq!(
        online.result,
        SlipResult::Duplicate,
        "it was recorded online"
    );
    let edges = [
        NINE_MS - limits::RETENTION_MS + 1,
        NINE_MS + limits::SLIP_AHEAD_MS_MAX,
    ];
    for (id, sold_at_ms) in (20..).zip(edges) {
        let outcome = hand_in(&mut shard, slip(id, 8, 1, sold_at_ms));
        assert!(
            !matches!(outcome.result, SlipResult::Rejected(_)),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_sale_made_after_its_denial_is_recorded() {
    let mut shard = Shard::new(2, 2);
    shard.sell(1, 7, 2);
    assert_eq!(shard.sell(2, 7, 1).denied, Some(DenialReason::OverLimit));
    let outcome = hand_in(&mut shard, slip(2, 7, 1, NINE_MS));
    assert_eq!(
        (outcome.result, outcome.over_by),
        (SlipResult::OverQuotaRecorded, 1)
    );
    assert_eq!(
        hand_in(&mut shard, slip(2, 7, 1, NINE_MS)).result,
        SlipResult::Duplicate
    );
}

#[test]
fn a_full_record_loses_no_slip() {
    let mut shard = Shard::new(1, 1);
    let sold_at_ms = |id: u64| NINE_MS - 1_000_000 + id as i64;
    for id in 0..=limits::SALES_KEPT_MAX as u64 {
        let outcome = hand_in(&mut shard, slip(id, 7, 1, sold_at_ms(id)));
        assert!(!matches!(outcome.result, SlipResult::Rejected(_)));
    }
    assert_eq!(shard.list(7).len(), limits::SALES_KEPT_MAX + 1);
    let again = hand_in(&mut shard, slip(5, 7, 1, sold_at_ms(5)));
    assert_eq!(again.result, SlipResult::Duplicate);
    assert_eq!(shard.sell(9999, 7, 1).denied, Some(DenialReason::OverLimit));
}

/// A device's clock may run ahead: such a slip stays known until nothing would refuse it as too old.
#[test]
fn a_slip_from_a_clock_ahead_is_never_recorded_twice() {
    let mut shard = Shard::new(2, 2);
    let paper = slip(1, 7, 1, NINE_MS + limits::SLIP_AHEAD_MS_MAX);
    assert_eq!(hand_in(&mut shard, paper).result, SlipResult::Accepted);
    for (ms, expected) in [
        (0, SlipResult::Duplicate),
        (limits::SLIP_AHEAD_MS_MAX - 1, SlipResult::Duplicate),
        (
            limits::SLIP_AHEAD_MS_MAX,
            SlipResult::Rejected(SlipRejection::TooOld),
        ),
    ] {
        shard.now_ms = NINE_MS + limits::RETENTION_MS + ms;
        assert_eq!(hand_in(&mut shard, paper).result, expected);
    }
    assert_eq!(shard.facts().totals().slips, 1);
}

/// Slips go on top of a full record, and it has room again only when enough of it is forgotten.
#[test]
fn a_record_more_than_full_says_when_it_has_room() {
    let mut shard = Shard::new(1, 1);
    let slips = limits::SALES_KEPT_MAX as u64 + 3;
    for id in 0..slips {
        shard.now_ms = NINE_MS + id as i64;
        hand_in(&mut shard, slip(id, 7, 1, NINE_MS));
    }
    let full = shard.sell(9999, 7, 1);
    let room_ms = NINE_MS + 3 + limits::RETENTION_MS;
    assert_eq!(full.denied, Some(DenialReason::OverLimit));
    assert_eq!(full.next_eligible_ms, Some(room_ms));
    shard.now_ms = room_ms - 1;
    assert_eq!(shard.check(7, 1).denied, Some(DenialReason::OverLimit));
    shard.now_ms = room_ms;
    assert_eq!(shard.sell(10_000, 7, 1).denied, None);
}

/// Every order of four slips, each handed in twice: the same ration is left, the same units are on record.
#[test]
fn the_order_of_slips_does_not_matter() {
    let slips = [
        slip(1, 7, 1, NINE_MS - 4),
        slip(2, 7, 2, NINE_MS - 3),
        slip(3, 7, 1, NINE_MS - 8 * DAY_MS),
        slip(4, 7, 1, NINE_MS - 3),
    ];
    let mut ends = Vec::new();
    for order in 0..24_usize {
        let mut left = slips.to_vec();
        let mut shard = Shard::new(5, 5);
        let mut divisor = 24;
        while !left.is_empty() {
            divisor /= left.len();
            let paper = left.remove(order / divisor % left.len().max(1));
            let first = hand_in(&mut shard, paper);
            assert!(!matches!(
                first.result,
                SlipResult::Duplicate | SlipResult::Rejected(_)
            ));
            assert_eq!(hand_in(&mut shard, paper).result, SlipResult::Duplicate);
        }
        let totals = shard.facts().totals().clone();
        ends.push((
            shard.check(7, 1).remaining,
            totals.slips,
            totals.units_on_slips,
        ));
    }
    assert!(ends.iter().all(|end| *end == (1, 4, 5)), "{ends:?}");
}

#[test]
fn a_correction_gives_back_what_any_site_sold_on_any_day() {
    let mut shard = Shard::new(2, 2);
    shard.one(sale(1, 7, 2, 5));
    shard.now_ms = NINE_MS + 2 * DAY_MS;
    let late = common::voided(shard.one(void(2, 7, 1, 5)));
    assert_eq!(late.refused, Some(VoidRefusal::TooLate));
    let corrected = common::voided(shard.one(correct(3, 7, 1)));
    assert_eq!(
        (corrected.refused, corrected.quantity, corrected.remaining),
        (None, 2, 2)
    );
    let again = common::voided(shard.one(correct(3, 7, 1)));
    assert!(again.repeated && again.refused.is_none());
    let twice = common::voided(shard.one(correct(4, 7, 1)));
    assert_eq!(twice.refused, Some(VoidRefusal::AlreadyVoided));
    let kept = &shard.list(7)[0].void_attempts;
    assert!(matches!(&kept[1].by, VoidBy::Administrator(c) if c.case_number == "2020-117"));
    let bytes = &shard.rows[&keys::outbox(common::SHARD, 2)];
    let row = codec::decode_outbox_row(bytes).unwrap();
    assert_eq!(
        (row.kind, row.site_code),
        (OutboxKind::Voided, site(5).code)
    );
}

#[test]
fn days_are_counted_by_type_and_region_and_dropped_after_a_year() {
    let mut shard = Shard::new(2, 2);
    shard.batch(vec![sale(1, 7, 2, 1), sale(2, 7, 1, 1), sale(3, 8, 1, 1)]);
    hand_in(&mut shard, slip(4, 7, 1, NINE_MS - DAY_MS));
    shard.void(5, 8, 3);
    let days = |shard: &Shard, after: Vec<u8>, limit| {
        let query = Query::Daily(DailyQuery {
            program: mask(),
            first_date: 20_200_101,
            last_date: 20_991_231,
            after,
            limit,
        });
        match shard.answer(&query) {
            Answer::Daily(answer) => answer,
            other => panic!("not days: {other:?}"),
        }
    };
    let all = days(&shard, Vec::new(), 500);
    let dates: Vec<_> = all.rows.iter().map(|row| row.day.date).collect();
    assert_eq!(
        (dates, all.next.is_empty()),
        (vec![20_200_310, 20_200_311], true)
    );
    let (paper, online) = (&all.rows[0].counts, &all.rows[1].counts);
    assert_eq!((paper.paper_sales, paper.over_quota_sales), (1, 1));
    assert_eq!((online.online_sales, online.online_units), (2, 3));
    assert_eq!((online.voids, online.units_voided), (1, 1));
    assert_eq!(online.denials[DenialReason::OverLimit.number() as usize], 1);

    let first = days(&shard, Vec::new(), 1);
    let second = days(&shard, first.next.clone(), 1);
    assert_eq!([&first.rows[..], &second.rows[..]].concat(), all.rows);
    assert!(second.next.is_empty());

    shard.now_ms = NINE_MS + 400 * DAY_MS;
    shard.sell(6, 9, 1);
    let dates: Vec<_> = days(&shard, Vec::new(), 500)
        .rows
        .iter()
        .map(|r| r.day.date)
        .collect();
    assert_eq!(dates, [20_200_311, 20_210_415]);
}

#[test]
fn shadow_rules_are_counted_and_never_enforced() {
    let mut stricter = rule("one", MONDAY_MS, 1, 9);
    stricter.state = RuleState::Shadow;
    let mut looser = rule("five", MONDAY_MS, 5, 9);
    looser.state = RuleState::Shadow;
    let mut shard = Shard::with_rules(&[rule("two", MONDAY_MS, 2, 9), stricter, looser]);
    assert_eq!(shard.sell(1, 7, 2).denied, None);
    assert_eq!(shard.sell(2, 7, 1).denied, Some(DenialReason::OverLimit));
    let answer = shard.answer(&Query::Shadow(ShadowQuery { program: mask() }));
    let Answer::Shadow(rows) = answer else {
        panic!("not counts: {answer:?}");
    };
    let counts = rows.iter().map(|row| {
        let denied = row.counts.would_deny[DenialReason::OverLimit.number() as usize];
        (
            row.rule.to_string(),
            row.counts.evaluated,
            denied,
            row.counts.would_grant,
        )
    });
    let expected = [("five".to_owned(), 2, 0, 1), ("one".to_owned(), 2, 1, 0)];
    assert!(counts.eq(expected));
}

#[test]
fn products_share_the_ration_and_not_the_stock() {
    let kf = |id: &str| Product {
        id: id.parse().unwrap(),
        name: String::new(),
    };
    let program = Program::new(ProgramDraft {
        products: vec![kf("kf94"), kf("kf80")],
        ..draft(&[rule("r1", MONDAY_MS, 2, 2)], 2)
    });
    let mut shard = Shard::empty();
    let adopt = quorate_core::ledger::AdoptRange {
        range: quorate_proto::ring::RingRange::FULL,
        epoch: common::EPOCH,
    };
    shard.batch(vec![
        CommandBody::AdoptRange(adopt),
        CommandBody::PutProgram(program.unwrap()),
    ]);
    let with_product = |id, product: &str| {
        let CommandBody::RecordSale(mut command) = sale(id, 7, 1, 1) else {
            panic!("a sale is one");
        };
        command.product = Some(product.parse().unwrap());
        CommandBody::RecordSale(command)
    };
    let first = common::recorded(shard.one(with_product(1, "kf94")));
    assert_eq!(first.verdict.remaining, 1);
    let named_or_not = common::recorded(shard.one(sale(1, 7, 1, 1)));
    assert!(named_or_not.repeated, "the first product is meant");
    let other = shard.one(with_product(1, "kf80"));
    assert_eq!(
        common::error_kind(&other),
        quorate_core::ledger::CommandErrorKind::RequestIdConflict
    );
    assert_eq!(
        common::recorded(shard.one(with_product(2, "kf80")))
            .verdict
            .remaining,
        0
    );
    let row = |sequence| {
        let bytes = &shard.rows[&keys::outbox(common::SHARD, sequence)];
        codec::decode_outbox_row(bytes).unwrap().product.to_string()
    };
    assert_eq!((row(1).as_str(), row(2).as_str()), ("kf94", "kf80"));
    assert_eq!(
        common::error_kind(&shard.clone().one(with_product(3, "rice"))),
        quorate_core::ledger::CommandErrorKind::UnknownProduct
    );
}
