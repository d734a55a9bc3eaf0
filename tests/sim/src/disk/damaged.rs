//! Rows of a disk that cannot be read, and how often that was found out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quorate_node::seams::{Family, StorageError};

/// Whether it is the log's, as families have no order of their own, and the key.
type DamagedRow = (bool, Vec<u8>);

/// See the module. Clones count together.
#[derive(Clone, Default)]
pub(super) struct Damaged {
    rows: BTreeSet<DamagedRow>,
    found: Arc<AtomicU64>,
}

impl Damaged {
    /// A row cannot be read any more.
    pub(super) fn insert(&mut self, family: Family, key: &[u8]) {
        self.rows.insert(row(family, key));
    }

    /// A row that is written again is sound.
    pub(super) fn remove(&mut self, family: Family, key: &[u8]) {
        if !self.rows.is_empty() {
            self.rows.remove(&row(family, key));
        }
    }

    /// Whether a row cannot be read, for those who only look on.
    pub(super) fn contains(&self, family: Family, key: &[u8]) -> bool {
        !self.rows.is_empty() && self.rows.contains(&row(family, key))
    }

    /// What a checksum says to whoever reads a row.
    pub(super) fn check(&self, family: Family, key: &[u8]) -> Result<(), StorageError> {
        if !self.contains(family, key) {
            return Ok(());
        }
        self.found.fetch_add(1, Ordering::Relaxed);
        let row: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let detail = format!("checksum mismatch in row {row}");
        Err(StorageError::new("reading a row", detail))
    }

    /// How often somebody has read such a row.
    pub(super) fn found(&self) -> u64 {
        self.found.load(Ordering::Relaxed)
    }

    /// All rows are sound: it is another disk.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }
}

fn row(family: Family, key: &[u8]) -> DamagedRow {
    (family == Family::Log, key.to_vec())
}
