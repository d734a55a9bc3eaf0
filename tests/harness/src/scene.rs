//! A test on a cluster of its own, from the runtime to the last process.

use tokio::runtime::Builder;

use crate::cluster::{Cluster, ClusterOptions};

/// Starts a cluster, runs the test on it, and ends every process. A failure keeps the cluster's files and
/// says where.
///
/// # Panics
/// The cluster did not start, or the test failed.
pub fn with_cluster(
    options: ClusterOptions,
    test: impl AsyncFnOnce(&mut Cluster) -> anyhow::Result<()>,
) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let mut cluster = Cluster::start(options)
            .await
            .unwrap_or_else(|error| panic!("{error:#}"));
        if let Err(error) = test(&mut cluster).await {
            // The panic makes the cluster keep its files.
            panic!("{error:?}");
        }
    });
}
