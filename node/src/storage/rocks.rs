//! The engine on RocksDB.

mod options;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use quorate_core::planted::{self, Bug};
use quorate_core::{View, ViewError, Writes};
use quorate_link::env::Env;
use rocksdb::{
    Cache, ColumnFamily, ColumnFamilyDescriptor, CompactOptions, DB, DBRecoveryMode, ErrorKind,
    FlushOptions, IngestExternalFileOptions, IteratorMode, LogLevel, Options, ReadOptions,
    Snapshot, SstFileWriter, WriteBatch, WriteOptions,
};

use super::damage;
use super::engine::{Engine, Family, KeyRange, ReadView, Row, RowOp, StorageError, VisitRow};

const LOG_FAMILY: &str = "raft";
const STATE_FAMILY: &str = "state";

/// What RocksDB names the threads that rewrite tables. Flushes, which writes may have to wait for, have others.
const COMPACTION_THREADS: &str = "rocksdb:low";

/// A table that is written goes to the disk in pieces of so many bytes: a sync of all of it at its end would hold up
/// the log's.
const BYTES_PER_SYNC: u64 = 1 << 20;

/// Tables are written no faster than they must be, in bytes a second: RocksDB finds the least rate that keeps up, from
/// a twentieth of this on. Who rewrites them rests in between; without a rest it keeps a processor to itself however
/// far it has stepped back, while all who answer sales crowd on the others.
const TABLE_BYTES_PER_SECOND_MAX: i64 = 256 << 20;
/// From one rest to the next, in microseconds.
const TABLE_RATE_PERIOD_US: i64 = 50_000;
/// Rewriting goes ahead of flushing once in so many times, so that it does not starve. RocksDB's own number.
const TABLE_RATE_FAIRNESS: i32 = 10;

/// Sizes of the engine's buffers. All in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageTuning {
    /// Cache of decompressed blocks, shared by both families.
    pub block_cache_bytes: usize,
    /// State held in memory before it is flushed by itself.
    pub state_buffer_bytes: usize,
    /// Log held in memory before it is flushed by itself. Large enough that most of it has been purged by
    /// then and never reaches a table.
    pub log_buffer_bytes: usize,
}

impl Default for StorageTuning {
    fn default() -> Self {
        Self {
            block_cache_bytes: 128 << 20,
            state_buffer_bytes: 64 << 20,
            log_buffer_bytes: 64 << 20,
        }
    }
}

/// One RocksDB with the two families. It blocks whoever waits for its disk, so it is not for simulations.
pub struct RocksEngine {
    db: DB,
    /// Where tables wait to be taken in; on the file system of the database.
    tables: PathBuf,
    table_options: Options,
}

impl RocksEngine {
    /// Opens or creates the database below `dir`. A second process on the same directory is refused.
    ///
    /// A torn last record of the write-ahead log was never acknowledged and is dropped; damage before
    /// it is an error that names the file.
    ///
    /// # Errors
    /// The database cannot be opened, or is damaged.
    pub fn open(dir: &Path, tuning: StorageTuning) -> Result<Self, StorageError> {
        let path = &dir.join("db");
        let cache = Cache::new_lru_cache(tuning.block_cache_bytes);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_wal_recovery_mode(match planted::is(Bug::TailCut) {
            true => DBRecoveryMode::PointInTime,
            false => DBRecoveryMode::TolerateCorruptedTailRecords,
        });
        options.set_track_and_verify_wals_in_manifest(true);
        options.set_paranoid_checks(true);
        // The log is retained by the groups, not by RocksDB: a full WAL only forces a flush.
        options.set_max_total_wal_size(4 * tuning.log_buffer_bytes as u64);
        options.set_max_background_jobs(2);
        options.set_bytes_per_sync(BYTES_PER_SYNC);
        options.set_auto_tuned_ratelimiter(
            TABLE_BYTES_PER_SECOND_MAX,
            TABLE_RATE_PERIOD_US,
            TABLE_RATE_FAIRNESS,
        );
        options.set_keep_log_file_num(4);
        options.set_log_level(LogLevel::Warn);
        options.set_stats_dump_period_sec(0);

        let log = ColumnFamilyDescriptor::new(LOG_FAMILY, options::of_log(&tuning, &cache));
        let state_options = options::of_state(&tuning, &cache);
        let mut table_options = state_options.clone();
        table_options.set_bytes_per_sync(BYTES_PER_SYNC);
        let state = ColumnFamilyDescriptor::new(STATE_FAMILY, state_options);
        let db = DB::open_cf_descriptors(&options, path, [log, state])
            .map_err(|error| opening_failed(path, &error))?;
        // They are there from now on. A second of theirs would be one of the sales'.
        quorate_link::env::threads_step_back(COMPACTION_THREADS);
        Ok(Self {
            db,
            tables: dir.join("snapshots"),
            table_options,
        })
    }

