//! Applies committed entries to the state of one replica.
//!
//! State owned: the applied point, the points known to be durable, and digests of recent checkpoints.
//!
//! Invariants: the writes of an entry, its outbox rows and the applied point reach the engine in one
//! batch; whoever reads the state under [`ReplicaState::read`] sees exactly what was applied at the
//! index it is told; an answer is sent after its batch was written, never before.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend};
use quorate_core::checkpoint::{self, ShardSummary};
use quorate_core::planted::{self, Bug};
use quorate_core::{CoreError, Overlay, View, codec, keys, ledger, system};
use quorate_link::env::Env;
use quorate_proto::ids::ShardId;
use quorate_proto::storage as pb;
use tokio::sync::{Semaphore, watch};

use super::books::{Books, Outbox};
use super::codec::{AppliedPoint, applied_from_proto, applied_to_proto, log_id_from_proto};
use super::retention::Retention;
use super::snapshot::{SnapshotBuilder, SnapshotData, install};
use super::types::{
    Applied, LogId, Proposal, Snapshot, SnapshotMeta, StoredMembership, TypeConfig,
};
use crate::limits;
use crate::storage::{Engine, Family, LogQueue, ReadView, StateView, StorageError};

/// A digest at a log index, or why there is none.
pub(crate) type Digest = Result<ShardSummary, String>;

/// The state of one replica, shared by the applier and by readers.
pub(crate) struct ReplicaState {
    pub(super) group: ShardId,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) queue: LogQueue,
    point: RwLock<AppliedPoint>,
    durable: watch::Sender<AppliedPoint>,
    retention: Mutex<Retention>,
    applied_index: watch::Sender<u64>,
    digests: watch::Sender<BTreeMap<u64, Arc<Digest>>>,
    digests_at_once: Arc<Semaphore>,
    /// Entries up to here were not applied by this process: they came from disk or with a snapshot, and no
    /// digest was made at them.
    not_applied_here: AtomicU64,
    books: Books,
    pub(super) env: Env,
}

impl ReplicaState {
    /// Loads the applied point, which is durable: it was read from disk.
    pub(crate) fn open(
        group: ShardId,
        engine: Arc<dyn Engine>,
        queue: LogQueue,
        digests_at_once: Arc<Semaphore>,
        log_keep_time: Duration,
        env: Env,
    ) -> Result<Self, StorageError> {
        let mut point = read_point(&*engine, group)?;
        if planted::is(Bug::MissedCommitted) {
            point.log_id = committed_id(&*engine, group)?.or(point.log_id);
        }
        let outbox = read_outbox(&*engine, group)?;
        let now = env.monotonic();
        Ok(Self {
            books: Books::open(group, outbox, now),
            env,
            group,
            engine,
            queue,
            durable: watch::Sender::new(point.clone()),
            retention: Mutex::new(Retention::new(log_keep_time, point.clone(), now)),
            applied_index: watch::Sender::new(index_of(&point)),
            not_applied_here: AtomicU64::new(index_of(&point)),
            point: RwLock::new(point),
            digests: watch::Sender::new(BTreeMap::new()),
            digests_at_once,
        })
    }

    /// What is known of the state without reading it.
    pub(crate) fn books(&self) -> &Books {
        &self.books
    }

