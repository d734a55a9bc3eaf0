//! The shipped program of 2020 against an oracle that is written from the timeline itself: for every day,
//! kind of site, year of birth, quantity and earlier purchase. It shares no code with the rule engine.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use jiff::{ToSpan as _, civil::Date, tz::TimeZone};
use quorate_core::ledger::{self, Claims, DenialReason, Program, Situation};
use quorate_proto::ids::SiteType;

fn program() -> Program {
    let text = include_str!("../../../programs/kr-mask-2020.yaml");
    super::parse(Path::new("kr-mask-2020.yaml"), text).unwrap()
}

fn day(month: i8, day: i8) -> Date {
    jiff::civil::date(2020, month, day)
}

struct Case {
    date: Date,
    site_type: u32,
    born: u16,
    quantity: u32,
    bought: Vec<(Date, u32)>,
}

/// Why not, and what is left before the sale.
fn oracle(case: &Case) -> (Option<DenialReason>, u32) {
    let date = case.date;
    if date < day(3, 6) || date > day(7, 11) {
        return (Some(DenialReason::ProgramClosed), 0);
    }
    let weekday = date.weekday().to_monday_zero_offset();
    let (first, last) = if date <= day(3, 8) {
        (day(3, 6), day(3, 8))
    } else {
        let monday = date - i64::from(weekday).days();
        (monday, monday + 6.days())
    };
    let in_window = |at: Date| first <= at && at <= last;
    let limit = match () {
        () if date < day(4, 27) => 2,
        () if date < day(6, 1) => 3,
        () if date < day(6, 18) && case.born >= 2002 => 5,
        () if date < day(6, 18) => 3,
        () => 10,
    };
    let bought = case.bought.iter().filter(|(at, _)| in_window(*at));
    let taken: u32 = bought.clone().map(|(_, units)| units).sum();
    let visited = bought.count() > 0 && date >= day(3, 9) && date < day(5, 18);
    let left = if visited { 0 } else { limit - taken.min(limit) };

    let types = match () {
        () if date < day(3, 11) => 1,
        () if date < day(3, 14) => 2,
        () => 3,
    };
    let holiday = date == day(4, 30) || date == day(5, 5);
    let rotates = date >= day(3, 9) && date < day(6, 1) && weekday < 5 && !holiday;
    // Monday 1 and 6, Tuesday 2 and 7, …, Friday 5 and 0.
    let theirs = case.born % 5 == (weekday as u16 + 1) % 5;
    let denied = match () {
        () if case.site_type > types => Some(DenialReason::SiteTypeNotAllowed),
        () if rotates && !theirs => Some(DenialReason::NotYourDay),
        () if visited => Some(DenialReason::AlreadyVisited),
        () if case.quantity > left => Some(DenialReason::OverLimit),
        () => None,
    };
    (denied, left)
}

fn explain(program: &Program, case: &Case, hour: i8) -> ledger::Explanation {
    let zone = TimeZone::get("Asia/Seoul").unwrap();
    let at = |date: Date, hour| {
        let local = date.at(hour, 0, 0, 0);
        zone.to_timestamp(local).unwrap().as_millisecond()
    };
    let situation = Situation {
        at_ms: at(case.date, hour),
        claims: Claims {
            birth_year: Some(case.born),
            id_digit: Some(3),
        },
        site_type: SiteType::try_from(case.site_type).unwrap(),
        proxy: None,
        quantity: case.quantity,
        bought: case
            .bought
            .iter()
            .map(|(date, units)| (at(*date, 9), *units))
            .collect(),
    };
    ledger::explain(program, &situation).unwrap()
}

/// The first later day on which the same sale would be granted, as far as is looked ahead.
fn next_day(case: &Case) -> Option<Date> {
    (1..=60).map(|days| case.date + days.days()).find(|date| {
        let later = Case {
            date: *date,
            bought: case.bought.clone(),
            ..*case
        };
        oracle(&later).0.is_none()
    })
}

fn check(program: &Program, case: &Case) {
    let (denied, left) = oracle(case);
    let explained = explain(program, case, 12);
    let at = format!(
        "{} at {:02}, born {}, {} units, {:?}",
        case.date, case.site_type, case.born, case.quantity, case.bought
    );
    assert_eq!(
        (explained.denied, explained.remaining),
        (denied, left),
        "{at}"
    );
    let next = denied.and_then(|_| next_day(case));
    let shown = explained.next_eligible_ms.map(|at_ms| {
        let at = jiff::Timestamp::from_millisecond(at_ms).unwrap();
        at.to_zoned(TimeZone::get("Asia/Seoul").unwrap()).datetime()
    });
    assert_eq!(shown, next.map(|date| date.at(0, 0, 0, 0)), "{at}");
}

