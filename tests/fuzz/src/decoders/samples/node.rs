//! What nodes read of each other and of their disks.

use prost::Message;
use quorate_node::decoders::CLUSTER_ID;
use quorate_proto::{
    internal::{self, envelope::Body},
    storage,
};

use super::text;
use crate::golden;

/// The shard of the golden keys, which has the whole ring.
const SHARD: u32 = 7;

pub(super) fn of(name: &str) -> Vec<Vec<u8>> {
    match name {
        "node-log-entry" => log_entries(),
        "node-log-facts" => bodies(&[
            "log-vote",
            "log-id",
            "log-replica",
            "disk-commits",
            "heard-of-disk",
            "applied-point",
            "log-installing",
        ]),
        "node-peer-frame" => vec![peer_frame().encode_to_vec()],
        "node-snapshot" => vec![shard_snapshot(), system_snapshot()],
        "node-disk-identity" => vec![
            text(concat!(
                "quorate node disk, format 1\n",
                "cluster demo\nnode 3\nincarnation 42\nfounding true\n",
            )),
            text(concat!(
                "quorate node disk, format 1\n",
                "cluster a\nnode 1\nincarnation 18446744073709551615\nfounding false\n",
            )),
        ],
        _ => Vec::new(),
    }
}

fn bodies(names: &[&str]) -> Vec<Vec<u8>> {
    let body = |name: &&str| golden::body(&golden::value(name)).to_vec();
    names.iter().map(body).collect()
}

/// The golden ones, and two with commands.
fn log_entries() -> Vec<Vec<u8>> {
    let with = |commands: &str| storage::LogEntry {
        log_id: Some(log_id()),
        payload: Some(storage::log_entry::Payload::Normal(
            golden::value(commands).into(),
        )),
    };
    let commands = ["batch", "system-register-node"].map(|name| with(name).encode_to_vec());
    let mut entries = bodies(&[
        "log-entry-blank",
        "log-entry-normal",
        "log-entry-membership",
    ]);
    entries.extend(commands);
    entries
}

fn log_id() -> storage::LogId {
    storage::LogId {
        term: 3,
        leader_replica: 1,
        index: 7,
    }
}

fn vote() -> storage::Vote {
    storage::Vote {
        term: 3,
        leader_replica: 1,
        committed: true,
    }
}

/// Three voters and one that joins.
fn membership() -> storage::Membership {
    let voters = |replicas: &[u64]| storage::VoterSet {
        replicas: replicas.to_vec(),
    };
    storage::Membership {
        log_id: Some(log_id()),
        configs: vec![voters(&[1, 2, 3]), voters(&[2, 3, 4])],
        members: (1..=4)
            .map(|replica| storage::Member {
                replica,
                node: replica,
            })
            .collect(),
    }
}

/// One message of each kind.
fn peer_frame() -> internal::PeerFrame {
    let vote_request = || internal::VoteRequest {
        vote: Some(vote()),
        last_log_id: Some(log_id()),
        leadership_transfer: true,
    };
    let reply = |result| {
        Body::AppendReply(internal::AppendReply {
            result: Some(result),
        })
    };
    let matched = internal::AppendMatched {
        log_id: Some(log_id()),
    };
    let bodies = [
        Body::Append(internal::AppendRequest {
            vote: Some(vote()),
            prev_log_id: Some(log_id()),
            entries: [
                "log-entry-blank",
                "log-entry-normal",
                "log-entry-membership",
            ]
            .map(|name| golden::value(name).into())
            .to_vec(),
            leader_commit: Some(log_id()),
        }),
        Body::Vote(vote_request()),
        Body::PreVote(vote_request()),
        Body::TransferLeader(internal::TransferLeader {
            from_leader: Some(vote()),
            to_replica: 2,
            last_log_id: Some(log_id()),
        }),
        Body::End(internal::SessionEnd {}),
        reply(internal::append_reply::Result::Matched(matched)),
        reply(internal::append_reply::Result::Conflict(log_id())),
        reply(internal::append_reply::Result::HigherVote(vote())),
        Body::VoteReply(internal::VoteReply {
            vote: Some(vote()),
            granted: true,
            last_log_id: Some(log_id()),
        }),
        Body::TransferLeaderReply(internal::TransferLeaderReply {
            accepted: false,
            detail: "not the leader".to_owned(),
        }),
        Body::Refused(internal::SessionRefused {
            detail: "replica 4 of shard 1 is not here".to_owned(),
        }),
    ];
    let heard = |commits| {
        Some(storage::HeardOfDisk {
            incarnation: 77,
            commits,
        })
    };
    internal::PeerFrame {
        cluster_id: CLUSTER_ID.to_owned(),
        from_node: 1,
        envelopes: bodies
            .into_iter()
            .zip(0..)
            .map(|(body, seq)| internal::Envelope {
                group: SHARD,
                from_replica: 1,
                to_replica: 2,
                session: 1,
                seq,
                body: Some(body),
            })
            .collect(),
        disk: Some(internal::DiskStatement {
            own: heard(9),
            heard: heard(8),
        }),
    }
}

/// A row of each kind that a shard keeps.
fn shard_snapshot() -> Vec<u8> {
    let mut rows: Vec<internal::SnapshotRow> = [
        ("applied", "applied-point"),
        ("facts", "facts"),
        ("program", "program"),
        ("day-counts", "day-counts"),
        ("shadow-counts", "shadow-counts"),
        ("retired-units", "retired-units"),
        ("watermark", "watermark"),
        ("citizen", "citizen"),
        ("outbox", "outbox-sold"),
        ("site", "site"),
        ("stock", "stock"),
        ("stock-journal", "stock-journal"),
        ("site-sale", "site-sale"),
    ]
    .map(|(key, value)| row(key, value))
    .to_vec();
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    snapshot(SHARD, &rows)
}

fn system_snapshot() -> Vec<u8> {
    snapshot(0, &[row("cluster-view", "view")])
}

fn row(key: &str, value: &str) -> internal::SnapshotRow {
    internal::SnapshotRow {
        key: golden::key(key).into(),
        value: golden::value(value).into(),
    }
}

/// Frames of four rows, each after its length, and a last one without any.
fn snapshot(group: u32, rows: &[internal::SnapshotRow]) -> Vec<u8> {
    let mut header = Some(internal::SnapshotHeader {
        cluster_id: CLUSTER_ID.to_owned(),
        group,
        from_replica: 1,
        to_replica: 2,
        vote: Some(vote()),
        last_log_id: Some(log_id()),
        membership: Some(membership()),
    });
    let mut bytes = Vec::new();
    for rows in rows.chunks(4) {
        let frame = internal::SnapshotFrame {
            header: header.take(),
            rows: rows.to_vec(),
            ..internal::SnapshotFrame::default()
        };
        bytes.extend(frame.encode_length_delimited_to_vec());
    }
    let last = internal::SnapshotFrame {
        rows_total: Some(rows.len() as u64),
        ..internal::SnapshotFrame::default()
    };
    bytes.extend(last.encode_length_delimited_to_vec());
    bytes
}
