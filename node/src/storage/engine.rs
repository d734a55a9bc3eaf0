//! What the node asks of a storage engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use quorate_core::{View, ViewError, Writes};

/// The two families of rows, with different ways of becoming durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Logs of all groups: written ahead and synced.
    Log,
    /// Applied state of all groups: durable when flushed.
    State,
}

/// One change to a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowOp {
    /// Sets a row.
    Put(Vec<u8>, Vec<u8>),
    /// Removes a row.
    Delete(Vec<u8>),
}

/// Storage failed. There is no retry: whoever sees one stops the node.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("storage failed while {action}: {detail}")]
pub(crate) struct StorageError {
    /// What was being done.
    pub(crate) action: &'static str,
    /// What the engine said, with file and offset where it knows them.
    pub(crate) detail: String,
}

impl StorageError {
    pub(crate) fn new(action: &'static str, detail: impl ToString) -> Self {
        Self {
            action,
            detail: detail.to_string(),
        }
    }
}

impl From<StorageError> for std::io::Error {
    fn from(error: StorageError) -> Self {
        std::io::Error::other(error)
    }
}

/// Called for each row of a scan; an error ends the scan.
pub(crate) type VisitRow<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), StorageError>;

/// Work on a fixed view of the state family.
pub(crate) type ReadView = Box<dyn FnOnce(&dyn View) + Send>;

/// A storage engine. Calls are short and may be made from any thread.
pub(crate) trait Engine: Send + Sync + 'static {
    /// The newest value of a row.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;

    /// Every row with `first <= key < end`, in key order.
    fn scan(
        &self,
        family: Family,
        first: &[u8],
        end: &[u8],
        visit: VisitRow<'_>,
    ) -> Result<(), StorageError>;

    /// The first key with `first <= key < end`.
    fn first_key(
        &self,
        family: Family,
        first: &[u8],
        end: &[u8],
    ) -> Result<Option<Vec<u8>>, StorageError>;

    /// Writes rows of the log family, atomically. With `sync`, they survive a power cut on return.
    fn write_log(&self, rows: Vec<RowOp>, sync: bool) -> Result<(), StorageError>;

    /// Writes rows of the state family, atomically. They survive a power cut after [`Engine::flush_state`].
    fn write_state(&self, writes: Writes) -> Result<(), StorageError>;

    /// Makes every row of the state family written before this call durable.
    fn flush_state(&self) -> Result<(), StorageError>;

    /// Fixes a view of the state family now, then runs `read` on it away from the caller's thread.
    fn read_in_background(
        self: Arc<Self>,
        name: &'static str,
        read: ReadView,
    ) -> Result<(), StorageError>;

    /// Writes and syncs a file of rows in ascending key order for [`Engine::replace_state`] to take in.
    fn write_table(&self, path: &Path, rows: &[(Vec<u8>, Vec<u8>)]) -> Result<(), StorageError>;

    /// Replaces everything inside `ranges` (end exclusive) of the state family by the rows of `tables`.
    /// Durable on return. Not atomic: a crash in between leaves a mixture, and the call must be repeated.
    fn replace_state(
        &self,
        ranges: &[(Vec<u8>, Vec<u8>)],
        tables: &[PathBuf],
    ) -> Result<(), StorageError>;
}

/// The newest state, as the pure core reads it.
pub(crate) struct StateView<'e>(pub(crate) &'e dyn Engine);

impl View for StateView<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.0.get(Family::State, key).map_err(ViewError::new)
    }

    fn scan(
        &self,
        first: &[u8],
        end: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        let mut refused = None;
        let scanned = self.0.scan(Family::State, first, end, &mut |key, value| {
            visit(key, value).map_err(|error| {
                let detail = error.to_string();
                refused = Some(error);
                StorageError::new("visiting a row", detail)
            })
        });
        match (refused, scanned) {
            (Some(error), _) => Err(error),
            (None, result) => result.map_err(ViewError::new),
        }
    }
}
