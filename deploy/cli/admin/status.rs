//! `quorate admin status`.

use quorate_client::model::{ClusterStatus, Health, ReplicaStatus, ShardStatus};

use crate::{
    exit::{Exit, Failure},
    output::{Painter, Style, bytes, table},
    reach::Reach,
};

pub(crate) async fn run(reach: &Reach) -> Result<Exit, Failure> {
    let status = reach.operator()?.status(reach.time_limit).await?;
    reach
        .output
        .print(&status, |painter| render(&status, painter))?;
    Ok(Exit::Ok)
}

fn render(status: &ClusterStatus, painter: Painter) -> String {
    let style = match status.health {
        Health::Ok => Style::Good,
        Health::Bad => Style::Bad,
        Health::Unknown => Style::Doubtful,
    };
    let headline = format!(
        "{} {}",
        painter.paint(Style::Strong, &status.cluster_id),
        painter.paint(style, &status.health.to_string())
    );
    [headline, nodes(status), shards(status), programs(status)].join("\n\n")
}

fn nodes(status: &ClusterStatus) -> String {
    let head = [
        "node", "health", "address", "zone", "leads", "replicas", "memory", "written", "",
    ];
    let rows = status.nodes.iter().map(|node| {
        [
            node.node_id.to_string(),
            node.health.to_string(),
            node.address.clone(),
            node.zone.clone(),
            node.leaders.to_string(),
            node.replicas.to_string(),
            bytes(node.memory_bytes),
            bytes(node.written_bytes),
            node.detail.clone(),
        ]
    });
    table(head, &[0, 4, 5, 6, 7], rows)
}

fn shards(status: &ClusterStatus) -> String {
    let head = [
        "shard",
        "health",
        "ring from",
        "epoch",
        "leader",
        "term",
        "replicas",
        "lag",
        "to sites",
        "",
    ];
    let rows = status.shards.iter().map(|shard| {
        let system = shard.shard == 0;
        [
            shard.shard.to_string(),
            shard.health.to_string(),
            if system {
                "system".to_owned()
            } else {
                format!("{:016x}", shard.range_first)
            },
            shard.epoch.to_string(),
            shard
                .leader_node
                .map_or("unknown".to_owned(), |node| format!("node {node}")),
            shard.term.to_string(),
            replicas(shard),
            lag(shard),
            to_sites(shard),
            detail(shard),
        ]
    });
    table(head, &[0, 3, 5, 7, 8], rows)
}

/// Nodes that hold a replica; what is wrong with one stands behind it.
fn replicas(shard: &ShardStatus) -> String {
    let one = |replica: &ReplicaStatus| {
        let mark = match (replica.health, replica.voter) {
            (Health::Bad, _) => "!",
            (Health::Unknown, _) => "?",
            (Health::Ok, false) => "+",
            (Health::Ok, true) => "",
        };
        format!("{}{mark}", replica.node_id)
    };
    let all: Vec<_> = shard.replicas.iter().map(one).collect();
    all.join(" ")
}

/// The largest lag of a replica that was heard.
fn lag(shard: &ShardStatus) -> String {
    let heard = shard
        .replicas
        .iter()
        .filter(|replica| replica.health != Health::Unknown);
    heard
        .map(|replica| replica.lag)
        .max()
        .map_or("-".to_owned(), |lag| lag.to_string())
}

/// Sales on their way to their sites' stock, and how long the oldest has been.
fn to_sites(shard: &ShardStatus) -> String {
    match (shard.leader_node, shard.outbox_pending) {
        (None, _) => "-".to_owned(),
        (Some(_), 0) => "0".to_owned(),
        (Some(_), pending) => format!("{pending} · {} ms", shard.outbox_lag_ms),
    }
}

fn detail(shard: &ShardStatus) -> String {
    let of_replicas = shard
        .replicas
        .iter()
        .filter(|replica| replica.health == Health::Bad && !replica.detail.is_empty())
        .map(|replica| format!("node {}: {}", replica.node_id, replica.detail));
    let mut all: Vec<_> = of_replicas.collect();
    if !shard.detail.is_empty() {
        all.insert(0, shard.detail.clone());
    }
    all.join("; ")
}

fn programs(status: &ClusterStatus) -> String {
    let rows = status.programs.iter().map(|program| {
        [
            program.program.clone(),
            program.version.to_string(),
            format!("{} of {}", program.shards_current, program.shards_total),
        ]
    });
    let programs = table(["program", "version", "in force at shards"], &[1], rows);
    let marks = "replicas: ! bad, ? not heard, + does not vote yet";
    format!("{programs}\n\n{marks}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Format, Output};

    fn replica(node_id: u64, health: Health, lag: u64) -> ReplicaStatus {
        ReplicaStatus {
            replica_id: node_id,
            node_id,
            health,
            detail: String::new(),
            applied_index: 10,
            lag,
            voter: true,
        }
    }

    #[test]
    fn what_was_not_heard_is_not_called_bad() {
        let shard = ShardStatus {
            shard: 1,
            range_first: 0,
            range_last: u64::MAX,
            epoch: 1,
            health: Health::Unknown,
            detail: "no leader was heard".to_owned(),
            leader_node: None,
            term: 2,
            replicas: vec![
                replica(1, Health::Ok, 0),
                replica(2, Health::Unknown, 99),
                replica(3, Health::Bad, 7),
            ],
            outbox_pending: 4,
            outbox_lag_ms: 20,
        };
        assert_eq!(replicas(&shard), "1 2? 3!");
        assert_eq!(lag(&shard), "7");
        let status = ClusterStatus {
            cluster_id: "demo".to_owned(),
            view_version: 1,
            health: Health::Unknown,
            nodes: Vec::new(),
            shards: vec![shard],
            programs: Vec::new(),
        };
        let text = render(&status, Output::new(Format::Table, true).painter());
        assert!(text.starts_with("demo unknown\n"), "{text}");
        assert!(text.contains("no leader was heard"), "{text}");
    }
}
