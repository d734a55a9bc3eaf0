//! Snapshots: a live view on the sending side, sorted tables on the receiving side.
//!
//! Building one copies nothing: it names the durable point, and the view is fixed when rows are sent.
//! Receiving spools rows into tables; installing them is crash-safe: a synced marker comes first, and an
//! install that was interrupted is finished before the group is opened again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openraft::storage::RaftSnapshotBuilder;
use quorate_core::{View, ViewError, codec, keys, ledger};
use quorate_proto::ids::ShardId;
use quorate_proto::storage as pb;

use super::codec::{AppliedPoint, applied_from_proto, applied_to_proto};
use super::state_machine::{ReplicaState, read_point};
use super::types::{Snapshot, SnapshotMeta, TypeConfig};
use crate::limits;
use crate::storage::{Engine, Family, RowOp, StateView, StorageError};

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

/// Called for each row; an error ends the visit.
type VisitViewRow<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), ViewError>;

/// Key ranges, first inclusive and end exclusive.
type KeyRanges = Vec<(Vec<u8>, Vec<u8>)>;

/// Hands every row of a replica to `visit`, in key order.
pub(crate) fn visit_rows(
    view: &dyn View,
    group: ShardId,
    visit: VisitViewRow<'_>,
) -> Result<(), ViewError> {
    for (first, end) in owned_ranges(view, group)? {
        view.scan(&first, &end, visit)?;
    }
    Ok(())
}

/// The applied point inside a view.
pub(crate) fn point_of(view: &dyn View, group: ShardId) -> Result<AppliedPoint, ViewError> {
    match view.get(&keys::applied(group))? {
        Some(bytes) => codec::open::<pb::AppliedPoint>("applied point", &bytes)
            .and_then(|message| applied_from_proto(&message))
            .map_err(ViewError::new),
        None => Ok(AppliedPoint::default()),
    }
}

fn owned_ranges(view: &dyn View, group: ShardId) -> Result<KeyRanges, ViewError> {
    let range = if group == ShardId::SYSTEM {
        None
    } else {
        ledger::facts(view, group).map_err(ViewError::new)?.range()
    };
    Ok(keys::ranges(group, range))
}

/// Rows of a snapshot as they arrive, spooled into tables of bounded size.
pub(crate) struct SnapshotSpool {
    engine: Arc<dyn Engine>,
    group: ShardId,
    dir: PathBuf,
    name: String,
    /// Key ranges that the sender's replica owned.
    owned: KeyRanges,
    rows: Vec<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
    rows_total: u64,
    tables: Vec<String>,
}

/// Complete tables of one snapshot; the files are removed if it is never installed.
#[derive(Debug)]
pub(crate) struct SpooledSnapshot {
    dir: PathBuf,
    tables: Vec<String>,
    owned: KeyRanges,
    installed: bool,
}

impl SnapshotSpool {
    /// Starts a spool; `name` must be unique in `dir`.
    pub(crate) fn create(
        engine: Arc<dyn Engine>,
        dir: &Path,
        group: ShardId,
        name: String,
    ) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self {
            engine,
            group,
            dir: dir.to_owned(),
            name,
            owned: keys::ranges(group, None),
            rows: Vec::new(),
            bytes: 0,
            rows_total: 0,
            tables: Vec::new(),
        })
    }

    /// Adds a row; keys must ascend over the whole snapshot.
    pub(crate) fn push(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StorageError> {
        if self.rows.last().is_some_and(|(last, _)| *last >= key) {
            return Err(StorageError::new(
                "receiving a snapshot",
                "its keys do not ascend",
            ));
        }
        if key == keys::facts(self.group) && self.group != ShardId::SYSTEM {
            let facts = codec::decode_facts(value.clone())
                .map_err(|e| StorageError::new("receiving a snapshot", e))?;
            self.owned = keys::ranges(self.group, facts.range());
        }
        self.bytes += key.len() + value.len();
        self.rows_total += 1;
        self.rows.push((key, value));
        if self.bytes >= limits::SNAPSHOT_TABLE_BYTES {
            self.write_table()?;
        }
        Ok(())
    }

    /// Rows received so far.
    pub(crate) fn rows_total(&self) -> u64 {
        self.rows_total
    }

    /// Closes the last table.
    pub(crate) fn finish(mut self) -> Result<SpooledSnapshot, StorageError> {
        self.write_table()?;
        Ok(SpooledSnapshot {
            dir: std::mem::take(&mut self.dir),
            tables: std::mem::take(&mut self.tables),
            owned: std::mem::take(&mut self.owned),
            installed: false,
        })
    }

    fn write_table(&mut self) -> Result<(), StorageError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let name = format!("{}-{:04}.sst", self.name, self.tables.len());
        self.engine.write_table(&self.dir.join(&name), &self.rows)?;
        self.tables.push(name);
        self.rows.clear();
        self.bytes = 0;
        Ok(())
    }
}

impl Drop for SnapshotSpool {
    fn drop(&mut self) {
        remove_tables(&self.dir, &self.tables);
    }
}

impl Drop for SpooledSnapshot {
    fn drop(&mut self) {
        if !self.installed {
            remove_tables(&self.dir, &self.tables);
        }
    }
}

fn remove_tables(dir: &Path, tables: &[String]) {
    for table in tables {
        // A file that cannot be removed only costs space; the directory is emptied at the next start.
        let _ = fs::remove_file(dir.join(table));
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
    state.queue.write_synced(ACTION, row).await?;
    spooled.installed = true;
    let tables = paths(&spooled.dir, &spooled.tables);
    state.engine.replace_state(&clears_of(&pending), &tables)?;
    let row = RowOp::Delete(marker);
    state.queue.write_synced(ACTION, row).await?;
    Ok(state.replace_point(point)?)
}

/// Finishes an install that a crash interrupted. Called before the group is opened.
pub(crate) fn finish_interrupted_install(
    engine: &dyn Engine,
    group: ShardId,
    dir: &Path,
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
        engine.replace_state(&clears_of(&pending), &paths(dir, &pending.tables))?;
    }
    engine.write_log(vec![RowOp::Delete(marker)], true)
}

fn key_range((first, end): (Vec<u8>, Vec<u8>)) -> pb::KeyRange {
    pb::KeyRange {
        first: first.into(),
        end: end.into(),
    }
}

fn clears_of(pending: &pb::PendingInstall) -> KeyRanges {
    pending
        .clears
        .iter()
        .map(|range| (range.first.to_vec(), range.end.to_vec()))
        .collect()
}

fn paths(dir: &Path, tables: &[String]) -> Vec<PathBuf> {
    tables.iter().map(|table| dir.join(table)).collect()
}
