//! What the public once saw, played again through a cluster of real processes by `quorate replay`.

use std::path::Path;

use anyhow::{Context as _, ensure};
use quorate_harness::{
    cli::Cli,
    cluster::{self, ClusterOptions},
    with_cluster,
};
use quorate_link::Env;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quorate");
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/replay/two-sites.csv");
/// Recorded in March 2020; beside the project, where it is there at all.
const REAL_RECORD: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../shared/data/stock_transitions_2020-03.csv"
);

/// Plays on a cluster that the command founds for itself.
fn play(arguments: &[&str]) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _turn = runtime.block_on(cluster::take_turn(&Env::system()))?;
    // It needs no context: it makes its own.
    let cli = Cli::new(Path::new(PROGRAM), Path::new("no-context.toml"));
    let report = cli.run(0, &[&["replay"], arguments].concat())?;
    let levels = report["levels"].as_array().context("a list of levels")?;
    println!("{} levels, lag {}", levels.len(), report["lag_ms"]);
    ensure!(report["equal"] == true && !levels.is_empty(), "{report}");
    Ok(())
}

#[test]
fn levels_are_shown_as_they_were_recorded() -> anyhow::Result<()> {
    play(&[RECORD])
}

/// One site and day of the real record; the whole takes some minutes.
#[test]
fn a_real_day_is_shown_as_it_was_recorded() -> anyhow::Result<()> {
    if !Path::new(REAL_RECORD).exists() {
        println!("skipped: {REAL_RECORD} is not there");
        return Ok(());
    }
    play(&[
        REAL_RECORD,
        "--only",
        "31897100,2020-03-18",
        "--speed",
        "900",
    ])
}

#[test]
fn a_cluster_in_real_time_is_refused() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        let cli = cluster.cli();
        let said = cli.complaint(2, &["replay", RECORD, "--running"])?;
        ensure!(said.contains("runs in real time"), "{said}");
        Ok(())
    });
}
