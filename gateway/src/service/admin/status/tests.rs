//! What operators see, case by case.
#![allow(clippy::unwrap_used, reason = "tests")]

use quorate_proto::ids::ProgramId;

use super::*;
use crate::directory::tests::view;

/// Every node runs a replica of the system shard and of two shards; node 1 leads them all.
fn healthy() -> Reports {
    let report = |node: u64| {
        let replica = ReplicaReport {
            replica: ReplicaId(node),
            term: 4,
            is_leader: node == 1,
            is_voter: true,
            last_index: 100,
            outbox_pending: 7,
            outbox_lag_ms: 30,
            applied_index: 100 - node,
            failure: String::new(),
            programs: [(ProgramId::parse("mask").unwrap(), 2)].into(),
        };
        NodeReport {
            memory_bytes: 10,
            written_bytes: 20,
            replicas: (0..=2).map(|s| (ShardId(s), replica.clone())).collect(),
        }
    };
    (1..=3)
        .map(|node| (NodeId(node), Ok(report(node))))
        .collect()
}

fn replica(reports: &mut Reports, node: u64, shard: u32) -> &mut ReplicaReport {
    let report = reports.get_mut(&NodeId(node)).unwrap().as_mut().unwrap();
    report.replicas.get_mut(&ShardId(shard)).unwrap()
}

fn status(reports: &Reports) -> GetStatusResponse {
    let mut view = view(7, "demo", 2);
    view.programs = vec![Program {
        id: ProgramId::parse("mask").unwrap(),
        version: 2,
        zone: jiff::tz::TimeZone::UTC,
        products: Vec::new(),
        definition: std::sync::Arc::default(),
    }];
    assemble("demo", &view, reports)
}

#[test]
fn all_well() {
    let status = status(&healthy());
    assert_eq!(status.health(), Health::Ok);
    assert_eq!((status.view_version, status.nodes.len()), (7, 3));
    let leaders: Vec<u32> = status.nodes.iter().map(|node| node.leaders).collect();
    assert_eq!(leaders, [3, 0, 0]);
    assert_eq!(status.nodes[1].address, "127.0.0.1:2");
    let shards: Vec<u32> = status.shards.iter().map(|shard| shard.shard).collect();
    assert_eq!(shards, [0, 1, 2]);
    let shard = &status.shards[2];
    assert_eq!((shard.leader_node, shard.term), (1, 4));
    let lags: Vec<u64> = shard.replicas.iter().map(|replica| replica.lag).collect();
    assert_eq!(lags, [1, 2, 3]);
    let program = &status.programs[0];
    assert_eq!((program.shards_current, program.shards_total), (2, 2));
}

#[test]
fn what_was_not_heard_is_unknown() {
    let mut reports = healthy();
    reports.insert(NodeId(3), Err(NodeCallError::TimedOut));
    let status_of_follower_lost = status(&reports);
    assert_eq!(status_of_follower_lost.health(), Health::Unknown);
    assert_eq!(status_of_follower_lost.nodes[2].health(), Health::Unknown);
    let shard = &status_of_follower_lost.shards[1];
    assert_eq!(shard.health(), Health::Unknown);
    assert!(shard.detail.starts_with("has a leader"), "{}", shard.detail);
    assert_eq!(shard.replicas[2].health(), Health::Unknown);

    reports.insert(NodeId(1), Err(NodeCallError::NotConnected));
    let shard = &status(&reports).shards[1];
    assert_eq!((shard.health(), shard.leader_node), (Health::Unknown, 0));
}

#[test]
fn a_shard_that_all_say_has_no_leader_is_bad() {
    let mut reports = healthy();
    replica(&mut reports, 1, 2).is_leader = false;
    let status = status(&reports);
    assert_eq!(status.shards[2].health(), Health::Bad);
    assert_eq!(status.shards[1].health(), Health::Ok);
    assert_eq!(status.health(), Health::Bad);
    assert_eq!(status.programs[0].shards_current, 1);
}

#[test]
fn the_leader_of_the_highest_term_counts() {
    let mut reports = healthy();
    let newer = replica(&mut reports, 2, 1);
    newer.is_leader = true;
    newer.term = 5;
    let shard = &status(&reports).shards[1];
    assert_eq!((shard.leader_node, shard.term), (2, 5));
}

#[test]
fn failed_missing_and_wrong_replicas_are_bad() {
    let mut reports = healthy();
    replica(&mut reports, 2, 1).failure = "damaged at 17".to_owned();
    replica(&mut reports, 3, 1).replica = ReplicaId(9);
    let report = reports.get_mut(&NodeId(3)).unwrap().as_mut().unwrap();
    report.replicas.remove(&ShardId(2));
    let status = status(&reports);
    assert_eq!(status.nodes[1].health(), Health::Bad);
    assert_eq!(status.nodes[1].detail, "shard 1: damaged at 17");
    let details: Vec<_> = status.shards[1]
        .replicas
        .iter()
        .map(|r| &*r.detail)
        .collect();
    assert_eq!(
        details,
        ["", "damaged at 17", "the node runs replica 9 instead"]
    );
    assert_eq!(
        status.shards[1].detail,
        "has a leader; 2 of 3 replicas are bad"
    );
    assert_eq!(
        status.shards[2].replicas[2].detail,
        "the node does not run it"
    );
}

#[test]
fn bad_outweighs_unknown() {
    assert_eq!(worst([]), Health::Ok);
    assert_eq!(worst([Health::Ok, Health::Unknown]), Health::Unknown);
    let all = [Health::Ok, Health::Bad, Health::Unknown];
    assert_eq!(worst(all), Health::Bad);
}
