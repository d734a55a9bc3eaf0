//! openraft's values ↔ the durable and wire messages. openraft's own serialisation is never used.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::EntryPayload;
use openraft::raft::{AppendEntriesRequest, StreamAppendError, VoteRequest, VoteResponse};
use quorate_core::codec::{self, DecodeError};
use quorate_proto::{internal, storage};

use super::types::{
    Entry, Host, LeaderId, LogId, Membership, Proposal, StoredMembership, TypeConfig, Vote,
};

/// How far a replica's state has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AppliedPoint {
    pub(crate) log_id: Option<LogId>,
    pub(crate) membership: StoredMembership,
}

pub(crate) fn log_id_to_proto(id: &LogId) -> storage::LogId {
    storage::LogId {
        term: id.leader_id.term,
        leader_replica: id.leader_id.node_id,
        index: id.index,
    }
}

pub(crate) fn log_id_from_proto(id: &storage::LogId) -> LogId {
    let leader = LeaderId {
        term: id.term,
        node_id: id.leader_replica,
    };
    LogId::new(leader, id.index)
}

pub(crate) fn vote_to_proto(vote: &Vote) -> storage::Vote {
    storage::Vote {
        term: vote.leader_id.term,
        leader_replica: vote.leader_id.node_id,
        committed: vote.committed,
    }
}

pub(crate) fn vote_from_proto(vote: &storage::Vote) -> Vote {
    if vote.committed {
        Vote::new_committed(vote.term, vote.leader_replica)
    } else {
        Vote::new(vote.term, vote.leader_replica)
    }
}

/// A vote that a peer must have sent.
pub(crate) fn required_vote(vote: Option<&storage::Vote>) -> Result<Vote, DecodeError> {
    vote.map(vote_from_proto)
        .ok_or_else(|| DecodeError::missing("vote"))
}

pub(crate) fn membership_to_proto(stored: &StoredMembership) -> storage::Membership {
    membership_parts(stored.log_id().as_ref(), stored.membership())
}

fn membership_parts(log_id: Option<&LogId>, membership: &Membership) -> storage::Membership {
    storage::Membership {
        log_id: log_id.map(log_id_to_proto),
        configs: membership
            .get_joint_config()
            .iter()
            .map(|voters| storage::VoterSet {
                replicas: voters.iter().copied().collect(),
            })
            .collect(),
        members: membership
            .nodes()
            .map(|(replica, host)| storage::Member {
                replica: *replica,
                node: host.0,
            })
            .collect(),
    }
}

pub(crate) fn membership_from_proto(
    message: &storage::Membership,
) -> Result<StoredMembership, DecodeError> {
    let log_id = message.log_id.as_ref().map(log_id_from_proto);
    Ok(StoredMembership::new(log_id, bare_membership(message)?))
}

fn bare_membership(message: &storage::Membership) -> Result<Membership, DecodeError> {
    if message.configs.is_empty() && message.members.is_empty() {
        return Ok(Membership::default());
    }
    let configs: Vec<BTreeSet<u64>> = message
        .configs
        .iter()
        .map(|set| set.replicas.iter().copied().collect())
        .collect();
    let nodes: BTreeMap<u64, Host> = message
        .members
        .iter()
        .map(|member| (member.replica, Host(member.node)))
        .collect();
    Membership::new(configs, nodes).map_err(|e| DecodeError::invalid("membership", e))
}

/// The bytes of an entry, as they are in the log and on the wire.
pub(crate) fn encode_entry(entry: &Entry) -> Vec<u8> {
    let payload = match &entry.payload {
        EntryPayload::Blank => storage::log_entry::Payload::Blank(storage::Blank {}),
        EntryPayload::Normal(proposal) => storage::log_entry::Payload::Normal(proposal.0.clone()),
        EntryPayload::Membership(membership) => {
            storage::log_entry::Payload::Membership(membership_parts(None, membership))
        }
    };
    codec::seal(&storage::LogEntry {
        log_id: Some(log_id_to_proto(&entry.log_id)),
        payload: Some(payload),
    })
}

pub(crate) fn decode_entry(bytes: &[u8]) -> Result<Entry, DecodeError> {
    let message: storage::LogEntry = codec::open("log entry", bytes)?;
    let log_id = message
        .log_id
        .as_ref()
        .map(log_id_from_proto)
        .ok_or_else(|| DecodeError::missing("log entry id"))?;
    let payload = match message.payload {
        Some(storage::log_entry::Payload::Blank(_)) => EntryPayload::Blank,
        Some(storage::log_entry::Payload::Normal(bytes)) => EntryPayload::Normal(Proposal(bytes)),
        Some(storage::log_entry::Payload::Membership(message)) => {
            EntryPayload::Membership(bare_membership(&message)?)
        }
        None => return Err(DecodeError::missing("log entry payload")),
    };
    Ok(Entry { log_id, payload })
}