    /// Reads the state together with the point it stands at.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&dyn View, Option<&LogId>) -> T) -> T {
        let point = self.point.read().expect("no holder of the point panics");
        read(&StateView(&*self.engine), point.log_id.as_ref())
    }

    /// The point up to which entries have been applied.
    pub(crate) fn point(&self) -> AppliedPoint {
        self.point
            .read()
            .expect("no holder of the point panics")
            .clone()
    }

    /// The point that survives a power cut.
    pub(crate) fn durable_point(&self) -> AppliedPoint {
        self.durable.borrow().clone()
    }

    /// Follows the durable point.
    pub(super) fn watch_durable(&self) -> watch::Receiver<AppliedPoint> {
        self.durable.subscribe()
    }

    /// Notes that everything up to `point` has been flushed.
    pub(crate) fn mark_durable(&self, point: AppliedPoint) {
        let is_newer = self.durable.send_if_modified(|durable| {
            let is_newer = durable.log_id < point.log_id;
            if is_newer {
                durable.clone_from(&point);
            }
            is_newer
        });
        if is_newer {
            self.retention().advance(point, self.env.monotonic());
        }
    }

    /// The point up to which the log may be purged.
    pub(super) fn purgeable_point(&self) -> AppliedPoint {
        self.retention().purgeable(self.env.monotonic())
    }

    fn retention(&self) -> MutexGuard<'_, Retention> {
        let retention = self.retention.lock();
        retention.expect("no holder of the durable points panics")
    }

    /// Follows the applied index.
    pub(crate) fn watch_applied(&self) -> watch::Receiver<u64> {
        self.applied_index.subscribe()
    }

    /// The digest of the checkpoint at `index`, once this replica has applied and computed it.
    pub(crate) async fn digest(&self, index: u64) -> Arc<Digest> {
        let skipped = || self.not_applied_here.load(Ordering::Relaxed) >= index;
        let mut digests = self.digests.subscribe();
        let known = digests
            .wait_for(|digests| digests.contains_key(&index) || skipped())
            .await;
        match known.as_deref().map(|digests| digests.get(&index)) {
            Ok(Some(digest)) => Arc::clone(digest),
            Ok(None) => Arc::new(Err(format!(
                "the replica was brought past entry {index} by a restart or a snapshot; verify again"
            ))),
            Err(_) => Arc::new(Err("the replica was closed".to_owned())),
        }
    }

    /// The state was replaced by a snapshot that stands at `point`.
    pub(super) fn replace_point(&self, point: AppliedPoint) -> Result<(), StorageError> {
        self.mark_durable(point.clone());
        self.retention()
            .replace(point.clone(), self.env.monotonic());
        let index = index_of(&point);
        *self.point.write().expect("no holder of the point panics") = point;
        self.applied_index.send_replace(index);
        self.not_applied_here.store(index, Ordering::Relaxed);
        // Wakes whoever waits for a digest that will not come.
        self.digests.send_modify(|_| {});
        let outbox = read_outbox(&*self.engine, self.group)?;
        self.books.replaced(outbox, self.env.monotonic());
        Ok(())
    }

    /// One batch: the writes, and the point they bring the replica to.
    fn commit(&self, mut overlay: Overlay<'_>, point: &AppliedPoint) -> Result<(), StorageError> {
        overlay.put(
            keys::applied(self.group),
            codec::seal(&applied_to_proto(point)),
        );
        let writes = overlay.into_writes();
        let foreseen = self.books.foresee(&writes);
        let mut current = self.point.write().expect("no holder of the point panics");
        self.engine.write_state(writes)?;
        *current = point.clone();
        drop(current);
        self.applied_index.send_replace(index_of(point));
        self.books.written(foreseen, self.env.monotonic());
        Ok(())
    }

    /// Computes the digest of the state as it stands now, away from the applier.
    fn start_digest(self: &Arc<Self>, index: u64) -> Result<(), StorageError> {
        let state = Arc::clone(self);
        let compute: ReadView = Box::new(move |view| {
            async move {
                // The view is fixed; nobody closes the semaphore.
                let _turn = state.digests_at_once.acquire().await;
                let digest = checkpoint::summarize(view, state.group).map_err(|e| e.to_string());
                state.digests.send_modify(|digests| {
                    digests.insert(index, Arc::new(digest));
                    while digests.len() > limits::DIGESTS_KEPT {
                        digests.pop_first();
                    }
                });
            }
            .boxed()
        });
        Arc::clone(&self.engine).read_in_background(&self.env, "checkpoint", compute)
    }
}

fn index_of(point: &AppliedPoint) -> u64 {
    point.log_id.map_or(0, |id| id.index)
}

/// The bounds of the outbox as they are on disk; those of an empty one in the system shard.
fn read_outbox(engine: &dyn Engine, group: ShardId) -> Result<Outbox, StorageError> {
    let facts = ledger::facts(&StateView(engine), group)
        .map_err(|e| StorageError::new("reading the shard's facts", e))?;
    Ok(Outbox::from(&facts))
}

