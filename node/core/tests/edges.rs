//! The edges of days and weeks in Seoul: the last millisecond before a local midnight and the first after it,
//! for rotation, weeks, rolling windows, voids, slips and what is counted by day.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::num::NonZeroU32;

use common::{
    CLAIMS, DAY_MS, MONDAY_MS, SHARD, Shard, citizen, draft, mask, recorded, request, rule, sale,
    site, void, voided,
};
use quorate_core::{
    checkpoint,
    ledger::{
        Answer, Claims, CommandBody, DailyQuery, DenialReason, Digits, Outcome, Program,
        ProgramDraft, Query, RecordSlip, Rotation, RotationDigit, Rule, SlipResult, Verdict,
        VoidRefusal, WindowKind,
    },
};
use quorate_proto::ids::DeviceId;

/// Days of the week, from Monday.
const TUESDAY: i64 = 1;
const FRIDAY: i64 = 4;
const SATURDAY: i64 = 5;

fn midnight(day: i64) -> i64 {
    MONDAY_MS + day * DAY_MS
}

/// The rule of March 2020: pairs of digits from Monday to Friday, the weekend open, one visit.
fn rotating() -> Rule {
    let pair = |first| Digits::new([first, (first + 5) % 10]).unwrap();
    let mut days = [Digits::ALL; 7];
    for (day, first) in days.iter_mut().zip(1..=5) {
        *day = pair(first);
    }
    Rule {
        rotation: Some(Rotation {
            digit: RotationDigit::BirthYear,
            days,
            holidays_open: true,
        }),
        single_visit: true,
        ..rule("march", MONDAY_MS, 2, 2)
    }
}

fn with_birth_year(body: CommandBody, year: u16) -> CommandBody {
    let CommandBody::RecordSale(mut command) = body else {
        panic!("not a sale: {body:?}");
    };
    command.claims = Claims {
        birth_year: Some(year),
        ..CLAIMS
    };
    CommandBody::RecordSale(command)
}

/// Sells to somebody who was not seen before.
fn sell_at(shard: &mut Shard, id: u64, year: u16, at_ms: i64) -> Verdict {
    shard.now_ms = at_ms;
    let verdict = recorded(shard.one(with_birth_year(sale(id, id, 1, 1), year))).verdict;
    assert_eq!(verdict.decided_at_ms, at_ms);
    verdict
}

#[test]
fn a_day_of_the_rotation_begins_and_ends_at_midnight_in_seoul() {
    let mut shard = Shard::with_rules(&[rotating()]);
    // 1982 ends in 2: Tuesday. The day in UTC changes at 09:00 in Seoul, and nothing happens there.
    let (start, end) = (midnight(TUESDAY), midnight(TUESDAY + 1));
    shard.now_ms = MONDAY_MS;
    let cases = [
        (start - 1, Some(start)),
        (start, None),
        (start + 9 * 3_600_000 - 1, None),
        (start + 9 * 3_600_000, None),
        (end - 1, None),
        (end, Some(midnight(SATURDAY))),
        (midnight(SATURDAY) - 1, Some(midnight(SATURDAY))),
        (midnight(SATURDAY), None),
        (midnight(7) - 1, None),
        (midnight(7), Some(midnight(7 + TUESDAY))),
    ];
    for (id, (at_ms, next)) in (1..).zip(cases) {
        let verdict = sell_at(&mut shard, id, 1982, at_ms);
        let expected = next.map(|_| DenialReason::NotYourDay);
        assert_eq!(verdict.denied, expected, "at {at_ms}");
        if expected.is_some() {
            assert_eq!(verdict.next_eligible_ms, next, "at {at_ms}");
        }
    }
}

#[test]
fn a_holiday_is_open_from_midnight_to_midnight() {
    // Thursday, 12 March.
    let day = 3;
    let program = Program::new(ProgramDraft {
        holidays: vec![jiff::civil::date(2020, 3, 12)],
        ..draft(&[rotating()], 2)
    });
    let mut shard = Shard::with_rules(&[rotating()]);
    shard.one(CommandBody::PutProgram(program.unwrap()));
    for (id, at_ms, open) in [
        (1, midnight(day) - 1, false),
        (2, midnight(day), true),
        (3, midnight(day + 1) - 1, true),
        (4, midnight(day + 1), false),
    ] {
        let verdict = sell_at(&mut shard, id, 1982, at_ms);
        assert_eq!(verdict.denied.is_none(), open, "at {at_ms}");
    }
}