pub(crate) fn applied_to_proto(point: &AppliedPoint) -> storage::AppliedPoint {
    storage::AppliedPoint {
        log_id: point.log_id.as_ref().map(log_id_to_proto),
        membership: Some(membership_to_proto(&point.membership)),
    }
}

pub(crate) fn applied_from_proto(
    message: &storage::AppliedPoint,
) -> Result<AppliedPoint, DecodeError> {
    let membership = match &message.membership {
        Some(membership) => membership_from_proto(membership)?,
        None => StoredMembership::default(),
    };
    Ok(AppliedPoint {
        log_id: message.log_id.as_ref().map(log_id_from_proto),
        membership,
    })
}

pub(crate) fn append_to_proto(
    request: &AppendEntriesRequest<TypeConfig>,
) -> internal::AppendRequest {
    internal::AppendRequest {
        vote: Some(vote_to_proto(&request.vote)),
        prev_log_id: request.prev_log_id.as_ref().map(log_id_to_proto),
        entries: request
            .entries
            .iter()
            .map(|entry| Bytes::from(encode_entry(entry)))
            .collect(),
        leader_commit: request.leader_commit.as_ref().map(log_id_to_proto),
    }
}

pub(crate) fn append_from_proto(
    message: &internal::AppendRequest,
) -> Result<AppendEntriesRequest<TypeConfig>, DecodeError> {
    Ok(AppendEntriesRequest {
        vote: required_vote(message.vote.as_ref())?,
        prev_log_id: message.prev_log_id.as_ref().map(log_id_from_proto),
        entries: message
            .entries
            .iter()
            .map(|bytes| decode_entry(bytes))
            .collect::<Result<_, _>>()?,
        leader_commit: message.leader_commit.as_ref().map(log_id_from_proto),
    })
}

/// What a follower said to one append.
pub(crate) type AppendResult = Result<Option<LogId>, StreamAppendError<TypeConfig>>;

pub(crate) fn append_result_to_proto(result: &AppendResult) -> internal::AppendReply {
    use internal::append_reply::Result as Reply;
    let reply = match result {
        Ok(matched) => Reply::Matched(internal::AppendMatched {
            log_id: matched.as_ref().map(log_id_to_proto),
        }),
        Err(StreamAppendError::Conflict(log_id)) => Reply::Conflict(log_id_to_proto(log_id)),
        Err(StreamAppendError::HigherVote(vote)) => Reply::HigherVote(vote_to_proto(vote)),
    };
    internal::AppendReply {
        result: Some(reply),
    }
}

pub(crate) fn append_result_from_proto(
    message: &internal::AppendReply,
) -> Result<AppendResult, DecodeError> {
    use internal::append_reply::Result as Reply;
    match &message.result {
        Some(Reply::Matched(matched)) => Ok(Ok(matched.log_id.as_ref().map(log_id_from_proto))),
        Some(Reply::Conflict(log_id)) => {
            Ok(Err(StreamAppendError::Conflict(log_id_from_proto(log_id))))
        }
        Some(Reply::HigherVote(vote)) => {
            Ok(Err(StreamAppendError::HigherVote(vote_from_proto(vote))))
        }
        None => Err(DecodeError::missing("append result")),
    }
}

pub(crate) fn vote_request_to_proto(request: &VoteRequest<TypeConfig>) -> internal::VoteRequest {
    internal::VoteRequest {
        vote: Some(vote_to_proto(&request.vote)),
        last_log_id: request.last_log_id.as_ref().map(log_id_to_proto),
        leadership_transfer: request.leadership_transfer,
    }
}

pub(crate) fn vote_request_from_proto(
    message: &internal::VoteRequest,
) -> Result<VoteRequest<TypeConfig>, DecodeError> {
    let vote = required_vote(message.vote.as_ref())?;
    let mut request = VoteRequest::new(vote, message.last_log_id.as_ref().map(log_id_from_proto));
    request.leadership_transfer = message.leadership_transfer;
    Ok(request)
}

pub(crate) fn vote_reply_to_proto(reply: &VoteResponse<TypeConfig>) -> internal::VoteReply {
    internal::VoteReply {
        vote: Some(vote_to_proto(&reply.vote)),
        granted: reply.vote_granted,
        last_log_id: reply.last_log_id.as_ref().map(log_id_to_proto),
    }
}

pub(crate) fn vote_reply_from_proto(
    message: &internal::VoteReply,
) -> Result<VoteResponse<TypeConfig>, DecodeError> {
    Ok(VoteResponse::new(
        required_vote(message.vote.as_ref())?,
        message.last_log_id.as_ref().map(log_id_from_proto),
        message.granted,
    ))
}