    fn family(&self, family: Family) -> &ColumnFamily {
        let name = match family {
            Family::Log => LOG_FAMILY,
            Family::State => STATE_FAMILY,
        };
        self.db
            .cf_handle(name)
            .expect("both families are created when the database is opened")
    }

    fn write_log_rows(&self, rows: Vec<RowOp>, sync: bool) -> Result<(), StorageError> {
        let family = self.family(Family::Log);
        let mut batch = WriteBatch::default();
        for row in rows {
            match row {
                RowOp::Put(key, value) => batch.put_cf(family, key, value),
                RowOp::Delete(key) => batch.delete_cf(family, key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.db
            .write_opt(batch, &options)
            .map_err(|e| StorageError::new("writing the log", e))
    }

    fn flush(&self) -> Result<(), StorageError> {
        let mut options = FlushOptions::default();
        options.set_wait(true);
        self.db
            .flush_cf_opt(self.family(Family::State), &options)
            .map_err(|e| StorageError::new("flushing the state", e))
    }

    fn write_rows(&self, name: &str, rows: &[Row]) -> Result<(), StorageError> {
        const ACTION: &str = "writing a snapshot table";
        let failed = |e| StorageError::new(ACTION, e);
        let no_directory = |e: io::Error| StorageError::new(ACTION, e);
        fs::create_dir_all(&self.tables).map_err(no_directory)?;
        let mut writer = SstFileWriter::create(&self.table_options);
        writer.open(self.tables.join(name)).map_err(failed)?;
        for (key, value) in rows {
            writer.put(key, value).map_err(failed)?;
        }
        writer.finish().map_err(failed)?;
        // The file is synced; that it is there must survive as well.
        File::open(&self.tables)
            .and_then(|directory| directory.sync_all())
            .map_err(no_directory)
    }

    fn replace_ranges(&self, ranges: &[KeyRange], tables: &[String]) -> Result<(), StorageError> {
        let family = self.family(Family::State);
        let mut batch = WriteBatch::default();
        let mut cleared = Vec::new();
        for (first, end) in ranges {
            if self.first_key(Family::State, first, end)?.is_some() {
                batch.delete_range_cf(family, first, end);
                cleared.push((first, end));
            }
        }
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        self.db
            .write_opt(batch, &options)
            .map_err(|e| StorageError::new("clearing a range", e))?;
        // Rows whose deletion is in memory alone are as good as there. And no table may have to wait for a flush while
        // it is taken in: all writes of the node would wait with it.
        self.flush()?;
        if tables.is_empty() {
            return Ok(());
        }
        // Where there is nothing, tables go straight to the last level. Above rows, or a mark of their deletion, they
        // would pile up on the first one, and be rewritten beside the sales.
        let mut compact = CompactOptions::default();
        compact.set_exclusive_manual_compaction(false);
        for (first, end) in cleared {
            let (first, end) = (Some(first.as_slice()), Some(end.as_slice()));
            self.db.compact_range_cf_opt(family, first, end, &compact);
        }
        let mut ingest = IngestExternalFileOptions::default();
        ingest.set_move_files(true);
        let paths: Vec<PathBuf> = tables.iter().map(|name| self.tables.join(name)).collect();
        self.db
            .ingest_external_file_cf_opts(family, &ingest, paths)
            .map_err(|e| StorageError::new("taking in a snapshot", e))
    }
}

#[cfg(test)]
impl RocksEngine {
    /// How many tables of the state lie on a level, the first being 0.
    pub(crate) fn state_tables_on(&self, level: usize) -> u64 {
        let property = rocksdb::properties::num_files_at_level(level);
        let tables = self
            .db
            .property_int_value_cf(self.family(Family::State), &property);
        tables.ok().flatten().expect("RocksDB counts its tables")
    }
}

/// Says where the damage is: of a write-ahead log, RocksDB tells only that there is some.
fn opening_failed(path: &Path, error: &rocksdb::Error) -> StorageError {
    const ACTION: &str = "opening the database";
    let damaged = (error.kind() == ErrorKind::Corruption)
        .then(|| damage::find(path))
        .flatten();
    match damaged {
        Some((file, offset)) => {
            let file = file.display();
            StorageError::new(
                ACTION,
                format!("{file} is damaged at offset {offset}: {error}"),
            )
        }
        None => StorageError::new(ACTION, error),
    }
}

impl Engine for RocksEngine {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.db
            .get_cf(self.family(family), key)
            .map_err(|e| StorageError::new("reading a row", e))
    }

    fn scan(
        &self,
        family: Family,
        first: &[u8],
        end: &[u8],
        visit: VisitRow<'_>,
    ) -> Result<(), StorageError> {
        let rows = self.db.iterator_cf_opt(
            self.family(family),
            bounded_by(first, end),
            IteratorMode::Start,
        );
        for row in rows {
            let (key, value) = row.map_err(|e| StorageError::new("scanning rows", e))?;
            visit(&key, &value)?;
        }
        Ok(())
    }

    fn first_key(
        &self,
        family: Family,
        first: &[u8],
        end: &[u8],
    ) -> Result<Option<Vec<u8>>, StorageError> {
        let mut rows = self.db.iterator_cf_opt(
            self.family(family),
            bounded_by(first, end),
            IteratorMode::Start,
        );
        let row = rows.next().transpose();
        row.map(|row| row.map(|(key, _)| key.into_vec()))
            .map_err(|e| StorageError::new("looking for a row", e))
    }

    fn write_log(&self, rows: Vec<RowOp>, sync: bool) -> BoxFuture<'_, Result<(), StorageError>> {
        async move { self.write_log_rows(rows, sync) }.boxed()
    }

    fn write_state(&self, writes: Writes) -> Result<(), StorageError> {
        let family = self.family(Family::State);
        let mut batch = WriteBatch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.put_cf(family, key, value),
                None => batch.delete_cf(family, key),
            }
        }
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        self.db
            .write_opt(batch, &options)
            .map_err(|e| StorageError::new("writing the state", e))
    }

    fn flush_state(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        async move { self.flush() }.boxed()
    }

    fn read_in_background(
        self: Arc<Self>,
        env: &Env,
        name: &'static str,
        read: ReadView,
    ) -> Result<(), StorageError> {
        let (fixed, wait) = mpsc::sync_channel(1);
        let reader = env.clone();
        env.spawn_blocking(name, async move {
            let view = FixedView {
                engine: &self,
                snapshot: self.db.snapshot(),
            };
            // The caller waits for this alone; if it is gone, the work still ends by itself.
            let _ = fixed.send(());
            reader.step_back();
            read(&view).await;
        })
        .map_err(|e| StorageError::new("starting a background reader", e))?;
        wait.recv()
            .map_err(|e| StorageError::new("fixing a view", e))
    }

    fn write_table<'e>(
        &'e self,
        name: &'e str,
        rows: &'e [Row],
    ) -> BoxFuture<'e, Result<(), StorageError>> {
        async move { self.write_rows(name, rows) }.boxed()
    }

    fn remove_table(&self, name: &str) {
        // A file that cannot be removed only costs space; the directory is emptied at the next start.
        let _ = fs::remove_file(self.tables.join(name));
    }

    fn remove_all_tables(&self) {
        let Ok(files) = fs::read_dir(&self.tables) else {
            return;
        };
        for file in files.flatten() {
            // What cannot be removed only costs space.
            let _ = fs::remove_file(file.path());
        }
    }

    fn replace_state<'e>(
        &'e self,
        ranges: &'e [KeyRange],
        tables: &'e [String],
    ) -> BoxFuture<'e, Result<(), StorageError>> {
        async move { self.replace_ranges(ranges, tables) }.boxed()
    }
}

