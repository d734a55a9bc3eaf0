//! Measures a cluster of three nodes and a gateway on this machine: `make bench`.
//!
//! Loads are judged by their histories: figures of a cluster that breaks a promise are worth nothing. Everything runs
//! here: nodes, gateway and load share the machine's cores. Each figure is the median of several rounds; single runs
//! on a shared machine say little. The report goes to the terminal and, as Markdown and JSON, to `docs/bench/`.

#[path = "cluster/failover.rs"]
mod failover;
#[path = "cluster/freshness.rs"]
mod freshness;
#[path = "cluster/lawful.rs"]
mod lawful;
#[path = "cluster/machine.rs"]
mod machine;
#[path = "cluster/report.rs"]
mod report;
#[path = "cluster/throughput.rs"]
mod throughput;

use std::path::PathBuf;

use clap::Parser;
use quorate_harness::cluster::ClusterOptions;
use quorate_harness::with_cluster;

use lawful::Judge;
use report::Report;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quorate");

/// Measure a cluster on this machine.
#[derive(Parser, Debug)]
struct Options {
    /// Rounds of each measurement; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,

    /// Seconds of each round
    #[arg(long, default_value_t = 10)]
    seconds: u64,

    /// Sales to as many different people before memory is read
    #[arg(long, default_value_t = 1_000_000)]
    citizens: u64,

    /// Where the report is written
    #[arg(long, default_value = "docs/bench")]
    report_dir: PathBuf,

    /// Passed by `cargo bench`; changes nothing
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        let machine = machine::describe();
        println!("{machine}");
        let mut judge = Judge::new(cluster);
        judge.play_first(cluster)?;
        let loads = throughput::measure(cluster, &options, &mut judge).await?;
        let failovers = failover::measure(cluster, options.rounds).await?;
        let freshness = freshness::measure(cluster, options.seconds.max(10), &mut judge).await?;
        let filled = throughput::fill(cluster, options.citizens).await?;
        let report = Report {
            machine,
            rounds: options.rounds,
            seconds: options.seconds,
            loads,
            failovers,
            freshness,
            filled,
            judged_calls: judge.calls,
        };
        println!("\n{}", report.to_markdown());
        report.write(&options.report_dir)
    });
}
