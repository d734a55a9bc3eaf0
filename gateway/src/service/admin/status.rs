//! What every node reports right now, put together.
//!
//! Three-valued throughout: a node that did not answer is unknown, and so is all that only it could have
//! told. [`assemble`] is pure.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use quorate_proto::{
    admin::{GetStatusResponse, Health, NodeStatus, ProgramStatus, ReplicaStatus, ShardStatus},
    ids::{NodeId, ReplicaId, ShardId},
    shard_map::ShardInfo,
};

use crate::{
    directory::{Program, View},
    nodes::{NodeCallError, NodeReport, ReplicaReport},
    service::border::Border,
};

/// What each node of the view said.
type Reports = BTreeMap<NodeId, Result<NodeReport, NodeCallError>>;

/// Asks every node at once.
pub(super) async fn ask(border: &Border, view: &View) -> GetStatusResponse {
    let nodes = &border.dispatcher.nodes;
    let ask = |node: NodeId| async move { (node, nodes.status(node).await) };
    let reports = join_all(view.map.nodes().map(|info| ask(info.id))).await;
    assemble(&border.cluster_id, view, &reports.into_iter().collect())
}

/// Bad outweighs unknown, unknown outweighs good.
pub(super) fn worst(healths: impl IntoIterator<Item = Health>) -> Health {
    let rank = |health: &Health| match health {
        Health::Bad => 2,
        Health::Unknown | Health::Unspecified => 1,
        Health::Ok => 0,
    };
    healths.into_iter().max_by_key(rank).unwrap_or(Health::Ok)
}

fn assemble(cluster_id: &str, view: &View, reports: &Reports) -> GetStatusResponse {
    let shards: Vec<ShardStatus> = std::iter::once(view.map.system())
        .chain(view.map.shards())
        .map(|shard| shard_status(shard, reports))
        .collect();
    let nodes: Vec<NodeStatus> = view
        .map
        .nodes()
        .map(|info| NodeStatus {
            address: info.address.clone(),
            zone: info.zone.clone(),
            ..node_status(info.id, reports.get(&info.id))
        })
        .collect();
    let healths = nodes.iter().map(NodeStatus::health);
    let healths = healths.chain(shards.iter().map(ShardStatus::health));
    GetStatusResponse {
        cluster_id: cluster_id.to_owned(),
        view_version: view.map.version(),
        health: worst(healths).into(),
        programs: programs(view, reports),
        nodes,
        shards,
    }
}

fn node_status(node: NodeId, report: Option<&Result<NodeReport, NodeCallError>>) -> NodeStatus {
    let status = NodeStatus {
        node_id: node.get(),
        ..NodeStatus::default()
    };
    let report = match report {
        Some(Ok(report)) => report,
        Some(Err(error)) => {
            return NodeStatus {
                health: Health::Unknown.into(),
                detail: error.to_string(),
                ..status
            };
        }
        None => {
            return NodeStatus {
                health: Health::Unknown.into(),
                detail: "not asked".to_owned(),
                ..status
            };
        }
    };
    let failed = report.replicas.iter().find(|(_, r)| !r.failure.is_empty());
    NodeStatus {
        health: failed.map_or(Health::Ok, |_| Health::Bad).into(),
        detail: failed.map_or(String::new(), |(shard, replica)| {
            format!("shard {shard}: {}", replica.failure)
        }),
        leaders: count(report.replicas.values().filter(|r| r.is_leader)),
        replicas: count(report.replicas.values()),
        memory_bytes: report.memory_bytes,
        written_bytes: report.written_bytes,
        ..status
    }
}

