//! What the judges are told of a disk is what a power cut leaves of it.

use quorate_core::{Writes, codec};
use quorate_node::seams::RowOp;

use super::super::*;

const SHARD: ShardId = ShardId::new(1);
const NODE: Place = 1;

fn point(index: u64) -> storage::AppliedPoint {
    let log_id = Some(storage::LogId {
        term: 1,
        leader_replica: 1,
        index,
    });
    storage::AppliedPoint {
        log_id,
        ..storage::AppliedPoint::default()
    }
}

/// Runs work to its end.
fn run_to_end(
    executor: &mut Executor,
    work: impl Future<Output = Result<(), quorate_node::seams::StorageError>> + Send + 'static,
) {
    let done: Arc<Mutex<bool>> = Arc::default();
    let told = Arc::clone(&done);
    executor.tasks().env(NODE).spawn("work", async move {
        work.await.unwrap();
        *told.lock().unwrap() = true;
    });
    while !*done.lock().unwrap() {
        assert!(executor.step().unwrap(), "the work has an end");
    }
}

#[test]
fn what_is_applied_counts_once_it_is_flushed_or_a_restart_brings_it() {
    let mut executor = Executor::new(1, 0);
    let disk = SimDisk::new(1);
    let engine = disk.open(executor.tasks().env(NODE));
    let views = DiskViews(BTreeMap::from([(NODE, disk)]));
    let applied = || views.applied(NODE, SHARD);
    let apply = |index| {
        let row = (keys::applied(SHARD), Some(codec::seal(&point(index))));
        engine.write_state(Writes::from([row])).unwrap();
    };
    assert_eq!(applied(), None);
    apply(7);
    assert_eq!(applied(), None, "written is not flushed");
    let flushing = Arc::clone(&engine);
    run_to_end(&mut executor, async move { flushing.flush_state().await });
    apply(8);
    assert_eq!(applied(), Some(7), "the one before is still what survives");

    let marker = keys::raft::installing(SHARD);
    let pending = storage::PendingInstall {
        point: Some(point(20)),
        ..storage::PendingInstall::default()
    };
    let mark = |row, sync| {
        let engine = Arc::clone(&engine);
        async move { engine.write_log(vec![row], sync).await }
    };
    let put = RowOp::Put(marker.clone(), codec::seal(&pending));
    run_to_end(&mut executor, mark(put.clone(), false));
    assert_eq!(
        applied(),
        Some(7),
        "a marker that is not synced may be lost"
    );
    run_to_end(&mut executor, mark(put, true));
    assert_eq!(applied(), Some(20), "a restart finishes the install");
    let clearing = Arc::clone(&engine);
    run_to_end(&mut executor, async move {
        let (first, end) = (Vec::new(), vec![u8::MAX; 32]);
        clearing.replace_state(&[(first, end)], &[]).await
    });
    assert_eq!(applied(), Some(20), "also while the state is cleared");
    run_to_end(&mut executor, mark(RowOp::Delete(marker), true));
    assert_eq!(applied(), None, "without a marker the state counts");
    assert_eq!(views.applied(NODE + 1, SHARD), None, "no such disk");
}
