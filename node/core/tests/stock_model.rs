//! Three shards and a careless courier against a model that fits on a screen: sales, voids, slips and goods
//! in, while deliveries are repeated, overtaken, sent again from an old position, lost, or heard too late to be
//! acknowledged. Whatever has happened so far, what a site has counted is what the citizens' records say,
//! less the rows behind its watermark; in the end nothing is on its way.
//!
//! The runs are fixed: the same seed always plays the same cases. A failure prints the shrunk case.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod three_shards;

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use quorate_core::{checkpoint, ledger::CommandBody, limits};
use quorate_proto::ids::ShardId;
use three_shards::{Act, CITIZENS, Fault, SHARDS, SITES, World};

fn play(acts: &[Act], fault: Fault) -> Result<(), String> {
    let mut world = World::new(fault);
    for act in acts {
        world.act(*act);
        world.check()?;
    }
    world.settle();
    world.check()?;
    // A while later nothing of the outboxes is left, and the sums still know of every row.
    for _ in 0..3 {
        world.now_ms += limits::OUTBOX_KEPT_MS;
        for source in 1..=SHARDS {
            let seq = world.done_through(source);
            world.apply(source, CommandBody::AcknowledgeOutbox { seq });
        }
    }
    for source in 1..=SHARDS {
        let summary = checkpoint::summarize(&world.shards[&source], ShardId(source)).unwrap();
        assert!(summary.stock.rows.is_empty());
        let totals = &summary.totals;
        let moved = totals.grants + totals.slips + totals.voids;
        assert_eq!(summary.records.outbox_rows, moved);
    }
    world.check()
}

fn act() -> impl Strategy<Value = Act> {
    let shard = || 1..=SHARDS;
    prop_oneof![
        6 => (0..CITIZENS, 1..=SITES, 1..3u32)
            .prop_map(|(who, site, quantity)| Act::Sell { who, site, quantity }),
        2 => (0..CITIZENS, 1..=SITES, 1..4u32, 0..400i64)
            .prop_map(|(who, site, quantity, age_min)| Act::Slip { who, site, quantity, age_min }),
        2 => any::<usize>().prop_map(|sale| Act::Void { sale }),
        1 => (1..SITES, 1..300u32).prop_map(|(site, quantity)| Act::Receive { site, quantity }),
        6 => (shard(), shard(), 0..6u64, 1..5usize)
            .prop_map(|(source, target, again, rows)| Act::Send { source, target, again, rows }),
        8 => (any::<usize>(), any::<bool>(), any::<bool>())
            .prop_map(|(index, again, heard)| Act::Arrive { index, again, heard }),
        3 => shard().prop_map(|source| Act::Acknowledge { source }),
        2 => prop_oneof![Just(1), Just(2), Just(70)].prop_map(|minutes| Act::Pass { minutes }),
    ]
}

fn runner(seed: u8, cases: u32) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(
        config,
        TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]),
    )
}

#[test]
fn every_row_is_applied_once_whatever_the_courier_does() {
    runner(7, 150)
        .run(&vec(act(), 1..60), |acts| {
            play(&acts, Fault::None).map_err(TestCaseError::fail)
        })
        .unwrap();
}

#[test]
fn planted_faults_are_found() {
    for fault in [Fault::ForgetWatermark, Fault::PassOver] {
        let found = runner(7, 150).run(&vec(act(), 1..60), |acts| {
            play(&acts, fault).map_err(TestCaseError::fail)
        });
        assert!(found.is_err(), "{fault:?} was not found");
    }
}
