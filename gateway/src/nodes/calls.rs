//! Single calls to single nodes, on behalf of operators.
//!
//! Laws: every call has a time limit; a call that was not answered is `unknown` to whoever asked, never
//! bad. Deliberately absent: retries, except for proposals, which only one node can decide.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use quorate_proto::{
    ids::{NodeId, ProgramId, ReplicaId, ShardId},
    internal::{self, DigestRequest, ProposeSystemRequest, StatusRequest},
    storage,
};

use super::{
    Nodes,
    dial::{NodeCallError, NodeConnection, SystemError},
};
use crate::limits;

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NodeReport {
    pub(crate) memory_bytes: u64,
    pub(crate) written_bytes: u64,
    pub(crate) replicas: BTreeMap<ShardId, ReplicaReport>,
}

/// What a node says of one replica.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReplicaReport {
    pub(crate) replica: ReplicaId,
    pub(crate) term: u64,
    pub(crate) is_leader: bool,
    pub(crate) is_voter: bool,
    pub(crate) last_index: u64,
    /// Rows not yet known to have reached their sites.
    pub(crate) outbox_pending: u64,
    /// Age of the oldest of them, milliseconds of real time; leaders only.
    pub(crate) outbox_lag_ms: u64,
    pub(crate) applied_index: u64,
    /// Why it does not run; empty when it does.
    pub(crate) failure: String,
    pub(crate) programs: BTreeMap<ProgramId, u64>,
}

/// What one replica holds at a log index.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DigestReport {
    pub(crate) replica: ReplicaId,
    pub(crate) digest: [u8; 32],
    pub(crate) totals: storage::ShardTotals,
    pub(crate) records: internal::RecordTotals,
}

impl Nodes {
    /// What this node says of itself.
    pub(crate) async fn status(&self, node: NodeId) -> Result<NodeReport, NodeCallError> {
        let timeout = limits::NODE_STATUS_TIMEOUT;
        let status = self.reach(node)?.status(StatusRequest {}, timeout);
        Ok(node_report(self.in_time(timeout, status).await?))
    }

    /// What this node's replica of a shard holds at `log_index`; waits until it has come there.
    pub(crate) async fn digest(
        &self,
        node: NodeId,
        shard: ShardId,
        log_index: u64,
        timeout: Duration,
    ) -> Result<DigestReport, NodeCallError> {
        let asked = DigestRequest {
            shard: shard.get(),
            log_index,
        };
        let timeout = timeout.min(limits::DIGEST_TIMEOUT);
        let digest = self.reach(node)?.digest(asked, timeout);
        digest_report(self.in_time(timeout, digest).await?)
    }

    /// Asks the system shard to record a command: its leader first, if known, then every other node, until
    /// one decides. Asking twice is safe: what is there already changes nothing. Returns the version of
    /// the view that holds the change.
    pub(crate) async fn propose(
        &self,
        command: &storage::SystemCommand,
        timeout: Duration,
    ) -> Result<u64, SystemError> {
        let directory = &self.context.directory;
        let deadline = self.context.env.monotonic() + timeout;
        let mut maybe_done = false;
        loop {
            let seen = directory.revision();
            let leader = directory.leader(ShardId::SYSTEM).map(|leader| leader.node);
            let mut nodes: Vec<NodeId> = self.links().keys().copied().collect();
            nodes.sort_by_key(|node| Some(*node) != leader);
            for node in nodes {
                let time_left = deadline.saturating_sub(self.context.env.monotonic());
                match self.propose_to(node, command, time_left).await {
                    Ok(outcome) if outcome.refused.is_empty() => return Ok(outcome.view_version),
                    // Perhaps because of what an earlier attempt has done, or of what came after it.
                    Ok(_) if maybe_done => return Err(SystemError::OutcomeUnknown),
                    Ok(outcome) => return Err(SystemError::Refused(outcome.refused)),
                    Err(SystemError::Unavailable) => {}
                    Err(SystemError::OutcomeUnknown) => maybe_done = true,
                    Err(error) => return Err(error),
                }
            }
            let time_left = deadline.saturating_sub(self.context.env.monotonic());
            if time_left.is_zero() {
                return Err(match maybe_done {
                    true => SystemError::OutcomeUnknown,
                    false => SystemError::Unavailable,
                });
            }
            let pause = limits::NO_LEADER_PAUSE_MAX.min(time_left);
            let news = directory.changed_since(seen);
            let _ = self.context.env.timeout(pause, news).await;
        }
    }

    async fn propose_to(
        &self,
        node: NodeId,
        command: &storage::SystemCommand,
        timeout: Duration,
    ) -> Result<storage::SystemOutcome, SystemError> {
        let connection = self.connection(node).ok_or(SystemError::Unavailable)?;
        let proposal = ProposeSystemRequest {
            command: Some(command.clone()),
        };
        let call = connection.propose(proposal, timeout);
        match self.context.env.timeout(timeout, call).await {
            Ok(outcome) => outcome,
            Err(_) => Err(SystemError::OutcomeUnknown),
        }
    }

    /// The connection to a node that is to be asked something.
    pub(super) fn reach(&self, node: NodeId) -> Result<Arc<dyn NodeConnection>, NodeCallError> {
        self.connection(node).ok_or(NodeCallError::NotConnected)
    }

    pub(super) async fn in_time<T>(
        &self,
        time_limit: Duration,
        call: impl Future<Output = Result<T, NodeCallError>>,
    ) -> Result<T, NodeCallError> {
        let answered = self.context.env.timeout(time_limit, call).await;
        answered.unwrap_or(Err(NodeCallError::TimedOut))
    }
}

pub(crate) fn node_report(status: internal::StatusResponse) -> NodeReport {
    let replicas = status.replicas.into_iter().map(|replica| {
        let programs = replica.program_versions.into_iter();
        let report = ReplicaReport {
            replica: ReplicaId(replica.replica_id),
            term: replica.term,
            is_leader: replica.is_leader,
            is_voter: replica.is_voter,
            last_index: replica.last_index,
            outbox_pending: replica.outbox_pending,
            outbox_lag_ms: replica.outbox_lag_ms,
            applied_index: replica.applied_index,
            failure: replica.failure,
            programs: programs
                .filter_map(|(id, version)| Some((ProgramId::parse(&id).ok()?, version)))
                .collect(),
        };
        (ShardId(replica.shard), report)
    });
    NodeReport {
        memory_bytes: status.memory_bytes,
        written_bytes: status.written_bytes,
        replicas: replicas.collect(),
    }
}

pub(crate) fn digest_report(
    digest: internal::DigestResponse,
) -> Result<DigestReport, NodeCallError> {
    let incomplete = || NodeCallError::Broken("it is incomplete".to_owned());
    Ok(DigestReport {
        replica: ReplicaId(digest.replica_id),
        digest: digest.digest[..].try_into().map_err(|_| incomplete())?,
        totals: digest.totals.ok_or_else(incomplete)?,
        records: digest.records.ok_or_else(incomplete)?,
    })
}
