//! Proposals to the system shard, from any node.
//!
//! Every system command may be repeated, so a lost answer is simply tried again until the time is up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use quorate_core::codec;
use quorate_link::env::Env;
use quorate_proto::ids::NodeId;
use quorate_proto::storage::{SystemCommand, SystemOutcome, system_command};
use tokio::sync::watch;

use super::view::AddressBook;
use crate::limits;
use crate::links::Calls;
use crate::raft::{Applied, Group, Proposed};

/// The replica of the system shard on this node, once there is one.
pub(crate) type SystemSlot = Arc<watch::Sender<Option<Arc<Group>>>>;

/// A proposal that did not get through in time, or could not be read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SystemError {
    /// Nothing was done: no leader of the system shard took it.
    #[error("no leader of the system shard was found in time")]
    Unavailable,
    /// It was handed over and not heard of again: it may be done, now or later.
    #[error("it is not known whether the system shard has recorded it")]
    OutcomeUnknown,
    /// Nothing was done.
    #[error("another node leads the system shard")]
    NotLeader,
    /// Nothing was done, and repeating it is of no use.
    #[error("the command cannot be read: {0}")]
    Malformed(String),
}

/// Proposes to the system shard.
pub(crate) trait ProposeSystem: Send + Sync + 'static {
    /// Proposes until decided or until the time is up.
    fn propose(&self, command: SystemCommand) -> BoxFuture<'_, Result<SystemOutcome, SystemError>>;
}

/// Finds the leader of the system shard, here or elsewhere.
pub(crate) struct SystemProposer {
    pub(crate) this: NodeId,
    pub(crate) slot: SystemSlot,
    pub(crate) addresses: Arc<AddressBook>,
    pub(crate) calls: Arc<dyn Calls>,
    pub(crate) env: Env,
}

impl SystemProposer {
    /// Proposes here, if this node leads the system shard.
    pub(crate) async fn propose_here(
        &self,
        command: &SystemCommand,
    ) -> Result<SystemOutcome, SystemError> {
        let group = self.slot.borrow().clone().ok_or(SystemError::NotLeader)?;
        if !group.leadership().borrow().here {
            return Err(SystemError::NotLeader);
        }
        let bytes = codec::encode_system_command(&self.stamped(command));
        match group.submit(bytes).await.outcome().await {
            Proposed::Applied {
                outcome: Applied::System(outcome),
                ..
            } => Ok(outcome),
            Proposed::Applied { .. } | Proposed::Unknown => Err(SystemError::OutcomeUnknown),
            Proposed::NotLeader(_) => Err(SystemError::NotLeader),
        }
    }

    /// The command with the time of its proposal, where it depends on it.
    fn stamped(&self, command: &SystemCommand) -> SystemCommand {
        let mut command = command.clone();
        if let Some(system_command::Body::PutProgram(put)) = &mut command.body {
            put.proposed_at_ms = self.env.unix_ms();
        }
        command
    }

    /// One round over all nodes; `None` if none of them decided.
    async fn try_everywhere(
        &self,
        command: &SystemCommand,
        doubt: &Doubt,
    ) -> Option<Result<SystemOutcome, SystemError>> {
        let here = doubt.unless_declined(self.propose_here(command)).await;
        if here.is_some() {
            return here;
        }
        for node in self.candidates() {
            let asked = self.calls.propose_system(node, command.clone());
            let there = doubt.unless_declined(asked).await;
            if there.is_some() {
                return there;
            }
        }
        None
    }

    /// The known leader first, then everyone else.
    fn candidates(&self) -> Vec<NodeId> {
        let leader = self
            .slot
            .borrow()
            .as_ref()
            .and_then(|group| group.leadership().borrow().leader);
        let mut nodes: Vec<NodeId> = leader.into_iter().collect();
        nodes.extend(self.addresses.nodes());
        let mut seen = std::collections::BTreeSet::from([self.this]);
        nodes.retain(|node| seen.insert(*node));
        nodes
    }
}

/// Whether some attempt may have been recorded though nobody said so.
#[derive(Default)]
struct Doubt(AtomicBool);

impl Doubt {
    /// Runs one attempt: its decision, if it came to one. While it is under way, and for good if its
    /// outcome is unknown, there is doubt; an attempt that was declined leaves things as they were.
    async fn unless_declined(
        &self,
        attempt: impl Future<Output = Result<SystemOutcome, SystemError>>,
    ) -> Option<Result<SystemOutcome, SystemError>> {
        let before = self.0.swap(true, Ordering::Relaxed);
        match attempt.await {
            Err(SystemError::NotLeader | SystemError::Unavailable) => {
                self.0.store(before, Ordering::Relaxed);
                None
            }
            Err(SystemError::OutcomeUnknown) => None,
            // Perhaps because of what an earlier attempt has done, or of what came after it.
            Ok(outcome) if before && !outcome.refused.is_empty() => {
                Some(Err(SystemError::OutcomeUnknown))
            }
            decided => Some(decided),
        }
    }

    /// What to say when the time is up.
    fn error(&self) -> SystemError {
        match self.0.load(Ordering::Relaxed) {
            true => SystemError::OutcomeUnknown,
            false => SystemError::Unavailable,
        }
    }
}

impl ProposeSystem for SystemProposer {
    fn propose(&self, command: SystemCommand) -> BoxFuture<'_, Result<SystemOutcome, SystemError>> {
        async move {
            let doubt = Doubt::default();
            let attempts = async {
                loop {
                    if let Some(decided) = self.try_everywhere(&command, &doubt).await {
                        return decided;
                    }
                    self.env.sleep(2 * limits::RECONNECT_PAUSE_MIN).await;
                }
            };
            let decided = self
                .env
                .timeout(limits::SYSTEM_PROPOSAL_TIMEOUT, attempts)
                .await;
            decided.unwrap_or_else(|_| Err(doubt.error()))
        }
        .boxed()
    }
}
