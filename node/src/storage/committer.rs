//! The log committer: one queue and one synced write for the logs of every group of the node.
//!
//! Invariants: operations become durable in queue order, so a crash leaves a prefix; a completion is
//! called only after its rows, and everything queued before them, are synced; after one failed write
//! nothing is written any more. Each synced write is counted in itself, see [`Witness`].

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::engine::{Engine, RowOp, StorageError};
use super::witness::Witness;
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
    /// `None` closes the queue.
    ops: mpsc::Sender<Option<LogOp>>,
}

impl LogQueue {
    /// Queues an operation; waits while the queue is full.
    ///
    /// # Errors
    /// The committer has stopped: the node is going down.
    pub(crate) async fn push(&self, op: LogOp) -> Result<(), StorageError> {
        self.ops
            .send(Some(op))
            .await
            .map_err(|_| StorageError::new("queueing a log write", "the log committer has stopped"))
    }

    /// Queues one row and waits until it is synced.
    ///
    /// # Errors
    /// The write failed, or the committer has stopped: the node is going down.
    pub(crate) async fn write_synced(
        &self,
        action: &'static str,
        row: RowOp,
    ) -> Result<(), StorageError> {
        let (done, durable) = oneshot::channel();
        self.push(LogOp {
            rows: vec![row],
            done: Some(Box::new(move |result| {
                // Whoever asked may be gone; the row is durable all the same.
                let _ = done.send(result);
            })),
        })
        .await?;
        durable
            .await
            .map_err(|_| StorageError::new(action, "the log committer has stopped"))?
    }

    /// Ends the committer once everything queued before is written. Later operations are refused.
    pub(crate) async fn close(&self) {
        // A committer that has stopped needs no closing.
        let _ = self.ops.send(None).await;
    }
}

/// Drains the queue until it is closed or a write fails.
pub(crate) struct LogCommitter {
    engine: Arc<dyn Engine>,
    witness: Arc<Witness>,
    ops: mpsc::Receiver<Option<LogOp>>,
}

impl LogCommitter {
    pub(crate) fn new(engine: Arc<dyn Engine>, witness: Arc<Witness>) -> (LogQueue, Self) {
        let (sender, receiver) = mpsc::channel(limits::LOG_QUEUE_OPS_MAX);
        (
            LogQueue { ops: sender },
            Self {
                engine,
                witness,
                ops: receiver,
            },
        )
    }

    /// Runs to the end of the node's life.
    ///
    /// # Errors
    /// The write that failed. Its operations and all later ones are completed with that error.
    pub(crate) async fn run(mut self) -> Result<(), StorageError> {
        while let Some(Some(first)) = self.ops.recv().await {
            let (group, closed) = self.take_queued(first);
            if let Err(error) = self.commit(group).await {
                self.refuse_rest(&error);
                return Err(error);
            }
            if closed {
                break;
            }
        }
        Ok(())
    }

    /// Everything queued behind `first`, up to the bound; also whether the queue was closed behind it.
    fn take_queued(&mut self, first: LogOp) -> (Vec<LogOp>, bool) {
        let mut group = vec![first];
        while group.len() < limits::LOG_COMMIT_OPS_MAX {
            match self.ops.try_recv() {
                Ok(Some(op)) => group.push(op),
                Ok(None) => return (group, true),
                Err(_) => break,
            }
        }
        (group, false)
    }

    /// Persist, then speak: the only place where a log write is acknowledged.
    async fn commit(&self, group: Vec<LogOp>) -> Result<(), StorageError> {
        let mut rows = Vec::new();
        let mut completions = Vec::new();
        for op in group {
            rows.extend(op.rows);
            completions.extend(op.done);
        }
        let synced = !completions.is_empty();
        let mut commits = None;
        if synced {
            let (count, counted) = self.witness.next_commit();
            rows.extend(counted);
            commits = Some(count);
        }
        let written = self.engine.write_log(rows, synced).await;
        if let (Ok(()), Some(count)) = (&written, commits) {
            self.witness.committed(count);
        }
        for done in completions {
            done(written.clone());
        }
        written
    }

    fn refuse_rest(&mut self, error: &StorageError) {
        self.ops.close();
        while let Ok(op) = self.ops.try_recv() {
            if let Some(done) = op.and_then(|op| op.done) {
                done(Err(error.clone()));
            }
        }
    }
}
