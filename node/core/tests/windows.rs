//! Windows of every kind against a model that goes day by day: random rules that follow one another, random
//! sales of one citizen, and times that stop at every edge of a day. The model shares no code with the rule
//! engine; it looks for the next possible sale at every midnight and at every rule, one after the other.
//!
//! The runs are fixed: the same seed always plays the same cases. A failure prints the shrunk case.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{
    CLAIMS, DAY_MS, MONDAY_MS, Shard, error_kind, play_random, recorded, request, rule, sale,
};
use jiff::{ToSpan as _, civil::Date};
use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, prop_oneof},
};
use quorate_core::ledger::{
    CommandErrorKind, DenialReason, Digits, Outcome, Rotation, RotationDigit, Rule, RuleState,
    Verdict, WindowKind,
};

/// What the ID of the one citizen ends in.
const DIGIT: u8 = 7;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Week,
    Rolling(i64),
    /// From this day, counted from the Monday of the tests, for so many days.
    Fixed {
        first: i64,
        days: i64,
    },
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    /// After the rule before it, in quarters of a day.
    quarters: i64,
    kind: Kind,
    limit: u32,
    sale_max: u32,
    single_visit: bool,
    closed: bool,
    shadow: bool,
    /// Bit by weekday, Monday lowest: whose day it is not.
    shut_days: Option<u8>,
}

/// A rule as the model sees it.
#[derive(Clone, Copy, Debug)]
struct Dated {
    from_ms: i64,
    number: usize,
    plan: Plan,
}

#[derive(Clone, Copy, Debug)]
enum Pause {
    Least,
    Ms(i64),
    /// To this many milliseconds from the midnight that comes so many days later.
    Midnight {
        days: i64,
        ms: i64,
    },
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        2 => Just(Kind::Week),
        3 => (1..=31i64).prop_map(Kind::Rolling),
        2 => (0..40i64, 1..=31i64).prop_map(|(first, days)| Kind::Fixed { first, days }),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let amounts = (1..=6u32, 1..=6u32);
    let flags = (0..4u8, 0..10u8, 0..6u8);
    let shut = option::weighted(0.4, 1..=0x7e_u8);
    (0..60i64, kind(), amounts, flags, shut).prop_map(
        |(quarters, kind, (limit, sale_max), (visit, closed, shadow), shut_days)| Plan {
            quarters,
            kind,
            limit,
            sale_max,
            single_visit: visit == 0,
            closed: closed == 0,
            shadow: shadow == 0,
            shut_days,
        },
    )
}

fn pause() -> impl Strategy<Value = Pause> {
    prop_oneof![
        1 => Just(Pause::Least),
        1 => (1..DAY_MS).prop_map(Pause::Ms),
        3 => (0..9i64, -1..=1i64).prop_map(|(days, ms)| Pause::Midnight { days, ms }),
        1 => (9..33i64, -1..=1i64).prop_map(|(days, ms)| Pause::Midnight { days, ms }),
    ]
}

fn day_of(at_ms: i64) -> i64 {
    (at_ms - MONDAY_MS).div_euclid(DAY_MS)
}

fn midnight(day: i64) -> i64 {
    MONDAY_MS + day * DAY_MS
}

fn date_of(day: i64) -> Date {
    jiff::civil::date(2020, 3, 9)
        .checked_add(day.days())
        .unwrap()
}

/// The plans one after the other, the first from the Monday on.
fn dated(plans: &[Plan]) -> Vec<Dated> {
    let mut from_ms = MONDAY_MS;
    let mut dated = Vec::new();
    for (number, plan) in plans.iter().enumerate() {
        if number > 0 {
            from_ms += (plan.quarters + 1) * DAY_MS / 4;
        }
        dated.push(Dated {
            from_ms,
            number,
            plan: *plan,
        });
    }
    dated
}

fn name(number: usize) -> String {
    format!("r{number}")
}

