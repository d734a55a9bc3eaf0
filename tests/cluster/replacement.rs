//! A node that lost its disk comes back empty: it gets new replica ids, catches up by snapshot, and holds
//! what the others hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use quorate_client::model::ClusterStatus;
use quorate_harness::{
    cluster::{Cluster, ClusterOptions},
    judge::judge,
    with_cluster,
    workload::{Workload, WorkloadOptions},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_quorate");
const SALES: u64 = 300;
const SALES_TIME_MAX: Duration = Duration::from_secs(60);
const REPLACED: u64 = 3;

/// More entries than a log keeps behind the durable point, so that an empty replica needs a snapshot.
const ENTRIES: u64 = 3_000;

/// The replica ids of each shard, and which of them is on the replaced node.
fn replicas(status: &ClusterStatus) -> BTreeMap<u32, (BTreeSet<u64>, Option<u64>)> {
    let shards = status.shards.iter().map(|shard| {
        let ids = shard
            .replicas
            .iter()
            .map(|replica| replica.replica_id)
            .collect();
        let there = shard
            .replicas
            .iter()
            .find(|replica| replica.node_id == REPLACED);
        (shard.shard, (ids, there.map(|replica| replica.replica_id)))
    });
    shards.collect()
}

/// The state files that a node has.
fn state_files(directory: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files.append(&mut state_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "sst") {
            files.insert(path);
        }
    }
    Ok(files)
}

/// Waits until every log has grown and then every state was flushed: then the logs begin past their start.
async fn logs_are_purged(cluster: &Cluster) -> anyhow::Result<()> {
    let long = async |status: &ClusterStatus| {
        let data = status.shards.iter().filter(|shard| shard.shard != 0);
        data.flat_map(|shard| &shard.replicas)
            .all(|replica| replica.applied_index > ENTRIES)
    };
    cluster.await_status("every log is long", long).await?;
    let directories = [1, 2].map(|node| cluster.path(&format!("node-{node}/data")));
    let mut before = Vec::new();
    for directory in &directories {
        before.push(state_files(directory)?);
    }
    let flushed = async |_: &ClusterStatus| {
        let mut pairs = directories.iter().zip(&before);
        pairs.all(|(now, before)| state_files(now).is_ok_and(|now| !now.is_subset(before)))
    };
    cluster
        .await_status("every state was flushed", flushed)
        .await
        .map(|_| ())
}

#[test]
fn a_wiped_node_is_replaced_under_new_replica_ids() {
    let options = ClusterOptions {
        shards: 2,
        log_keep_seconds: Some(0),
        ..ClusterOptions::new(PROGRAM)
    };
    with_cluster(options, async |cluster| {
        let busy = WorkloadOptions {
            clients: 24,
            interval: Duration::from_millis(2),
            ..WorkloadOptions::new(6)
        };
        let workload = Workload::start(cluster, busy)?;
        logs_are_purged(cluster).await?;
        let before = replicas(&cluster.await_whole().await?);
        cluster.node(REPLACED).kill();
        cluster.wipe(REPLACED)?;
        workload.await_grants(SALES, SALES_TIME_MAX).await?;
        cluster.node(REPLACED).start(&[])?;
        cluster
            .await_status("every replica on the node is a new one", async |status| {
                replicas(status).iter().all(|(shard, (ids, there))| {
                    let (old_ids, _) = &before[shard];
                    ids.len() == 3 && there.is_some_and(|id| !old_ids.contains(&id))
                })
            })
            .await?;
        for (shard, (ids, _)) in replicas(&cluster.await_whole().await?) {
            let (old_ids, old) = &before[&shard];
            let newest = old_ids.last().copied().unwrap_or_default();
            let added: Vec<_> = ids.difference(old_ids).collect();
            assert!(
                added.iter().all(|id| **id > newest) && old.is_none_or(|old| !ids.contains(&old)),
                "shard {shard}: a replica id was used again: {old_ids:?} became {ids:?}"
            );
        }
        workload.await_grants(SALES, SALES_TIME_MAX).await?;
        let report = judge(cluster, &workload.finish().await?, true).await?;
        println!("{report}");
        let log = cluster.node(REPLACED).log();
        anyhow::ensure!(
            log.contains("installing a snapshot"),
            "it did not catch up by snapshot"
        );
        Ok(())
    });
}