fn shard_status(shard: &ShardInfo, reports: &Reports) -> ShardStatus {
    let leader = leader(shard.shard, reports);
    let last_index = leader.map(|(_, replica)| replica.last_index);
    let replicas: Vec<ReplicaStatus> = shard
        .replicas
        .iter()
        .map(|(replica, node)| {
            let report = reports.get(node);
            replica_status(shard.shard, *replica, *node, report, last_index)
        })
        .collect();
    let (health, detail) = shard_health(leader.is_some(), &replicas);
    ShardStatus {
        shard: shard.shard.get(),
        range_first: shard.range.map_or(0, |range| range.first().get()),
        range_last: shard.range.map_or(0, |range| range.last().get()),
        epoch: shard.epoch.get(),
        health: health.into(),
        detail,
        leader_node: leader.map_or(0, |(node, _)| node.get()),
        term: leader.map_or(0, |(_, replica)| replica.term),
        replicas,
        outbox_pending: leader.map_or(0, |(_, replica)| replica.outbox_pending),
        outbox_lag_ms: leader.map_or(0, |(_, replica)| replica.outbox_lag_ms),
    }
}

/// The node that says it leads. Of several, the one of the highest term: the others have not heard yet.
fn leader(shard: ShardId, reports: &Reports) -> Option<(NodeId, &ReplicaReport)> {
    reports
        .iter()
        .filter_map(|(node, report)| {
            let replica = report.as_ref().ok()?.replicas.get(&shard)?;
            replica.is_leader.then_some((*node, replica))
        })
        .max_by_key(|(_, replica)| replica.term)
}

fn shard_health(has_leader: bool, replicas: &[ReplicaStatus]) -> (Health, String) {
    let with = |health: Health| {
        replicas
            .iter()
            .filter(move |r| r.health() == health)
            .count()
    };
    let (bad, unknown) = (with(Health::Bad), with(Health::Unknown));
    let all = replicas.len();
    match (has_leader, bad, unknown) {
        (true, 0, 0) => (Health::Ok, String::new()),
        (true, 0, _) => (
            Health::Unknown,
            format!("has a leader; {unknown} of {all} replicas were not heard"),
        ),
        (true, _, _) => (
            Health::Bad,
            format!("has a leader; {bad} of {all} replicas are bad"),
        ),
        (false, _, 0) => (Health::Bad, "no replica leads".to_owned()),
        (false, _, _) => (
            Health::Unknown,
            format!("no leader was heard, nor were {unknown} of {all} replicas"),
        ),
    }
}

fn replica_status(
    shard: ShardId,
    replica: ReplicaId,
    node: NodeId,
    report: Option<&Result<NodeReport, NodeCallError>>,
    leader_last_index: Option<u64>,
) -> ReplicaStatus {
    let status = |health: Health, detail: String| ReplicaStatus {
        replica_id: replica.get(),
        node_id: node.get(),
        health: health.into(),
        detail,
        ..ReplicaStatus::default()
    };
    let Some(Ok(report)) = report else {
        return status(Health::Unknown, "the node was not heard".to_owned());
    };
    match report.replicas.get(&shard) {
        None => status(Health::Bad, "the node does not run it".to_owned()),
        Some(found) if found.replica != replica => status(
            Health::Bad,
            format!("the node runs replica {} instead", found.replica),
        ),
        Some(found) => {
            let health = match found.failure.is_empty() {
                true => Health::Ok,
                false => Health::Bad,
            };
            let last_index = leader_last_index.unwrap_or(found.last_index);
            ReplicaStatus {
                applied_index: found.applied_index,
                lag: last_index.saturating_sub(found.applied_index),
                voter: found.is_voter,
                ..status(health, found.failure.clone())
            }
        }
    }
}

fn programs(view: &View, reports: &Reports) -> Vec<ProgramStatus> {
    let shards = view.map.shards();
    let status = |program: &Program| {
        let is_current = |shard: &&ShardInfo| {
            let applied = leader(shard.shard, reports);
            let applied = applied.and_then(|(_, replica)| replica.programs.get(&program.id));
            applied.is_some_and(|applied| *applied >= program.version)
        };
        ProgramStatus {
            program: program.id.to_string(),
            version: program.version,
            shards_current: count(shards.iter().filter(is_current)),
            shards_total: count(shards),
        }
    };
    view.programs.iter().map(status).collect()
}

fn count<T>(items: impl IntoIterator<Item = T>) -> u32 {
    u32::try_from(items.into_iter().count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
