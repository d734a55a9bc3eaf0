//! One replica of one group: the handle by which the rest of the node uses Raft.
//!
//! Deliberately absent: retries and queues. A proposal is tried once; what became of it is said plainly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use openraft::async_runtime::WatchReceiver as _;
use openraft::errors::{ClientWriteError, LinearizableReadError, RaftError};
use openraft::impls::OneshotResponder;
use openraft::raft::{ClientWriteResult, ReadPolicy, TransferLeaderRequest};
use openraft::type_config::alias::OneshotReceiverOf;
use openraft::{ChangeMembers, Raft, ServerState};
use quorate_core::planted::{self, Bug};
use quorate_link::env::Env;
use quorate_proto::ids::{NodeId, ReplicaId, ShardId};
use tokio::sync::{Semaphore, watch};

use super::codec::AppliedPoint;
use super::log::GroupLog;
use super::network::GroupNetwork;
use super::options;
use super::peer::SharedNetwork;
use super::snapshot::{SnapshotData, SpooledSnapshot, finish_interrupted_install, meta_of};
use super::snapshot_lane::{SnapshotLane, UnderWay};
use super::snapshot_sender::SnapshotSender;
use super::state_machine::{ReplicaState, StateMachine};
use super::types::{Applied, Entry, Host, LogId, Proposal, Snapshot, TypeConfig, Vote};
use crate::limits;
use crate::storage::{Engine, LogQueue, StorageError};

/// What a group is opened with.
pub(crate) struct GroupParts {
    pub(crate) cluster_id: String,
    pub(crate) shard: ShardId,
    pub(crate) replica: ReplicaId,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) queue: LogQueue,
    pub(crate) peers: SharedNetwork,
    /// Of the whole node: a permit for each digest that is being computed.
    pub(crate) digests: Arc<Semaphore>,
    /// Entries kept behind what may be purged.
    pub(crate) log_keep_entries: u64,
    /// How long what is durable is kept in the log.
    pub(crate) log_keep_time: Duration,
    /// Of the whole node: where snapshots are sent.
    pub(crate) snapshots: Arc<SnapshotLane>,
    pub(crate) env: Env,
}

/// Who leads, as this replica knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leadership {
    pub(crate) term: u64,
    /// The node that hosts the leader.
    pub(crate) leader: Option<NodeId>,
    /// Whether this replica leads.
    pub(crate) here: bool,
    /// Set when the replica has stopped for good.
    pub(crate) failure: Option<String>,
}

/// What became of a proposal.
#[derive(Debug)]
pub(crate) enum Proposed {
    /// Committed and applied at this position.
    Applied {
        term: u64,
        index: u64,
        outcome: Applied,
    },
    /// Certainly not in the log.
    NotLeader(Option<NodeId>),
    /// It may be committed, now or later.
    Unknown,
}

/// A proposal on its way.
pub(crate) struct Pending {
    /// Absent when the replica has stopped.
    outcome: Option<OneshotReceiverOf<TypeConfig, ClientWriteResult<TypeConfig>>>,
}

impl Pending {
    /// Waits until the proposal is applied or given up.
    pub(crate) async fn outcome(self) -> Proposed {
        match self.outcome {
            Some(outcome) => outcome.await.map_or(Proposed::Unknown, proposed),
            None => Proposed::Unknown,
        }
    }
}

/// Why a linearizable read is not possible here and now. Nothing was changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadRefused {
    NotLeader(Option<NodeId>),
    Unavailable(String),
}

/// A replica as an operator sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplicaFacts {
    pub(crate) leadership: Leadership,
    pub(crate) voter: bool,
    pub(crate) last_index: u64,
    pub(crate) applied_index: u64,
    pub(crate) durable_index: u64,
    pub(crate) purged_index: u64,
}

/// One replica of one group.
pub(crate) struct Group {
    shard: ShardId,
    replica: ReplicaId,
    raft: Raft<TypeConfig, StateMachine>,
    state: Arc<ReplicaState>,
    log: GroupLog,
    leadership: watch::Receiver<Leadership>,
    snapshots_under_way: Arc<UnderWay>,
    env: Env,
    closing: AtomicBool,
}

impl Group {
    /// Opens the replica from disk and starts it. An interrupted snapshot install is finished first.
    pub(crate) async fn open(parts: GroupParts) -> Result<Self, StorageError> {
        let GroupParts {
            cluster_id,
            shard,
            replica,
            engine,
            queue,
            peers,
            digests,
            log_keep_entries,
            log_keep_time,
            snapshots,
            env,
        } = parts;
        finish_interrupted_install(&*engine, shard).await?;
        let state = Arc::new(ReplicaState::open(
            shard,
            Arc::clone(&engine),
            queue.clone(),
            digests,
            log_keep_time,
            env.clone(),
        )?);
        let log = GroupLog::open(shard, engine, queue)?;
        let snapshots_under_way = Arc::<UnderWay>::default();
        let network = GroupNetwork {
            group: shard,
            replica,
            snapshots: Arc::new(SnapshotSender {
                cluster_id: cluster_id.clone(),
                state: Arc::clone(&state),
                peers: Arc::clone(&peers),
                under_way: Arc::clone(&snapshots_under_way),
                lane: snapshots,
                env: env.clone(),
            }),
            peers,
            env: env.clone(),
        };
        let raft = Raft::new(
            replica.get(),
            options::raft_config(&cluster_id, shard, log_keep_entries),
            network,
            log.clone(),
            StateMachine::new(Arc::clone(&state)),
        )
        .await
        .map_err(|e| StorageError::new("opening a replica", e))?;
        let leadership = follow_leadership(&raft, &env);
        Ok(Self {
            shard,
            replica,
            raft,
            state,
            log,
            leadership,
            snapshots_under_way,
            env,
            closing: AtomicBool::new(false),
        })
    }

