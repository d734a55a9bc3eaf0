//! Measures the public API of a gateway on this machine, client and server together.
//!
//! A gateway for the public alone is fed by scripted nodes with a real list of sites, filled up with
//! synthetic neighbours. Measured are: what the sites take in memory, how many `storesByGeo?m=1000` answers
//! about random real places a second brings over kept connections, and for how many of the sites the
//! question that their own address begins with finds them. The report goes to the terminal and, as
//! Markdown and JSON, to `docs/bench/`.

#[path = "public/country.rs"]
mod country;
#[path = "public/load.rs"]
mod load;
#[path = "../../gateway/tests/support/mod.rs"]
mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use quorate_gateway::GatewayConfig;
use quorate_link::{Env, certs::CertificateAuthority};
use quorate_proto::internal::{SiteFrame, SiteState};
use serde::Serialize;
use tokio::sync::oneshot;

use support::{CLUSTER, gateway_config, node::ScriptedNode};

/// Sites of the country.
const SITES: usize = 27_000;
const CONNECTIONS: usize = 32;
const SECONDS: u64 = 10;
const ROUNDS: usize = 3;

/// Bars that the service must pass.
const MEMORY_MIB_MAX: f64 = 100.0;
const ANSWERS_MIN: f64 = 10_000.0;

#[derive(Debug, Serialize)]
struct Report {
    sites: usize,
    memory_mib: f64,
    fed_within_ms: u128,
    connections: usize,
    /// The median round.
    answers_per_second: f64,
    p50_us: u64,
    p99_us: u64,
    bytes_per_answer: usize,
    addresses: country::AddressShares,
}

/// Where the list is looked for when nothing is said: beside the project.
fn list_path() -> PathBuf {
    let given = std::env::args()
        .skip(1)
        .find(|word| !word.starts_with("--"));
    let usual = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/data/sites_kr_2020-03-15.csv"
    );
    given.map_or_else(|| usual.into(), Into::into)
}

fn main() {
    let path = list_path();
    if !path.exists() {
        println!("skipped: there is no list of sites at {}", path.display());
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let report = runtime.expect("a runtime").block_on(measure(&path));
    let text = report.to_markdown();
    println!("{text}");
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/bench"));
    let json = serde_json::to_string_pretty(&report).expect("numbers are JSON") + "\n";
    fs::write(directory.join("public.md"), text).expect("the report is written");
    fs::write(directory.join("public.json"), json).expect("the report is written");
}

async fn measure(path: &Path) -> Report {
    let env = Env::system();
    let authority = CertificateAuthority::new(CLUSTER).expect("an authority");
    let mut nodes = Vec::new();
    for id in 1..=3 {
        nodes.push(ScriptedNode::start(id, &authority, &env).await);
    }
    let addresses: Vec<String> = nodes.iter().map(|node| node.address.clone()).collect();
    let node = &nodes[0];
    node.publish(
        Some(support::view(&addresses, 1)),
        vec![(0, 1, 1), (1, 1, 1)],
    );
    let config = GatewayConfig {
        terminals: None,
        ..gateway_config(&authority, vec![node.address.clone()])
    };
    let (ready, listening) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let gateway = quorate_gateway::run(config, env.clone(), ready, async {
        let _ = stopped.await;
    });
    let mut gateway = env.spawn("gateway", async move {
        gateway.await.expect("the gateway runs");
    });
    let address = listening
        .await
        .expect("it listens")
        .public
        .expect("to the public");
    node.accepted().await;

    let sites = country::read(path, SITES);
    let places = country::places(&sites);
    let questions = country::Questions::of(&sites);
    // The list is in memory once before and, in the gateway's own form, once more after.
    let frames = frames(sites);
    load::get(address, "/v1/status").await;
    let before = resident_mib();
    let started = env.monotonic();
    node.greet(frames);
    load::until_says(address, "/v1/status", &format!("\"sites\":{SITES}"), &env).await;
    let fed_within_ms = (env.monotonic() - started).as_millis();
    let memory_mib = resident_mib() - before;

    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(
            load::run(
                address,
                &places,
                CONNECTIONS,
                Duration::from_secs(SECONDS),
                &env,
            )
            .await,
        );
    }
    rounds.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    let median = &rounds[ROUNDS / 2];
    let addresses = questions.ask(address).await;
    drop(stop);
    gateway.finished().await;
    Report {
        sites: SITES,
        memory_mib,
        fed_within_ms,
        connections: CONNECTIONS,
        answers_per_second: median.per_second,
        p50_us: median.p50_us,
        p99_us: median.p99_us,
        bytes_per_answer: median.bytes_per_answer,
        addresses,
    }
}

/// A whole snapshot of shard 1, in pieces as a node cuts it.
fn frames(sites: Vec<SiteState>) -> Vec<SiteFrame> {
    let mut frames: Vec<SiteFrame> = sites
        .chunks(500)
        .map(|sites| SiteFrame {
            shard: 1,
            term: 1,
            sites: sites.to_vec(),
            ..SiteFrame::default()
        })
        .collect();
    frames[0].snapshot_start = true;
    frames.last_mut().expect("a country has sites").snapshot_end = true;
    frames
}

fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says what a process holds");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<f64>().ok())
        .expect("a number of KiB")
        / 1024.0
}

impl Report {
    fn to_markdown(&self) -> String {
        let verdict = |holds: bool| if holds { "holds" } else { "**missed**" };
        format!(
            "# Public API\n\n\
             Gateway, feed and load share the machine's {} cores.\n\n\
             | what | measured | bar | |\n|---|---|---|---|\n\
             | memory of {} sites | {:.0} MiB, buffers of the feed and its node included | at most {MEMORY_MIB_MAX:.0} MiB | {} |\n\
             | `storesByGeo?m=1000` over {} kept connections | {:.0} answers/s, {} bytes each | at least {ANSWERS_MIN:.0} | {} |\n\
             | time of one answer | p50 {} µs, p99 {} µs | | |\n\
             | from the first piece of the feed to the finished index | {} ms | | |\n\
             | sites found by province and district of their own address | {:.2} % | | |\n\
             | sites found by province, district and quarter in parentheses | {:.2} % | | |\n",
            std::thread::available_parallelism().map_or(1, usize::from),
            self.sites,
            self.memory_mib,
            verdict(self.memory_mib <= MEMORY_MIB_MAX),
            self.connections,
            self.answers_per_second,
            self.bytes_per_answer,
            verdict(self.answers_per_second >= ANSWERS_MIN),
            self.p50_us,
            self.p99_us,
            self.fed_within_ms,
            self.addresses.by_district_percent,
            self.addresses.by_quarter_percent,
        )
    }
}
