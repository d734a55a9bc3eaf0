//! The queues of one shard, and the way back to whoever asked.

use std::time::Duration;

use quorate_core::ledger::{Command, Query};
use quorate_link::env::Env;
use quorate_proto::ids::NodeId;
use quorate_proto::internal::{Refusal, ShardReply, refusal, shard_reply};
use quorate_proto::storage::{Done, outcome};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::limits;

/// A reply and the place it held among the gateway's outstanding commands.
pub(crate) type QueuedReply = (ShardReply, OwnedSemaphorePermit);

/// Where the answer to one command goes. Each is answered exactly once.
pub(crate) struct ReplyTo {
    way: Way,
}

enum Way {
    /// Among the replies of a gateway's stream.
    Stream {
        correlation: u64,
        replies: mpsc::Sender<QueuedReply>,
        permit: OwnedSemaphorePermit,
    },
    /// To somebody on this node.
    Here(oneshot::Sender<shard_reply::Body>),
}

impl ReplyTo {
    /// `permit` must come from a semaphore of the reply queue's capacity: sending then never waits.
    pub(crate) fn new(
        correlation: u64,
        replies: mpsc::Sender<QueuedReply>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            way: Way::Stream {
                correlation,
                replies,
                permit,
            },
        }
    }

    /// Sends the answer.
    pub(crate) fn answer(self, body: shard_reply::Body) {
        match self.way {
            Way::Stream {
                correlation,
                replies,
                permit,
            } => {
                let reply = ShardReply {
                    correlation,
                    body: Some(body),
                };
                // A closed queue means that the gateway is gone; it asks again with the same request id.
                let _ = replies.try_send((reply, permit));
            }
            Way::Here(waiting) => {
                // Whoever asked has given up.
                let _ = waiting.send(body);
            }
        }
    }

    /// Says that the question was not answered, and why.
    pub(crate) fn refuse(self, kind: refusal::Kind, leader: Option<NodeId>) {
        self.answer(shard_reply::Body::Refusal(Refusal {
            kind: kind.into(),
            leader_node: leader.map_or(0, NodeId::get),
            detail: String::new(),
        }));
    }

    /// Says that the question could not be read.
    pub(crate) fn malformed(self, detail: impl ToString) {
        self.answer(shard_reply::Body::Refusal(Refusal {
            kind: refusal::Kind::Malformed.into(),
            leader_node: 0,
            detail: detail.to_string(),
        }));
    }
}

/// A command waiting to be proposed.
pub(crate) struct Request {
    pub(crate) command: Command,
    /// Encoded size, to bound the entry.
    pub(crate) bytes: usize,
    /// On the node's monotonic clock.
    pub(crate) deadline: Duration,
    pub(crate) reply: ReplyTo,
}

/// A query waiting for a linearizable point.
pub(crate) struct Question {
    pub(crate) query: Query,
    /// On the node's monotonic clock.
    pub(crate) deadline: Duration,
    pub(crate) reply: ReplyTo,
}

/// The queues of one shard.
#[derive(Clone)]
pub(crate) struct Desk {
    requests: mpsc::Sender<Request>,
    questions: mpsc::Sender<Question>,
}

impl Desk {
    /// A desk, and the ends its workers read.
    pub(super) fn new() -> (Self, mpsc::Receiver<Request>, mpsc::Receiver<Question>) {
        let (requests, request_queue) = mpsc::channel(limits::SHARD_QUEUE_COMMANDS);
        let (questions, question_queue) = mpsc::channel(limits::SHARD_QUEUE_COMMANDS);
        let desk = Self {
            requests,
            questions,
        };
        (desk, request_queue, question_queue)
    }

    /// Queues a command, or refuses it at once when the queue is full.
    pub(crate) fn submit(&self, request: Request) {
        if let Err(error) = self.requests.try_send(request) {
            error.into_inner().reply.refuse(refusal::Kind::Busy, None);
        }
    }

    /// Queues a command of this node and waits for its end; true if it was done. False: it may or may not be.
    pub(crate) async fn apply(
        &self,
        command: Command,
        bytes: usize,
        timeout: Duration,
        env: &Env,
    ) -> bool {
        let (waiting, answer) = oneshot::channel();
        self.submit(Request {
            command,
            bytes,
            deadline: env.monotonic() + timeout,
            reply: ReplyTo {
                way: Way::Here(waiting),
            },
        });
        let done = outcome::Body::Done(Done {});
        match env.timeout(timeout, answer).await {
            Ok(Ok(shard_reply::Body::Write(reply))) => {
                reply.outcome.and_then(|outcome| outcome.body) == Some(done)
            }
            _ => false,
        }
    }

    /// Queues a query, or refuses it at once when the queue is full.
    pub(crate) fn ask(&self, question: Question) {
        if let Err(error) = self.questions.try_send(question) {
            error.into_inner().reply.refuse(refusal::Kind::Busy, None);
        }
    }
}

/// Takes `first` and whatever else is queued, up to `max`.
pub(super) fn take_queued<T>(first: T, queue: &mut mpsc::Receiver<T>, max: usize) -> Vec<T> {
    let mut taken = vec![first];
    while taken.len() < max {
        match queue.try_recv() {
            Ok(next) => taken.push(next),
            Err(_) => break,
        }
    }
    taken
}
