//! The ledger against a model that fits on a screen: random sales, voids and checks of one citizen, with
//! time that stands still, jumps over week edges and beyond the retention time, and clocks that go back.
//!
//! The runs are fixed: the same seed always plays the same cases. A failure prints the shrunk case.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use common::{DAY_MS, MONDAY_MS, Shard, error_kind, recorded, request, sale, void, voided};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, prop_oneof},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use quorate_core::ledger::{CommandErrorKind, Outcome, VoidRefusal};

const LIMIT: u32 = 5;
/// More than a week allows: such a sale is always denied.
const SALE_MAX: u32 = 6;
const WEEK_MS: i64 = 7 * DAY_MS;
const RETENTION_MS: i64 = 35 * DAY_MS;

#[derive(Clone, Copy, Debug)]
enum Act {
    Sell { id: u64, quantity: u32, site: u64 },
    Void { id: u64, sale: u64, site: u64 },
    Check { quantity: u32 },
}

#[derive(Clone, Copy, Debug)]
enum Pause {
    None,
    Ms(i64),
    /// To this many milliseconds after the next Monday 00:00 in Seoul.
    WeekEdge(i64),
    /// The next leader's clock lags.
    Back(i64),
}

#[derive(Clone, Copy, Debug)]
struct Sold {
    id: u64,
    quantity: u32,
    site: u64,
    at: i64,
    remembered_from: i64,
    undone: bool,
}

/// The whole truth: what was sold, and what was answered to which request.
#[derive(Debug, Default)]
struct Model {
    sales: Vec<Sold>,
    /// Request → since when it is remembered, content, answer.
    answers: BTreeMap<u64, (i64, String, Outcome)>,
}

impl Model {
    fn week(at: i64) -> i64 {
        (at - MONDAY_MS).div_euclid(WEEK_MS)
    }
    fn week_sales(&self, at: i64) -> impl Iterator<Item = &Sold> {
        let sales = self.sales.iter().rev();
        sales.filter(move |sale| Self::week(sale.at) == Self::week(at) && !sale.undone)
    }
    fn remaining(&self, at: i64) -> u32 {
        LIMIT - self.week_sales(at).map(|sale| sale.quantity).sum::<u32>()
    }
    fn answered(&self, id: u64, now: i64) -> Option<&(i64, String, Outcome)> {
        self.answers
            .get(&id)
            .filter(|(at, ..)| now - at < RETENTION_MS)
    }
    fn refusal(&self, sale: u64, site: u64, at: i64, now: i64) -> Result<usize, VoidRefusal> {
        let known = |s: &Sold| s.id == sale && now - s.remembered_from < RETENTION_MS;
        let index = self
            .sales
            .iter()
            .rposition(known)
            .ok_or(VoidRefusal::SaleNotFound)?;
        let sold = self.sales[index];
        let day = |at: i64| (at - MONDAY_MS).div_euclid(DAY_MS);
        match () {
            () if sold.site != site => Err(VoidRefusal::OtherSite),
            () if sold.undone => Err(VoidRefusal::AlreadyVoided),
            () if day(sold.at) != day(at) => Err(VoidRefusal::TooLate),
            () => Ok(index),
        }
    }
}

/// Mostly small quantities, so that several sales fit into a week.
fn sold() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 1..=3u32, 1 => 4..=SALE_MAX]
}

fn act() -> impl Strategy<Value = Act> {
    // Nine request ids: at most eight attempts to undo one sale, as many as are kept.
    prop_oneof![
        5 => (0..9u64, sold(), 1..3u64)
            .prop_map(|(id, quantity, site)| Act::Sell { id, quantity, site }),
        3 => (0..9u64, 0..9u64, 1..3u64).prop_map(|(id, sale, site)| Act::Void { id, sale, site }),
        1 => sold().prop_map(|quantity| Act::Check { quantity }),
    ]
}

