//! Paper is never lost: whatever fails, every sale is recorded exactly once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;
use quorate_client::{
    Rejection, SessionError, WriteError,
    model::{NationalId, Recorded, Sale, SlipAnswer, SlipOutcome, SlipRejection},
};
use quorate_link::{Env, SealingKey};
use quorate_proto::{ids::RequestId, status::ErrorReason};
use quorate_terminal::{
    Counter, Journal, Online, SellError, SharedJournal, Sold, file::DiskFile, hand_in,
    keep_handing_in, limits,
};
use support::{Disk, Ledger, NUMBER, Weather, env, request_id, sale, sealing_key};

const PATIENCE: Duration = Duration::from_secs(1);

fn counter(ledger: &Ledger, disk: &Disk) -> Counter<Ledger> {
    let (journal, _) = Journal::open(Box::new(disk.clone())).unwrap();
    Counter::new(ledger.clone(), SharedJournal::new(journal), None, env())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn a_sale_without_an_answer_goes_on_paper_under_its_own_id() {
    let (ledger, disk) = (Ledger::new(), Disk::default());
    let counter = counter(&ledger, &disk);
    let cases = [
        (Weather::Down, false, SlipOutcome::Accepted),
        (Weather::LostThere, true, SlipOutcome::Accepted),
        (Weather::LostBack, true, SlipOutcome::Duplicate),
    ];
    for ((weather, doubt, expected), number) in cases.into_iter().zip(1..) {
        ledger.set(weather);
        let id = request_id(number);
        let Sold::OnPaper(receipt) = run(counter.sell(id, &sale(), PATIENCE)).unwrap() else {
            panic!("{weather:?}: nobody answered");
        };
        assert_eq!(receipt.request_id, id);
        assert_eq!(receipt.maybe_recorded, doubt, "{weather:?}");
        assert_eq!((receipt.sequence, receipt.waiting), (number.into(), 1));

        ledger.set(Weather::Fine);
        let report = run(hand_in(&ledger, counter.journal(), &env(), |_| {}));
        assert_eq!(report.answers[0].outcome, expected, "{weather:?}");
        assert_eq!(report.waiting, 0);
        assert_eq!(ledger.recorded.lock().unwrap()[&id], 1);
    }
}

#[test]
fn online_needs_no_paper_and_brings_the_key() {
    let (ledger, disk) = (Ledger::new(), Disk::default());
    let first = counter(&ledger, &disk);
    let sold = run(first.sell(request_id(1), &sale(), PATIENCE)).unwrap();
    assert!(matches!(sold, Sold::Online(_)));
    assert_eq!(first.journal().lock().book().waiting(), 0);

    // The next one has never been online itself, and still can seal.
    let offline = Ledger {
        key: None,
        ..Ledger::new()
    };
    offline.set(Weather::Down);
    let second = counter(&offline, &disk);
    let sold = run(second.sell(request_id(2), &sale(), PATIENCE)).unwrap();
    assert!(matches!(sold, Sold::OnPaper(_)));
}

#[test]
fn a_counter_without_any_key_sells_nothing_on_paper() {
    let ledger = Ledger {
        key: None,
        ..Ledger::new()
    };
    ledger.set(Weather::Down);
    let disk = Disk::default();
    let error = run(counter(&ledger, &disk).sell(request_id(1), &sale(), PATIENCE)).unwrap_err();
    assert!(matches!(error, SellError::NoKey));

    let (journal, _) = Journal::open(Box::new(disk)).unwrap();
    let first_key = Some(sealing_key());
    let counter = Counter::new(ledger, SharedJournal::new(journal), first_key, env());
    run(counter.sell(request_id(1), &sale(), PATIENCE)).unwrap();
}

#[test]
fn what_is_no_id_is_not_sold_on_paper_and_never_echoed() {
    let (ledger, disk) = (Ledger::new(), Disk::default());
    ledger.set(Weather::Down);
    let counter = counter(&ledger, &disk);
    let mistyped = Sale {
        citizen: NationalId::new(NationalId::KR_RRN, "901301-1234568"),
        ..sale()
    };
    let error = run(counter.sell(request_id(1), &mistyped, PATIENCE)).unwrap_err();
    assert!(matches!(error, SellError::Shape(_)));
    assert!(!error.to_string().contains("9013"));
    assert_eq!(counter.journal().lock().book().waiting(), 0);
}

#[test]
fn an_outage_makes_the_counter_quicker_until_it_is_over() {
    let (ledger, disk) = (Ledger::new(), Disk::default());
    let counter = counter(&ledger, &disk);
    for (weather, number) in [Weather::Down, Weather::Down, Weather::Fine, Weather::Fine]
        .into_iter()
        .zip(1..)
    {
        ledger.set(weather);
        run(counter.sell(request_id(number), &sale(), PATIENCE)).unwrap();
    }
    let short = limits::ONLINE_PATIENCE_IN_OUTAGE;
    let waited = ledger.patience.lock().unwrap().clone();
    assert_eq!(waited, [PATIENCE, short, short, PATIENCE]);
}

/// Answers every sale with one error.
struct Refusing(WriteError);

impl Online for Refusing {
    fn identity(&self) -> &quorate_client::TerminalIdentity {
        unreachable!("nothing is written")
    }

    fn sealing_key(&self) -> Option<SealingKey> {
        None
    }

    async fn record(&self, _: RequestId, _: &Sale, _: Duration) -> Result<Recorded, WriteError> {
        Err(self.0.clone())
    }

    async fn hand_in(
        &self,
        _: &[quorate_client::SignedSlip],
        _: Duration,
        _: &mut (dyn FnMut(SlipAnswer) + Send),
    ) -> Result<(), quorate_client::ReadError> {
        Ok(())
    }
}

#[test]
fn what_a_gateway_refused_is_never_sold_on_paper() {
    let rejection = Rejection {
        reason: Some(ErrorReason::InvalidQuantity),
        message: "too many".to_owned(),
        field: None,
    };
    let refusals = [
        WriteError::Rejected(rejection.clone()),
        WriteError::Session(SessionError::Rejected(rejection)),
    ];
    for refusal in refusals {
        let (journal, _) = Journal::open(Box::new(Disk::default())).unwrap();
        let journal = SharedJournal::new(journal);
        let key = Some(sealing_key());
        let counter = Counter::new(Refusing(refusal.clone()), journal, key, env());
        let error = run(counter.sell(request_id(1), &sale(), PATIENCE)).unwrap_err();
        assert!(matches!(error, SellError::Refused(found) if found == refusal));
        assert_eq!(counter.journal().lock().book().waiting(), 0);
    }
}

#[test]
fn a_stolen_journal_reads_as_noise() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("slips.journal");
    let ledger = Ledger::new();
    ledger.set(Weather::Down);
    let file = DiskFile::open(&path).unwrap();
    let (journal, _) = Journal::open(Box::new(file)).unwrap();
    let counter = Counter::new(ledger, SharedJournal::new(journal), None, env());
    for number in 1..=20 {
        run(counter.sell(request_id(number), &sale(), PATIENCE)).unwrap();
    }
    drop(counter);
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 20 * 200);
    let digits = NUMBER.replace('-', "");
    for part in [NUMBER, &digits, "900101", "1234568", "KR-RRN"] {
        let part = part.as_bytes();
        let found = bytes.windows(part.len()).any(|window| window == part);
        assert!(!found, "a part of the ID is on the disk");
    }
}

