//! What the node reads off the disk and the wire, by name, for fuzzers. Hidden: no part of the node's interface.
//!
//! Law: none of these panics, and none takes memory out of proportion to its bytes. What has an envelope with a
//! checksum is given one that fits: the checksum guards against damage, and chance would never find it.

use prost::Message;
use quorate_core::codec::open;
use quorate_proto::{internal, storage};

use super::codec::{
    append_from_proto, append_result_from_proto, applied_from_proto, decode_entry, encode_entry,
    log_id_from_proto, required_vote, vote_from_proto, vote_reply_from_proto,
    vote_request_from_proto,
};
use super::snapshot_frames::{RowCheck, SnapshotHead, undamaged};
use super::snapshot_receiver::SnapshotRefused;
use super::snapshot_sender::checksum;
use crate::storage::{Row, identity};

/// A name, and what reads bytes and forgets what it read.
pub type Decoder = (&'static str, fn(&[u8]));

/// By name.
pub const ALL: &[Decoder] = &[
    ("node-log-entry", log_entry),
    ("node-log-facts", log_facts),
    ("node-peer-frame", peer_frame),
    ("node-snapshot", snapshot),
    ("node-disk-identity", |body| {
        is_disk_identity(body);
    }),
];

/// The cluster of which snapshots are taken in.
pub const CLUSTER_ID: &str = "fuzzed";

/// The bytes of a log entry, without their envelope. Law: what is read of it is read again from its own bytes.
fn log_entry(bytes: &[u8]) {
    if let Ok(entry) = decode_entry(&sealed(bytes)) {
        let again = decode_entry(&encode_entry(&entry)).expect("an entry's own bytes");
        assert_eq!(again, entry, "an entry read from its own bytes");
    }
}

/// Votes, ids, memberships: each row that is kept beside the entries, without its envelope.
fn log_facts(bytes: &[u8]) {
    let bytes = sealed(bytes);
    if let Ok(vote) = open::<storage::Vote>("vote", &bytes) {
        vote_from_proto(&vote);
    }
    if let Ok(id) = open::<storage::LogId>("log id", &bytes) {
        log_id_from_proto(&id);
    }
    if let Ok(point) = open::<storage::AppliedPoint>("applied point", &bytes) {
        drop(applied_from_proto(&point));
    }
    if let Ok(pending) = open::<storage::PendingInstall>("pending install", &bytes) {
        drop(pending.point.as_ref().map(applied_from_proto));
    }
    drop(open::<storage::HostedReplica>("replica", &bytes));
    drop(open::<storage::DiskCommits>("disk commits", &bytes));
    drop(open::<storage::HeardOfDisk>("heard of disk", &bytes));
}

/// A frame of the stream between two nodes. The entries of an append carry their envelopes.
fn peer_frame(bytes: &[u8]) {
    use internal::envelope::Body;
    let Ok(frame) = internal::PeerFrame::decode(bytes) else {
        return;
    };
    for envelope in frame.envelopes {
        match envelope.body {
            Some(Body::Append(append)) => drop(append_from_proto(&append)),
            Some(Body::AppendReply(reply)) => drop(append_result_from_proto(&reply)),
            Some(Body::Vote(vote) | Body::PreVote(vote)) => drop(vote_request_from_proto(&vote)),
            Some(Body::VoteReply(reply)) => drop(vote_reply_from_proto(&reply)),
            Some(Body::TransferLeader(transfer)) => {
                let _ = required_vote(transfer.from_leader.as_ref());
                let _ = transfer.last_log_id.as_ref().map(log_id_from_proto);
            }
            Some(Body::End(_) | Body::TransferLeaderReply(_) | Body::Refused(_)) | None => {}
        }
    }
}

/// The frames of one snapshot, each after its length. Law: what is taken in is in the order of its keys, each row
/// in a range of the group.
fn snapshot(bytes: &[u8]) {
    let _ = take_in(bytes);
}

/// Whether the frames are a whole snapshot. A checksum of 0 stands for the one that fits.
///
/// # Errors
/// Why they are not.
///
/// # Panics
/// Rows were taken in that are not the group's, or not in order.
pub fn take_in(mut bytes: &[u8]) -> Result<(), SnapshotRefused> {
    let mut frame = next_frame(&mut bytes)?;
    let mut check = RowCheck::new(SnapshotHead::read(&frame, CLUSTER_ID)?.shard);
    let mut rows: Vec<Row> = Vec::new();
    let mut number = 0;
    loop {
        let rows_total = frame.rows_total;
        for (key, value) in undamaged(frame, number)? {
            check.admit(&key, &value)?;
            rows.push((key, value));
        }
        if check.is_whole(rows_total)? {
            assert_taken_in(&rows, &check);
            return Ok(());
        }
        frame = next_frame(&mut bytes)?;
        number += 1;
    }
}

fn next_frame(bytes: &mut &[u8]) -> Result<internal::SnapshotFrame, SnapshotRefused> {
    let frame = internal::SnapshotFrame::decode_length_delimited(bytes);
    let mut frame = frame.map_err(|_| SnapshotRefused::Incomplete)?;
    if frame.checksum == 0 {
        frame.checksum = checksum(&frame.rows);
    }
    Ok(frame)
}

fn assert_taken_in(rows: &[Row], check: &RowCheck) {
    assert!(
        rows.is_sorted_by(|(one, _), (next, _)| one < next),
        "keys that do not ascend were taken in"
    );
    for (key, _) in rows {
        let mut owned = check.owned_ranges().iter();
        assert!(
            owned.any(|(first, end)| first <= key && key < end),
            "a row of another group was taken in: {key:02x?}"
        );
    }
}

/// Whether these lines, and behind them the checksum that fits, say whose disk it is.
pub fn is_disk_identity(body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body);
    let checksum = crc32c::crc32c(body.as_bytes());
    identity::parse(&format!("{body}checksum {checksum:08x}\n")).is_ok()
}

/// Version 1, the body, and a checksum that fits.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut bytes = [&[1], body].concat();
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}
