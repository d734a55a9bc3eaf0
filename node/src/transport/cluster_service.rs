//! What gateways and nodes ask about the cluster.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::{BoxStream, iter, unfold};
use quorate_core::checkpoint::ShardSummary;
use quorate_core::{codec, ledger};
use quorate_link::env::Env;
use quorate_link::identity::{Role, peer_role};
use quorate_proto::ids::{Epoch, NodeId, ShardId};
use quorate_proto::internal;
use quorate_proto::internal::cluster_server::Cluster;
use quorate_proto::internal::{
    AuditStockRequest, AuditStockResponse, ClusterEvent, DeliverStockRequest, DeliverStockResponse,
    DigestRequest, DigestResponse, Leadership, ProposeSystemRequest, ProposeSystemResponse,
    ReplicaReport, SiteFrame, StatusRequest, StatusResponse, WatchRequest, WatchSitesRequest,
};
use quorate_proto::status::{ErrorReason, to_status};
use quorate_proto::storage::SystemCommand;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::site_feed;
use crate::limits;
use crate::raft::{Digest, Group};
use crate::shard::{Host, LeaderBoard, ShardDelivery, deliver_here};
use crate::system::{ProposeSystem as _, SystemError, SystemProposer, View};
use crate::usage;

/// Marks a proposal that another node passed on: it is served here or not at all.
pub(super) const FORWARDED: &str = "quorate-forwarded";

/// Serves questions about the cluster.
pub(super) struct ClusterService {
    pub(super) cluster_id: String,
    pub(super) this: NodeId,
    pub(super) host: Arc<Host>,
    pub(super) system: Arc<SystemProposer>,
    pub(super) view: watch::Receiver<Option<Arc<View>>>,
    pub(super) env: Env,
}

impl ClusterService {
    fn require<T>(&self, request: &Request<T>, allow_node: bool) -> Result<(), Status> {
        match peer_role(request, &self.cluster_id)? {
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
            .host
            .group(shard)
            .ok_or_else(|| Status::not_found("no replica of this shard is here"))?;
        let digest = group.state().digest(log_index);
        let digest = self.env.timeout(limits::DIGEST_TIMEOUT, digest).await;
        match digest {
            Ok(digest) => Ok((group, digest)),
            Err(_) => Err(Status::deadline_exceeded(format!(
                "the replica has not reached checkpoint {log_index}"
            ))),
        }
    }

    fn check_cluster(&self, asked: &str) -> Result<(), Status> {
        if asked == self.cluster_id {
            return Ok(());
        }
        let why = format!("this is cluster {:?}", self.cluster_id);
        Err(Status::failed_precondition(why))
    }

    fn view_version(&self) -> u64 {
        self.view
            .borrow()
            .as_ref()
            .map_or(0, |view| view.map.version())
    }

    async fn propose(
        &self,
        command: SystemCommand,
        forwarded: bool,
    ) -> Result<quorate_proto::storage::SystemOutcome, Status> {
        let decided = if forwarded {
            self.system.propose_here(&command).await
        } else {
            self.system.propose(command).await
        };
        decided.map_err(|error| match error {
            SystemError::NotLeader => Status::failed_precondition(error.to_string()),
            SystemError::Malformed(_) => Status::invalid_argument(error.to_string()),
            SystemError::Unavailable => {
                to_status(ErrorReason::ShardUnavailable, error.to_string(), &[], None)
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
        let frames = site_feed::watch(&self.host, &self.env);
        Ok(Response::new(frames.map(Ok).boxed()))
    }

    async fn deliver_stock(
        &self,
        request: Request<DeliverStockRequest>,
    ) -> Result<Response<DeliverStockResponse>, Status> {
        if !matches!(peer_role(&request, &self.cluster_id)?, Role::Node(_)) {
            return Err(role_required());
        }
        let request = request.into_inner();
        self.check_cluster(&request.cluster_id)?;
        let applied = request.deliveries.into_iter().map(|delivery| async {
            match delivery_from_proto(delivery) {
                Some(delivery) => deliver_here(&self.host, delivery, &self.env).await,
                None => false,
            }
        });
        Ok(Response::new(DeliverStockResponse {
            applied: join_all(applied).await,
        }))
    }

    type WatchStream = BoxStream<'static, Result<ClusterEvent, Status>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.require(&request, true)?;
        self.check_cluster(&request.get_ref().cluster_id)?;
        let watcher = Watcher {
            view: self.view.clone(),
            view_sent: 0,
            leaders: self.host.leaders(),
            leaders_sent: BTreeMap::new(),
            first: true,
        };
        let events = unfold(watcher, |mut watcher| async move {
            let event = watcher.next().await?;
            Some((Ok(event), watcher))
        });
        Ok(Response::new(events.boxed()))
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
            node_id: self.this.get(),
            view_version: self.view_version(),
            memory_bytes: usage.memory_bytes,
            written_bytes: usage.written_bytes,
            replicas: self
                .host
                .groups()
                .iter()
                .map(|group| report(group, self.env.monotonic()))
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

/// A delivery that cannot be read is not applied; its courier and this node differ in their versions.
fn delivery_from_proto(message: internal::ShardDelivery) -> Option<ShardDelivery> {
    match codec::delivery_from_proto(message.delivery.unwrap_or_default()) {
        Ok(delivery) => Some(ShardDelivery {
            shard: ShardId::new(message.shard),
            epoch: Epoch::new(message.epoch),
            delivery,
        }),
        Err(error) => {
            tracing::warn!(%error, "a delivery that cannot be read");
            None
        }
    }
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
        outbox_lag_ms: site_feed::millis(lag),
    }
}

/// One subscriber: what it has been told, and what has changed since.
struct Watcher {
    view: watch::Receiver<Option<Arc<View>>>,
    view_sent: u64,
    leaders: watch::Receiver<LeaderBoard>,
    leaders_sent: LeaderBoard,
    first: bool,
}

impl Watcher {
    async fn next(&mut self) -> Option<ClusterEvent> {
        loop {
            let event = self.changes();
            if self.first || event.view.is_some() || !event.leaderships.is_empty() {
                self.first = false;
                return Some(event);
            }
            let changed = tokio::select! {
                biased;
                changed = self.view.changed() => changed,
                changed = self.leaders.changed() => changed,
            };
            changed.ok()?;
        }
    }

    fn changes(&mut self) -> ClusterEvent {
        let view = self
            .view
            .borrow_and_update()
            .as_ref()
            .filter(|view| view.map.version() > self.view_sent)
            .map(|view| view.message.clone());
        if let Some(view) = &view {
            self.view_sent = view.version;
        }
        let board = self.leaders.borrow_and_update().clone();
        let leaderships = board
            .iter()
            .filter(|(shard, leader)| self.leaders_sent.get(shard) != Some(leader))
            .map(|(shard, (term, node))| Leadership {
                shard: shard.get(),
                term: *term,
                leader_node: node.get(),
            })
            .collect();
        self.leaders_sent = board;
        ClusterEvent { view, leaderships }
    }
}
