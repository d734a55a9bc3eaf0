//! What gateways and nodes ask about the cluster.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, iter};
use quorate_core::checkpoint::ShardSummary;
use quorate_core::{codec, ledger};
use quorate_link::identity::{Role, peer_role};
use quorate_proto::ids::{NodeId, ShardId};
use quorate_proto::internal::cluster_server::Cluster;
use quorate_proto::internal::{
    AuditStockRequest, AuditStockResponse, ClusterEvent, DeliverStockRequest, DeliverStockResponse,
    DigestRequest, DigestResponse, ProposeSystemRequest, ProposeSystemResponse, ReplicaReport,
    SiteFrame, StatusRequest, StatusResponse, WatchRequest, WatchSitesRequest,
};
use quorate_proto::status::{ErrorReason, to_status};
use quorate_proto::storage::{SystemCommand, SystemOutcome};
use tonic::{Request, Response, Status};

use crate::limits;
use crate::raft::{Digest, Group};
use crate::running::RunningNode;
use crate::serve::millis;
use crate::system::SystemError;
use crate::usage;

/// Marks a proposal that another node passed on: it is served here or not at all.
pub(super) const FORWARDED: &str = "quorate-forwarded";

/// Serves questions about the cluster.
pub(super) struct ClusterService {
    pub(super) node: Arc<RunningNode>,
}

impl ClusterService {
    fn require<T>(&self, request: &Request<T>, allow_node: bool) -> Result<(), Status> {
        match peer_role(request, &self.node.cluster_id)? {
            Role::Gateway(_) => Ok(()),
            Role::Node(_) if allow_node => Ok(()),
            Role::Node(_) | Role::Operator(_) => Err(role_required()),
        }
    }

    /// A replica's digest at a checkpoint, once it has come there.
    async fn digest_at(
        &self,
        shard: ShardId,
        log_index: u64,
    ) -> Result<(Arc<Group>, Arc<Digest>), Status> {
        let group = self
            .node
            .group(shard)
            .ok_or_else(|| Status::not_found("no replica of this shard is here"))?;
        let digest = group.state().digest(log_index);
        let digest = self.node.env.timeout(limits::DIGEST_TIMEOUT, digest).await;
        match digest {
            Ok(digest) => Ok((group, digest)),
            Err(_) => Err(Status::deadline_exceeded(format!(
                "the replica has not reached checkpoint {log_index}"
            ))),
        }
    }

    fn check_cluster(&self, asked: &str) -> Result<(), Status> {
        let checked = self.node.check_cluster(asked);
        checked.map_err(|foreign| Status::failed_precondition(foreign.to_string()))
    }

    fn view_version(&self) -> u64 {
        let view = self.node.views.borrow();
        view.as_ref().map_or(0, |view| view.map.version())
    }

    async fn propose(
        &self,
        command: SystemCommand,
        forwarded: bool,
    ) -> Result<SystemOutcome, Status> {
        let decided = self.node.propose_system(command, forwarded).await;
        decided.map_err(|error| match error {
            SystemError::NotLeader => Status::failed_precondition(error.to_string()),
            SystemError::Malformed(_) => Status::invalid_argument(error.to_string()),
            SystemError::Unavailable => {
                to_status(ErrorReason::ShardUnavailable, error.to_string(), &[], None)
            }
            SystemError::OutcomeUnknown => {
                to_status(ErrorReason::OutcomeUnknown, error.to_string(), &[], None)
            }
        })
    }
}

#[tonic::async_trait]
impl Cluster for ClusterService {
    type AuditStockStream = BoxStream<'static, Result<AuditStockResponse, Status>>;

    async fn audit_stock(
        &self,
        request: Request<AuditStockRequest>,
    ) -> Result<Response<Self::AuditStockStream>, Status> {
        self.require(&request, false)?;
        let AuditStockRequest { shard, log_index } = request.into_inner();
        let (_, digest) = self.digest_at(ShardId::new(shard), log_index).await?;
        match &*digest {
            Ok(summary) => {
                let parts = codec::audit_to_proto(&summary.stock, limits::AUDIT_ROWS_PER_PART);
                Ok(Response::new(iter(parts).map(Ok).boxed()))
            }
            Err(error) => Err(Status::data_loss(error.clone())),
        }
    }

