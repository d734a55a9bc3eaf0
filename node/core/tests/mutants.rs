//! The planted bugs of the core really misbehave: what the tests of the whole have to find is there.
//!
//! Only with the feature `planted-bugs`: `cargo test -p quorate-core --features planted-bugs --test mutants`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::num::NonZeroU32;

use common::{CLAIMS, NINE_MS, Shard, citizen, mask, recorded, request, sale, site};
use quorate_core::{
    ledger::{AdoptRange, CommandBody, Outcome, RecordSlip, SlipResult},
    planted::{Bug, plant_here},
};
use quorate_proto::{
    ids::{DeviceId, Epoch, RingPosition},
    ring::RingRange,
};

/// What happens without the bug, and with it.
fn without_and_with<T>(bug: Bug, play: impl Fn() -> T) -> (T, T) {
    plant_here(None);
    let sound = play();
    plant_here(Some(bug));
    let broken = play();
    plant_here(None);
    (sound, broken)
}

#[test]
fn a_sale_that_is_sent_again_is_recorded_again() {
    let sales = without_and_with(Bug::DoubleApply, || {
        let mut shard = Shard::new(10, 10);
        shard.sell(1, 1, 2);
        let again = recorded(shard.one(sale(1, 1, 2, 1)));
        (again.repeated, shard.list(1).len())
    });
    assert_eq!(sales, ((true, 1), (false, 2)));
}

#[test]
fn two_sales_at_once_take_more_than_the_ration() {
    let units = without_and_with(Bug::CheckThenRecord, || {
        let mut shard = Shard::new(2, 2);
        shard.sell(1, 1, 2);
        shard.now_ms += 10;
        shard.sell(2, 1, 2);
        // What is old enough is seen.
        shard.now_ms += 100;
        shard.sell(3, 1, 2);
        shard.list(1).iter().map(|sale| sale.quantity).sum::<u32>()
    });
    assert_eq!(units, (2, 4));
}

/// The same batches on two replicas.
fn replicas_agree() -> bool {
    let replica = || {
        let mut shard = Shard::new(100, 10);
        for id in 0..100 {
            shard.sell(id, id % 9, 1);
        }
        shard.rows
    };
    replica() == replica()
}

#[test]
fn replicas_that_decide_by_their_own_clocks_differ() {
    assert_eq!(
        without_and_with(Bug::ClockInApply, replicas_agree),
        (true, false)
    );
}

#[test]
fn replicas_that_decide_by_chance_differ() {
    assert_eq!(
        without_and_with(Bug::RandomInApply, replicas_agree),
        (true, false)
    );
}

#[test]
fn a_shard_takes_what_it_does_not_own() {
    let granted = without_and_with(Bug::WrongShardWrite, || {
        let mut shard = Shard::empty();
        let own = citizen(1).position().get();
        let elsewhere = RingRange::new(RingPosition(own + 1), RingPosition(own + 1)).unwrap();
        shard.batch(vec![
            CommandBody::AdoptRange(AdoptRange {
                range: elsewhere,
                epoch: Epoch(1),
            }),
            CommandBody::PutProgram(common::program(&[common::rule("r1", 0, 2, 2)], 1)),
        ]);
        matches!(shard.one(sale(1, 1, 1, 1)), Outcome::Record(_))
    });
    assert_eq!(granted, (false, true));
}

#[test]
fn a_slip_beyond_the_ration_is_acknowledged_and_not_recorded() {
    let slip = |id, quantity| {
        CommandBody::RecordSlip(RecordSlip {
            request_id: request(id),
            citizen: citizen(1),
            program: mask(),
            product: None,
            quantity: NonZeroU32::new(quantity).unwrap(),
            site: site(1),
            site_suspended: false,
            claims: CLAIMS,
            proxy_ground: None,
            sold_at_ms: NINE_MS,
            device_id: DeviceId::parse("till-1").unwrap(),
            sequence: id,
        })
    };
    let recorded = without_and_with(Bug::SlipDropped, || {
        let mut shard = Shard::new(2, 2);
        let results = [slip(1, 2), slip(2, 1)].map(|slip| match shard.one(slip) {
            Outcome::Slip(outcome) => outcome.result,
            other => panic!("not a slip's outcome: {other:?}"),
        });
        assert_eq!(
            results,
            [SlipResult::Accepted, SlipResult::OverQuotaRecorded]
        );
        shard.list(1).len()
    });
    assert_eq!(recorded, (2, 1));
}
