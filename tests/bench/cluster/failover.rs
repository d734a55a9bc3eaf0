//! How long a shard grants nothing after its leader was killed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::future::join_all;
use quorate_client::{Terminal, model::Sale, new_request_id};
use quorate_harness::citizens;
use quorate_harness::cluster::{Cluster, program_id};
use quorate_link::Env;
use serde::Serialize;

/// For one call; the terminal's own retries are part of what is measured.
const CALL_TIME_MAX: Duration = Duration::from_secs(15);
/// People tried until every shard has one.
const PEOPLE_MAX: u64 = 2_000;

/// One leader killed.
#[derive(Debug, Serialize)]
pub(crate) struct Failover {
    /// Shards that it led.
    pub(crate) shards: usize,
    /// From SIGKILL to the first grant on the first of them, in seconds.
    pub(crate) first_seconds: f64,
    /// To the first grant on the last of them.
    pub(crate) last_seconds: f64,
}

/// Kills the node that leads most shards, several times.
pub(crate) async fn measure(cluster: &mut Cluster, rounds: usize) -> anyhow::Result<Vec<Failover>> {
    let mut failovers = Vec::new();
    for number in 0..rounds {
        println!("killing a leader, round {} of {rounds}", number + 1);
        failovers.push(kill_one(cluster, number as u64).await?);
    }
    Ok(failovers)
}

async fn kill_one(cluster: &mut Cluster, number: u64) -> anyhow::Result<Failover> {
    let terminal = cluster.terminal(0)?;
    let people = one_person_per_shard(cluster, &terminal, number).await?;
    let leader = cluster.busiest_leader().await?;
    let led = cluster.led_by(leader).await?;
    let env = cluster.env.clone();
    cluster.node(leader).kill();
    let killed = env.monotonic();
    let mut waits = Vec::new();
    for shard in &led {
        let citizen = *people.get(shard).context("a shard without a person")?;
        let (terminal, env) = (terminal.clone(), env.clone());
        waits.push(async move {
            until_granted(&terminal, &env, citizen).await;
            (env.monotonic() - killed).as_secs_f64()
        });
    }
    let mut seconds = join_all(waits).await;
    cluster.node(leader).start(&[])?;
    cluster.await_whole().await?;
    seconds.sort_by(f64::total_cmp);
    Ok(Failover {
        shards: led.len(),
        first_seconds: *seconds.first().context("the node led nothing")?,
        last_seconds: *seconds.last().context("the node led nothing")?,
    })
}

/// Sells until every shard has answered for someone.
async fn one_person_per_shard(
    cluster: &Cluster,
    terminal: &Terminal,
    number: u64,
) -> anyhow::Result<BTreeMap<u32, u64>> {
    let shards = cluster.leaders().await?.keys().filter(|s| **s != 0).count();
    let mut people = BTreeMap::new();
    for index in 0..PEOPLE_MAX {
        let citizen = 100_000_000 + number * PEOPLE_MAX + index;
        let recorded = terminal
            .record(new_request_id(&cluster.env), &sale(citizen), CALL_TIME_MAX)
            .await?;
        people.insert(recorded.verdict.position.shard, citizen);
        if people.len() == shards {
            return Ok(people);
        }
    }
    ensure!(people.len() == shards, "some shard never answered");
    Ok(people)
}

async fn until_granted(terminal: &Terminal, env: &Env, citizen: u64) {
    let request_id = new_request_id(env);
    loop {
        // An unknown or unavailable outcome is what is being waited out; the same id makes it safe.
        match terminal
            .record(request_id, &sale(citizen), CALL_TIME_MAX)
            .await
        {
            Ok(_) => return,
            Err(_) => env.sleep(Duration::from_millis(10)).await,
        }
    }
}

fn sale(citizen: u64) -> Sale {
    Sale::new(citizens::national_id(citizen), program_id(), 1)
}