fn to_rule(dated: &Dated) -> Rule {
    let plan = &dated.plan;
    let rotation = plan.shut_days.map(|shut| Rotation {
        digit: RotationDigit::Id,
        days: std::array::from_fn(|day| {
            let others = (0..=9u32).filter(|digit| *digit != u32::from(DIGIT));
            match shut >> day & 1 {
                1 => Digits::new(others).unwrap(),
                _ => Digits::ALL,
            }
        }),
        holidays_open: false,
    });
    Rule {
        window: match plan.kind {
            Kind::Week => WindowKind::CalendarWeek,
            Kind::Rolling(days) => WindowKind::RollingDays(days.try_into().unwrap()),
            Kind::Fixed { first, days } => WindowKind::FixedDates {
                first: date_of(first),
                last: date_of(first + days - 1),
            },
        },
        rotation,
        single_visit: plan.single_visit,
        closed: plan.closed,
        state: match plan.shadow {
            true => RuleState::Shadow,
            false => RuleState::Active,
        },
        ..rule(
            &name(dated.number),
            dated.from_ms,
            plan.limit,
            plan.sale_max,
        )
    }
}

/// What the model finds at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    TooLarge,
    Denied(DenialReason),
    Granted,
}

struct Model {
    rules: Vec<Dated>,
    /// Instant and units.
    bought: Vec<(i64, u32)>,
}

impl Model {
    fn in_force(&self, at_ms: i64) -> Option<&Dated> {
        let mut last = None;
        for rule in &self.rules {
            if rule.from_ms <= at_ms && !rule.plan.shadow {
                last = Some(rule);
            }
        }
        last
    }

    /// First and last day of the window; `None`: there is none.
    fn window(&self, at_ms: i64) -> Option<(i64, i64)> {
        let (plan, today) = (self.in_force(at_ms)?.plan, day_of(at_ms));
        let (first, last) = match plan.kind {
            Kind::Week => (today - today.rem_euclid(7), today - today.rem_euclid(7) + 6),
            Kind::Rolling(days) => (today - (days - 1), today),
            Kind::Fixed { first, days } => (first, first + days - 1),
        };
        (!plan.closed && first <= today && today <= last).then_some((first, last))
    }

    /// Units and visits, day by day.
    fn used(&self, at_ms: i64) -> (u32, bool) {
        let Some((first, last)) = self.window(at_ms) else {
            return (0, false);
        };
        let (mut units, mut visited) = (0, false);
        for day in first..=last {
            for (_, quantity) in self.bought.iter().filter(|(at, _)| day_of(*at) == day) {
                units += quantity;
                visited = true;
            }
        }
        (units, visited)
    }

    fn remaining(&self, at_ms: i64) -> u32 {
        let (units, visited) = self.used(at_ms);
        match self.in_force(at_ms) {
            Some(rule) if self.window(at_ms).is_some() => {
                let visit_left = !(rule.plan.single_visit && visited);
                rule.plan.limit.saturating_sub(units) * u32::from(visit_left)
            }
            _ => 0,
        }
    }

    fn find(&self, quantity: u32, at_ms: i64) -> Found {
        let Some(rule) = self.in_force(at_ms) else {
            return Found::Denied(DenialReason::ProgramClosed);
        };
        if self.window(at_ms).is_none() {
            return Found::Denied(DenialReason::ProgramClosed);
        }
        if quantity > rule.plan.sale_max {
            return Found::TooLarge;
        }
        let weekday = day_of(at_ms).rem_euclid(7);
        if rule
            .plan
            .shut_days
            .is_some_and(|shut| shut >> weekday & 1 == 1)
        {
            return Found::Denied(DenialReason::NotYourDay);
        }
        if rule.plan.single_visit && self.used(at_ms).1 {
            return Found::Denied(DenialReason::AlreadyVisited);
        }
        if quantity > self.remaining(at_ms) {
            return Found::Denied(DenialReason::OverLimit);
        }
        Found::Granted
    }

    /// The first instant, looked for at every midnight and every rule of sixty days.
    fn next(&self, quantity: u32, or_less: bool, from_ms: i64) -> Option<i64> {
        let mut instants = vec![from_ms];
        instants.extend((1..=61).map(|days| midnight(day_of(from_ms) + days)));
        instants.extend(self.rules.iter().map(|rule| rule.from_ms));
        instants.retain(|at_ms| (from_ms..=from_ms + 60 * DAY_MS).contains(at_ms));
        instants.sort_unstable();
        instants.into_iter().find(|at_ms| {
            let quantity = match self.in_force(*at_ms) {
                Some(rule) if or_less => quantity.min(rule.plan.limit).min(rule.plan.sale_max),
                _ => quantity,
            };
            self.find(quantity, *at_ms) == Found::Granted
        })
    }