fn pause() -> impl Strategy<Value = Pause> {
    prop_oneof![
        3 => Just(Pause::None),
        1 => Just(Pause::Ms(1)),
        2 => (0..2 * DAY_MS).prop_map(Pause::Ms),
        2 => (-2..=1i64).prop_map(Pause::WeekEdge),
        1 => (-1..=1i64).prop_map(|ms| Pause::Ms(RETENTION_MS + ms)),
        1 => (4..7i64).prop_map(|weeks| Pause::Ms(weeks * WEEK_MS + DAY_MS)),
        1 => (1..DAY_MS).prop_map(Pause::Back),
    ]
}

/// Plays acts in batches and holds every answer against the model.
fn play(batches: &[(Pause, Vec<Act>)]) {
    let mut shard = Shard::new(LIMIT, SALE_MAX);
    let mut model = Model::default();
    for (pause, acts) in batches {
        let clock_ms = shard.facts().clock_ms();
        shard.now_ms = match pause {
            Pause::None => clock_ms,
            Pause::Ms(ms) => clock_ms + ms,
            Pause::WeekEdge(ms) => {
                (MONDAY_MS + (Model::week(clock_ms) + 1) * WEEK_MS + ms).max(clock_ms)
            }
            Pause::Back(ms) => clock_ms - ms,
        };
        let now = shard.now_ms.max(clock_ms);
        let bodies = acts.iter().filter_map(|act| match *act {
            Act::Sell { id, quantity, site } => Some(sale(id, 1, quantity, site)),
            Act::Void { id, sale, site } => Some(void(id, 1, sale, site)),
            Act::Check { .. } => None,
        });
        let mut outcomes = shard.batch(bodies.collect()).into_iter();
        for act in acts {
            match *act {
                Act::Sell { id, quantity, site } => {
                    judge_sale(
                        &mut model,
                        outcomes.next().unwrap(),
                        id,
                        quantity,
                        site,
                        now,
                    );
                }
                Act::Void { id, sale, site } => {
                    judge_void(&mut model, outcomes.next().unwrap(), id, sale, site, now);
                }
                Act::Check { .. } => {}
            }
        }
        for act in acts {
            if let Act::Check { quantity } = act {
                judge_check(&model, &shard, *quantity, now);
            }
        }
    }
    judge_totals(&model, &shard);
}

/// Whether this is a repeat or a conflict, and then whether it was answered as one.
fn is_repeat(model: &Model, outcome: &Outcome, id: u64, content: &str, now: i64) -> bool {
    let Some((_, earlier, answer)) = model.answered(id, now) else {
        return false;
    };
    if earlier != content {
        assert_eq!(error_kind(outcome), CommandErrorKind::RequestIdConflict);
        return true;
    }
    let repeat = match answer.clone() {
        Outcome::Record(mut record) => {
            record.repeated = true;
            Outcome::Record(record)
        }
        Outcome::Void(mut void) => {
            void.repeated = true;
            Outcome::Void(void)
        }
        other => other,
    };
    assert_eq!(*outcome, repeat);
    true
}

fn judge_sale(model: &mut Model, outcome: Outcome, id: u64, quantity: u32, site: u64, now: i64) {
    let content = format!("sale of {quantity} at {site}");
    if is_repeat(model, &outcome, id, &content, now) {
        return;
    }
    let record = recorded(outcome.clone());
    let (verdict, at) = (&record.verdict, near(record.verdict.decided_at_ms, now));
    let granted = quantity <= model.remaining(at);
    let mut remembered_from = at;
    if granted {
        remembered_from = near(verdict.purchases[0].recorded_at_ms, now);
        model.sales.push(Sold {
            id,
            quantity,
            site,
            at,
            remembered_from,
            undone: false,
        });
    }
    let remaining = model.remaining(at);
    assert_eq!(
        (verdict.denied.is_none(), record.repeated),
        (granted, false)
    );
    assert_eq!((verdict.remaining, verdict.limit), (remaining, LIMIT));
    let week_end = MONDAY_MS + (Model::week(at) + 1) * WEEK_MS;
    let closed = remaining == 0 || (!granted && quantity <= LIMIT);
    assert_eq!(verdict.next_eligible_ms, closed.then_some(week_end));
    assert_eq!(verdict.window.unwrap().end_ms, week_end);
    assert_eq!(purchases(&verdict.purchases), week(model, at));
    model
        .answers
        .insert(id, (remembered_from, content, outcome));
}