#[test]
fn every_rejection_is_final_and_kept() {
    for rejection in SlipRejection::ALL {
        let (ledger, disk) = (Ledger::new(), Disk::default());
        ledger.set(Weather::Down);
        run(counter(&ledger, &disk).sell(request_id(1), &sale(), PATIENCE)).unwrap();
        ledger.set(Weather::Fine);
        *ledger.outcome.lock().unwrap() = SlipOutcome::Rejected(rejection);
        let reopened = counter(&ledger, &disk);
        run(hand_in(&ledger, reopened.journal(), &env(), |_| {}));
        let reopened = counter(&ledger, &disk);
        let journal = reopened.journal().lock();
        let settled = journal.book().entries()[0].settled.clone().unwrap();
        assert_eq!(settled.answer.outcome, SlipOutcome::Rejected(rejection));
        assert_eq!(settled.answer.detail, "in words");
        assert_eq!(journal.book().waiting(), 0);
    }
}

#[test]
fn what_is_not_decided_waits_and_says_why() {
    let (ledger, disk) = (Ledger::new(), Disk::default());
    ledger.set(Weather::Down);
    let counter = counter(&ledger, &disk);
    run(counter.sell(request_id(1), &sale(), PATIENCE)).unwrap();
    ledger.set(Weather::NotDecided);
    let report = run(hand_in(&ledger, counter.journal(), &env(), |_| {}));
    assert_eq!((report.waiting, report.answers.len()), (1, 1));
    ledger.set(Weather::Down);
    let report = run(hand_in(&ledger, counter.journal(), &env(), |_| {}));
    assert!(report.stopped_by.is_some());
    let journal = counter.journal().lock();
    let why = journal.book().entries()[0].last_try.clone().unwrap();
    assert!(why.contains("nobody answers"), "{why}");
}

#[test]
fn the_background_hands_in_as_soon_as_it_can() {
    let (ledger, disk) = (Ledger::new(), Disk::default());
    let counter = counter(&ledger, &disk);
    ledger.set(Weather::Down);
    for number in 1..=3 {
        run(counter.sell(request_id(number), &sale(), PATIENCE)).unwrap();
    }
    ledger.set(Weather::Fine);
    let env = env();
    run(async {
        let written = tokio::sync::Notify::new();
        let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
        let changed = move || heard.send(()).unwrap();
        let uploads = keep_handing_in(&ledger, counter.journal(), &env, &written, changed);
        tokio::select! {
            () = uploads => unreachable!("it never ends"),
            heard = hears.recv() => assert!(heard.is_some()),
        }
    });
    assert_eq!(counter.journal().lock().book().waiting(), 0);
    assert_eq!(ledger.recorded.lock().unwrap().len(), 3);
}

