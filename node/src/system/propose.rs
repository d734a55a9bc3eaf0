//! Proposals to the system shard, from any node.
//!
//! Every system command may be repeated, so a lost answer is simply tried again until the time is up.

use std::sync::Arc;

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
    /// Nobody decided in time; it may still be decided. Every system command may be repeated.
    #[error("the system shard did not answer in time")]
    Unavailable,
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
            Proposed::Applied { .. } | Proposed::Unknown => Err(SystemError::Unavailable),
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

    async fn try_everywhere(&self, command: &SystemCommand) -> Result<SystemOutcome, SystemError> {
        match self.propose_here(command).await {
            Err(SystemError::NotLeader | SystemError::Unavailable) => {}
            decided => return decided,
        }
        for node in self.candidates() {
            match self.calls.propose_system(node, command.clone()).await {
                Err(SystemError::NotLeader | SystemError::Unavailable) => {}
                decided => return decided,
            }
        }
        Err(SystemError::Unavailable)
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

impl ProposeSystem for SystemProposer {
    fn propose(&self, command: SystemCommand) -> BoxFuture<'_, Result<SystemOutcome, SystemError>> {
        let attempts = async move {
            loop {
                match self.try_everywhere(&command).await {
                    Err(SystemError::NotLeader | SystemError::Unavailable) => {
                        self.env.sleep(2 * limits::RECONNECT_PAUSE_MIN).await;
                    }
                    decided => return decided,
                }
            }
        };
        async move {
            match self
                .env
                .timeout(limits::SYSTEM_PROPOSAL_TIMEOUT, attempts)
                .await
            {
                Ok(decided) => decided,
                Err(_) => Err(SystemError::Unavailable),
            }
        }
        .boxed()
    }
}
