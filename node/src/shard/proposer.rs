//! Turns queued commands into log entries.
//!
//! Whatever has queued while the proposals in front were under way becomes one entry: no timer decides.
//! The leader's clock is stamped here, and nowhere else.

use std::sync::Arc;

use quorate_core::codec;
use quorate_core::ledger::{Batch, Command, Outcome};
use quorate_link::env::Env;
use quorate_proto::internal::{WriteReply, refusal, shard_reply};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::desk::{ReplyTo, Request};
use crate::limits;
use crate::raft::{Applied, Group, Pending, Proposed};

/// Proposes for one shard until its desk is gone.
pub(super) async fn run_proposer(group: Arc<Group>, mut queue: mpsc::Receiver<Request>, env: Env) {
    let slots = Arc::new(Semaphore::new(limits::BATCHES_IN_FLIGHT_MAX));
    let mut held_over: Option<Request> = None;
    loop {
        let first = match held_over.take() {
            Some(request) => request,
            None => match queue.recv().await {
                Some(request) => request,
                None => return,
            },
        };
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let gathered = gather(first, &mut queue, &mut held_over);
        propose(&group, gathered, slot, &env).await;
    }
}

/// As many requests as fit one entry; the one that does not fit is held over.
fn gather(
    first: Request,
    queue: &mut mpsc::Receiver<Request>,
    held_over: &mut Option<Request>,
) -> Vec<Request> {
    let mut bytes = first.bytes;
    let mut gathered = vec![first];
    while gathered.len() < limits::BATCH_COMMANDS_MAX {
        let Ok(next) = queue.try_recv() else {
            break;
        };
        if bytes + next.bytes > limits::BATCH_BYTES_MAX {
            *held_over = Some(next);
            break;
        }
        bytes += next.bytes;
        gathered.push(next);
    }
    gathered
}

async fn propose(
    group: &Arc<Group>,
    gathered: Vec<Request>,
    slot: OwnedSemaphorePermit,
    env: &Env,
) {
    let leadership = group.leadership().borrow().clone();
    if !leadership.here {
        for request in gathered {
            request
                .reply
                .refuse(refusal::Kind::NotLeader, leadership.leader);
        }
        return;
    }
    let now = env.monotonic();
    let mut commands: Vec<Command> = Vec::with_capacity(gathered.len());
    let mut replies: Vec<ReplyTo> = Vec::with_capacity(gathered.len());
    for request in gathered {
        if request.deadline <= now {
            request.reply.refuse(refusal::Kind::DeadlinePassed, None);
        } else {
            commands.push(request.command);
            replies.push(request.reply);
        }
    }
    if commands.is_empty() {
        return;
    }
    let batch = Batch {
        time_ms: env.unix_ms(),
        commands,
    };
    let pending = group.submit(codec::encode_batch(&batch)).await;
    env.spawn("proposal", answer_when_decided(pending, replies, slot));
}

async fn answer_when_decided(pending: Pending, replies: Vec<ReplyTo>, slot: OwnedSemaphorePermit) {
    let proposed = pending.outcome().await;
    drop(slot);
    match proposed {
        Proposed::Applied {
            term,
            index,
            outcome: Applied::Ledger(outcomes),
        } => answer_all(replies, outcomes, term, index),
        Proposed::Applied { .. } | Proposed::Unknown => {
            for reply in replies {
                reply.refuse(refusal::Kind::OutcomeUnknown, None);
            }
        }
        Proposed::NotLeader(leader) => {
            for reply in replies {
                reply.refuse(refusal::Kind::NotLeader, leader);
            }
        }
    }
}

fn answer_all(replies: Vec<ReplyTo>, outcomes: Vec<Outcome>, term: u64, log_index: u64) {
    assert_eq!(
        replies.len(),
        outcomes.len(),
        "every command of a batch has one outcome"
    );
    for (ordinal, (reply, outcome)) in (0u32..).zip(replies.into_iter().zip(outcomes)) {
        reply.answer(shard_reply::Body::Write(WriteReply {
            outcome: Some(codec::outcome_to_proto(outcome)),
            term,
            log_index,
            ordinal,
        }));
    }
}