fn judge_void(model: &mut Model, outcome: Outcome, id: u64, sale: u64, site: u64, now: i64) {
    let content = format!("void of {sale} at {site}");
    if is_repeat(model, &outcome, id, &content, now) {
        return;
    }
    let void = voided(outcome.clone());
    let at = near(void.decided_at_ms, now);
    let expected = model.refusal(sale, site, at, now);
    assert_eq!(void.refused, expected.err());
    let quantity = expected.map_or(0, |index| {
        model.sales[index].undone = true;
        model.sales[index].quantity
    });
    assert_eq!(
        (void.quantity, void.remaining),
        (quantity, model.remaining(at))
    );
    if expected != Err(VoidRefusal::SaleNotFound) {
        model.answers.insert(id, (at, content, outcome));
    }
}

fn judge_check(model: &Model, shard: &Shard, quantity: u32, now: i64) {
    let verdict = shard.check(1, quantity);
    let at = near(verdict.decided_at_ms, now);
    assert_eq!(verdict.denied.is_none(), quantity <= model.remaining(at));
    assert_eq!(verdict.remaining, model.remaining(at));
    assert_eq!(purchases(&verdict.purchases), week(model, at));
}

fn judge_totals(model: &Model, shard: &Shard) {
    let summary = shard.summary();
    let units = |sales: &mut dyn Iterator<Item = u32>| sales.map(u64::from).sum::<u64>();
    let (totals, records) = (&summary.totals, &summary.records);
    let undone = || model.sales.iter().filter(|sale| sale.undone);
    assert_eq!(totals.grants, model.sales.len() as u64);
    assert_eq!(
        totals.units_granted,
        units(&mut model.sales.iter().map(|sale| sale.quantity))
    );
    assert_eq!(totals.voids, undone().count() as u64);
    assert_eq!(
        totals.units_voided,
        units(&mut undone().map(|sale| sale.quantity))
    );
    assert_eq!(records.grants + totals.grants_retired, totals.grants);
    assert_eq!(records.units + totals.units_retired, totals.units_granted);
    assert_eq!(records.outbox_rows, totals.grants + totals.voids);
    assert_eq!(records.records_over_limit, 0);
}

type Bought = Vec<(quorate_proto::ids::RequestId, u32)>;

fn purchases(sales: &[quorate_core::ledger::Sale]) -> Bought {
    assert!(sales.iter().all(|sale| sale.voided_at_ms().is_none()));
    sales
        .iter()
        .map(|sale| (sale.request_id, sale.quantity))
        .collect()
}

fn week(model: &Model, at: i64) -> Bought {
    let sales = model.week_sales(at);
    sales
        .map(|sale| (request(sale.id), sale.quantity))
        .collect()
}

/// The time of a decision: now, or so little later that acts of one millisecond can be told apart.
fn near(at: i64, now: i64) -> i64 {
    assert!((now..now + 100).contains(&at), "{at} is not {now}");
    at
}

#[test]
fn random_histories_agree_with_the_model() {
    for (seed, cases) in [([1; 32], 3000), ([2; 32], 3000)] {
        let config = Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let history = vec((pause(), vec(act(), 1..6)), 1..20);
        TestRunner::new_with_rng(config, rng)
            .run(&history, |batches| {
                play(&batches);
                Ok(())
            })
            .unwrap();
    }
}