/// The committed point that was noted last.
fn committed_id(engine: &dyn Engine, group: ShardId) -> Result<Option<LogId>, StorageError> {
    let damaged = |e| StorageError::new("reading the committed point", e);
    match engine.get(Family::Log, &keys::raft::committed(group))? {
        Some(bytes) => {
            let message: pb::LogId = codec::open("committed point", &bytes).map_err(damaged)?;
            Ok(Some(log_id_from_proto(&message)))
        }
        None => Ok(None),
    }
}

/// The applied point as it is on disk.
pub(super) fn read_point(
    engine: &dyn Engine,
    group: ShardId,
) -> Result<AppliedPoint, StorageError> {
    let damaged = |e| StorageError::new("reading the applied point", e);
    match engine.get(Family::State, &keys::applied(group))? {
        Some(bytes) => {
            let message: pb::AppliedPoint =
                codec::open("applied point", &bytes).map_err(damaged)?;
            applied_from_proto(&message).map_err(damaged)
        }
        None => Ok(AppliedPoint::default()),
    }
}

/// openraft's handle on a replica's state.
pub(crate) struct StateMachine {
    state: Arc<ReplicaState>,
}

impl StateMachine {
    pub(crate) fn new(state: Arc<ReplicaState>) -> Self {
        Self { state }
    }

    fn apply_chunk(
        &self,
        chunk: Vec<Result<EntryResponder<TypeConfig>, io::Error>>,
    ) -> io::Result<()> {
        let view = StateView(&*self.state.engine);
        let mut overlay = Overlay::new(&view);
        let mut point = self.state.point();
        let mut replies = Vec::new();
        for item in chunk {
            let (entry, responder) = item?;
            point.log_id = Some(entry.log_id);
            let mut fixes_index = false;
            let applied = match entry.payload {
                EntryPayload::Blank => Applied::Nothing,
                EntryPayload::Membership(membership) => {
                    point.membership = StoredMembership::new(Some(entry.log_id), membership);
                    Applied::Nothing
                }
                EntryPayload::Normal(proposal) => {
                    let (applied, checkpoint) = self
                        .decide(&mut overlay, &proposal)
                        .map_err(|e| StorageError::new("applying an entry", e))?;
                    fixes_index = checkpoint;
                    applied
                }
            };
            replies.extend(responder.map(|responder| (responder, applied)));
            if fixes_index {
                let decided = std::mem::replace(&mut overlay, Overlay::new(&view));
                self.state.commit(decided, &point)?;
                self.state.start_digest(entry.log_id.index)?;
            }
        }
        self.state.commit(overlay, &point)?;
        for (responder, applied) in replies {
            responder.send(applied);
        }
        Ok(())
    }

    /// Decides one entry; also whether it fixes a log index at which replicas are compared.
    fn decide(
        &self,
        overlay: &mut Overlay<'_>,
        proposal: &Proposal,
    ) -> Result<(Applied, bool), CoreError> {
        if self.state.group == ShardId::SYSTEM {
            let command = codec::decode_system_command(&proposal.0)?;
            return Ok((Applied::System(system::apply(overlay, &command)?), false));
        }
        let batch = codec::decode_batch(&proposal.0)?;
        let outcomes = ledger::apply_batch(overlay, self.state.group, &batch)?;
        Ok((Applied::Ledger(outcomes), batch.has_checkpoint()))
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let point = self.state.point();
        Ok((point.log_id, point.membership))
    }

    async fn apply<Strm>(&mut self, entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut chunks = entries.ready_chunks(limits::APPLY_CHUNK_ENTRIES);
        while let Some(chunk) = chunks.next().await {
            self.apply_chunk(chunk)?;
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        SnapshotBuilder::new(Arc::clone(&self.state))
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotData,
    ) -> Result<(), io::Error> {
        install(&self.state, meta, snapshot).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<SnapshotData>>, io::Error> {
        Ok(SnapshotBuilder::new(Arc::clone(&self.state)).durable())
    }
}
