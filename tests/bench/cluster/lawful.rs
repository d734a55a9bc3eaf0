//! Before anything is measured: short loads of both kinds, each with a history that every law is held against.
//! Writing a history takes the generator's time, so the loads that are measured keep none.

use std::fs;

use anyhow::ensure;
use quorate_harness::{cluster::Cluster, judge::judge_file};

use crate::{freshness, throughput};

/// Visits of the steady load, each person's share of them, and what a visit buys of the 100 units a week: the
/// fourth sale to a person is denied.
const VISITS: &str = "20000";
const PEOPLE: &str = "4000";
const QUANTITY: &str = "30";
/// The morning: its people, their arrivals a second, its sites.
const MORNING_PEOPLE: &str = "4000";
const MORNING_RATE: &str = "800";
const MORNING_SITES: u32 = 20;
/// Fixed, so that nobody is of both populations.
const SEEDS: [&str; 2] = ["1", "2"];

/// Plays both on a cluster that has sold nothing yet, and judges them.
pub(crate) fn judge(cluster: &Cluster) -> anyhow::Result<()> {
    let steady = [
        "--count",
        VISITS,
        "--citizens",
        PEOPLE,
        "--qty",
        QUANTITY,
        "--checks",
        "0.2",
        "--seed",
        SEEDS[0],
    ];
    play(cluster, "steady", &steady)?;
    let sites = cluster.path("lawful-sites.csv");
    fs::write(&sites, freshness::sites(MORNING_SITES))?;
    let sites = sites.to_string_lossy();
    let morning = [
        "--profile",
        "morning",
        "--citizens",
        MORNING_PEOPLE,
        "--rate",
        MORNING_RATE,
        "--sites",
        &sites,
        "--seed",
        SEEDS[1],
    ];
    play(cluster, "morning", &morning)
}

fn play(cluster: &Cluster, name: &str, load: &[&str]) -> anyhow::Result<()> {
    println!("judging a {name} load");
    let history = cluster.path(&format!("history-{name}.jsonl"));
    let path = history.to_string_lossy();
    let kept = ["--verify", "--history", &path];
    let played = throughput::load(cluster, &[load, &kept].concat())?;
    let report = judge_file(&history)?;
    println!("{report}");
    ensure!(
        played["verify"]["agrees"] == true && played["sales"]["granted"] == report.grants,
        "the cluster, the load and its history count differently: {played}"
    );
    Ok(())
}
