//! Snapshots: a live view on the sending side, sorted tables on the receiving side.
//!
//! Building one copies nothing: it names the durable point, and the view is fixed when rows are sent.
//! Receiving spools rows into tables; installing them is crash-safe: a synced marker comes first, and an
//! install that was interrupted is finished before the group is opened again.

use std::fmt;
use std::io;
use std::sync::Arc;

use openraft::storage::RaftSnapshotBuilder;
use quorate_core::planted::{self, Bug};
use quorate_core::{codec, keys};
use quorate_link::env::Env;
use quorate_proto::ids::ShardId;
use quorate_proto::storage as pb;

use super::codec::{AppliedPoint, applied_from_proto, applied_to_proto};
use super::snapshot_rows::owned_ranges;
use super::state_machine::{ReplicaState, read_point};
use super::types::{Snapshot, SnapshotMeta, TypeConfig};
use crate::limits;
use crate::storage::{
    Engine, Family, KeyRange, Row, RowOp, StateView, StorageError, on_own_thread,
};

/// What a snapshot consists of.
#[derive(Debug)]
pub(crate) enum SnapshotData {
    /// The replica's own state; a view is fixed when it is sent.
    Live,
    /// Rows received from another replica.
    Received(SpooledSnapshot),
}

/// Names the durable point as a snapshot, at once.
pub(crate) struct SnapshotBuilder {
    state: Arc<ReplicaState>,
}

impl SnapshotBuilder {
    pub(super) fn new(state: Arc<ReplicaState>) -> Self {
        Self { state }
    }

    /// The snapshot at the durable point, if anything is durable.
    pub(super) fn durable(&self) -> Option<Snapshot<SnapshotData>> {
        let point = self.state.durable_point();
        point.log_id?;
        Some(Snapshot {
            meta: meta_of(&point),
            snapshot: SnapshotData::Live,
        })
    }
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> Result<Snapshot<SnapshotData>, io::Error> {
        Ok(Snapshot {
            meta: meta_of(&self.state.durable_point()),
            snapshot: SnapshotData::Live,
        })
    }
}

pub(super) fn meta_of(point: &AppliedPoint) -> SnapshotMeta {
    SnapshotMeta {
        last_log_id: point.log_id,
        last_membership: point.membership.clone(),
    }
}

/// Rows of a snapshot as they arrive, spooled into tables of bounded size.
pub(crate) struct SnapshotSpool {
    engine: Arc<dyn Engine>,
    group: ShardId,
    name: String,
    /// Key ranges that the sender's replica owned.
    owned: Vec<KeyRange>,
    rows: Vec<Row>,
    bytes: usize,
    rows_total: u64,
    tables: Vec<String>,
    env: Env,
}

/// Complete tables of one snapshot; they are removed if it is never installed.
pub(crate) struct SpooledSnapshot {
    engine: Arc<dyn Engine>,
    tables: Vec<String>,
    owned: Vec<KeyRange>,
    installed: bool,
}

impl SnapshotSpool {
    /// Starts a spool; no other spool of the node may have this name.
    pub(crate) fn new(engine: Arc<dyn Engine>, group: ShardId, name: String, env: Env) -> Self {
        Self {
            engine,
            group,
            name,
            owned: keys::ranges(group, None),
            rows: Vec::new(),
            bytes: 0,
            rows_total: 0,
            tables: Vec::new(),
            env,
        }
    }

    /// Adds a row; keys must ascend over the whole snapshot.
    pub(crate) async fn push(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StorageError> {
        const ACTION: &str = "receiving a snapshot";
        if self.rows.last().is_some_and(|(last, _)| *last >= key) {
            return Err(StorageError::new(ACTION, "its keys do not ascend"));
        }
        let owns = |(first, end): &KeyRange| *first <= key && key < *end;
        if !self.owned.iter().any(owns) {
            return Err(StorageError::new(ACTION, "it holds a row of another group"));
        }
        if key == keys::facts(self.group) && self.group != ShardId::SYSTEM {
            let facts =
                codec::decode_facts(value.clone()).map_err(|e| StorageError::new(ACTION, e))?;
            self.owned = keys::ranges(self.group, facts.range());
        }
        self.bytes += key.len() + value.len();
        self.rows_total += 1;
        self.rows.push((key, value));
        if self.bytes >= limits::SNAPSHOT_TABLE_BYTES {
            self.write_table().await?;
        }
        Ok(())
    }

    /// Rows received so far.
    pub(crate) fn rows_total(&self) -> u64 {
        self.rows_total
    }

    /// Closes the last table.
    pub(crate) async fn finish(mut self) -> Result<SpooledSnapshot, StorageError> {
        self.write_table().await?;
        Ok(SpooledSnapshot {
            engine: Arc::clone(&self.engine),
            tables: std::mem::take(&mut self.tables),
            owned: std::mem::take(&mut self.owned),
            installed: false,
        })
    }

    async fn write_table(&mut self) -> Result<(), StorageError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let name = format!("{}-{:04}.sst", self.name, self.tables.len());
        self.tables.push(name.clone());
        let (engine, rows) = (Arc::clone(&self.engine), std::mem::take(&mut self.rows));
        self.bytes = 0;
        // If nobody waits for it any more, the table is there until the next start.
        let write = async move { engine.write_table(&name, &rows).await };
        on_own_thread(&self.env, "snapshot table", write).await?
    }
}

