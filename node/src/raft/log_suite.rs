//! openraft's own suite over our log and state, on a real database.
//!
//! It says nothing of syncs, crashes or callback order: other tests do. The suite builds snapshots right
//! after applying, so the state machine here flushes first, as the node's flusher would; and it moves a
//! snapshot between replicas by the production path of rows, tables and install.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::Stream;
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{OptionalSend, StorageError};
use quorate_core::ViewError;
use quorate_link::env::Env;
use quorate_proto::ids::ShardId;
use tempfile::TempDir;

use super::log::GroupLog;
use super::snapshot::{SnapshotBuilder, SnapshotData, SnapshotSpool};
use super::snapshot_rows::RowReader;
use super::state_machine::{ReplicaState, StateMachine};
use super::types::{LogId, Snapshot, SnapshotMeta, StoredMembership, TypeConfig};
use crate::storage::{Engine, LogCommitter, RocksEngine, Row, StateView, StorageTuning, Witness};

const SHARD: ShardId = ShardId::new(1);

struct Builder;

impl StoreBuilder<TypeConfig, GroupLog, FlushingMachine, Running> for Builder {
    async fn build(
        &self,
    ) -> Result<(Running, GroupLog, FlushingMachine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().expect("temporary directory");
        let tuning = StorageTuning {
            block_cache_bytes: 1 << 20,
            state_buffer_bytes: 1 << 20,
            log_buffer_bytes: 1 << 20,
        };
        let engine: Arc<dyn Engine> =
            Arc::new(RocksEngine::open(dir.path(), tuning).expect("an empty database opens"));
        let (queue, committer) = LogCommitter::new(
            Arc::clone(&engine),
            Witness::open(&*engine, 1).expect("an empty database"),
        );
        let committer = std::thread::spawn(move || {
            futures_executor::block_on(committer.run()).expect("the log is written");
        });
        let state = ReplicaState::open(
            SHARD,
            Arc::clone(&engine),
            queue.clone(),
            Arc::new(tokio::sync::Semaphore::new(1)),
            Duration::ZERO,
            Env::system(),
        )
        .expect("an empty state opens");
        let log = GroupLog::open(SHARD, Arc::clone(&engine), queue).expect("an empty log opens");
        let state = Arc::new(state);
        let machine = FlushingMachine {
            inner: StateMachine::new(Arc::clone(&state)),
            source: Source { state, engine },
        };
        let running = Running {
            committer: Some(committer),
            _dir: dir,
        };
        Ok((running, log, machine))
    }
}

/// Dropped after log and state: the committer ends with them, and lets go of the database.
struct Running {
    committer: Option<JoinHandle<()>>,
    _dir: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(committer) = self.committer.take() {
            committer.join().expect("the committer ends well");
        }
    }
}

/// A replica's state that can be flushed and read.
#[derive(Clone)]
struct Source {
    state: Arc<ReplicaState>,
    engine: Arc<dyn Engine>,
}

impl Source {
    async fn flush(&self) -> io::Result<()> {
        let point = self.state.point();
        self.engine.flush_state().await?;
        self.state.mark_durable(point);
        Ok(())
    }
}

struct FlushingMachine {
    inner: StateMachine,
    source: Source,
}

struct FlushingBuilder {
    source: Source,
}

impl RaftSnapshotBuilder<TypeConfig> for FlushingBuilder {
    type SnapshotData = Source;

    async fn build_snapshot(&mut self) -> Result<Snapshot<Source>, io::Error> {
        self.source.flush().await?;
        let inner = SnapshotBuilder::new(Arc::clone(&self.source.state))
            .build_snapshot()
            .await?;
        Ok(Snapshot {
            meta: inner.meta,
            snapshot: self.source.clone(),
        })
    }
}

impl RaftStateMachine<TypeConfig> for FlushingMachine {
    type SnapshotData = Source;
    type SnapshotBuilder = FlushingBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        self.inner.applied_state().await
    }

    async fn apply<Strm>(&mut self, entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        self.inner.apply(entries).await
    }

    async fn get_snapshot_builder(&mut self) -> FlushingBuilder {
        FlushingBuilder {
            source: self.source.clone(),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Source,
    ) -> Result<(), io::Error> {
        let engine = Arc::clone(&self.source.engine);
        let mut spool = SnapshotSpool::new(engine, SHARD, "suite".to_owned(), Env::system());
        for (key, value) in rows_of(&*snapshot.engine).map_err(io::Error::other)? {
            spool.push(key, value).await.map_err(io::Error::other)?;
        }
        let received = SnapshotData::Received(spool.finish().await?);
        self.inner.install_snapshot(meta, received).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Source>>, io::Error> {
        let current = self.inner.get_current_snapshot().await?;
        Ok(current.map(|inner| Snapshot {
            meta: inner.meta,
            snapshot: self.source.clone(),
        }))
    }
}

fn rows_of(engine: &dyn Engine) -> Result<Vec<Row>, ViewError> {
    let view = StateView(engine);
    let mut reader = RowReader::new(&view, SHARD)?;
    let mut rows = Vec::new();
    loop {
        // Small portions, so that reading goes on where it stopped.
        let portion = reader.portion(64)?;
        if portion.is_empty() {
            return Ok(rows);
        }
        rows.extend(portion);
    }
}

#[tokio::test]
async fn openraft_log_suite() {
    Suite::test_all(Builder).await.expect("the suite passes");
}
