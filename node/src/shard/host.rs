//! Every replica this node holds.
//!
//! State owned: the map from shard to replica. A replica is written down, synced, before it exists, and
//! its id is never used for another one.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use quorate_core::planted::{self, Bug};
use quorate_core::{codec, keys};
use quorate_link::env::Env;
use quorate_proto::ids::{NodeId, ReplicaId, ShardId};
use quorate_proto::storage as pb;
use tokio::sync::{Semaphore, watch};

use super::desk::Desk;
use super::flusher::Upkeep;
use super::proposer::run_proposer;
use super::reader::run_reader;
use super::tender::run_tender;
use crate::failure::{Cause, Failure};
use crate::limits;
use crate::raft::{self, FindGroup, Group, GroupParts, SharedNetwork, SnapshotLane};
use crate::storage::{Engine, Family, LogQueue, RowOp, StorageError, on_own_thread};
use crate::system::{ProposeSystem, SystemSlot, View};

/// What a host works with.
pub(crate) struct HostParts {
    pub(crate) cluster_id: String,
    pub(crate) node: NodeId,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) queue: LogQueue,
    pub(crate) peers: SharedNetwork,
    /// Of this node's disk.
    pub(crate) incarnation: u64,
    pub(crate) upkeep: Upkeep,
    pub(crate) view: watch::Receiver<Option<Arc<View>>>,
    pub(crate) system: Arc<dyn ProposeSystem>,
    pub(crate) system_slot: SystemSlot,
    pub(crate) env: Env,
    pub(crate) failure: Failure,
}

/// The replicas of this node.
pub(crate) struct Host {
    parts: HostParts,
    hosted: RwLock<BTreeMap<ShardId, Hosted>>,
    leaders: watch::Sender<LeaderBoard>,
    digests: Arc<Semaphore>,
    snapshots: Arc<SnapshotLane>,
    /// Held while a replica is created; closed once the node is going down.
    creation: Semaphore,
}

/// Past every key of the log family: group ids do not reach it.
const LOG_FAMILY_END: [u8; 5] = [0xff; 5];

/// Who leads each group, as the replicas here know it: term and node.
pub(crate) type LeaderBoard = BTreeMap<ShardId, (u64, NodeId)>;

struct Hosted {
    group: Arc<Group>,
    desk: Desk,
}

impl Host {
    pub(crate) fn new(parts: HostParts) -> Arc<Self> {
        let snapshots = SnapshotLane::new(
            parts.upkeep.snapshot_frame_bytes,
            parts.upkeep.snapshot_bytes_per_second,
        );
        Arc::new(Self {
            parts,
            hosted: RwLock::new(BTreeMap::new()),
            leaders: watch::Sender::new(BTreeMap::new()),
            digests: Arc::new(Semaphore::new(limits::DIGESTS_AT_ONCE)),
            snapshots,
            creation: Semaphore::new(1),
        })
    }

    /// Opens every replica that the disk knows. What was left of half-received snapshots is removed.
    pub(crate) async fn open_known(&self) -> Result<(), StorageError> {
        let mut known = Vec::new();
        let mut next = Vec::new();
        while let Some(shard) = self.first_group_from(&next)? {
            next = keys::raft::group(shard).1;
            if let Some(row) = self
                .parts
                .engine
                .get(Family::Log, &keys::raft::replica(shard))?
            {
                let row: pb::HostedReplica = codec::open("hosted replica", &row)
                    .map_err(|e| StorageError::new("reading the hosted replicas", e))?;
                known.push((shard, ReplicaId::new(row.replica)));
            }
        }
        for (shard, replica) in known {
            self.open(shard, replica).await?;
        }
        self.parts.engine.remove_all_tables();
        Ok(())
    }

    /// The first group with a row at or after `first` in the log family.
    fn first_group_from(&self, first: &[u8]) -> Result<Option<ShardId>, StorageError> {
        let engine = &self.parts.engine;
        let key = engine.first_key(Family::Log, first, &LOG_FAMILY_END)?;
        Ok(key.and_then(|key| keys::raft::parse(&key).map(|(shard, _)| shard)))
    }

    /// Creates a replica, unless it is here already, and forms its group if `form` names the first members. To be
    /// repeated after a crash: it goes on where it was interrupted. Nothing is created once the node is going down.
    pub(crate) async fn create(
        &self,
        shard: ShardId,
        replica: ReplicaId,
        form: Option<BTreeMap<u64, raft::Host>>,
    ) -> Result<(), StorageError> {
        let Ok(_creates) = self.creation.acquire().await else {
            return Ok(());
        };
        let group = match self.group(shard) {
            Some(group) => group,
            None => {
                tracing::info!(%shard, %replica, "creating a replica");
                self.write_down(shard, replica).await?;
                self.open(shard, replica).await?
            }
        };
        if let Some(members) = form {
            group
                .form(members)
                .await
                .map_err(|e| StorageError::new("forming a group", e))?;
        }
        Ok(())
    }

    /// Creates what the cluster view places here, as it changes, until the node stops.
    pub(crate) async fn follow_view(self: Arc<Self>) {
        let mut view = self.parts.view.clone();
        loop {
            let known = view.borrow_and_update().clone();
            if let Some(known) = known
                && let Err(error) = self.create_placed(&known).await
            {
                self.parts.failure.raise(error);
                return;
            }
            if view.changed().await.is_err() {
                return;
            }
        }
    }

