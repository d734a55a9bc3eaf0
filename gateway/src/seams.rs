//! A gateway without its doors, for simulators: what routes, sends and repeats questions to shards, over
//! connections that the simulator gives.
//!
//! State owned: the same directory, links and dispatcher as a whole gateway has. Laws: those of `dispatch`
//! and `retry`: what was asked is answered by its deadline, and a write that may have been recorded is never
//! reported as not done. Deliberately absent: sessions, national IDs and the public, which come before this.

use std::{sync::Arc, time::Duration};

use quorate_link::{Env, TaskHandle};
use quorate_proto::{
    ids::{Epoch, RingPosition, ShardId},
    internal::{self, query, query_reply, shard_command},
    storage::{self, SystemCommand, command, outcome},
};

pub use crate::nodes::dial::{
    Dial, Incoming, LinkError, NodeCallError, NodeConnection, SystemError,
};
use crate::{
    directory::Directory,
    dispatch::{CallError, Dispatcher},
    model::{Place, Position},
    nodes::{
        self, Nodes, Operation,
        decode::{BadAnswer, Wire},
    },
    public::Snapshot,
    retry::Failure,
};

/// Where in a shard's log an answer was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecidedAt {
    /// The Raft group.
    pub shard: u32,
    /// Of the entry; for a read, of the leader that answered.
    pub term: u64,
    /// Of the entry; for a read, the applied index it was read at.
    pub index: u64,
    /// Orders the answers of one entry; 0 for reads.
    pub ordinal: u32,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The shard found the question itself wrong. Nothing was written, and asking again will not help.
    #[error("rejected: {0}")]
    Rejected(String),
    /// Nothing was done.
    #[error("not done: {0}")]
    NotDone(String),
    /// It may or may not have been done. Asking again with the same request id tells.
    #[error("the outcome is unknown")]
    OutcomeUnknown,
}

/// One gateway, as far as questions to shards go.
pub struct Dispatch {
    dispatcher: Dispatcher,
    keep_nodes: TaskHandle,
}

impl Drop for Dispatch {
    fn drop(&mut self) {
        self.keep_nodes.abort();
        self.dispatcher.nodes.close();
    }
}

impl Dispatch {
    /// Starts to look for the cluster at `seeds` (`host:port`). Ends when dropped.
    pub fn start(cluster_id: &str, seeds: Vec<String>, dial: Arc<dyn Dial>, env: Env) -> Dispatch {
        let directory = Arc::new(Directory::new(cluster_id));
        let nodes = Nodes::new(nodes::Context {
            cluster_id: cluster_id.to_owned(),
            directory: directory.clone(),
            snapshot: Arc::new(Snapshot::new(env.clone(), false)),
            dial,
            env: env.clone(),
        });
        let keep_nodes = env.spawn("nodes", nodes.clone().run(seeds));
        Dispatch {
            dispatcher: Dispatcher {
                directory,
                nodes,
                env,
            },
            keep_nodes,
        }
    }

    /// Whether the cluster is known, and a leader of each of its shards.
    pub fn is_ready(&self) -> bool {
        self.dispatcher.directory.is_complete()
    }

    /// The data shards of the newest view.
    pub fn shards(&self) -> Vec<ShardId> {
        let view = self.dispatcher.directory.view();
        let shards = view.as_ref().map_or(&[][..], |view| view.map.shards());
        shards.iter().map(|info| info.shard).collect()
    }

    /// Has the shard at `position` decide a command. `deadline` is by the monotonic clock.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn write(
        &self,
        position: RingPosition,
        command: command::Body,
        deadline: Duration,
    ) -> Result<(outcome::Body, DecidedAt), AskError> {
        self.ask(position, &Write(command), deadline).await
    }

    /// Asks the shard at `position`, which changes nothing. `deadline` is by the monotonic clock.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn read(
        &self,
        position: RingPosition,
        query: query::Body,
        deadline: Duration,
    ) -> Result<(query_reply::Body, DecidedAt), AskError> {
        self.ask(position, &Read(query), deadline).await
    }

    /// Has the system shard decide a command; the version of the view that holds the change.
    ///
    /// # Errors
    /// See [`SystemError`].
    pub async fn propose(
        &self,
        command: &SystemCommand,
        time_limit: Duration,
    ) -> Result<u64, SystemError> {
        self.dispatcher.nodes.propose(command, time_limit).await
    }

    async fn ask<O: Operation>(
        &self,
        position: RingPosition,
        operation: &O,
        deadline: Duration,
    ) -> Result<(O::Answer, DecidedAt), AskError> {
        let place = Place::Position(position);
        let answered = self.dispatcher.call(place, operation, deadline).await;
        match answered {
            Ok(answered) => Ok((answered.answer, decided_at(answered.position))),
            Err(CallError::Rejected(rejection)) => {
                Err(AskError::Rejected(format!("{rejection:?}")))
            }
            Err(CallError::Failed(failure)) => Err(not_answered(failure)),
        }
    }
}

fn decided_at(position: Position) -> DecidedAt {
    DecidedAt {
        shard: position.shard.get(),
        term: position.term,
        index: position.log_index,
        ordinal: position.ordinal,
    }
}

fn not_answered(failure: Failure) -> AskError {
    match failure {
        Failure::OutcomeUnknown => AskError::OutcomeUnknown,
        Failure::Unavailable
        | Failure::Overloaded
        | Failure::DeadlinePassed
        | Failure::Internal => AskError::NotDone(format!("{failure:?}")),
    }
}

/// Any command.
struct Write(command::Body);

impl Operation for Write {
    type Answer = outcome::Body;
    const WRITES: bool = true;

    fn encode(&self, epoch: Epoch) -> shard_command::Body {
        shard_command::Body::Write(storage::Command {
            epoch: epoch.get(),
            body: Some(self.0.clone()),
        })
    }

    fn decode(wire: Wire) -> Result<outcome::Body, BadAnswer> {
        match wire {
            Wire::Outcome(outcome) => Ok(outcome),
            Wire::Read(_) => Err(BadAnswer::Kind),
        }
    }
}

/// Any query.
struct Read(query::Body);

impl Operation for Read {
    type Answer = query_reply::Body;
    const WRITES: bool = false;

    fn encode(&self, _: Epoch) -> shard_command::Body {
        shard_command::Body::Query(internal::Query {
            body: Some(self.0.clone()),
        })
    }

    fn decode(wire: Wire) -> Result<query_reply::Body, BadAnswer> {
        match wire {
            Wire::Read(reply) => Ok(reply),
            Wire::Outcome(_) => Err(BadAnswer::Kind),
        }
    }
}
