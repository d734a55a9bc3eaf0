//! A few faults that need no privileges, in the shape of a run of `make chaos`: struck, proven to have struck,
//! healed, and everything that clients saw judged.

use std::time::Duration;

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

/// Each of these kinds once, in an order that the seed gives.
fn bring(kinds: &[Kind], seed: u64) {
    let directory = tempfile::Builder::new()
        .prefix(&volume::run_directory_prefix())
        .tempdir()
        .expect("a temporary directory");
    let options = RunOptions {
        cluster: ClusterOptions::new(PROGRAM),
        directory: directory.path().to_owned(),
        means: Means::probe_without_volumes(directory.path()),
        seed,
        duration: Duration::MAX / 2,
        steps_max: kinds.len(),
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
    let mut tell = |line: &str| println!("{line}");
    let done = runtime.block_on(run(&options, &mut schedule, &mut report, &mut tell));
    if let Err(error) = done {
        // What it has kept is below.
        let _stays = directory.keep();
        panic!("{error:?}");
    }
    assert_eq!(report.steps.len(), kinds.len());
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
    bring(&kinds, 1);
}

#[test]
fn a_disk_that_forgot_what_it_held_is_refused() {
    bring(&[Kind::StaleCopy, Kind::LostDatabase], 2);
}