    type WatchSitesStream = BoxStream<'static, Result<SiteFrame, Status>>;

    async fn watch_sites(
        &self,
        request: Request<WatchSitesRequest>,
    ) -> Result<Response<Self::WatchSitesStream>, Status> {
        self.require(&request, false)?;
        self.check_cluster(&request.get_ref().cluster_id)?;
        Ok(Response::new(self.node.watch_sites().map(Ok).boxed()))
    }

    async fn deliver_stock(
        &self,
        request: Request<DeliverStockRequest>,
    ) -> Result<Response<DeliverStockResponse>, Status> {
        if !matches!(peer_role(&request, &self.node.cluster_id)?, Role::Node(_)) {
            return Err(role_required());
        }
        let delivered = self.node.deliver_stock(request.into_inner()).await;
        delivered
            .map(Response::new)
            .map_err(|foreign| Status::failed_precondition(foreign.to_string()))
    }

    type WatchStream = BoxStream<'static, Result<ClusterEvent, Status>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.require(&request, true)?;
        self.check_cluster(&request.get_ref().cluster_id)?;
        Ok(Response::new(self.node.watch().map(Ok).boxed()))
    }

    async fn propose_system(
        &self,
        request: Request<ProposeSystemRequest>,
    ) -> Result<Response<ProposeSystemResponse>, Status> {
        self.require(&request, true)?;
        let forwarded = request.metadata().contains_key(FORWARDED);
        let command = request
            .into_inner()
            .command
            .ok_or_else(|| Status::invalid_argument("the command is missing"))?;
        let outcome = self.propose(command, forwarded).await?;
        Ok(Response::new(ProposeSystemResponse {
            outcome: Some(outcome),
        }))
    }

    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        self.require(&request, false)?;
        let usage = usage::of_this_process();
        Ok(Response::new(StatusResponse {
            node_id: self.node.node.get(),
            view_version: self.view_version(),
            memory_bytes: usage.memory_bytes,
            written_bytes: usage.written_bytes,
            replicas: self
                .node
                .host
                .groups()
                .iter()
                .map(|group| report(group, self.node.env.monotonic()))
                .collect(),
        }))
    }

    async fn digest(
        &self,
        request: Request<DigestRequest>,
    ) -> Result<Response<DigestResponse>, Status> {
        self.require(&request, false)?;
        let DigestRequest { shard, log_index } = request.into_inner();
        let (group, digest) = self.digest_at(ShardId::new(shard), log_index).await?;
        match &*digest {
            Ok(summary) => Ok(Response::new(digest_of(&group, summary))),
            Err(error) => Err(Status::data_loss(error.clone())),
        }
    }
}

fn role_required() -> Status {
    let why = "this call needs another role";
    to_status(ErrorReason::RoleRequired, why, &[], None)
}

fn digest_of(group: &Group, summary: &ShardSummary) -> DigestResponse {
    DigestResponse {
        replica_id: group.replica().get(),
        digest: summary.digest.to_vec().into(),
        totals: Some(codec::totals_to_proto(&summary.totals)),
        records: Some(codec::record_totals_to_proto(&summary.records)),
    }
}

fn report(group: &Group, now: Duration) -> ReplicaReport {
    let facts = group.facts();
    let books = group.state().books();
    let lag = match facts.leadership.here {
        true => books.lag(now),
        false => Duration::ZERO,
    };
    let versions = group
        .state()
        .read(|state, _| ledger::program_versions(state, group.shard()));
    let program_versions: HashMap<String, u64> = versions
        .unwrap_or_default()
        .into_iter()
        .map(|(program, version)| (program.to_string(), version))
        .collect();
    ReplicaReport {
        shard: group.shard().get(),
        replica_id: group.replica().get(),
        term: facts.leadership.term,
        leader_node: facts.leadership.leader.map_or(0, NodeId::get),
        is_leader: facts.leadership.here,
        is_voter: facts.voter,
        last_index: facts.last_index,
        applied_index: facts.applied_index,
        durable_index: facts.durable_index,
        purged_index: facts.purged_index,
        failure: facts.leadership.failure.unwrap_or_default(),
        program_versions,
        outbox_pending: books.outbox().borrow().pending(),
        outbox_lag_ms: millis(lag),
    }
}