#[test]
fn the_last_visit_of_a_week_and_the_first_of_the_next() {
    let mut shard = Shard::with_rules(&[rotating()]);
    shard.now_ms = midnight(7) - 1;
    assert_eq!(shard.sell(1, 7, 1).denied, None, "Sunday is open");
    let again = shard.sell(2, 7, 1);
    assert_eq!(again.denied, Some(DenialReason::AlreadyVisited));
    // 1980 ends in 0: Friday of the next week.
    assert_eq!(again.next_eligible_ms, Some(midnight(7 + FRIDAY)));
    shard.now_ms = midnight(7);
    let monday = shard.check(7, 1);
    assert_eq!(monday.denied, Some(DenialReason::NotYourDay));
    assert_eq!((monday.remaining, monday.purchases.len()), (2, 0));
    shard.now_ms = midnight(7 + FRIDAY) - 1;
    assert_eq!(shard.check(7, 1).denied, Some(DenialReason::NotYourDay));
    shard.now_ms = midnight(7 + FRIDAY);
    assert_eq!(shard.sell(3, 7, 2).denied, None);
}

#[test]
fn a_rolling_window_gives_back_at_midnight_what_its_first_day_took() {
    let rolling = Rule {
        window: WindowKind::RollingDays(7),
        ..rule("seven", MONDAY_MS, 3, 3)
    };
    let mut shard = Shard::with_rules(&[rolling]);
    shard.now_ms = midnight(1) - 1;
    shard.sell(1, 7, 1);
    shard.now_ms = midnight(1);
    let sold = shard.sell(2, 7, 2);
    assert_eq!(
        (sold.remaining, sold.next_eligible_ms),
        (0, Some(midnight(7)))
    );
    for (at_ms, left) in [
        (midnight(7) - 1, 0),
        (midnight(7), 1),
        (midnight(8) - 1, 1),
        (midnight(8), 3),
    ] {
        shard.now_ms = at_ms;
        assert_eq!(shard.check(7, 1).remaining, left, "at {at_ms}");
    }
}

#[test]
fn a_site_may_undo_until_midnight_and_a_slip_belongs_to_its_own_day() {
    let slip = |id, sold_at_ms| {
        CommandBody::RecordSlip(RecordSlip {
            request_id: request(id),
            citizen: citizen(7),
            program: mask(),
            product: None,
            quantity: NonZeroU32::new(2).unwrap(),
            site: site(1),
            site_suspended: false,
            claims: CLAIMS,
            proxy_ground: None,
            sold_at_ms,
            device_id: DeviceId::parse("till-1").unwrap(),
            sequence: id,
        })
    };
    let mut shard = Shard::new(2, 2);
    shard.now_ms = midnight(7) - 1;
    shard.sell(1, 7, 1);
    shard.sell(2, 8, 1);
    assert_eq!(shard.void(3, 7, 1).refused, None);
    // Both are handed in on Monday; one was sold in the last millisecond of Sunday.
    shard.now_ms = midnight(7);
    let late = voided(shard.one(void(4, 8, 2, 1)));
    assert_eq!(late.refused, Some(VoidRefusal::TooLate));
    for (id, sold_at_ms) in [(5, midnight(7) - 1), (6, midnight(7))] {
        match shard.one(slip(id, sold_at_ms)) {
            Outcome::Slip(outcome) => assert_eq!(outcome.result, SlipResult::Accepted),
            other => panic!("not a slip's outcome: {other:?}"),
        }
    }
    assert_eq!(shard.check(7, 1).remaining, 0);
    assert_eq!(shard.void(7, 7, 5).refused, Some(VoidRefusal::TooLate));
    assert_eq!(shard.void(8, 7, 6).refused, None);

    let answer = shard.answer(&Query::Daily(DailyQuery {
        program: mask(),
        first_date: 20_200_301,
        last_date: 20_200_331,
        after: Vec::new(),
        limit: 10,
    }));
    let Answer::Daily(days) = answer else {
        panic!("not days: {answer:?}");
    };
    let days = days.rows.iter().map(|row| {
        let counts = &row.counts;
        let sales = (counts.online_sales, counts.paper_sales, counts.voids);
        (row.day.date, sales)
    });
    assert!(days.eq([(20_200_315, (2, 1, 1)), (20_200_316, (0, 1, 1))]));
    let records = checkpoint::summarize(&shard.rows, SHARD).unwrap().records;
    assert_eq!(records.records_over_limit, 0);
}