    /// Creates nothing until the view knows this disk: a view from before the disk was replaced still
    /// places the replicas that were lost with the old one, and their ids must never be used again.
    async fn create_placed(&self, view: &View) -> Result<(), StorageError> {
        let disk = view.map.node(self.parts.node).map(|node| node.incarnation);
        if disk != Some(self.parts.incarnation) && !planted::is(Bug::ReplicaIdReused) {
            return Ok(());
        }
        for info in view.map.shards().iter().chain([view.map.system()]) {
            let Some(replica) = info.replica_on(self.parts.node) else {
                continue;
            };
            let forms = info.forming == Some(replica);
            if !forms && self.group(info.shard).is_some() {
                continue;
            }
            let form = forms.then(|| {
                info.replicas
                    .iter()
                    .map(|(replica, node)| (replica.get(), raft::Host(node.get())))
                    .collect()
            });
            self.create(info.shard, replica, form).await?;
        }
        Ok(())
    }

    async fn write_down(&self, shard: ShardId, replica: ReplicaId) -> Result<(), StorageError> {
        let row = pb::HostedReplica {
            replica: replica.get(),
        };
        let row = RowOp::Put(keys::raft::replica(shard), codec::seal(&row));
        let queue = &self.parts.queue;
        queue.write_synced("writing down a replica", row).await
    }

    async fn open(&self, shard: ShardId, replica: ReplicaId) -> Result<Arc<Group>, StorageError> {
        let parts = &self.parts;
        let group = Group::open(GroupParts {
            cluster_id: parts.cluster_id.clone(),
            shard,
            replica,
            engine: Arc::clone(&parts.engine),
            queue: parts.queue.clone(),
            peers: Arc::clone(&parts.peers),
            digests: Arc::clone(&self.digests),
            log_keep_entries: parts.upkeep.log_keep_entries,
            log_keep_time: parts.upkeep.log_keep_time,
            snapshots: Arc::clone(&self.snapshots),
            env: parts.env.clone(),
        })
        .await?;
        let group = Arc::new(group);
        let (desk, requests, questions) = Desk::new();
        let env = &parts.env;
        env.spawn(
            "proposer",
            run_proposer(Arc::clone(&group), requests, env.clone()),
        );
        env.spawn(
            "reader",
            run_reader(
                Arc::clone(&group),
                questions,
                env.clone(),
                parts.failure.clone(),
            ),
        );
        env.spawn(
            "tender",
            run_tender(
                Arc::clone(&group),
                parts.view.clone(),
                Arc::clone(&parts.system),
                env.clone(),
                parts.failure.clone(),
            ),
        );
        env.spawn(
            "group watch",
            follow_group(
                Arc::clone(&group),
                self.leaders.clone(),
                parts.failure.clone(),
            ),
        );
        if shard == ShardId::SYSTEM {
            parts.system_slot.send_replace(Some(Arc::clone(&group)));
        }
        self.hosted
            .write()
            .expect("no holder of the replica map panics")
            .insert(
                shard,
                Hosted {
                    group: Arc::clone(&group),
                    desk,
                },
            );
        Ok(group)
    }

    /// The group of a shard, if a replica of it is here.
    pub(crate) fn group(&self, shard: ShardId) -> Option<Arc<Group>> {
        let hosted = self
            .hosted
            .read()
            .expect("no holder of the replica map panics");
        hosted.get(&shard).map(|hosted| Arc::clone(&hosted.group))
    }

    /// The desk of a data shard, if a replica of it is here.
    pub(crate) fn desk(&self, shard: ShardId) -> Option<Desk> {
        if shard == ShardId::SYSTEM {
            return None;
        }
        let hosted = self
            .hosted
            .read()
            .expect("no holder of the replica map panics");
        hosted.get(&shard).map(|hosted| hosted.desk.clone())
    }

    /// Every group here, in shard order.
    pub(crate) fn groups(&self) -> Vec<Arc<Group>> {
        let hosted = self
            .hosted
            .read()
            .expect("no holder of the replica map panics");
        hosted
            .values()
            .map(|hosted| Arc::clone(&hosted.group))
            .collect()
    }

    /// By which the node is stopped when its state cannot be trusted.
    pub(crate) fn failure(&self) -> &Failure {
        &self.parts.failure
    }

    /// Follows who leads each group here.
    pub(crate) fn leaders(&self) -> watch::Receiver<LeaderBoard> {
        self.leaders.subscribe()
    }

    /// Flushes the state away from the caller's thread.
    pub(crate) async fn flush_state(&self) -> Result<(), StorageError> {
        let engine = Arc::clone(&self.parts.engine);
        let flush = async move { engine.flush_state().await };
        on_own_thread(&self.parts.env, "flush", flush).await?
    }

    /// Stops every replica, one that is just being created as well, and lets nobody create another.
    pub(crate) async fn shutdown(&self) {
        let last = self.creation.acquire().await;
        self.creation.close();
        drop(last);
        for group in self.groups() {
            group.shutdown().await;
        }
        self.hosted
            .write()
            .expect("no holder of the replica map panics")
            .clear();
    }
}

impl FindGroup for Host {
    fn find(&self, shard: ShardId, replica: ReplicaId) -> Option<Arc<Group>> {
        self.group(shard).filter(|group| group.replica() == replica)
    }
}

/// Keeps the leader board. A replica that stopped by itself stops the node: its log or state can no
/// longer be trusted.
async fn follow_group(group: Arc<Group>, leaders: watch::Sender<LeaderBoard>, failure: Failure) {
    let mut leadership = group.leadership();
    loop {
        let now = leadership.borrow_and_update().clone();
        if let Some(detail) = now.failure {
            if !group.closing() {
                let detail = format!("shard {}: {detail}", group.shard());
                failure.raise(Cause::new("running a replica", detail));
            }
            return;
        }
        if let Some(leader) = now.leader {
            leaders.send_if_modified(|board| {
                board.insert(group.shard(), (now.term, leader)) != Some((now.term, leader))
            });
        }
        if leadership.changed().await.is_err() {
            return;
        }
    }
}