fn bounded_by(first: &[u8], end: &[u8]) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(first);
    options.set_iterate_upper_bound(end);
    options
}

/// The state family at one instant.
struct FixedView<'e> {
    engine: &'e RocksEngine,
    snapshot: Snapshot<'e>,
}

impl View for FixedView<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.snapshot
            .get_cf(self.engine.family(Family::State), key)
            .map_err(ViewError::new)
    }

    fn scan(
        &self,
        first: &[u8],
        end: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        let rows = self.snapshot.iterator_cf_opt(
            self.engine.family(Family::State),
            bounded_by(first, end),
            IteratorMode::Start,
        );
        for row in rows {
            let (key, value) = row.map_err(ViewError::new)?;
            visit(&key, &value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tempfile::TempDir;

    use super::*;

    const LAST_LEVEL: usize = 6;

    /// Rows whose keys begin with `group`, as a snapshot brings them.
    fn take_in(engine: &RocksEngine, group: u8, value: &[u8]) {
        let rows: Vec<Row> = (0..100).map(|i| (vec![group, i], value.to_vec())).collect();
        let name = format!("{group}-{}.sst", value.len());
        engine.write_rows(&name, &rows).unwrap();
        let range = (vec![group], vec![group + 1]);
        engine.replace_ranges(&[range], &[name]).unwrap();
    }

    /// Niceness of the threads of that name.
    #[cfg(target_os = "linux")]
    fn niceness(name: &str) -> Vec<i32> {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let stats = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("stat")));
        // One may have ended.
        let fields = stats.flatten().filter_map(|stat| {
            let (start, fields) = stat.rsplit_once(") ")?;
            let (_, its_name) = start.split_once('(')?;
            // The seventeenth after the name.
            let niceness = fields.split(' ').nth(16)?.parse().ok();
            niceness.filter(|_| its_name == name)
        });
        fields.collect()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_rewrites_tables_lets_others_go_first_and_who_flushes_does_not() {
        let dir = TempDir::new().unwrap();
        let _engine = RocksEngine::open(dir.path(), StorageTuning::default()).unwrap();
        let compacting = niceness(COMPACTION_THREADS);
        let flushing = niceness("rocksdb:high");
        assert!(!flushing.is_empty());
        assert!(compacting.iter().min() > flushing.iter().max());
    }

    #[test]
    fn snapshots_of_new_replicas_leave_nothing_to_rewrite() {
        let dir = TempDir::new().unwrap();
        let engine = RocksEngine::open(dir.path(), StorageTuning::default()).unwrap();
        for group in 0..30 {
            take_in(&engine, group, b"first");
        }
        assert_eq!(
            (
                engine.state_tables_on(0),
                engine.state_tables_on(LAST_LEVEL)
            ),
            (0, 30)
        );
    }

    #[test]
    fn a_snapshot_replaces_what_was_there() {
        let dir = TempDir::new().unwrap();
        let engine = RocksEngine::open(dir.path(), StorageTuning::default()).unwrap();
        take_in(&engine, 7, b"first");
        let stray = (vec![7, 200], Some(b"stray".to_vec()));
        engine.write_state([stray].into_iter().collect()).unwrap();
        take_in(&engine, 7, b"second");
        let row = |key: &[u8]| engine.get(Family::State, key).unwrap();
        assert_eq!(row(&[7, 42]).as_deref(), Some(&b"second"[..]));
        assert_eq!(row(&[7, 200]), None);
        assert_eq!(engine.state_tables_on(0), 0, "tables to be rewritten");
    }
}
