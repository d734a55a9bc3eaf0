//! Single calls to single nodes, on behalf of operators.
//!
//! Laws: every call has a time limit; a call that was not answered is `unknown` to whoever asked, never
//! bad. Deliberately absent: retries, except for proposals, which only one node can decide.

use std::{collections::BTreeMap, time::Duration};

use quorate_proto::{
    ids::{NodeId, ProgramId, ReplicaId, ShardId},
    internal::{
        self, DigestRequest, ProposeSystemRequest, StatusRequest, cluster_client::ClusterClient,
    },
    status::{ErrorReason, reason_of},
    storage,
};
use tonic::{Code, Request, Status, transport::Channel};

use super::Nodes;
use crate::limits;

/// Why a node did not answer a call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeCallError {
    /// There is no connection to it.
    #[error("not connected")]
    NotConnected,
    /// It did not answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke, or the node was not able to answer.
    #[error("no answer: {0}")]
    Broken(String),
    /// It answered, and the answer is that it cannot give what was asked for.
    #[error("{0}")]
    Refused(String),
}

impl NodeCallError {
    /// Whether the node was heard at all: what was not heard is unknown, not bad.
    pub(crate) fn was_heard(&self) -> bool {
        match self {
            NodeCallError::NotConnected | NodeCallError::TimedOut | NodeCallError::Broken(_) => {
                false
            }
            NodeCallError::Refused(_) => true,
        }
    }

    fn from_status(status: &Status) -> NodeCallError {
        let message = status.message().to_owned();
        match status.code() {
            Code::DeadlineExceeded => NodeCallError::TimedOut,
            Code::NotFound | Code::DataLoss | Code::FailedPrecondition => {
                NodeCallError::Refused(message)
            }
            _ => NodeCallError::Broken(message),
        }
    }
}

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

/// Why the system shard did not take a proposal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SystemError {
    /// It decided against it.
    #[error("{0}")]
    Refused(String),
    /// No node could decide it. Nothing was done.
    #[error("the system shard cannot be reached")]
    Unavailable,
    /// It may have been recorded.
    #[error("it is not known whether the system shard has recorded it")]
    OutcomeUnknown,
}

impl Nodes {
    /// What this node says of itself.
    pub(crate) async fn status(&self, node: NodeId) -> Result<NodeReport, NodeCallError> {
        let timeout = limits::NODE_STATUS_TIMEOUT;
        let report = self.call(node, timeout, async |mut client, timeout| {
            client.status(request(StatusRequest {}, timeout)).await
        });
        Ok(node_report(report.await?))
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
        let report = self.call(node, timeout, async |mut client, timeout| {
            client.digest(request(asked, timeout)).await
        });
        digest_report(report.await?)
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
        let connected = self.connected(node);
        let channel = connected.and_then(|connected| connected.channel());
        let channel = channel.ok_or(SystemError::Unavailable)?;
        let mut client = ClusterClient::new(channel);
        let proposal = ProposeSystemRequest {
            command: Some(command.clone()),
        };
        let call = client.propose_system(request(proposal, timeout));
        match self.context.env.timeout(timeout, call).await {
            Ok(Ok(response)) => response
                .into_inner()
                .outcome
                .ok_or(SystemError::OutcomeUnknown),
            Ok(Err(status)) => Err(system_error(&status)),
            Err(_) => Err(SystemError::OutcomeUnknown),
        }
    }

    pub(super) async fn call<T>(
        &self,
        node: NodeId,
        timeout: Duration,
        call: impl AsyncFnOnce(ClusterClient<Channel>, Duration) -> Result<tonic::Response<T>, Status>,
    ) -> Result<T, NodeCallError> {
        let connected = self.connected(node);
        let channel = connected.and_then(|connected| connected.channel());
        let channel = channel.ok_or(NodeCallError::NotConnected)?;
        let client = ClusterClient::new(channel);
        match self
            .context
            .env
            .timeout(timeout, call(client, timeout))
            .await
        {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(NodeCallError::from_status(&status)),
            Err(_) => Err(NodeCallError::TimedOut),
        }
    }
}

/// A request that tells the node how long somebody waits.
pub(super) fn request<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

/// Only an error that says so itself means that nothing was done; a broken connection does not.
fn system_error(status: &Status) -> SystemError {
    match status.code() {
        Code::InvalidArgument => return SystemError::Refused(status.message().to_owned()),
        // It does not lead the system shard and knows nobody who does.
        Code::FailedPrecondition => return SystemError::Unavailable,
        _ => {}
    }
    match reason_of(status) {
        Some(
            ErrorReason::ShardUnavailable | ErrorReason::Overloaded | ErrorReason::DeadlinePassed,
        ) => SystemError::Unavailable,
        Some(ErrorReason::OutcomeUnknown) | None => SystemError::OutcomeUnknown,
        Some(_) => SystemError::Refused(status.message().to_owned()),
    }
}

fn node_report(status: internal::StatusResponse) -> NodeReport {
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

fn digest_report(digest: internal::DigestResponse) -> Result<DigestReport, NodeCallError> {
    let incomplete = || NodeCallError::Broken("it is incomplete".to_owned());
    Ok(DigestReport {
        replica: ReplicaId(digest.replica_id),
        digest: digest.digest[..].try_into().map_err(|_| incomplete())?,
        totals: digest.totals.ok_or_else(incomplete)?,
        records: digest.records.ok_or_else(incomplete)?,
    })
}
