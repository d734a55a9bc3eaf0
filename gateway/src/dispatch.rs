//! Asks a shard and stays with the question until it is answered or its time is over.
//!
//! State owned: none of its own. Laws: an attempt ends before the next begins to be judged; whatever
//! happens, the caller hears by its deadline; what is heard is what is known (see `retry`). Deliberately
//! absent: knowledge of any particular question.

use std::{sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use quorate_link::Env;

use crate::{
    directory::{Directory, Revision, Route},
    limits,
    model::{Answered, Place, Position, Rejection},
    nodes::{
        Nodes, Operation,
        decode::{self, Heard, Wire},
        pipeline::{Lost, Outgoing, Pipeline, Reply, SubmitError, Waiting},
    },
    retry::{Attempt, Failure, Next, Progress},
    route::Refused,
};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The shard found the question itself wrong.
    Rejected(Rejection),
    /// See [`Failure`].
    Failed(Failure),
}

/// Asks shards, wherever they are.
#[derive(Clone)]
pub(crate) struct Dispatcher {
    pub(crate) directory: Arc<Directory>,
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) env: Env,
}

/// How an attempt ended.
enum Tried {
    Answer(Wire, Position),
    Rejected(Rejection),
    Not(Attempt, Option<Refused>),
}

impl Dispatcher {
    /// Asks the shard at `place`. `deadline` is by the monotonic clock.
    ///
    /// # Errors
    /// The question is wrong, or could not be asked; [`Failure`] says what is known of its outcome.
    pub(crate) async fn call<O: Operation>(
        &self,
        place: Place,
        operation: &O,
        deadline: Duration,
    ) -> Result<Answered<O::Answer>, CallError> {
        let encode = |route: &Route| Outgoing {
            shard: route.shard,
            epoch: route.epoch,
            deadline,
            body: operation.encode(route.epoch),
            bytes: operation.bytes(),
        };
        let (wire, position) = self.ask(place, O::WRITES, deadline, &encode).await?;
        match O::decode(wire) {
            Ok(answer) => Ok(Answered { answer, position }),
            Err(error) => {
                tracing::error!(%error, shard = position.shard.get(), "cannot read an answer");
                // It was decided; what, we cannot tell.
                Err(CallError::Failed(if O::WRITES {
                    Failure::OutcomeUnknown
                } else {
                    Failure::Internal
                }))
            }
        }
    }

    async fn ask(
        &self,
        place: Place,
        writes: bool,
        deadline: Duration,
        encode: &(dyn Fn(&Route) -> Outgoing + Sync),
    ) -> Result<(Wire, Position), CallError> {
        let mut progress = Progress::new(writes);
        let mut refused = None;
        if self.time_left(deadline).is_zero() {
            return Err(CallError::Failed(Failure::DeadlinePassed));
        }
        loop {
            // Before looking: news that come while we look must end the pause.
            let seen = self.directory.revision();
            let attempt = match self.attempt(place, refused, deadline, encode).await {
                Tried::Answer(wire, position) => return Ok((wire, position)),
                Tried::Rejected(rejection) => return Err(CallError::Rejected(rejection)),
                Tried::Not(attempt, by) => {
                    refused = by;
                    attempt
                }
            };
            let time_left = self.time_left(deadline);
            match progress.after(attempt, time_left) {
                Next::Now => {}
                Next::After(pause) => {
                    refused = None;
                    self.pause(pause.min(time_left), seen).await;
                }
                Next::Fail(failure) => return Err(CallError::Failed(failure)),
            }
        }
    }

    async fn attempt(
        &self,
        place: Place,
        refused: Option<Refused>,
        deadline: Duration,
        encode: &(dyn Fn(&Route) -> Outgoing + Sync),
    ) -> Tried {
        let is_open = |node| self.nodes.is_open(node);
        let Some(route) = self.directory.route(place, refused, &is_open) else {
            return Tried::Not(Attempt::NoRoute, None);
        };
        let Some(pipeline) = self.nodes.pipeline(route.node) else {
            return Tried::Not(Attempt::NoRoute, None);
        };
        let waiting = match pipeline.submit(encode(&route)) {
            Ok(waiting) => waiting,
            Err(SubmitError::Closed) => return Tried::Not(Attempt::NoRoute, None),
            Err(SubmitError::Full) => return Tried::Not(Attempt::QueueFull, None),
        };
        match self.wait(&route, &pipeline, waiting, deadline).await {
            Ok(reply) => judge(reply, &route),
            Err(attempt) => Tried::Not(attempt, None),
        }
    }

    /// Waits for the reply, for the deadline, or for another leader, whichever comes first.
    async fn wait(
        &self,
        route: &Route,
        pipeline: &Pipeline,
        mut waiting: Waiting,
        deadline: Duration,
    ) -> Result<Reply, Attempt> {
        loop {
            let patience = self.time_left(deadline).min(limits::RECONSIDER_INTERVAL);
            match self.env.timeout(patience, waiting.answer()).await {
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(Lost { maybe_sent })) => return Err(Attempt::Lost { maybe_sent }),
                Err(_) if self.time_left(deadline).is_zero() => {
                    let maybe_sent = pipeline.give_up(waiting);
                    return Err(Attempt::Silent { maybe_sent });
                }
                Err(_) if self.directory.is_superseded(route) => {
                    let maybe_sent = pipeline.give_up(waiting);
                    return Err(Attempt::Superseded { maybe_sent });
                }
                Err(_) => {}
            }
        }
    }

    /// Waits for news of the cluster, at most for a random time between half of `pause` and all of it:
    /// those who failed together shall not come back together.
    async fn pause(&self, pause: Duration, seen: Revision) {
        let pause = pause / 2 + self.env.random_up_to(pause / 2);
        let news = std::pin::pin!(self.directory.changed_since(seen));
        match select(news, self.env.sleep(pause)).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }

    /// Zero where it is too short to ask anybody.
    fn time_left(&self, deadline: Duration) -> Duration {
        let time_left = deadline.saturating_sub(self.env.monotonic());
        match time_left < limits::TIME_LEFT_MIN {
            true => Duration::ZERO,
            false => time_left,
        }
    }
}

fn judge(reply: Reply, route: &Route) -> Tried {
    match decode::heard(reply, route.shard) {
        Ok(Heard::Answer(wire, position)) => Tried::Answer(wire, position),
        Ok(Heard::Rejected(rejection)) => Tried::Rejected(rejection),
        Ok(Heard::NotAnswered { attempt, hint }) => {
            let not_leader = matches!(attempt, Attempt::NotLeader { .. });
            let refused = not_leader.then_some(Refused {
                by: route.node,
                hint,
            });
            Tried::Not(attempt, refused)
        }
        Err(error) => {
            let (node, shard) = (route.node.get(), route.shard.get());
            tracing::error!(%error, node, shard, "cannot read a reply");
            Tried::Not(Attempt::OutcomeUnknown, None)
        }
    }
}