    pub(crate) fn shard(&self) -> ShardId {
        self.shard
    }

    pub(crate) fn replica(&self) -> ReplicaId {
        self.replica
    }

    pub(super) fn raft(&self) -> &Raft<TypeConfig, StateMachine> {
        &self.raft
    }

    /// The applied state, for reading.
    pub(crate) fn state(&self) -> &Arc<ReplicaState> {
        &self.state
    }

    /// Who leads, now and from now on.
    pub(crate) fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Forms the group with its first members. Called on one replica of a group that never existed.
    pub(crate) async fn form(&self, members: BTreeMap<u64, Host>) -> Result<(), String> {
        match self.raft.is_initialized().await {
            Ok(true) => Ok(()),
            Ok(false) => self
                .raft
                .initialize(members)
                .await
                .map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Proposes an entry. Proposals of one caller enter the log in the order of these calls.
    pub(crate) async fn submit(&self, commands: Bytes) -> Pending {
        let (responder, outcome) = OneshotResponder::new_pair();
        let accepted = self
            .raft
            .client_write_ff(Proposal(commands), Some(responder))
            .await;
        Pending {
            outcome: accepted.is_ok().then_some(outcome),
        }
    }

    /// Waits until everything that was committed before this call is applied here.
    ///
    /// # Errors
    /// This replica does not lead, or cannot prove that it does.
    pub(crate) async fn linearize(&self) -> Result<(), ReadRefused> {
        if planted::is(Bug::StaleRead) && self.leadership.borrow().here {
            return Ok(());
        }
        let linearizer = self
            .raft
            .get_read_linearizer(ReadPolicy::ReadIndex)
            .await
            .map_err(|error| match error {
                RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)) => {
                    ReadRefused::NotLeader(forward.leader_node.map(Host::node))
                }
                other => ReadRefused::Unavailable(other.to_string()),
            })?;
        linearizer
            .await_ready(&self.raft)
            .await
            .map(|_| ())
            .map_err(|fatal| ReadRefused::Unavailable(fatal.to_string()))
    }

    /// Hands a received snapshot to Raft; returns the vote the sender must respect.
    pub(crate) async fn install_snapshot(
        &self,
        vote: Vote,
        point: AppliedPoint,
        spooled: SpooledSnapshot,
    ) -> Result<Vote, String> {
        let snapshot = Snapshot {
            meta: meta_of(&point),
            snapshot: SnapshotData::Received(spooled),
        };
        self.raft
            .install_full_snapshot(vote, snapshot)
            .await
            .map(|response| response.vote)
            .map_err(|fatal| fatal.to_string())
    }