    /// Holds a verdict against the model. A grant has just been added to what was bought.
    fn judge(&self, verdict: &Verdict, quantity: u32, found: Found, before: u32) {
        let at_ms = verdict.decided_at_ms;
        let rule = self.in_force(at_ms);
        let limit = rule.filter(|_| self.window(at_ms).is_some());
        let limit = limit.map_or(0, |rule| rule.plan.limit);
        let (denied, remaining, next) = match found {
            Found::TooLarge => panic!("an error was expected, not {verdict:?}"),
            Found::Granted => {
                let left = self.remaining(at_ms);
                let next = match left {
                    0 => self.next(1, true, at_ms),
                    _ => None,
                };
                (None, left, next)
            }
            Found::Denied(reason) => {
                let useless_to_wait =
                    reason == DenialReason::OverLimit && quantity > limit && before > 0;
                let next = self.next(quantity, !useless_to_wait, at_ms);
                (Some(reason), before, next)
            }
        };
        assert_eq!(verdict.denied, denied);
        assert_eq!((verdict.remaining, verdict.limit), (remaining, limit));
        assert_eq!(verdict.next_eligible_ms, next);
        let span = self.window(at_ms);
        let span = span.map(|(first, last)| (midnight(first), midnight(last + 1)));
        assert_eq!(verdict.window.map(|it| (it.start_ms, it.end_ms)), span);
        let named = verdict.rule.map(|id| id.to_string());
        assert_eq!(named, rule.map(|rule| name(rule.number)));
        let purchases = verdict.purchases.iter().map(|sale| sale.quantity);
        assert_eq!(purchases.sum::<u32>(), self.used(at_ms).0);
    }
}

fn play(plans: &[Plan], acts: &[(Pause, u32)]) {
    assert_eq!(CLAIMS.id_digit, Some(DIGIT));
    let rules = dated(plans);
    let mut shard = Shard::with_rules(&rules.iter().map(to_rule).collect::<Vec<_>>());
    shard.now_ms = MONDAY_MS;
    let mut model = Model {
        rules,
        bought: Vec::new(),
    };
    for (id, (pause, quantity)) in acts.iter().enumerate() {
        let id = id as u64;
        let pause_ms = match pause {
            Pause::Least => 0,
            Pause::Ms(ms) => *ms,
            Pause::Midnight { days, ms } => {
                midnight(day_of(shard.now_ms) + 1 + days) + ms - shard.now_ms
            }
        };
        // Acts of one millisecond are stamped apart; here every time is exact.
        shard.now_ms += pause_ms.max(1);
        let at_ms = shard.now_ms;
        let (found, before) = (model.find(*quantity, at_ms), model.remaining(at_ms));
        if found == Found::TooLarge {
            let outcome = shard.one(sale(id, 1, *quantity, 1));
            assert_eq!(error_kind(&outcome), CommandErrorKind::QuantityTooLarge);
            continue;
        }
        let check = shard.check(1, *quantity);
        assert_eq!(check.denied.is_none(), found == Found::Granted);
        assert_eq!(check.remaining, before, "a check takes nothing");
        let outcome: Outcome = shard.one(sale(id, 1, *quantity, 1));
        let verdict = recorded(outcome).verdict;

        assert_eq!(verdict.decided_at_ms, at_ms);
        if found == Found::Granted {
            model.bought.push((at_ms, *quantity));
            assert_eq!(verdict.purchases[0].request_id, request(id));
        }
        model.judge(&verdict, *quantity, found, before);
    }
    assert_eq!(shard.summary().records.records_over_limit, 0);
}

#[test]
fn windows_of_every_kind_agree_with_the_model() {
    let acts = vec((pause(), 1..=6u32), 1..24);
    let case = (vec(plan(), 1..5), acts);
    play_random([(21, 3000), (22, 3000)], &case, |(plans, acts)| {
        play(plans, acts);
    });
}
