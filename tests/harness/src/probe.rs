//! How long a shard is without grants: one prober per shard, asking until it gets one.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail};
use quorate_client::{
    Terminal,
    model::{Decision, Sale},
    new_request_id,
};
use tokio::sync::mpsc;

use crate::{
    citizens,
    cluster::{Cluster, program_id},
};

/// Longer than any answer of a healthy cluster, shorter than what is measured.
const PROBE_TIME_MAX: Duration = Duration::from_millis(500);
const PROBE_PAUSE: Duration = Duration::from_millis(5);
/// A shard that grants nothing for so long is lost, not slow.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Citizens looked at to find one in each shard.
const SEARCH_MAX: u64 = 10_000;

fn sale(citizen: u64) -> Sale {
    Sale::new(citizens::national_id(citizen), program_id(), 1)
}

/// One citizen in each data shard, from index `first` on.
///
/// # Errors
/// A check was not answered, or a shard seems to own nobody.
pub async fn citizen_of_each_shard(
    cluster: &Cluster,
    first: u64,
) -> anyhow::Result<BTreeMap<u32, u64>> {
    let shards = cluster
        .leaders()
        .await?
        .into_keys()
        .filter(|&shard| shard != 0)
        .count();
    let terminal = cluster.terminal(0)?;
    let mut found = BTreeMap::new();
    for citizen in first..first + SEARCH_MAX {
        let verdict = terminal.check(&sale(citizen), SILENCE_MAX).await?;
        found.entry(verdict.position.shard).or_insert(citizen);
        if found.len() == shards {
            return Ok(found);
        }
    }
    bail!("only {} of {shards} shards have citizens", found.len())
}

/// Strikes, and measures for each of these shards how long it takes until a sale is granted that was
/// asked for after the strike.
///
/// # Errors
/// A shard granted nothing for a minute.
pub async fn time_to_first_grant(
    cluster: &mut Cluster,
    citizens: &BTreeMap<u32, u64>,
    strike: impl FnOnce(&mut Cluster) -> anyhow::Result<()>,
) -> anyhow::Result<BTreeMap<u32, Duration>> {
    let terminals = (0..citizens.len())
        .map(|number| cluster.terminal(number))
        .collect::<anyhow::Result<Vec<_>>>()?;
    for terminal in &terminals {
        terminal.log_in(SILENCE_MAX).await?;
    }
    strike(cluster)?;
    let struck = cluster.env.monotonic();
    let (tell, mut told) = mpsc::channel(citizens.len());
    for ((&shard, &citizen), terminal) in citizens.iter().zip(terminals) {
        let (env, tell) = (cluster.env.clone(), tell.clone());
        let probe = async move {
            while !granted(&terminal, citizen, &env).await {
                env.sleep(PROBE_PAUSE).await;
            }
            // The receiver is gone if another shard was given up.
            let _given_up = tell.send((shard, env.monotonic() - struck)).await;
        };
        cluster.env.spawn("probe", Box::pin(probe));
    }
    drop(tell);
    let all = async {
        let mut times = BTreeMap::new();
        while let Some((shard, time)) = told.recv().await {
            times.insert(shard, time);
        }
        times
    };
    cluster
        .env
        .timeout(SILENCE_MAX, all)
        .await
        .context("a shard grants nothing any more")
}

async fn granted(terminal: &Terminal, citizen: u64, env: &quorate_link::Env) -> bool {
    let request = new_request_id(env);
    let answer = terminal
        .record(request, &sale(citizen), PROBE_TIME_MAX)
        .await;
    answer.is_ok_and(|answer| answer.verdict.decision == Decision::Granted)
}
