//! The engine of one simulated process on its disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use quorate_core::{View, ViewError, Writes};
use quorate_link::env::Env;
use quorate_node::seams::{Engine, Family, KeyRange, ReadView, Row, RowOp, StorageError, VisitRow};

use super::Latency;
use super::damaged::Damaged;
use super::platter::{Platter, Rows};

/// See the module above. Opened by [`SimDisk::open`](super::SimDisk::open).
pub(super) struct SimEngine {
    platter: Arc<Mutex<Platter>>,
    generation: u64,
    env: Env,
}

impl SimEngine {
    pub(super) fn new(platter: Arc<Mutex<Platter>>, generation: u64, env: Env) -> Self {
        Self {
            platter,
            generation,
            env,
        }
    }

    /// The disk, if it is still this process's.
    fn disk(&self, action: &'static str) -> Result<MutexGuard<'_, Platter>, StorageError> {
        let platter = self.platter.lock().unwrap_or_else(PoisonError::into_inner);
        platter.check(self.generation, action)?;
        Ok(platter)
    }

    /// Lets the time pass that something takes.
    async fn wait(&self, latency: Latency, action: &'static str) -> Result<(), StorageError> {
        let takes = self.disk(action)?.takes(latency);
        self.env.sleep(takes).await;
        Ok(())
    }

    async fn flush_through(&self, batch: u64) -> Result<(), StorageError> {
        const ACTION: &str = "flushing the state";
        self.wait(Latency::FLUSH, ACTION).await?;
        self.disk(ACTION)?.flush_state(batch)
    }
}

fn rows_between(
    rows: &Rows,
    family: Family,
    damaged: &Damaged,
    first: &[u8],
    end: &[u8],
) -> impl Iterator<Item = Result<Row, StorageError>> {
    // A range that ends before it begins has no rows.
    let bounds = first.to_vec()..end.max(first).to_vec();
    rows.range(bounds).map(move |(key, value)| {
        damaged.check(family, key)?;
        Ok((key.clone(), value.clone()))
    })
}

impl Engine for SimEngine {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let disk = self.disk("reading a row")?;
        disk.damaged.check(family, key)?;
        Ok(disk.family(family).get(key).cloned())
    }

    fn scan(
        &self,
        family: Family,
        first: &[u8],
        end: &[u8],
        visit: VisitRow<'_>,
    ) -> Result<(), StorageError> {
        // Row by row, because the visitor may read as well.
        let mut next = first.to_vec();
        loop {
            let row = {
                let disk = self.disk("scanning rows")?;
                rows_between(disk.family(family), family, &disk.damaged, &next, end)
                    .next()
                    .transpose()?
            };
            let Some((key, value)) = row else {
                return Ok(());
            };
            visit(&key, &value)?;
            next = key;
            next.push(0);
        }
    }

    fn first_key(
        &self,
        family: Family,
        first: &[u8],
        end: &[u8],
    ) -> Result<Option<Vec<u8>>, StorageError> {
        let disk = self.disk("looking for a row")?;
        let mut rows = rows_between(disk.family(family), family, &disk.damaged, first, end);
        let row = rows.next().transpose()?;
        Ok(row.map(|(key, _)| key))
    }

    fn write_log(&self, rows: Vec<RowOp>, sync: bool) -> BoxFuture<'_, Result<(), StorageError>> {
        const ACTION: &str = "writing the log";
        async move {
            let batch = self.disk(ACTION)?.write_log(rows)?;
            if !sync {
                return Ok(());
            }
            self.wait(Latency::SYNC, ACTION).await?;
            self.disk(ACTION)?.sync_log(batch)
        }
        .boxed()
    }

    fn write_state(&self, writes: Writes) -> Result<(), StorageError> {
        self.disk("writing the state")?.write_state(writes);
        Ok(())
    }

    fn flush_state(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        async move {
            let batch = self.disk("flushing the state")?.state_written();
            self.flush_through(batch).await
        }
        .boxed()
    }

    fn read_in_background(
        self: Arc<Self>,
        env: &Env,
        name: &'static str,
        read: ReadView,
    ) -> Result<(), StorageError> {
        let view = {
            let disk = self.disk("fixing a view")?;
            FixedView {
                rows: disk.family(Family::State).clone(),
                damaged: disk.damaged.clone(),
            }
        };
        env.spawn_blocking(name, async move { read(&view).await })
            .map(|_| ())
            .map_err(|e| StorageError::new("starting a background reader", e))
    }

    fn write_table<'e>(
        &'e self,
        name: &'e str,
        rows: &'e [Row],
    ) -> BoxFuture<'e, Result<(), StorageError>> {
        const ACTION: &str = "writing a snapshot table";
        async move {
            let half = &rows[..rows.len() / 2];
            self.disk(ACTION)?.put_table(name, half, false)?;
            self.wait(Latency::FLUSH, ACTION).await?;
            self.disk(ACTION)?.put_table(name, rows, true)
        }
        .boxed()
    }

    fn remove_table(&self, name: &str) {
        if let Ok(mut disk) = self.disk("removing a table") {
            disk.tables.remove(name);
        }
    }

    fn remove_all_tables(&self) {
        if let Ok(mut disk) = self.disk("removing tables") {
            disk.tables.clear();
        }
    }

    fn replace_state<'e>(
        &'e self,
        ranges: &'e [KeyRange],
        tables: &'e [String],
    ) -> BoxFuture<'e, Result<(), StorageError>> {
        const ACTION: &str = "taking in a snapshot";
        async move {
            let flushed = {
                let mut disk = self.disk(ACTION)?;
                let cleared = disk.clear_state(ranges);
                // Less than the real engine does, which flushes in any case: nobody may build on that.
                cleared.or_else(|| tables.is_empty().then(|| disk.state_written()))
            };
            if let Some(batch) = flushed {
                self.flush_through(batch).await?;
            }
            if tables.is_empty() {
                return Ok(());
            }
            self.wait(Latency::FLUSH, ACTION).await?;
            self.disk(ACTION)?.ingest(tables)
        }
        .boxed()
    }
}

/// The state family at one instant.
struct FixedView {
    rows: Rows,
    damaged: Damaged,
}

impl View for FixedView {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let sound = self.damaged.check(Family::State, key);
        sound.map_err(ViewError::new)?;
        Ok(self.rows.get(key).cloned())
    }

    fn scan(
        &self,
        first: &[u8],
        end: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        for row in rows_between(&self.rows, Family::State, &self.damaged, first, end) {
            let (key, value) = row.map_err(ViewError::new)?;
            visit(&key, &value)?;
        }
        Ok(())
    }
}
