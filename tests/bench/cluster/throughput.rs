//! How much a cluster carries, and what it costs.

use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use quorate_harness::cluster::Cluster;
use serde::Serialize;
use serde_json::Value;

use crate::{Options, lawful::Judge, machine};

/// What is asked of the cluster.
struct Load {
    name: &'static str,
    clients: u32,
    connections: u32,
    checks: bool,
}

const LOADS: [Load; 4] = [
    Load {
        name: "sales, 64 clients over 8 connections",
        clients: 64,
        connections: 8,
        checks: false,
    },
    Load {
        name: "sales, 512 clients over 8 connections",
        clients: 512,
        connections: 8,
        checks: false,
    },
    Load {
        name: "sales, 2,000 clients with a connection each",
        clients: 2_000,
        connections: 2_000,
        checks: false,
    },
    Load {
        name: "checks, 512 clients over 8 connections",
        clients: 512,
        connections: 8,
        checks: true,
    },
];

/// One load, measured several times. Latencies in milliseconds; each figure is a median over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) load: &'static str,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p99_9_ms: f64,
    /// Written by the node that wrote most, per sale. `None` for checks.
    pub(crate) bytes_per_sale: Option<f64>,
    /// Cores that the load itself kept busy.
    pub(crate) generator_cores: f64,
    /// Per second, round by round.
    pub(crate) rounds: Vec<f64>,
}

/// A cluster that has sold to many people.
#[derive(Debug, Serialize)]
pub(crate) struct Filled {
    pub(crate) citizens: u64,
    pub(crate) per_second: f64,
    pub(crate) bytes_per_sale: f64,
    pub(crate) node_resident_bytes: Vec<u64>,
}

struct Round {
    per_second: f64,
    latency_us: Value,
    bytes_per_sale: f64,
    generator_cores: f64,
}

/// Measures every load. Rounds of different loads take turns, so that a slow minute hits all of them.
pub(crate) async fn measure(
    cluster: &Cluster,
    options: &Options,
    judge: &mut Judge,
) -> anyhow::Result<Vec<Measured>> {
    let mut rounds: Vec<Vec<Round>> = LOADS.iter().map(|_| Vec::new()).collect();
    for number in 1..=options.rounds {
        for (load, rounds) in LOADS.iter().zip(&mut rounds) {
            println!("round {number} of {}: {}", options.rounds, load.name);
            rounds.push(run(cluster, load, options.seconds, judge)?);
        }
    }
    Ok(LOADS
        .iter()
        .zip(rounds)
        .map(|(load, rounds)| summarize(load, &rounds))
        .collect())
}

/// Sells to many people and reads what that left behind. It keeps no history: listing everybody, as that takes, would
/// be in the memory that is read.
pub(crate) async fn fill(cluster: &Cluster, citizens: u64) -> anyhow::Result<Filled> {
    println!("selling to {citizens} people");
    let before = written(cluster)?;
    let count = citizens.to_string();
    let report = load(
        cluster,
        &["--clients", "512", "--count", &count, "--citizens", &count],
    )?;
    let granted = number(&report, "/sales/granted")?.max(1.0);
    let resident = cluster.nodes.iter().map(|node| {
        let pid = node.pid().context("a node has ended")?;
        machine::resident_bytes(pid)
    });
    Ok(Filled {
        citizens,
        per_second: number(&report, "/sales/per_second")?,
        bytes_per_sale: most_written(&before, &written(cluster)?) / granted,
        node_resident_bytes: resident.collect::<anyhow::Result<_>>()?,
    })
}

fn run(
    cluster: &Cluster,
    load_wanted: &Load,
    seconds: u64,
    judge: &mut Judge,
) -> anyhow::Result<Round> {
    let before = written(cluster)?;
    let clients = load_wanted.clients.to_string();
    let connections = load_wanted.connections.to_string();
    let duration = format!("{seconds}s");
    let mut arguments = vec![
        "--clients",
        &clients,
        "--connections",
        &connections,
        "--duration",
        &duration,
        "--warmup",
        "2s",
    ];
    let (kind, share) = if load_wanted.checks {
        ("checks", "1.0")
    } else {
        ("sales", "0.0")
    };
    arguments.extend(["--checks", share]);
    let (report, _lawful) = judge.play(cluster, &arguments)?;
    let failed = number(&report, "/unknown/left")?;
    ensure!(failed == 0.0, "{failed} sales were left unknown");
    let granted = number(&report, "/sales/granted")?.max(1.0);
    Ok(Round {
        per_second: number(&report, &format!("/{kind}/per_second"))?,
        latency_us: report[kind]["latency_us"].clone(),
        bytes_per_sale: most_written(&before, &written(cluster)?) / granted,
        generator_cores: number(&report, "/generator_cores")?,
    })
}

/// Plays a load to its end, and reads its report.
pub(crate) fn load(cluster: &Cluster, arguments: &[&str]) -> anyhow::Result<Value> {
    let output = Command::new(cluster.program())
        .args(["load", "-o", "json"])
        .args(arguments)
        .arg("--context")
        .arg(cluster.context())
        .output()
        .context("cannot start the load")?;
    if !output.status.success() {
        bail!(
            "the load ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("the load's report cannot be read")
}

fn written(cluster: &Cluster) -> anyhow::Result<Vec<u64>> {
    let nodes = cluster.nodes.iter();
    nodes
        .map(|node| machine::written_bytes(node.pid().context("a node has ended")?))
        .collect()
}

fn most_written(before: &[u64], after: &[u64]) -> f64 {
    let each = before.iter().zip(after);
    each.map(|(before, after)| after - before)
        .max()
        .unwrap_or(0) as f64
}

fn number(report: &Value, pointer: &str) -> anyhow::Result<f64> {
    report
        .pointer(pointer)
        .and_then(Value::as_f64)
        .with_context(|| format!("the load's report has no number at {pointer}"))
}

fn summarize(load: &Load, rounds: &[Round]) -> Measured {
    let median_of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value).collect());
    let latency = |name: &str| {
        median_of(&|round| round.latency_us[name].as_f64().unwrap_or(f64::NAN) / 1000.0)
    };
    Measured {
        load: load.name,
        per_second: median_of(&|round| round.per_second),
        p50_ms: latency("p50"),
        p99_ms: latency("p99"),
        p99_9_ms: latency("p99.9"),
        bytes_per_sale: (!load.checks).then(|| median_of(&|round| round.bytes_per_sale)),
        generator_cores: median_of(&|round| round.generator_cores),
        rounds: rounds.iter().map(|round| round.per_second).collect(),
    }
}

/// The middle value; the lower of the two middle ones of an even number.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(f64::NAN)
}
