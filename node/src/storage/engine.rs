//! What the node asks of a storage engine.
//!
//! Reads answer at once. Whatever may have to wait for the disk is a future: an engine on a real disk blocks
//! in it, and a simulated one lets other things happen meanwhile.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use quorate_core::{View, ViewError, Writes};
use quorate_link::env::Env;

/// The two families of rows, with different ways of becoming durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Logs of all groups: written ahead and synced.
    Log,
    /// Applied state of all groups: durable when flushed.
    State,
}

/// One change to a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOp {
    /// Sets a row.
    Put(Vec<u8>, Vec<u8>),
    /// Removes a row.
    Delete(Vec<u8>),
}

/// Storage failed. There is no retry: whoever sees one stops the node.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("storage failed while {action}: {detail}")]
pub struct StorageError {
    /// What was being done.
    pub action: &'static str,
    /// What the engine said, with file and offset where it knows them.
    pub detail: String,
}

impl StorageError {
    /// Says what was being done and what went wrong.
    pub fn new(action: &'static str, detail: impl ToString) -> Self {
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
pub type VisitRow<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), StorageError>;

/// Work on a fixed view of the state family.
pub type ReadView = Box<dyn for<'v> FnOnce(&'v (dyn View + Sync)) -> BoxFuture<'v, ()> + Send>;

/// One row of a table.
pub type Row = (Vec<u8>, Vec<u8>);

/// Keys from the first (inclusive) to the second (exclusive).
pub type KeyRange = (Vec<u8>, Vec<u8>);

/// A storage engine. Calls may be made from any thread.
pub trait Engine: Send + Sync + 'static {
    /// The newest value of a row.
    ///
    /// # Errors
    /// The row cannot be read, or is damaged.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;

    /// Every row with `first <= key < end`, in key order.
    ///
    /// # Errors
    /// A row cannot be read, or is damaged; or that of `visit`.
    fn scan(
        &self,
        family: Family,
        first: &[u8],
        end: &[u8],
        visit: VisitRow<'_>,
    ) -> Result<(), StorageError>;

    /// The first key with `first <= key < end`.
    ///
    /// # Errors
    /// The rows cannot be read.
    fn first_key(
        &self,
        family: Family,
        first: &[u8],
        end: &[u8],
    ) -> Result<Option<Vec<u8>>, StorageError>;

    /// Writes rows of the log family, atomically and in the order of the calls. With `sync`, these and all
    /// before them survive a power cut when it is done.
    fn write_log(&self, rows: Vec<RowOp>, sync: bool) -> BoxFuture<'_, Result<(), StorageError>>;

    /// Writes rows of the state family, atomically. They survive a power cut after [`Engine::flush_state`].
    ///
    /// # Errors
    /// The write failed.
    fn write_state(&self, writes: Writes) -> Result<(), StorageError>;

    /// Makes every row of the state family written before this call durable.
    fn flush_state(&self) -> BoxFuture<'_, Result<(), StorageError>>;

    /// Fixes a view of the state family now, then runs `read` on it away from the caller.
    ///
    /// # Errors
    /// The view cannot be fixed, or nobody can read it.
    fn read_in_background(
        self: Arc<Self>,
        env: &Env,
        name: &'static str,
        read: ReadView,
    ) -> Result<(), StorageError>;

    /// Writes and syncs a table of rows in ascending key order for [`Engine::replace_state`] to take in.
    fn write_table<'e>(
        &'e self,
        name: &'e str,
        rows: &'e [Row],
    ) -> BoxFuture<'e, Result<(), StorageError>>;

    /// Removes a table that is not needed. One that cannot be removed costs space until the next
    /// [`Engine::remove_all_tables`].
    fn remove_table(&self, name: &str);

    /// Removes whatever tables an earlier run has left.
    fn remove_all_tables(&self);

    /// Replaces everything inside `ranges` of the state family by the rows of `tables`, which are used up.
    /// Durable when it is done. Not atomic: a crash in between leaves a mixture, and the call must be repeated.
    fn replace_state<'e>(
        &'e self,
        ranges: &'e [KeyRange],
        tables: &'e [String],
    ) -> BoxFuture<'e, Result<(), StorageError>>;
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