    /// Answers a leader that wants this replica to take over.
    pub(super) async fn take_leadership(
        &self,
        from_leader: Vote,
        to_replica: u64,
        last_log_id: Option<LogId>,
    ) -> Result<(), String> {
        let request = TransferLeaderRequest::new(from_leader, to_replica, last_log_id);
        match self.raft.handle_transfer_leader(request).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => Err(refused.to_string()),
            Err(fatal) => Err(fatal.to_string()),
        }
    }

    /// Notes that everything up to `point` is durable, and lets the log be purged of what has been for some time,
    /// unless a snapshot is being sent.
    pub(crate) async fn flushed(&self, point: AppliedPoint) {
        if point.log_id.is_none() {
            return;
        }
        self.state.mark_durable(point);
        if self.snapshots_under_way.holds_log(self.env.monotonic()) {
            return;
        }
        if let Err(fatal) = self.raft.trigger().snapshot().await {
            tracing::debug!(shard = %self.shard, %fatal, "no purge: the replica has stopped");
        }
    }

    /// The replica as an operator sees it.
    pub(crate) fn facts(&self) -> ReplicaFacts {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        ReplicaFacts {
            leadership: self.leadership.borrow().clone(),
            voter: membership
                .voter_ids()
                .any(|voter| voter == self.replica.get()),
            last_index: metrics.last_log_index.unwrap_or(0),
            applied_index: self.state.point().log_id.map_or(0, |id| id.index),
            durable_index: self.state.durable_point().log_id.map_or(0, |id| id.index),
            purged_index: self.log.purged().unwrap_or(0),
        }
    }

    /// Index of the last purged entry, if any is.
    pub(super) fn purged_index(&self) -> Option<u64> {
        self.log.purged()
    }

    /// Entries `[first, end)` of the log, as far as they are there.
    pub(super) fn read_log(&self, first: u64, end: u64) -> Result<Vec<Entry>, StorageError> {
        self.log.read(first, end, usize::MAX)
    }

    /// Takes one step from the actual members towards the wanted ones. Does nothing unless leading.
    ///
    /// # Errors
    /// The step was refused, or the group is ahead of what is wanted; it is tried again later.
    pub(crate) async fn approach_members(
        &self,
        wanted: &BTreeMap<u64, Host>,
    ) -> Result<(), String> {
        if !self.leadership.borrow().here {
            return Ok(());
        }
        let metrics = self.raft.metrics().borrow_watched().clone();
        let stored = &metrics.membership_config;
        let membership = stored.membership();
        let known: BTreeSet<u64> = membership.nodes().map(|(replica, _)| *replica).collect();
        let wanted_ids: BTreeSet<u64> = wanted.keys().copied().collect();
        let joint = membership.get_joint_config().len() > 1;
        if known == wanted_ids && !joint && membership.learner_ids().next().is_none() {
            return Ok(());
        }
        // Of two replicas on one node the later replaces the earlier.
        let is_ahead = |(id, host): (&u64, &Host)| {
            !wanted.contains_key(id)
                && wanted
                    .iter()
                    .any(|(earlier, there)| there == host && earlier < id)
        };
        if membership.nodes().any(is_ahead) {
            return Err("the group is ahead of the cluster view that is known here".to_owned());
        }
        let unwanted: BTreeSet<u64> = membership
            .learner_ids()
            .filter(|id| !wanted_ids.contains(id))
            .collect();
        if !joint && !unwanted.is_empty() {
            tracing::info!(shard = %self.shard, replicas = ?unwanted, "removing replicas");
            return self
                .raft
                .change_membership(ChangeMembers::RemoveNodes(unwanted), false)
                .await
                .map(|_| ())
                .map_err(|e| e.to_string());
        }
        if let Some((replica, host)) = wanted.iter().find(|(id, _)| !known.contains(id)) {
            tracing::info!(shard = %self.shard, replica, node = host.0, "adding a replica");
            return self
                .raft
                .add_learner(*replica, *host, false)
                .await
                .map(|_| ())
                .map_err(|e| e.to_string());
        }
        let last = metrics.last_log_index.unwrap_or(0);
        let caught_up = |replica: &u64| {
            let matched = metrics
                .replication
                .as_ref()
                .and_then(|all| all.get(replica));
            let matched = matched.copied().flatten().map_or(0, |id| id.index);
            *replica == self.replica.get() || matched + limits::PROMOTION_LAG_MAX >= last
        };
        let newcomers_ready = membership
            .learner_ids()
            .filter(|id| wanted_ids.contains(id))
            .all(|id| caught_up(&id));
        if !newcomers_ready {
            return Ok(());
        }
        tracing::info!(shard = %self.shard, voters = ?wanted_ids, "changing the voters");
        self.raft
            .change_membership(wanted_ids, false)
            .await
            .map(|_| ())
            .map_err(|e| e.to_string())
    }

    /// Whether the replica is being stopped on purpose.
    pub(crate) fn closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Stops the replica. Its state machine may still be applying when this returns.
    pub(crate) async fn shutdown(&self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(shard = %self.shard, %error, "a replica did not stop cleanly");
        }
    }
}

fn proposed(result: ClientWriteResult<TypeConfig>) -> Proposed {
    match result {
        Ok(response) => Proposed::Applied {
            term: response.log_id.leader_id.term,
            index: response.log_id.index,
            outcome: response.data,
        },
        Err(ClientWriteError::ForwardToLeader(forward)) => {
            Proposed::NotLeader(forward.leader_node.map(Host::node))
        }
        Err(ClientWriteError::LogEntryDiscarded(_)) => Proposed::Unknown,
        Err(
            ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_),
        ) => Proposed::NotLeader(None),
    }
}

/// Follows openraft's metrics: a panic inside it shows only as a closed channel.
fn follow_leadership(
    raft: &Raft<TypeConfig, StateMachine>,
    env: &Env,
) -> watch::Receiver<Leadership> {
    let (sender, receiver) = watch::channel(Leadership::default());
    let mut metrics = raft.server_metrics();
    env.spawn("leadership", async move {
        loop {
            let now = {
                let seen = metrics.borrow_watched();
                let leader = seen.current_leader.and_then(|replica| {
                    let membership = seen.membership_config.membership();
                    membership.get_node(&replica).map(|host| host.node())
                });
                Leadership {
                    term: seen.vote.leader_id.term,
                    leader,
                    here: seen.state == ServerState::Leader && seen.current_leader == Some(seen.id),
                    failure: None,
                }
            };
            sender.send_if_modified(|known| {
                let changed = *known != now;
                *known = now;
                changed
            });
            if metrics.changed().await.is_err() {
                sender.send_modify(|known| {
                    known.here = false;
                    known.leader = None;
                    known.failure = Some("the replica has stopped".to_owned());
                });
                return;
            }
        }
    });
    receiver
}
