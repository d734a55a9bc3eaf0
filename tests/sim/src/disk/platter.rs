//! The rows of a disk, and how those that may be lost are taken back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use quorate_node::seams::{Family, KeyRange, Row, RowOp, StorageError};

use super::damaged::Damaged;
use super::{Crash, CrashReport, Latency, Trouble};
use crate::chance::Chance;
use crate::trace::BytesHash;

/// Rows in key order.
pub(super) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a batch has overwritten: taking it back restores it.
type Undo = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// A table of a snapshot.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// Written and synced to its end.
    pub(super) whole: bool,
}

/// One family: its rows, and the batches that a cut may take back.
#[derive(Clone, Default)]
pub(super) struct Rewindable {
    pub(super) rows: Rows,
    undo: VecDeque<Undo>,
    /// Batches ever written.
    written: u64,
}

impl Rewindable {
    /// Writes a batch; returns its number.
    fn write(&mut self, batch: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>) -> u64 {
        let mut undo = Undo::new();
        for (key, value) in batch {
            let before = match value {
                Some(value) => self.rows.insert(key.clone(), value),
                None => self.rows.remove(&key),
            };
            undo.push((key, before));
        }
        self.undo.push_back(undo);
        self.written += 1;
        self.written
    }

    /// Nothing up to this batch can be lost any more.
    fn secure(&mut self, through: u64) {
        let open = self.undo.len() as u64;
        let secured = (through + open).saturating_sub(self.written).min(open);
        self.undo
            .drain(..usize::try_from(secured).unwrap_or(usize::MAX));
    }

    /// Takes back all but the first `keep` of the batches that can be lost; returns how many are lost.
    fn rewind(&mut self, keep: usize) -> usize {
        let lost = self.undo.len().saturating_sub(keep);
        for _ in 0..lost {
            for (key, before) in self.undo.pop_back().unwrap_or_default().into_iter().rev() {
                match before {
                    Some(value) => self.rows.insert(key, value),
                    None => self.rows.remove(&key),
                };
            }
        }
        self.undo.clear();
        lost
    }

    /// What would be left of a row if everything that can be lost were.
    fn secured_row(&self, key: &[u8]) -> Option<Vec<u8>> {
        let overwritten = self
            .undo
            .iter()
            .flatten()
            .find(|(changed, _)| changed == key);
        match overwritten {
            Some((_, before)) => before.clone(),
            None => self.rows.get(key).cloned(),
        }
    }
}

pub(super) struct Platter {
    pub(super) log: Rewindable,
    pub(super) state: Rewindable,
    pub(super) tables: BTreeMap<String, Table>,
    pub(super) damaged: Damaged,
    pub(super) trouble: Trouble,
    pub(super) chance: Chance,
    /// Syncs and flushes that took longer because the disk was slow.
    pub(super) slowed: u64,
    /// Writes, syncs and flushes that failed, or found no room.
    pub(super) refused: u64,
    /// Of every row written.
    pub(super) written: BytesHash,
    /// Changes with every opening and every crash.
    generation: u64,
}

/// The disk is not this process's any more.
fn taken_away(action: &'static str) -> StorageError {
    StorageError::new(action, "the disk was taken away")
}

const FULL: &str = "no space left on device";

impl Platter {
    pub(super) fn new(chance: Chance) -> Self {
        Self {
            log: Rewindable::default(),
            state: Rewindable::default(),
            tables: BTreeMap::new(),
            damaged: Damaged::default(),
            trouble: Trouble::default(),
            chance,
            slowed: 0,
            refused: 0,
            written: BytesHash::default(),
            generation: 0,
        }
    }

    pub(super) fn open(&mut self) -> u64 {
        // An engine writes what it recovers into a table, and syncs that, before it serves.
        self.log.secure(self.log.written);
        self.generation += 1;
        self.generation
    }

    /// Whether the process that opened it then still has it.
    pub(super) fn check(&self, generation: u64, action: &'static str) -> Result<(), StorageError> {
        if self.generation == generation {
            return Ok(());
        }
        Err(taken_away(action))
    }