impl Drop for SnapshotSpool {
    fn drop(&mut self) {
        remove_tables(&*self.engine, &self.tables);
    }
}

impl fmt::Debug for SpooledSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpooledSnapshot({:?})", self.tables)
    }
}

impl Drop for SpooledSnapshot {
    fn drop(&mut self) {
        if !self.installed {
            remove_tables(&*self.engine, &self.tables);
        }
    }
}

fn remove_tables(engine: &dyn Engine, tables: &[String]) {
    for table in tables {
        engine.remove_table(table);
    }
}

/// Puts a received snapshot in place of the replica's state. Durable on return.
pub(super) async fn install(
    state: &ReplicaState,
    meta: &SnapshotMeta,
    data: SnapshotData,
) -> Result<(), io::Error> {
    let SnapshotData::Received(mut spooled) = data else {
        return Err(io::Error::other(
            "only a received snapshot can be installed",
        ));
    };
    let point = AppliedPoint {
        log_id: meta.last_log_id,
        membership: meta.last_membership.clone(),
    };
    // Whatever this replica holds goes, and whatever lies where the snapshot's rows will be.
    let mut clears = owned_ranges(&StateView(&*state.engine), state.group)
        .map_err(|e| StorageError::new("installing a snapshot", e))?;
    clears.append(&mut spooled.owned);
    let pending = pb::PendingInstall {
        point: Some(applied_to_proto(&point)),
        tables: spooled.tables.clone(),
        clears: clears.into_iter().map(key_range).collect(),
    };
    let marker = keys::raft::installing(state.group);
    const ACTION: &str = "writing a snapshot marker";
    let row = RowOp::Put(marker.clone(), codec::seal(&pending));
    // A marker whose write failed may be there after a restart all the same, and then needs its tables.
    spooled.installed = true;
    if !planted::is(Bug::TornSnapshot) {
        state.queue.write_synced(ACTION, row).await?;
    }
    let engine = Arc::clone(&state.engine);
    let replace = async move {
        let clears = clears_of(&pending);
        engine.replace_state(&clears, &pending.tables).await
    };
    on_own_thread(&state.env, "snapshot install", replace).await??;
    let row = RowOp::Delete(marker);
    state.queue.write_synced(ACTION, row).await?;
    Ok(state.replace_point(point)?)
}

/// Finishes an install that a crash interrupted. Called before the group is opened.
pub(crate) async fn finish_interrupted_install(
    engine: &dyn Engine,
    group: ShardId,
) -> Result<(), StorageError> {
    let marker = keys::raft::installing(group);
    let Some(bytes) = engine.get(Family::Log, &marker)? else {
        return Ok(());
    };
    let damaged = |e| StorageError::new("reading a snapshot marker", e);
    let pending: pb::PendingInstall = codec::open("snapshot marker", &bytes).map_err(damaged)?;
    let wanted = match &pending.point {
        Some(point) => applied_from_proto(point).map_err(damaged)?,
        None => AppliedPoint::default(),
    };
    // The tables are taken in as one step, and they hold the applied point: if it is there, all of them are.
    if read_point(engine, group)? != wanted {
        let clears = clears_of(&pending);
        engine.replace_state(&clears, &pending.tables).await?;
    }
    engine.write_log(vec![RowOp::Delete(marker)], true).await
}

fn key_range((first, end): (Vec<u8>, Vec<u8>)) -> pb::KeyRange {
    pb::KeyRange {
        first: first.into(),
        end: end.into(),
    }
}

fn clears_of(pending: &pb::PendingInstall) -> Vec<KeyRange> {
    pending
        .clears
        .iter()
        .map(|range| (range.first.to_vec(), range.end.to_vec()))
        .collect()
}
