//! Answers queries at linearizable points.
//!
//! Everything that waits when a point is reached is answered there: one proof of leadership serves all.

use std::sync::Arc;

use quorate_core::ledger::{Answer, Answerer};
use quorate_core::{CoreError, codec};
use quorate_link::env::Env;
use quorate_proto::internal::{QueryReply, refusal, shard_reply};
use tokio::sync::mpsc;

use super::desk::{Question, take_queued};
use crate::failure::Failure;
use crate::limits;
use crate::raft::{Group, ReadRefused};

/// Answers for one shard until its desk is gone.
pub(super) async fn run_reader(
    group: Arc<Group>,
    mut queue: mpsc::Receiver<Question>,
    env: Env,
    failure: Failure,
) {
    while let Some(first) = queue.recv().await {
        let questions = take_queued(first, &mut queue, limits::QUERY_BATCH_MAX);
        let point = env
            .timeout(limits::LINEARIZE_TIMEOUT, group.linearize())
            .await;
        match point {
            Ok(Ok(())) => answer_all(&group, questions, &env, &failure),
            Ok(Err(ReadRefused::NotLeader(leader))) => {
                for question in questions {
                    question.reply.refuse(refusal::Kind::NotLeader, leader);
                }
            }
            Ok(Err(ReadRefused::Unavailable(_))) | Err(_) => {
                for question in questions {
                    question.reply.refuse(refusal::Kind::NotLeader, None);
                }
            }
        }
    }
}

fn answer_all(group: &Group, questions: Vec<Question>, env: &Env, failure: &Failure) {
    let now_ms = env.unix_ms();
    let now = env.monotonic();
    let shard = group.shard();
    group.state().read(|view, point| {
        let (term, log_index) = point.map_or((0, 0), |id| (id.leader_id.term, id.index));
        let mut answerer = Answerer::new(view, shard);
        for question in questions {
            if question.deadline <= now {
                question.reply.refuse(refusal::Kind::DeadlinePassed, None);
                continue;
            }
            let answer = match &mut answerer {
                Ok(answerer) => answerer.answer(&question.query, now_ms),
                Err(error) => Err(error.clone()),
            };
            match answer {
                Ok(answer) => question
                    .reply
                    .answer(shard_reply::Body::Query(reply_of(answer, term, log_index))),
                Err(error) => {
                    // Damaged state is never served: this node stops, and the others go on.
                    question.reply.refuse(refusal::Kind::NotLeader, None);
                    failure.raise(error);
                }
            }
        }
    });
}

fn reply_of(answer: Answer, term: u64, log_index: u64) -> QueryReply {
    QueryReply {
        term,
        log_index,
        body: Some(codec::answer_to_proto(answer)),
    }
}

impl From<CoreError> for crate::failure::Cause {
    fn from(error: CoreError) -> Self {
        Self::new("reading the state", error)
    }
}