    pub(super) fn crash(&mut self, how: Crash) -> CrashReport {
        self.generation += 1;
        let log_open = self.log.undo.len();
        let (log_kept, log_lost) = match how {
            Crash::Power => {
                let kept = self.survivors(log_open);
                (kept, self.log.rewind(kept))
            }
            // Still in the page cache, and not safe from a later power cut.
            Crash::Process => (log_open, 0),
        };
        let state_kept = self.survivors(self.state.undo.len());
        let mut report = CrashReport {
            log_batches_lost: log_lost,
            log_batches_kept: log_kept,
            state_batches_lost: self.state.rewind(state_kept),
            state_batches_kept: state_kept,
            tables_torn: 0,
        };
        let chance = &mut self.chance;
        self.tables.retain(|_, table| {
            if table.whole || chance.one_in(2) {
                report.tables_torn += usize::from(!table.whole);
                return true;
            }
            false
        });
        report
    }

    /// How many of so many batches survive: often none, often all, otherwise the first so many.
    fn survivors(&mut self, open: usize) -> usize {
        match self.chance.below(4) {
            0 | 1 => 0,
            2 => open,
            _ => self.chance.index(open + 1),
        }
    }

    pub(super) fn wipe(&mut self) {
        self.generation += 1;
        self.log = Rewindable::default();
        self.state = Rewindable::default();
        self.tables.clear();
        self.damaged.clear();
    }

    pub(super) fn damage(&mut self, choice: u64) -> Option<(Family, Vec<u8>)> {
        let rows = self.log.rows.len() + self.state.rows.len();
        let place = usize::try_from(choice)
            .unwrap_or(usize::MAX)
            .checked_rem(rows)?;
        let (family, key) = match self.log.rows.keys().nth(place) {
            Some(key) => (Family::Log, key.clone()),
            None => {
                let place = place - self.log.rows.len();
                (Family::State, self.state.rows.keys().nth(place)?.clone())
            }
        };
        self.damaged.insert(family, &key);
        Some((family, key))
    }

    pub(super) fn family(&self, family: Family) -> &Rows {
        match family {
            Family::Log => &self.log.rows,
            Family::State => &self.state.rows,
        }
    }

    pub(super) fn synced_log(&self, key: &[u8]) -> Option<Vec<u8>> {
        let readable = !self.damaged.contains(Family::Log, key);
        readable.then(|| self.log.secured_row(key)).flatten()
    }

    pub(super) fn flushed_state(&self, key: &[u8]) -> Option<Vec<u8>> {
        let readable = !self.damaged.contains(Family::State, key);
        readable.then(|| self.state.secured_row(key)).flatten()
    }

    /// Writes to the log; returns the batch's number.
    pub(super) fn write_log(&mut self, rows: Vec<RowOp>) -> Result<u64, StorageError> {
        self.check_room("writing the log")?;
        let batch: Vec<_> = rows
            .into_iter()
            .map(|row| match row {
                RowOp::Put(key, value) => (key, Some(value)),
                RowOp::Delete(key) => (key, None),
            })
            .collect();
        self.mend(Family::Log, batch.iter().map(|(key, _)| key));
        self.note(batch.iter().map(|(key, value)| (key, value)));
        Ok(self.log.write(batch))
    }

    /// Ends a sync of the log up to a batch.
    pub(super) fn sync_log(&mut self, through: u64) -> Result<(), StorageError> {
        self.check_sync("writing the log")?;
        self.log.secure(through);
        Ok(())
    }

    /// Writes to the state; returns the batch's number.
    pub(super) fn write_state(&mut self, batch: quorate_core::Writes) -> u64 {
        self.mend(Family::State, batch.keys());
        self.note(batch.iter());
        self.state.write(batch)
    }

    /// Every content of the state that a crash now may leave; the first is what was flushed.
    pub(super) fn state_cuts(&self) -> Vec<Rows> {
        let cut = |keep| {
            let mut state = self.state.clone();
            state.rewind(keep);
            state.rows
        };
        (0..=self.state.undo.len()).map(cut).collect()
    }

