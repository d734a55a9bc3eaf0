//! Whatever can be wrong in files: the process concerned says which file and what is wrong, and stops; the
//! cluster goes on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output},
    time::Duration,
};

use anyhow::Context as _;
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
const END_TIME_MAX: Duration = Duration::from_secs(30);

fn run(arguments: &[&str]) -> anyhow::Result<Output> {
    Ok(Command::new(PROGRAM).args(arguments).output()?)
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_valid_one() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    for (kind, text, key, nearest) in [
        (
            "node",
            "node_id = 1\nlisten_on = \"127.0.0.1:1\"\ndata_dirr = \"d\"\n",
            "data_dirr",
            "data_dir",
        ),
        (
            "gateway",
            "cluster_id = \"x\"\nsedes = []\n",
            "sedes",
            "seeds",
        ),
    ] {
        let path = directory.path().join(format!("{kind}.toml"));
        let text = text.replace("listen_on = \"127.0.0.1:1\"\n", "");
        fs::write(&path, text)?;
        let output = run(&[kind, "--config", &path.to_string_lossy()])?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        for part in [
            format!("`{key}`"),
            format!("`{nearest}`"),
            path.display().to_string(),
        ] {
            assert!(said.contains(&part), "{said} does not name {part}");
        }
        assert_eq!(said.trim_end().lines().count(), 1, "one sentence: {said}");
    }
    Ok(())
}

#[test]
fn a_node_of_another_configuration_is_refused() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        let workload = Workload::start(cluster, WorkloadOptions::new(7))?;
        cluster.node(3).kill();
        cluster.wipe(3)?;
        // It believes in a cluster of nine shards; this one was founded with eight.
        let config = cluster.path("node-3/node.toml");
        let right = fs::read_to_string(&config)?;
        fs::write(cluster.path("node-3/cluster.toml"), cluster.cluster_toml(9))?;
        fs::write(&config, right.replace("../cluster.toml", "cluster.toml"))?;
        cluster.node(3).clear_log()?;
        cluster.node(3).start(&[])?;
        let env = cluster.env.clone();
        let status = cluster.node(3).ended(&env, END_TIME_MAX).await?;
        let log = cluster.node(3).log();
        anyhow::ensure!(
            !status.success() && log.contains("cluster configuration"),
            "{status}: {log}"
        );
        workload.await_grants(SALES, SALES_TIME_MAX).await?;
        // With the right file it is welcome.
        fs::write(&config, right)?;
        if cluster.path("node-3/data").exists() {
            cluster.wipe(3)?;
        }
        cluster.node(3).start(&[])?;
        cluster.await_whole().await?;
        judge(cluster, &workload.finish().await?, true)
            .await
            .map(|_| ())
    });
}

/// The largest file below a directory whose name ends so.
fn largest(directory: &Path, extension: &str) -> anyhow::Result<PathBuf> {
    let mut pending = vec![directory.to_owned()];
    let mut found: Option<(u64, PathBuf)> = None;
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|have| have == extension) {
                let size = fs::metadata(&path)?.len();
                if found.as_ref().is_none_or(|(largest, _)| *largest < size) {
                    found = Some((size, path));
                }
            }
        }
    }
    Ok(found.with_context(|| format!("no .{extension} file"))?.1)
}

/// Whether a file has something in it and has not grown for a while.
fn is_settled(file: &Path) -> bool {
    let metadata = fs::metadata(file);
    metadata.is_ok_and(|metadata| {
        let age = metadata
            .modified()
            .map(|modified| modified.elapsed().unwrap_or_default());
        metadata.len() > 0 && age.is_ok_and(|age| age > Duration::from_secs(1))
    })
}

/// Flips a bit in the middle of a file.
fn damage(path: &Path) -> anyhow::Result<()> {
    let mut bytes = fs::read(path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    Ok(fs::write(path, bytes)?)
}

/// Waits for the end of a node that has a damaged file. Damage is found when it is read: a log at the
/// start, state when somebody asks for it, and a verification asks for everything.
async fn ended_by_damage(cluster: &mut Cluster) -> anyhow::Result<ExitStatus> {
    let (env, operator) = (cluster.env.clone(), cluster.operator()?);
    let deadline = env.monotonic() + END_TIME_MAX;
    loop {
        if let Ok(status) = cluster.node(2).ended(&env, Duration::ZERO).await {
            return Ok(status);
        }
        anyhow::ensure!(
            env.monotonic() < deadline,
            "node 2 serves in spite of the damage"
        );
        // Fails as long as the node is away.
        let _verification = operator.verify(Duration::from_secs(5)).await;
        env.sleep(Duration::from_millis(100)).await;
    }
}

/// A damaged node says which file and where, stops, and is replaced; the others sell on.
async fn damaged_node(cluster: &mut Cluster, extension: &str, seed: u64) -> anyhow::Result<()> {
    let options = WorkloadOptions {
        first_citizen: seed << 32,
        ..WorkloadOptions::new(seed)
    };
    let workload = Workload::start(cluster, options)?;
    workload.await_grants(SALES, SALES_TIME_MAX).await?;
    let data = cluster.path("node-2/data");
    // State reaches its files with the next flush; one that is still being written is nobody's yet.
    let there = async |_: &ClusterStatus| {
        largest(&data, extension).is_ok_and(|file| extension == "log" || is_settled(&file))
    };
    cluster.await_status("the file is there", there).await?;
    cluster.node(2).kill();
    let file = largest(&data, extension)?;
    damage(&file)?;
    cluster.node(2).clear_log()?;
    cluster.node(2).start(&[])?;
    let status = ended_by_damage(cluster).await?;
    let log = cluster.node(2).log();
    let name = file
        .file_name()
        .context("a file has a name")?
        .to_string_lossy();
    anyhow::ensure!(
        !status.success() && log.contains(&*name) && log.contains("offset"),
        "{name} was damaged; the node ended with {status} and said: {log}"
    );
    workload.await_grants(SALES, SALES_TIME_MAX).await?;
    cluster.wipe(2)?;
    cluster.node(2).start(&[])?;
    cluster.await_whole().await?;
    judge(cluster, &workload.finish().await?, true)
        .await
        .map(|_| ())
}

#[test]
fn a_damaged_log_file_stops_its_node_only() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        damaged_node(cluster, "log", 8).await
    });
}

#[test]
fn a_damaged_state_file_stops_its_node_only() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        damaged_node(cluster, "sst", 9).await
    });
}
