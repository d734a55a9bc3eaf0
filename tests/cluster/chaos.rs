//! A few faults that need no privileges, in the shape of a run of `make chaos`: struck, proven to have struck,
//! healed, and everything that clients saw judged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use quorate_chaos::{
    kind::Kind,
    means::Means,
    report::RunReport,
    run::{RunOptions, run},
    schedule::Schedule,
    volume,
};
use quorate_harness::cluster::ClusterOptions;
use tokio::runtime::Builder;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quorate");

/// Each of these kinds once, in an order that the seed gives; after so many steps somebody asks for the end.
fn bring(kinds: &[Kind], seed: u64, asked_to_end_after: usize) {
    let directory = tempfile::Builder::new()
        .prefix(&volume::run_directory_prefix())
        .tempdir()
        .expect("a temporary directory");
    let asked_to_end = Arc::new(AtomicBool::new(false));
    let options = RunOptions {
        cluster: ClusterOptions::new(PROGRAM),
        directory: directory.path().to_owned(),
        means: Means::probe_without_volumes(directory.path()),
        seed,
        duration: Duration::MAX / 2,
        steps_max: kinds.len(),
        asked_to_end: asked_to_end.clone(),
        steps_per_round: kinds.len(),
        clients: 16,
        interval: Duration::from_millis(10),
        // No bar is held here.
        watch: Duration::from_secs(1),
        fill: 0,
    };
    for kind in kinds {
        assert_eq!(options.means.missing(*kind), None, "{kind}");
    }
    let mut report = RunReport::default();
    let mut schedule = Schedule::new(seed, kinds).unmixed();
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let last = format!("step {asked_to_end_after}: ");
    let mut tell = |line: &str| {
        println!("{line}");
        asked_to_end.fetch_or(line.starts_with(&last), Ordering::Relaxed);
    };
    let done = runtime.block_on(run(&options, &mut schedule, &mut report, &mut tell));
    if let Err(error) = done {
        // What it has kept is below.
        let _stays = directory.keep();
        panic!("{error:?}");
    }
    assert_eq!(report.steps.len(), asked_to_end_after);
    assert!(report.operations > 0 && report.grants > 0);
}

#[test]
fn faults_of_processes_links_and_syncs() {
    let kinds = [
        Kind::PauseNode,
        Kind::PartitionOneWay,
        Kind::LossyLinks,
        Kind::FailingSync,
    ];
    bring(&kinds, 1, kinds.len());
}

#[test]
fn a_disk_that_forgot_what_it_held_is_refused() {
    bring(&[Kind::StaleCopy, Kind::LostDatabase], 2, 2);
}

#[test]
fn a_run_that_is_asked_to_end_is_judged_as_far_as_it_went() {
    bring(&[Kind::PauseNode, Kind::LossyLinks], 3, 1);
}