#[test]
fn every_day_of_the_timeline_agrees_with_the_oracle() {
    let program = program();
    let years = [
        1935, 1940, 1976, 1981, 1987, 1990, 1999, 2001, 2002, 2009, 2013, 2014,
    ];
    let mut date = day(3, 4);
    while date <= day(7, 14) {
        let since_monday = i64::from(date.weekday().to_monday_zero_offset());
        let monday = date - since_monday.days();
        let histories = [
            vec![],
            vec![(monday, 1)],
            vec![(monday, 2), (monday - 1.days(), 2)],
            vec![(monday - 1.days(), 2)],
            vec![(monday, 1), (date, 2)],
        ];
        for born in years {
            // Sites of all kinds once, histories at pharmacies.
            for site_type in 1..=3 {
                let histories = if site_type == 1 {
                    &histories[..]
                } else {
                    &histories[..1]
                };
                for bought in histories {
                    for quantity in [1, 2] {
                        let bought = bought.clone();
                        let case = Case {
                            date,
                            site_type,
                            born,
                            quantity,
                            bought,
                        };
                        check(&program, &case);
                    }
                }
            }
        }
        date += 1.days();
    }
}

#[test]
fn three_bought_on_monday_leave_seven_of_ten_on_thursday() {
    let program = program();
    let on = |date| {
        let case = Case {
            date,
            site_type: 1,
            born: 1987,
            quantity: 1,
            bought: vec![(day(6, 15), 3)],
        };
        explain(&program, &case, 12)
    };
    let wednesday = on(day(6, 17));
    assert_eq!(wednesday.denied, Some(DenialReason::OverLimit));
    assert_eq!((wednesday.remaining, wednesday.limit), (0, 3));
    let thursday = on(day(6, 18));
    assert_eq!(thursday.denied, None);
    assert_eq!((thursday.remaining, thursday.limit), (7, 10));
    assert_eq!(
        wednesday.next_eligible_ms,
        thursday
            .rule
            .and_then(|id| { program.rule(id).map(|rule| rule.effective_from_ms) })
    );
}

#[test]
fn the_clause_says_whose_day_it_is() {
    let case = Case {
        date: day(3, 12),
        site_type: 1,
        born: 1987,
        quantity: 2,
        bought: Vec::new(),
    };
    let explained = explain(&program(), &case, 10);
    assert_eq!(
        explained.clause,
        "rotation: on Thursday persons born in years ending in 4 or 9; 1987 ends in 7 → Tuesday"
    );
}

#[test]
fn proxies_and_their_day() {
    let program = program();
    let zone = TimeZone::get("Asia/Seoul").unwrap();
    let ask = |date: Date, born: u16, ground: &str, buyer: Option<u16>| {
        let situation = Situation {
            at_ms: zone
                .to_timestamp(date.at(10, 0, 0, 0))
                .unwrap()
                .as_millisecond(),
            claims: Claims {
                birth_year: Some(born),
                id_digit: None,
            },
            site_type: SiteType::PHARMACY,
            proxy: Some(ledger::Proxy {
                ground: ground.parse().unwrap(),
                buyer: buyer.map(|year| Claims {
                    birth_year: Some(year),
                    id_digit: None,
                }),
            }),
            quantity: 1,
            bought: Vec::new(),
        };
        ledger::explain(&program, &situation).unwrap().denied
    };
    let no_proxy = Some(DenialReason::ProxyNotAllowed);
    let not_their_day = Some(DenialReason::NotYourDay);
    // Monday 9 March is the day of years ending in 1 and 6; the recipient's day counts.
    assert_eq!(ask(day(3, 9), 1936, "age", None), None);
    assert_eq!(ask(day(3, 9), 1937, "age", Some(1981)), not_their_day);
    assert_eq!(ask(day(3, 9), 1976, "age", None), no_proxy);
    assert_eq!(ask(day(3, 9), 2011, "age", None), None);
    assert_eq!(ask(day(3, 9), 1981, "disabled", None), None);
    assert_eq!(ask(day(3, 9), 1981, "pregnant", None), no_proxy);
    assert_eq!(ask(day(3, 23), 1981, "pregnant", None), None);
    assert_eq!(ask(day(3, 30), 2006, "age", None), no_proxy);
    assert_eq!(ask(day(4, 6), 2006, "age", None), None);
    assert_eq!(
        ask(day(4, 27), 1937, "age", Some(1981)),
        None,
        "either person's day"
    );
    assert_eq!(ask(day(5, 11), 1976, "family", None), no_proxy);
    assert_eq!(ask(day(5, 18), 1976, "family", None), None);
    assert_eq!(ask(day(6, 1), 1977, "family", None), None);
}
