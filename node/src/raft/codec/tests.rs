use prost::Message;
use quorate_battery::{Decoder, battery};

use super::*;

/// The body with an envelope whose checksum fits: what is damaged is found by that already.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut bytes = [&[1], body].concat();
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

fn log_id() -> storage::LogId {
    storage::LogId {
        term: 3,
        leader_replica: 1,
        index: 7,
    }
}

fn membership() -> storage::Membership {
    storage::Membership {
        log_id: Some(log_id()),
        configs: vec![storage::VoterSet {
            replicas: vec![1, 2, 3],
        }],
        members: (1..=3)
            .map(|replica| storage::Member {
                replica,
                node: replica,
            })
            .collect(),
    }
}

fn entry() -> storage::LogEntry {
    storage::LogEntry {
        log_id: Some(log_id()),
        payload: Some(storage::log_entry::Payload::Membership(membership())),
    }
}

#[test]
fn whatever_an_entry_holds_it_is_read_in_bounded_memory() {
    let decoder = Decoder {
        name: "log-entry",
        read: |bytes| drop(decode_entry(&sealed(bytes))),
        seeds: vec![entry().encode_to_vec()],
    };
    battery(&decoder, 1, 4_000);
}

#[test]
fn whatever_a_peer_sends_it_is_read_in_bounded_memory() {
    let vote = Some(storage::Vote {
        term: 3,
        leader_replica: 1,
        committed: true,
    });
    let append = internal::AppendRequest {
        vote,
        entries: vec![sealed(&entry().encode_to_vec()).into()],
        ..internal::AppendRequest::default()
    };
    let request = internal::VoteRequest {
        vote,
        last_log_id: Some(log_id()),
        leadership_transfer: false,
    };
    let decoder = Decoder {
        name: "peer-messages",
        read: |bytes| {
            if let Ok(message) = internal::AppendRequest::decode(bytes) {
                drop(append_from_proto(&message));
            }
            if let Ok(message) = internal::AppendReply::decode(bytes) {
                drop(append_result_from_proto(&message));
            }
            if let Ok(message) = internal::VoteRequest::decode(bytes) {
                drop(vote_request_from_proto(&message));
            }
            if let Ok(message) = internal::VoteReply::decode(bytes) {
                drop(vote_reply_from_proto(&message));
            }
            if let Ok(message) = internal::SnapshotFrame::decode(bytes)
                && let Some(header) = message.header
            {
                drop(required_vote(header.vote.as_ref()));
                drop(header.membership.as_ref().map(membership_from_proto));
            }
        },
        seeds: vec![append.encode_to_vec(), request.encode_to_vec()],
    };
    battery(&decoder, 2, 4_000);
}
