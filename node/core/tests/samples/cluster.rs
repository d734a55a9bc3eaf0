//! What the system shard keeps, and what a node keeps of its logs.

use bytes::Bytes;
use quorate_core::{codec, keys};
use quorate_proto::{ring::RingRange, storage as pb};

use crate::{Vectors, common::NINE_MS, programs};

pub(crate) fn node() -> pb::NodeRecord {
    pb::NodeRecord {
        node_id: 1,
        incarnation: 77,
        address: "127.0.0.1:7101".to_owned(),
        zone: "a".to_owned(),
    }
}

pub(crate) fn view() -> pb::ClusterView {
    let placement = |replica, node| pb::ReplicaPlacement { replica, node };
    pb::ClusterView {
        version: 3,
        cluster_id: "demo".to_owned(),
        fingerprint: "ab".repeat(32),
        nodes: vec![node()],
        shards: vec![pb::ShardRecord {
            shard: 1,
            range_first: 0,
            range_last: u64::MAX,
            epoch: 1,
            replicas: vec![placement(4, 1), placement(2, 2)],
            next_replica_id: 5,
            forming_replica: 2,
        }],
        programs: vec![codec::program_to_proto(&programs())],
    }
}

pub(crate) fn system_commands() -> Vectors {
    use pb::system_command::Body;
    let bodies = [
        (
            "system-bootstrap",
            Body::Bootstrap(pb::Bootstrap {
                cluster_id: "demo".to_owned(),
                fingerprint: "ab".repeat(32),
                shards: 8,
                nodes: vec![node()],
            }),
        ),
        (
            "system-register-node",
            Body::RegisterNode(pb::RegisterNode {
                node: Some(node()),
                fingerprint: "ab".repeat(32),
                founding: false,
            }),
        ),
        (
            "system-shard-formed",
            Body::ShardFormed(pb::ShardFormed {
                shard: 1,
                replica: 2,
            }),
        ),
        (
            "system-put-program",
            Body::PutProgram(pb::PutProgramDefinition {
                program: Some(codec::program_to_proto(&programs())),
                expected_version: 8,
                proposed_at_ms: NINE_MS,
                immediate: true,
            }),
        ),
    ];
    let encode = |body| {
        let command = pb::SystemCommand { body: Some(body) };
        codec::encode_system_command(&command).to_vec()
    };
    bodies
        .into_iter()
        .map(|(name, body)| (name, encode(body)))
        .collect()
}

pub(crate) fn installing(point: pb::AppliedPoint) -> pb::PendingInstall {
    let (first, end) = keys::data_range(RingRange::FULL);
    pb::PendingInstall {
        point: Some(point),
        tables: vec!["1-0000.sst".to_owned()],
        clears: vec![pb::KeyRange {
            first: first.into(),
            end: end.into(),
        }],
    }
}

/// What a node keeps in the log family and as the applied point.
pub(crate) fn log_rows() -> Vectors {
    use pb::log_entry::Payload;
    let log_id = pb::LogId {
        term: 2,
        leader_replica: 3,
        index: 258,
    };
    let membership = pb::Membership {
        log_id: Some(log_id),
        configs: vec![pb::VoterSet {
            replicas: vec![1, 2, 3],
        }],
        members: vec![pb::Member {
            replica: 1,
            node: 10,
        }],
    };
    let entry = |payload| {
        codec::seal(&pb::LogEntry {
            log_id: Some(log_id),
            payload: Some(payload),
        })
    };
    let vote = pb::Vote {
        term: 2,
        leader_replica: 3,
        committed: true,
    };
    let point = pb::AppliedPoint {
        log_id: Some(log_id),
        membership: Some(membership.clone()),
    };
    vec![
        ("log-entry-blank", entry(Payload::Blank(pb::Blank {}))),
        (
            "log-entry-normal",
            entry(Payload::Normal(Bytes::from_static(b"payload"))),
        ),
        (
            "log-entry-membership",
            entry(Payload::Membership(membership)),
        ),
        ("log-vote", codec::seal(&vote)),
        ("log-id", codec::seal(&log_id)),
        (
            "log-replica",
            codec::seal(&pb::HostedReplica { replica: 4 }),
        ),
        (
            "disk-commits",
            codec::seal(&pb::DiskCommits { commits: 70_000 }),
        ),
        (
            "heard-of-disk",
            codec::seal(&pb::HeardOfDisk {
                incarnation: 77,
                commits: 70_000,
            }),
        ),
        ("applied-point", codec::seal(&point)),
        ("log-installing", codec::seal(&installing(point))),
    ]
}
