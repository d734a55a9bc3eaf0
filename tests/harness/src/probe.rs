//! How long a shard is without grants: one prober per shard, asking for one sale until it is granted. The sales are
//! part of the run's history.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use quorate_client::{model::Sale, new_request_id};
use tokio::sync::mpsc;

use crate::{
    citizens,
    cluster::{Cluster, program_id},
    history::{Call, Reply},
    recorder::Recorder,
};

/// For one call of a prober: longer than any answer of a healthy cluster, shorter than what is measured.
pub const PROBE_TIME_MAX: Duration = Duration::from_millis(500);
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
/// asked for after the strike. The probers are the first clients of the recorder, whose calls should take
/// [`PROBE_TIME_MAX`] at most.
///
/// # Errors
/// A shard granted nothing for a minute.
pub async fn time_to_first_grant(
    cluster: &mut Cluster,
    recorder: &Arc<Recorder>,
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
    let probers = citizens.iter().zip(terminals).zip(0..);
    for (((&shard, &citizen), terminal), client) in probers {
        let (env, tell) = (cluster.env.clone(), tell.clone());
        let recorder = recorder.clone();
        // One sale, whose outcome is known in the end: one for every attempt would leave many in doubt.
        let call = Call::Sell {
            request: new_request_id(&env),
            quantity: 1,
        };
        let probe = async move {
            while !is_grant(&recorder.call(client, &terminal, citizen, call).await) {
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

fn is_grant(reply: &Reply) -> bool {
    matches!(reply, Reply::Verdict(verdict) if verdict.granted())
}
