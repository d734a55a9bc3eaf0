//! Snapshots: a live view on the sending side, sorted tables on the receiving side.
//!
//! Building one copies nothing: it names a durable point, and the view is fixed when rows are sent.
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
use super::snapshot_frames::{Range, RowCheck};
use super::snapshot_receiver::SnapshotRefused;
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

/// Names points as snapshots, at once.
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

    /// The log is purged up to it, but for the entries that are kept in any case.
    async fn build_snapshot(&mut self) -> Result<Snapshot<SnapshotData>, io::Error> {
        Ok(Snapshot {
            meta: meta_of(&self.state.purgeable_point()),
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
    name: String,
    check: RowCheck,
    /// Of the next table, all within one range of the group.
    rows: Vec<Row>,
    bytes: usize,
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
            name,
            check: RowCheck::new(group),
            rows: Vec::new(),
            bytes: 0,
            tables: Vec::new(),
            env,
        }
    }

    /// Adds a row; keys must ascend over the whole snapshot.
    ///
    /// A table ends with its range: other groups' rows lie behind it, and a table that spans any cannot be put below
    /// them.
    pub(super) async fn push(
        &mut self,
        key: Vec<u8>,
        value: Vec<u8>,
    ) -> Result<(), SnapshotRefused> {
        if self.check.admit(&key, &value)? == Range::Another {
            self.write_table().await?;
        }
        self.bytes += key.len() + value.len();
        self.rows.push((key, value));
        if self.bytes >= limits::SNAPSHOT_TABLE_BYTES {
            self.write_table().await?;
        }
        Ok(())
    }

    /// What the rows received so far say.
    pub(super) fn check(&self) -> &RowCheck {
        &self.check
    }

    /// Closes the last table.
    pub(crate) async fn finish(mut self) -> Result<SpooledSnapshot, StorageError> {
        self.write_table().await?;
        Ok(SpooledSnapshot {
            engine: Arc::clone(&self.engine),
            tables: std::mem::take(&mut self.tables),
            owned: self.check.owned_ranges().to_vec(),
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
        let env = self.env.clone();
        let write = async move {
            env.step_back();
            engine.write_table(&name, &rows).await
        };
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
    clears.sort();
    clears.dedup();
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use quorate_proto::ring::even_split;
    use tempfile::TempDir;

    use super::super::snapshot_rows::tests::{SHARDS, neighbours, rows_of};
    use super::*;
    use crate::storage::{RocksEngine, StorageTuning};

    #[tokio::test]
    async fn tables_lie_below_what_the_neighbours_wrote() {
        let dir = TempDir::new().unwrap();
        let engine = RocksEngine::open(dir.path(), StorageTuning::default()).unwrap();
        let engine = Arc::new(engine);
        let all = neighbours();
        for (shard, range) in (1..).zip(even_split(SHARDS)) {
            let group = ShardId::new(shard);
            let rows = rows_of(&all, group, range);
            let name = format!("incoming-{shard}");
            let mut spool = SnapshotSpool::new(engine.clone(), group, name, Env::system());
            for (key, value) in rows.clone() {
                spool.push(key, value).await.unwrap();
            }
            let spooled = spool.finish().await.unwrap();
            let replaced = engine.replace_state(&spooled.owned, &spooled.tables);
            replaced.await.unwrap();
            // It goes on selling, and so lies around the next one.
            let sold = rows.into_iter().map(|(key, value)| (key, Some(value)));
            engine.write_state(sold.collect()).unwrap();
        }
        // One for what was written between two of them each, and none of theirs.
        assert_eq!(engine.state_tables_on(0), u64::from(SHARDS) - 1);
    }

    #[tokio::test]
    async fn keys_ascend_from_one_table_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let tuning = StorageTuning {
            block_cache_bytes: 1 << 20,
            state_buffer_bytes: 1 << 20,
            log_buffer_bytes: 1 << 20,
        };
        let engine = Arc::new(RocksEngine::open(dir.path(), tuning).unwrap());
        let group = ShardId::SYSTEM;
        let mut spool = SnapshotSpool::new(engine, group, "t".to_owned(), Env::system());
        let (first, _) = keys::ranges(group, None).remove(0);
        let key = |last| [&first[..], &[last]].concat();
        // As large as a table.
        let value = vec![0; limits::SNAPSHOT_TABLE_BYTES];
        spool.push(key(2), value).await.unwrap();
        assert_eq!(spool.tables.len(), 1);
        for again in [1, 2] {
            assert!(spool.push(key(again), vec![]).await.is_err(), "{again}");
        }
        spool.push(key(3), vec![]).await.unwrap();
    }
}
