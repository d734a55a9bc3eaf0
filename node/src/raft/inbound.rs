//! Messages that other nodes send to the replicas here.
//!
//! One [`Inbound`] serves one connection. Appends of a session are handed to its group in order and
//! their replies go back in order; votes are answered one by one. A session that cannot be served is
//! refused, and its sender opens another.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use openraft::raft::AppendEntriesRequest;
use quorate_link::env::Env;
use quorate_proto::ids::{ReplicaId, ShardId};
use quorate_proto::internal::{Envelope, SessionRefused, TransferLeaderReply, envelope};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::codec::{
    append_from_proto, append_result_to_proto, log_id_from_proto, required_vote,
    vote_reply_to_proto, vote_request_from_proto,
};
use super::group::Group;
use super::types::TypeConfig;
use crate::limits;

/// Finds the replica a message is for.
pub(crate) trait FindGroup: Send + Sync + 'static {
    /// The group here, if this node holds that very replica of it.
    fn find(&self, group: ShardId, replica: ReplicaId) -> Option<Arc<Group>>;
}

/// The receiving side of one connection.
pub(crate) struct Inbound {
    groups: Arc<dyn FindGroup>,
    env: Env,
    replies: mpsc::Sender<Envelope>,
    sessions: BTreeMap<u64, mpsc::Sender<AppendEntriesRequest<TypeConfig>>>,
}

impl Inbound {
    pub(crate) fn new(
        groups: Arc<dyn FindGroup>,
        env: Env,
        replies: mpsc::Sender<Envelope>,
    ) -> Self {
        Self {
            groups,
            env,
            replies,
            sessions: BTreeMap::new(),
        }
    }

    /// Takes one message.
    pub(crate) async fn accept(&mut self, mut message: Envelope) {
        let Some(body) = message.body.take() else {
            return;
        };
        if matches!(body, envelope::Body::End(_)) {
            self.sessions.remove(&message.session);
            return;
        }
        let group = ShardId::new(message.group);
        let replica = ReplicaId::new(message.to_replica);
        let Some(group) = self.groups.find(group, replica) else {
            let detail = format!("replica {replica} of shard {group} is not here");
            return self.refuse(&message, detail).await;
        };
        match body {
            envelope::Body::Append(append) => match append_from_proto(&append) {
                Ok(request) => self.append(&message, &group, request).await,
                Err(error) => self.refuse(&message, error.to_string()).await,
            },
            other => self.answer(message, group, other),
        }
    }

    async fn append(
        &mut self,
        message: &Envelope,
        group: &Arc<Group>,
        request: AppendEntriesRequest<TypeConfig>,
    ) {
        if message.seq == 0 {
            self.open(message, group);
        }
        let queued = match self.sessions.get(&message.session) {
            Some(session) => session.try_send(request).is_ok(),
            // The session was refused or ended; what was still under way is dropped.
            None => return,
        };
        if !queued {
            self.sessions.remove(&message.session);
            self.refuse(message, "the session's queue is full or closed".to_owned())
                .await;
        }
    }

    fn open(&mut self, message: &Envelope, group: &Arc<Group>) {
        // Ended sessions whose sender never said so are dropped here.
        self.sessions.retain(|_, session| !session.is_closed());
        let (queue, requests) = mpsc::channel(limits::APPENDS_IN_FLIGHT_MAX + 1);
        self.sessions.insert(message.session, queue);
        let mut results = Box::pin(group.raft().stream_append(ReceiverStream::new(requests)));
        let replies = self.replies.clone();
        let mut reply = reply_to(message);
        self.env.spawn("append session", async move {
            while let Some(result) = results.next().await {
                let body = match &result {
                    Ok(result) => envelope::Body::AppendReply(append_result_to_proto(result)),
                    Err(fatal) => envelope::Body::Refused(SessionRefused {
                        detail: fatal.to_string(),
                    }),
                };
                reply.body = Some(body);
                if replies.send(reply.clone()).await.is_err() {
                    return;
                }
                reply.seq += 1;
            }
        });
    }

    /// Answers a request that stands alone, without holding up the connection.
    fn answer(&self, message: Envelope, group: Arc<Group>, body: envelope::Body) {
        let replies = self.replies.clone();
        self.env.spawn("peer call", async move {
            let reply = Envelope {
                body: Some(call(&group, body).await),
                ..reply_to(&message)
            };
            // A lost connection: the caller will ask again on the next one.
            let _ = replies.send(reply).await;
        });
    }

    async fn refuse(&self, message: &Envelope, detail: String) {
        let reply = Envelope {
            body: Some(refused(detail)),
            ..reply_to(message)
        };
        let _ = self.replies.send(reply).await;
    }
}

fn reply_to(message: &Envelope) -> Envelope {
    Envelope {
        group: message.group,
        from_replica: message.to_replica,
        to_replica: message.from_replica,
        session: message.session,
        seq: message.seq,
        body: None,
    }
}

fn refused(detail: impl ToString) -> envelope::Body {
    envelope::Body::Refused(SessionRefused {
        detail: detail.to_string(),
    })
}

async fn call(group: &Group, body: envelope::Body) -> envelope::Body {
    match body {
        envelope::Body::Vote(request) => match vote_request_from_proto(&request) {
            Ok(request) => match group.raft().vote(request).await {
                Ok(reply) => envelope::Body::VoteReply(vote_reply_to_proto(&reply)),
                Err(error) => refused(error),
            },
            Err(error) => refused(error),
        },
        envelope::Body::PreVote(request) => match vote_request_from_proto(&request) {
            Ok(request) => match group.raft().pre_vote(request).await {
                Ok(reply) => envelope::Body::VoteReply(vote_reply_to_proto(&reply)),
                Err(error) => refused(error),
            },
            Err(error) => refused(error),
        },
        envelope::Body::TransferLeader(request) => {
            let Ok(from_leader) = required_vote(request.from_leader.as_ref()) else {
                return refused("a transfer without a vote");
            };
            let last_log_id = request.last_log_id.as_ref().map(log_id_from_proto);
            let accepted = group
                .take_leadership(from_leader, request.to_replica, last_log_id)
                .await;
            envelope::Body::TransferLeaderReply(TransferLeaderReply {
                accepted: accepted.is_ok(),
                detail: accepted.err().unwrap_or_default(),
            })
        }
        _ => refused("an unexpected message"),
    }
}
