//! Nodes killed and frozen under load. In each case: nothing acknowledged is lost, nobody gets more than
//! the rule allows, every unknown outcome is resolved by sending it again, all replicas end up equal.

use std::{sync::Arc, time::Duration};

use quorate_harness::{
    cluster::{Cluster, ClusterOptions},
    judge::judge,
    probe::{PROBE_TIME_MAX, citizen_of_each_shard, time_to_first_grant},
    recorder::Recorder,
    with_cluster,
    workload::{Workload, WorkloadOptions},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_quorate");

/// Sales that must be granted before and after each fault.
const SALES: u64 = 300;
/// For them. An election takes a second or two; this is for a machine that does other things as well.
const SALES_TIME_MAX: Duration = Duration::from_secs(60);

/// A shard without a leader for so long has none, rather than a slow one. No bar: that is 2 s for 99 shards of 100,
/// which takes many deaths on a quiet machine to tell, and `make chaos` holds its runs against it.
const LEADERLESS_MAX: Duration = Duration::from_secs(10);

async fn finish(cluster: &Cluster, workload: Workload) -> anyhow::Result<()> {
    workload.await_grants(SALES, SALES_TIME_MAX).await?;
    let report = judge(cluster, &workload.finish().await?, true).await?;
    println!("{report}");
    Ok(())
}

#[test]
fn a_leader_is_killed_under_load() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        let workload = Workload::start(cluster, WorkloadOptions::new(1))?;
        workload.await_grants(SALES, SALES_TIME_MAX).await?;
        let leader = cluster.busiest_leader().await?;
        cluster.node(leader).kill();
        workload.await_grants(SALES, SALES_TIME_MAX).await?;
        cluster.node(leader).start(&[])?;
        cluster.await_whole().await?;
        finish(cluster, workload).await
    });
}

#[test]
fn every_shard_of_a_dead_leader_grants_again() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        let mut citizens = citizen_of_each_shard(cluster, 0).await?;
        let leader = cluster.busiest_leader().await?;
        let led = cluster.led_by(leader).await?;
        citizens.retain(|shard, _| led.contains(shard));
        let recorder = Arc::new(Recorder::new(cluster, PROBE_TIME_MAX));
        let times = time_to_first_grant(cluster, &recorder, &citizens, |cluster| {
            cluster.node(leader).kill();
            Ok(())
        });
        let times = times.await?;
        println!("node {leader} is dead; shards grant again after {times:?}");
        assert_eq!(times.len(), led.len(), "shards that were asked");
        assert!(
            times.values().all(|time| *time < LEADERLESS_MAX),
            "no leader was chosen within {LEADERLESS_MAX:?}: {times:?}"
        );
        cluster.node(leader).start(&[])?;
        cluster.await_whole().await?;
        recorder.list_everybody(&cluster.terminal(0)?).await?;
        let report = judge(cluster, &recorder.take(), true).await?;
        assert_eq!(report.grants, times.len() as u64);
        Ok(())
    });
}

#[test]
fn each_node_is_killed_in_turn() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        // Impatient clients, so that outcomes stay unknown and have to be resolved.
        let impatient = WorkloadOptions {
            call_time_limit: Duration::from_millis(400),
            ..WorkloadOptions::new(2)
        };
        let workload = Workload::start(cluster, impatient)?;
        for node in 1..=3 {
            workload.await_grants(SALES, SALES_TIME_MAX).await?;
            cluster.node(node).kill();
            workload.await_grants(SALES, SALES_TIME_MAX).await?;
            cluster.node(node).start(&[])?;
            cluster.await_whole().await?;
        }
        finish(cluster, workload).await
    });
}

#[test]
fn all_nodes_are_killed_at_once_and_restarted() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        let workload = Workload::start(cluster, WorkloadOptions::new(3))?;
        workload.await_grants(SALES, SALES_TIME_MAX).await?;
        for node in &mut cluster.nodes {
            node.kill();
        }
        for node in &mut cluster.nodes {
            node.start(&[])?;
        }
        cluster.await_whole().await?;
        finish(cluster, workload).await
    });
}

#[test]
fn a_leader_is_frozen_for_ten_seconds() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        let workload = Workload::start(cluster, WorkloadOptions::new(4))?;
        workload.await_grants(SALES, SALES_TIME_MAX).await?;
        let leader = cluster.busiest_leader().await?;
        cluster.node(leader).freeze()?;
        // The fault itself: a process that is away for ten seconds and does not know it.
        cluster.env.sleep(Duration::from_secs(10)).await;
        let granted_meanwhile = workload.grants();
        cluster.node(leader).thaw()?;
        anyhow::ensure!(
            granted_meanwhile > SALES,
            "nothing was sold while a node was frozen"
        );
        cluster.await_whole().await?;
        finish(cluster, workload).await
    });
}
