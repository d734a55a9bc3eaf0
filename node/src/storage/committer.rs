//! The log committer: one queue and one synced write for the logs of every group of the node.
//!
//! Invariants: operations become durable in queue order, so a crash leaves a prefix; a completion is
//! called only after its rows, and everything queued before them, are synced; after one failed write
//! nothing is written any more.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::engine::{Engine, RowOp, StorageError};
use crate::limits;

/// Called once the operation is durable, or can never be.
pub(crate) type Completion = Box<dyn FnOnce(Result<(), StorageError>) + Send>;

/// One change to the log family.
pub(crate) struct LogOp {
    /// Rows, applied in order with those of other operations.
    pub(crate) rows: Vec<RowOp>,
    /// Present when someone waits: the write is then synced.
    pub(crate) done: Option<Completion>,
}

/// The way into the committer. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LogQueue {
    ops: mpsc::Sender<LogOp>,
}

impl LogQueue {
    /// Queues an operation; waits while the queue is full.
    ///
    /// # Errors
    /// The committer has stopped: the node is going down.
    pub(crate) async fn push(&self, op: LogOp) -> Result<(), StorageError> {
        self.ops
            .send(op)
            .await
            .map_err(|_| StorageError::new("queueing a log write", "the log committer has stopped"))
    }
}

/// Drains the queue until every [`LogQueue`] is gone or a write fails.
pub(crate) struct LogCommitter {
    engine: Arc<dyn Engine>,
    ops: mpsc::Receiver<LogOp>,
}

impl LogCommitter {
    pub(crate) fn new(engine: Arc<dyn Engine>) -> (LogQueue, Self) {
        let (sender, receiver) = mpsc::channel(limits::LOG_QUEUE_OPS_MAX);
        (
            LogQueue { ops: sender },
            Self {
                engine,
                ops: receiver,
            },
        )
    }

    /// Runs to the end of the node's life.
    ///
    /// # Errors
    /// The write that failed. Its operations and all later ones are completed with that error.
    pub(crate) async fn run(mut self) -> Result<(), StorageError> {
        while let Some(first) = self.ops.recv().await {
            let group = self.take_queued(first);
            if let Err(error) = self.commit(group) {
                self.refuse_rest(&error);
                return Err(error);
            }
        }
        Ok(())
    }

    fn take_queued(&mut self, first: LogOp) -> Vec<LogOp> {
        let mut group = vec![first];
        while group.len() < limits::LOG_COMMIT_OPS_MAX {
            match self.ops.try_recv() {
                Ok(op) => group.push(op),
                Err(_) => break,
            }
        }
        group
    }

    /// Persist, then speak: the only place where a log write is acknowledged.
    fn commit(&self, group: Vec<LogOp>) -> Result<(), StorageError> {
        let mut rows = Vec::new();
        let mut completions = Vec::new();
        for op in group {
            rows.extend(op.rows);
            completions.extend(op.done);
        }
        let written = self.engine.write_log(rows, !completions.is_empty());
        for done in completions {
            done(written.clone());
        }
        written
    }

    fn refuse_rest(&mut self, error: &StorageError) {
        self.ops.close();
        while let Ok(op) = self.ops.try_recv() {
            if let Some(done) = op.done {
                done(Err(error.clone()));
            }
        }
    }
}
