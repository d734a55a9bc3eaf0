//! Sales reach their sites exactly once, whatever dies on the way: on hand = received + adjusted − sold +
//! voided at every site, and each sale is in its site's list once.

use std::time::Duration;

use quorate_harness::{
    cluster::{Cluster, ClusterOptions},
    judge::judge,
    shelves::Shelves,
    with_cluster,
    workload::{Workload, WorkloadOptions},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_quorate");

/// Sales that must be granted before and after each fault.
const SALES: u64 = 200;
/// For them.
const SALES_TIME_MAX: Duration = Duration::from_secs(60);

async fn finish(cluster: &Cluster, shelves: &Shelves, workload: Workload) -> anyhow::Result<()> {
    workload.await_grants(SALES, SALES_TIME_MAX).await?;
    let history = workload.finish().await?;
    shelves.judge(cluster, &history).await?;
    // Compares the stock of every site with the citizens' records as well.
    let report = judge(cluster, &history, true).await?;
    println!("{report}");
    Ok(())
}

/// Every node is killed once, and with it leaders of shards that sell and of shards that keep sites.
#[test]
fn leaders_of_selling_and_of_keeping_shards_are_killed() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        let shelves = Shelves::stock_up(cluster).await?;
        let workload = Workload::start(cluster, WorkloadOptions::with_slips(21))?;
        for node in 1..=3 {
            workload.await_grants(SALES, SALES_TIME_MAX).await?;
            cluster.node(node).kill();
            workload.await_grants(SALES, SALES_TIME_MAX).await?;
            cluster.node(node).start(&[])?;
            cluster.await_whole().await?;
        }
        finish(cluster, &shelves, workload).await
    });
}

/// The couriers start again from what the shards know, and a gateway that dies takes nothing along.
#[test]
fn everything_is_killed_at_once_in_the_middle_of_deliveries() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        let shelves = Shelves::stock_up(cluster).await?;
        let workload = Workload::start(cluster, WorkloadOptions::with_slips(22))?;
        workload.await_grants(SALES, SALES_TIME_MAX).await?;
        for process in cluster.nodes.iter_mut().chain(&mut cluster.gateways) {
            process.kill();
        }
        for process in cluster.nodes.iter_mut().chain(&mut cluster.gateways) {
            process.start(&[])?;
        }
        cluster.await_whole().await?;
        finish(cluster, &shelves, workload).await
    });
}
