//! How soon the public sees a sale, and how far sales lag behind on their way to their sites, while a morning
//! is played on the same cluster.

use std::{
    fmt::Write as _,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use quorate_client::{
    Operator, Terminal,
    model::{Decision, Sale},
    new_request_id,
    public::Events,
};
use quorate_harness::{
    citizens,
    cluster::{Cluster, SITES, program_id},
};
use quorate_link::Env;
use serde::Serialize;
use serde_json::Value;

use crate::lawful::Judge;

/// Arrivals a second: the national 09:00 burst is 3 to 10 thousand.
const MORNING_RATE: &str = "3000";
/// Sites of the morning; the probed site is none of them.
const MORNING_SITES: u32 = 1_000;
/// For one call.
const CALL_TIME_MAX: Duration = Duration::from_secs(15);
/// A sale that is not seen for so long is lost, not slow.
const SEEN_TIME_MAX: Duration = Duration::from_secs(30);
/// Between two probes, and between two looks at the outboxes.
const PROBE_PAUSE: Duration = Duration::from_millis(50);
/// Log entries a second that tell a morning that is being played from one that is prepared or counted.
const ENTRIES_A_SECOND_MIN: f64 = 150.0;
/// A look that took longer than this says nothing of the rate.
const LOOK_MIN: Duration = Duration::from_millis(10);

/// Milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Freshness {
    pub(crate) arrivals_per_second: f64,
    /// Sales of the probe.
    pub(crate) probes: usize,
    /// From the answer to a sale until the delta stream shows it.
    pub(crate) seen_p50_ms: f64,
    pub(crate) seen_p99_ms: f64,
    /// Age of the oldest row that has not reached its site, over all shards.
    pub(crate) outbox_lag_p50_ms: f64,
    pub(crate) outbox_lag_p99_ms: f64,
}

/// What was looked at, and when.
#[derive(Clone, Copy)]
struct Sample {
    at: Duration,
    ms: f64,
}

#[derive(Default)]
struct Looks {
    outbox: Vec<Sample>,
    /// When the log grew as it does in a morning.
    busy: Vec<Duration>,
}

/// Plays a morning of some seconds and probes meanwhile.
pub(crate) async fn measure(
    cluster: &Cluster,
    seconds: u64,
    judge: &mut Judge,
) -> anyhow::Result<Freshness> {
    println!("freshness under {MORNING_RATE} arrivals a second");
    let sites = cluster.path("morning.csv");
    std::fs::write(&sites, self::sites(MORNING_SITES))?;
    let terminal = cluster.terminal(0)?;
    let request = new_request_id(&cluster.env);
    terminal
        .receive_stock(request, None, 1_000_000, CALL_TIME_MAX)
        .await?;
    let mut events = cluster
        .public(1)
        .events("/v1/deltas", None, CALL_TIME_MAX)
        .await?;

    let looks = Arc::new(Mutex::new(Looks::default()));
    let looking = cluster.env.spawn(
        "look",
        look(cluster.operator()?, looks.clone(), cluster.env.clone()),
    );
    let mut load = Command::new(cluster.program())
        .args(["load", "-o", "json", "--profile", "morning", "--rate"])
        .args([MORNING_RATE, "--duration", &format!("{seconds}s")])
        .args(["--citizens", "2000000", "--sites"])
        .arg(&sites)
        .args(judge.arguments())
        .arg("--context")
        .arg(cluster.context())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the morning")?;
    let mut seen = Vec::new();
    let mut citizen = 150_000_000;
    while load.try_wait()?.is_none() {
        citizen += 1;
        seen.push(probe(&terminal, &mut events, citizen, &cluster.env).await?);
        cluster.env.sleep(PROBE_PAUSE).await;
    }
    looking.abort();
    let output = load.wait_with_output()?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("the morning ended with {}", output.status))?;
    agrees_but_for(seen.len(), &report["verify"])?;
    let _lawful = judge.judge()?;

    let looks = std::mem::take(&mut *looks.lock().unwrap_or_else(PoisonError::into_inner));
    let (first, last) = looks
        .busy
        .first()
        .zip(looks.busy.last())
        .context("the morning was never busy")?;
    let during = |samples: &[Sample]| -> Vec<f64> {
        let wanted = |sample: &&Sample| (*first..=*last).contains(&sample.at);
        let mut ms: Vec<f64> = samples
            .iter()
            .filter(wanted)
            .map(|sample| sample.ms)
            .collect();
        ms.sort_by(f64::total_cmp);
        ms
    };
    let (seen, outbox) = (during(&seen), during(&looks.outbox));
    Ok(Freshness {
        arrivals_per_second: report["sales"]["per_second"].as_f64().unwrap_or(f64::NAN),
        probes: seen.len(),
        seen_p50_ms: rank(&seen, 0.5),
        seen_p99_ms: rank(&seen, 0.99),
        outbox_lag_p50_ms: rank(&outbox, 0.5),
        outbox_lag_p99_ms: rank(&outbox, 0.99),
    })
}

