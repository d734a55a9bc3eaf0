//! What the cluster says of itself, and waiting until it says what a test wants to hear.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail};
use quorate_client::model::{ClusterStatus, Health, Verification};

use super::{CALL_TIME_MAX, Cluster, POLL_INTERVAL};

/// Reads every record of the cluster.
const VERIFY_TIME_MAX: Duration = Duration::from_secs(120);

impl Cluster {
    /// The node that leads each shard, as far as known. Shard 0 is the system shard.
    ///
    /// # Errors
    /// No gateway answered.
    pub async fn leaders(&self) -> anyhow::Result<BTreeMap<u32, u64>> {
        let status = self.operator()?.status(CALL_TIME_MAX).await?;
        let shards = status.shards.iter();
        Ok(shards
            .filter_map(|shard| Some((shard.shard, shard.leader_node?)))
            .collect())
    }

    /// The data shards that a node leads.
    ///
    /// # Errors
    /// No gateway answered.
    pub async fn led_by(&self, node: u64) -> anyhow::Result<Vec<u32>> {
        let mut led = shards_by_leader(&self.leaders().await?);
        Ok(led.remove(&node).unwrap_or_default())
    }

    /// The node that leads most data shards.
    ///
    /// # Errors
    /// No gateway answered, or nobody leads.
    pub async fn busiest_leader(&self) -> anyhow::Result<u64> {
        let led = shards_by_leader(&self.leaders().await?).into_iter();
        let busiest = led.max_by_key(|(_, shards)| shards.len());
        Ok(busiest.context("nobody leads")?.0)
    }

    /// Waits until everything is well, every shard has a leader, and every replica votes: one that does not
    /// vote yet may still be waiting for its snapshot.
    ///
    /// # Errors
    /// It is not so after [`ClusterOptions::settles_in`](super::ClusterOptions); the message says what is wrong.
    pub async fn await_whole(&self) -> anyhow::Result<ClusterStatus> {
        let is_whole = async |status: &ClusterStatus| {
            let led = status
                .shards
                .iter()
                .all(|shard| shard.leader_node.is_some());
            let mut replicas = status.shards.iter().flat_map(|shard| &shard.replicas);
            let voting = replicas.all(|replica| replica.voter);
            status.health == Health::Ok && !status.shards.is_empty() && led && voting
        };
        self.await_status("the cluster is whole", is_whole).await
    }

    /// Waits until the status satisfies a condition.
    ///
    /// # Errors
    /// It does not after [`ClusterOptions::settles_in`](super::ClusterOptions); the message holds the last status.
    pub async fn await_status(
        &self,
        what: &str,
        holds: impl AsyncFn(&ClusterStatus) -> bool,
    ) -> anyhow::Result<ClusterStatus> {
        let operator = self.operator()?;
        let settles_in = self.options.settles_in;
        let deadline = self.env.monotonic() + settles_in;
        loop {
            let answer = operator.status(CALL_TIME_MAX).await;
            if let Ok(status) = &answer
                && holds(status).await
            {
                return Ok(status.clone());
            }
            if self.env.monotonic() > deadline {
                let last = answer.map_or_else(
                    |error| error.to_string(),
                    |status| serde_json::to_string(&status).unwrap_or_default(),
                );
                bail!("not so after {settles_in:?}: {what}; last status: {last}");
            }
            self.env.sleep(POLL_INTERVAL).await;
        }
    }

    /// Compares all replicas and recounts all records.
    ///
    /// # Errors
    /// A replica differs or could not be asked, a count does not add up, or a record is over its limit.
    pub async fn verify(&self) -> anyhow::Result<Verification> {
        let verification = self.operator()?.verify(VERIFY_TIME_MAX).await?;
        if verification.health != Health::Ok {
            bail!("verify: {}", serde_json::to_string(&verification)?);
        }
        let totals = &verification.totals;
        if totals.records_over_limit != 0
            || totals.grants + totals.slips != totals.grants_in_records
            || totals.units_granted + totals.units_on_slips != totals.units_in_records
        {
            bail!(
                "the counts do not add up: {}",
                serde_json::to_string(totals)?
            );
        }
        Ok(verification)
    }
}

/// The data shards that each node leads.
#[must_use]
pub fn shards_by_leader(leaders: &BTreeMap<u32, u64>) -> BTreeMap<u64, Vec<u32>> {
    let mut led: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for (&shard, &node) in leaders.iter().filter(|&(&shard, _)| shard != 0) {
        led.entry(node).or_default().push(shard);
    }
    led
}