    /// Removes everything inside ranges of the state, as one batch; `None`: there was nothing.
    pub(super) fn clear_state(&mut self, ranges: &[KeyRange]) -> Option<u64> {
        let mut batch = quorate_core::Writes::new();
        for (first, end) in ranges {
            if first < end {
                let rows = self.state.rows.range(first.clone()..end.clone());
                batch.extend(rows.map(|(key, _)| (key.clone(), None)));
            }
        }
        (!batch.is_empty()).then(|| self.write_state(batch))
    }

    /// Batches of the state written so far.
    pub(super) fn state_written(&self) -> u64 {
        self.state.written
    }

    /// Ends a flush of the state up to a batch.
    pub(super) fn flush_state(&mut self, through: u64) -> Result<(), StorageError> {
        const ACTION: &str = "flushing the state";
        self.check_room(ACTION)?;
        self.check_sync(ACTION)?;
        self.state.secure(through);
        Ok(())
    }

    /// Begins or ends the writing of a table.
    pub(super) fn put_table(
        &mut self,
        name: &str,
        rows: &[Row],
        whole: bool,
    ) -> Result<(), StorageError> {
        self.check_room("writing a snapshot table")?;
        let rows = rows.to_vec();
        self.tables.insert(name.to_owned(), Table { rows, whole });
        Ok(())
    }

    /// Takes tables in at once, for good: they are files already.
    pub(super) fn ingest(&mut self, names: &[String]) -> Result<(), StorageError> {
        const ACTION: &str = "taking in a snapshot";
        self.check_room(ACTION)?;
        self.check_sync(ACTION)?;
        let mut rows = Vec::new();
        for name in names {
            match self.tables.get(name) {
                Some(table) if table.whole => rows.extend(table.rows.iter().cloned()),
                Some(_) => return Err(StorageError::new(ACTION, format!("{name} is torn"))),
                None => return Err(StorageError::new(ACTION, format!("{name} is not there"))),
            }
        }
        let overlaps = {
            let changed = self.state.undo.iter().flatten();
            let changed: BTreeSet<&Vec<u8>> = changed.map(|(key, _)| key).collect();
            rows.iter().any(|(key, _)| changed.contains(key))
        };
        if overlaps {
            // What a table would lie under is flushed first.
            self.state.secure(self.state.written);
        }
        self.mend(Family::State, rows.iter().map(|(key, _)| key));
        self.state.rows.extend(rows);
        for name in names {
            self.tables.remove(name);
        }
        Ok(())
    }

    /// How long something takes now.
    pub(super) fn takes(&mut self, latency: Latency) -> Duration {
        let slower = self.trouble.slow.iter().max().copied().unwrap_or_default();
        let extra = self.chance.duration(Duration::ZERO, slower);
        self.slowed += u64::from(!extra.is_zero());
        self.chance.tailed(latency.usual, latency.worst) + extra
    }

    fn check_room(&mut self, action: &'static str) -> Result<(), StorageError> {
        if self.trouble.full == 0 {
            return Ok(());
        }
        self.refused += 1;
        Err(StorageError::new(action, FULL))
    }

    fn check_sync(&mut self, action: &'static str) -> Result<(), StorageError> {
        if self.trouble.failing == 0 {
            return Ok(());
        }
        self.refused += 1;
        Err(StorageError::new(action, "input/output error"))
    }

    fn note<'r>(&mut self, rows: impl Iterator<Item = (&'r Vec<u8>, &'r Option<Vec<u8>>)>) {
        for (key, value) in rows {
            self.written.add(key);
            self.written.add(value.as_deref().unwrap_or_default());
        }
    }

    /// A row that is written again is sound.
    fn mend<'k>(&mut self, family: Family, keys: impl Iterator<Item = &'k Vec<u8>>) {
        for key in keys {
            self.damaged.remove(family, key);
        }
    }
}