#[test]
fn a_journal_is_written_anew_when_nothing_waits_and_numbers_go_on() {
    let (ledger, disk) = (Ledger::new(), Disk::default());
    let counter_one = counter(&ledger, &disk);
    ledger.set(Weather::Down);
    let mut longest = 0;
    let mut number = 0u32;
    while longest <= limits::COMPACT_ABOVE_BYTES as usize {
        number += 1;
        let id = RequestId::from_bytes(u128::from(number).to_be_bytes()).unwrap();
        run(counter_one.sell(id, &sale(), PATIENCE)).unwrap();
        longest = disk.bytes().len();
    }
    ledger.set(Weather::Fine);
    run(hand_in(&ledger, counter_one.journal(), &env(), |_| {}));
    assert!(disk.bytes().len() < longest / 2);
    drop(counter_one);
    let again = counter(&ledger, &disk);
    let journal = again.journal().lock();
    assert_eq!(journal.book().entries().len(), limits::SETTLED_KEPT);
    assert_eq!(journal.book().next_sequence(), u64::from(number) + 1);
    assert_eq!(journal.book().key(), Some(&sealing_key()));
    assert_eq!(ledger.recorded.lock().unwrap().len(), number as usize);
}

/// Sells three on paper, hands in, sells one more; which of them the clerk was told of.
fn day(ledger: &Ledger, disk: &Disk) -> Vec<RequestId> {
    let Ok((journal, _)) = Journal::open(Box::new(disk.clone())) else {
        return Vec::new();
    };
    let counter = Counter::new(ledger.clone(), SharedJournal::new(journal), None, env());
    let mut told = Vec::new();
    let mut sell = |number| {
        ledger.set(Weather::Down);
        if run(counter.sell(request_id(number), &sale(), PATIENCE)).is_ok() {
            told.push(request_id(number));
        }
    };
    (1..=3).for_each(&mut sell);
    ledger.set(Weather::Fine);
    run(hand_in(ledger, counter.journal(), &env(), |_| {}));
    sell(4);
    told
}

#[test]
fn power_may_go_at_every_write() {
    let whole = Disk::default();
    assert_eq!(day(&Ledger::new(), &whole).len(), 4);
    let operations = whole.operations();
    assert!(operations >= 8, "{operations}");
    for at in 0..operations {
        for survives in [0, 1, 11, 12, 100, usize::MAX / 2] {
            let (ledger, disk) = (Ledger::new(), Disk::default());
            disk.fail_at(at);
            let told = day(&ledger, &disk);
            disk.power_on(survives);

            let after = counter(&ledger, &disk);
            ledger.set(Weather::Down);
            run(after.sell(request_id(9), &sale(), PATIENCE)).unwrap();
            ledger.set(Weather::Fine);
            let report = run(hand_in(&ledger, after.journal(), &env(), |_| {}));
            assert_eq!(report.waiting, 0);
            let recorded = ledger.recorded.lock().unwrap();
            for id in told.iter().chain([&request_id(9)]) {
                assert_eq!(
                    recorded.get(id),
                    Some(&1),
                    "operation {at}, {survives} bytes"
                );
            }
            let sequences: BTreeSet<_> = {
                let journal = after.journal().lock();
                let entries = journal.book().entries().iter();
                entries.map(|entry| entry.slip.sequence()).collect()
            };
            assert_eq!(
                sequences.len(),
                after.journal().lock().book().entries().len(),
                "no sequence twice"
            );
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Sell(Weather),
    HandIn(Weather),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let weather = prop_oneof![
        Just(Weather::Fine),
        Just(Weather::Down),
        Just(Weather::LostThere),
        Just(Weather::LostBack),
        Just(Weather::NotDecided),
    ];
    let step = prop_oneof![
        4 => weather.clone().prop_map(Step::Sell),
        3 => weather.prop_map(Step::HandIn),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// P4: any sequence of sales, doubts, uploads, repetitions and losses of power.
    #[test]
    fn every_sale_is_recorded_exactly_once(steps in steps()) {
        let (ledger, disk, env): (Ledger, Disk, Env) = (Ledger::new(), Disk::default(), env());
        let mut at = counter(&ledger, &disk);
        let mut sold = BTreeSet::new();
        for step in steps {
            match step {
                Step::Sell(weather) => {
                    ledger.set(weather);
                    let id = request_id(sold.len() as u8 + 1);
                    run(at.sell(id, &sale(), PATIENCE)).unwrap();
                    sold.insert(id);
                }
                Step::HandIn(weather) => {
                    ledger.set(weather);
                    run(hand_in(&ledger, at.journal(), &env, |_| {}));
                }
                Step::Restart => {
                    disk.power_on(0);
                    at = counter(&ledger, &disk);
                }
            }
        }
        ledger.set(Weather::Fine);
        run(hand_in(&ledger, at.journal(), &env, |_| {}));
        prop_assert_eq!(at.journal().lock().book().waiting(), 0);
        let recorded = ledger.recorded.lock().unwrap();
        prop_assert_eq!(recorded.keys().copied().collect::<BTreeSet<_>>(), sold);
        prop_assert!(recorded.values().all(|times| *times == 1));
    }
}