/// The cluster counted what the morning was told, and at most the units that the probe bought meanwhile.
fn agrees_but_for(probes: usize, verify: &Value) -> anyhow::Result<()> {
    let (own, cluster) = (&verify["own"], &verify["cluster"]);
    let more = |name: &str| cluster[name].as_u64()?.checked_sub(own[name].as_u64()?);
    let grants = more("grants");
    ensure!(
        own["denials"] == cluster["denials"]
            && grants == more("units")
            && grants.is_some_and(|grants| grants <= probes as u64),
        "the morning and the cluster differ by more than the probe's {probes} sales: {verify}"
    );
    Ok(())
}

/// Sells one unit, and waits until the stream shows one less.
async fn probe(
    terminal: &Terminal,
    events: &mut Events,
    citizen: u64,
    env: &Env,
) -> anyhow::Result<Sample> {
    let sale = Sale::new(citizens::national_id(citizen), program_id(), 1);
    let sold_before = terminal.stock(CALL_TIME_MAX).await?.products;
    let before = sold_before.first().context("a product")?.available;
    let request = new_request_id(env);
    let recorded = terminal.record(request, &sale, CALL_TIME_MAX).await?;
    ensure!(
        recorded.verdict.decision == Decision::Granted,
        "the probe was denied"
    );
    let answered = env.monotonic();
    loop {
        let event = env.timeout(SEEN_TIME_MAX, events.next()).await;
        let event = event
            .context("a sale was not seen")??
            .context("the stream of changes ended")?;
        let row: Value = serde_json::from_str(&event.data).unwrap_or_default();
        let shows = row["code"] == SITES[0];
        if shows
            && row["available"]
                .as_u64()
                .is_some_and(|available| available < before)
        {
            break;
        }
    }
    let at = env.monotonic();
    Ok(Sample {
        at,
        ms: (at - answered).as_secs_f64() * 1000.0,
    })
}

/// Looks at the outboxes, and at how fast the logs grow, until it is aborted.
async fn look(operator: Operator, looks: Arc<Mutex<Looks>>, env: Env) {
    let mut last: Option<(Duration, u64)> = None;
    loop {
        if let Ok(status) = operator.status(CALL_TIME_MAX).await {
            let at = env.monotonic();
            let replicas = status.shards.iter().flat_map(|shard| &shard.replicas);
            let entries: u64 = replicas.map(|replica| replica.applied_index).sum();
            let lag_ms = status.shards.iter().map(|shard| shard.outbox_lag_ms).max();
            let mut looks = looks.lock().unwrap_or_else(PoisonError::into_inner);
            looks.outbox.push(Sample {
                at,
                ms: lag_ms.unwrap_or(0) as f64,
            });
            if let Some((before, entries_before)) = last
                && at - before > LOOK_MIN
            {
                let grown = entries.saturating_sub(entries_before) as f64;
                if grown / (at - before).as_secs_f64() > ENTRIES_A_SECOND_MIN {
                    looks.busy.push(at);
                }
            }
            last = Some((at, entries));
        }
        env.sleep(PROBE_PAUSE).await;
    }
}

/// A file of that many sites.
pub(crate) fn sites(count: u32) -> String {
    let mut text = String::from("addr,code,latitude,longitude,name,type\n");
    for number in 1..=count {
        let _ = writeln!(
            text,
            "서울특별시 종로구 보기로 {number},M{number:05},37.57,126.98,아침보기약국 {number},01"
        );
    }
    text
}

/// Of sorted values.
fn rank(sorted: &[f64], share: f64) -> f64 {
    let index = (sorted.len() as f64 * share).ceil() as usize;
    sorted
        .get(index.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}
