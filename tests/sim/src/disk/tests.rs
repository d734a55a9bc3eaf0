#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use futures_util::FutureExt as _;
use quorate_core::Writes;
use quorate_node::seams::{RowOp, StorageError};

use super::*;
use crate::executor::Executor;

/// A process with a disk.
struct Bench {
    executor: Executor,
    env: Env,
    disk: Arc<SimDisk>,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let executor = Executor::new(seed, 0);
        let env = executor.tasks().env(1);
        let disk = SimDisk::new(seed);
        Self {
            executor,
            env,
            disk,
        }
    }

    /// Runs work on the disk to its end.
    fn run<T: Send + 'static>(&mut self, work: impl Future<Output = T> + Send + 'static) -> T {
        let done = Arc::new(Mutex::new(None));
        let told = Arc::clone(&done);
        self.env.spawn(
            "work",
            work.map(move |output| {
                *told.lock().unwrap() = Some(output);
            }),
        );
        while done.lock().unwrap().is_none() {
            assert!(self.executor.step().unwrap(), "the work has an end");
        }
        let output = done.lock().unwrap().take();
        output.unwrap()
    }

    fn write_log(&mut self, numbers: &[u8], sync: bool) -> Result<(), StorageError> {
        let engine = self.disk.open(self.env.clone());
        let numbers = numbers.to_vec();
        self.run(async move {
            for number in numbers {
                let row = RowOp::Put(vec![number], vec![number]);
                engine.write_log(vec![row], sync).await?;
            }
            Ok(())
        })
    }

    fn rows(&self, family: Family) -> Vec<u8> {
        let engine = self.disk.open(self.env.clone());
        let mut rows = Vec::new();
        let scanned = engine.scan(family, &[], &[255], &mut |key, _| {
            rows.push(key[0]);
            Ok(())
        });
        scanned.unwrap();
        rows
    }
}

fn state(number: u8) -> Writes {
    Writes::from([(vec![number], Some(vec![number]))])
}

#[test]
fn a_power_cut_keeps_what_was_synced_and_a_prefix_of_the_rest() {
    let mut kept = BTreeSet::new();
    for seed in 0..200 {
        let mut bench = Bench::new(seed);
        bench.write_log(&[1, 2, 3], true).unwrap();
        bench.write_log(&[4, 5, 6], false).unwrap();
        assert_eq!(bench.disk.synced_log(&[3]), Some(vec![3]));
        assert_eq!(bench.disk.synced_log(&[4]), None);
        let report = bench.disk.crash(Crash::Power);
        let rows = bench.rows(Family::Log);
        assert_eq!(
            rows,
            (1..=u8::try_from(rows.len()).unwrap()).collect::<Vec<_>>()
        );
        assert!(rows.len() >= 3);
        assert_eq!(report.log_batches_kept, rows.len() - 3);
        assert_eq!(report.log_batches_lost, 6 - rows.len());
        kept.insert(rows.len());
    }
    assert_eq!(kept, BTreeSet::from([3, 4, 5, 6]), "every cut was seen");
}

#[test]
fn a_killed_process_loses_state_that_was_not_flushed_and_no_log() {
    let mut kept = BTreeSet::new();
    for seed in 0..200 {
        let mut bench = Bench::new(seed);
        bench.write_log(&[1, 2], false).unwrap();
        let engine = bench.disk.open(bench.env.clone());
        bench
            .run(async move {
                engine.write_state(state(1))?;
                engine.flush_state().await?;
                engine.write_state(state(2))?;
                engine.write_state(state(3))
            })
            .unwrap();
        bench.disk.crash(Crash::Process);
        assert_eq!(bench.rows(Family::Log), [1, 2]);
        kept.insert(bench.rows(Family::State));
    }
    let cuts = [vec![1], vec![1, 2], vec![1, 2, 3]];
    assert_eq!(kept, BTreeSet::from(cuts));
}

#[test]
fn a_kill_leaves_the_log_to_a_later_power_cut_until_the_disk_is_opened() {
    let mut kept = BTreeSet::new();
    for seed in 0..100 {
        let mut bench = Bench::new(seed);
        bench.write_log(&[1], true).unwrap();
        bench.write_log(&[2], false).unwrap();
        let report = bench.disk.crash(Crash::Process);
        assert_eq!((report.log_batches_kept, report.log_batches_lost), (1, 0));
        assert_eq!(bench.disk.synced_log(&[2]), None);
        bench.disk.crash(Crash::Power);
        kept.insert(bench.rows(Family::Log));

        // Looking at the rows has opened it.
        bench.write_log(&[3], false).unwrap();
        bench.disk.crash(Crash::Process);
        let rows = bench.rows(Family::Log);
        bench.disk.crash(Crash::Power);
        assert_eq!(bench.rows(Family::Log), rows);
        assert_eq!(rows.last(), Some(&3));
    }
    assert_eq!(kept, BTreeSet::from([vec![1], vec![1, 2]]));
}

#[test]
fn tables_are_taken_in_without_a_flush_where_nothing_is_cleared() {
    for (first, flushed) in [(1, true), (5, false)] {
        let mut bench = Bench::new(1);
        let engine = bench.disk.open(bench.env.clone());
        bench
            .run(async move {
                engine.write_state(state(1))?;
                engine.write_table("t", &[(vec![7], vec![7])]).await?;
                engine.write_state(state(2))?;
                let range = (vec![first], vec![9]);
                engine.replace_state(&[range], &["t".to_owned()]).await
            })
            .unwrap();
        let cuts = bench.disk.state_cuts();
        let cuts: Vec<Vec<u8>> = cuts
            .iter()
            .map(|rows| rows.keys().map(|key| key[0]).collect())
            .collect();
        let all: [&[u8]; 3] = [&[7], &[1, 7], &[1, 2, 7]];
        match flushed {
            true => assert_eq!(cuts, [&[7]]),
            false => assert_eq!(cuts, all),
        }
    }
}

#[test]
fn troubles_that_overlap_do_not_end_each_other() {
    let mut bench = Bench::new(1);
    for trouble in [SimDisk::fill, SimDisk::fail_sync] {
        trouble(&bench.disk, true);
        trouble(&bench.disk, true);
        trouble(&bench.disk, false);
        bench.write_log(&[1], true).unwrap_err();
        trouble(&bench.disk, false);
        bench.write_log(&[1], true).unwrap();
    }
    let (little, much) = (Duration::from_millis(1), Duration::from_secs(3600));
    assert_eq!(bench.disk.slowed(), 0);
    bench.disk.slow_sync(much);
    bench.disk.slow_sync(little);
    bench.disk.quicken(little);
    let began = bench.executor.now();
    bench.write_log(&[1], true).unwrap();
    assert!(bench.executor.now() > began + Duration::from_secs(1));
    assert_eq!(bench.disk.slowed(), 1);
    bench.disk.quicken(much);
    let began = bench.executor.now();
    bench.write_log(&[1], true).unwrap();
    assert!(bench.executor.now() < began + Duration::from_secs(1));
}

#[test]
fn a_flush_covers_what_was_written_before_it_began() {
    for seed in 0..100 {
        let mut bench = Bench::new(seed);
        let engine = bench.disk.open(bench.env.clone());
        bench
            .run(async move {
                engine.write_state(state(1))?;
                let flush = engine.flush_state();
                let mut flush = std::pin::pin!(flush);
                // Begun, and then more is written.
                assert!(flush.as_mut().now_or_never().is_none());
                engine.write_state(state(2))?;
                flush.await
            })
            .unwrap();
        bench.disk.crash(Crash::Power);
        assert!(bench.rows(Family::State).starts_with(&[1]));
    }
}

#[test]
fn trouble_is_told() {
    let mut bench = Bench::new(1);
    bench.disk.fill(true);
    let refused = bench.write_log(&[1], true).unwrap_err();
    assert!(refused.detail.contains("no space"), "{refused}");
    bench.disk.fill(false);
    bench.disk.fail_sync(true);
    bench.write_log(&[1], true).unwrap_err();
    bench.disk.heal();
    bench.write_log(&[2], true).unwrap();
    bench.disk.crash(Crash::Process);
    let (family, key) = bench.disk.flip_bit(7).unwrap();
    let engine = bench.disk.open(bench.env.clone());
    let refused = engine.get(family, &key).unwrap_err();
    assert!(refused.detail.contains("checksum"), "{refused}");
    assert!(
        engine
            .scan(family, &[], &[255], &mut |_, _| Ok(()))
            .is_err()
    );
    // Written again, the row is sound.
    bench.write_log(&key, true).unwrap();
    assert_eq!(bench.rows(Family::Log), [1, 2]);
}

#[test]
fn a_table_that_was_not_finished_is_gone_or_torn() {
    let mut torn = 0;
    for seed in 0..20 {
        let mut bench = Bench::new(seed);
        let engine = bench.disk.open(bench.env.clone());
        let writer = Arc::clone(&engine);
        bench.env.spawn("writes a table", async move {
            let rows = [(vec![1], vec![1]), (vec![2], vec![2])];
            let _ = writer.write_table("t", &rows).await;
        });
        bench.executor.run_for(Duration::from_micros(30)).unwrap();
        torn += bench.disk.crash(Crash::Power).tables_torn;
        assert!(engine.get(Family::State, &[1]).is_err(), "taken away");
        let engine = bench.disk.open(bench.env.clone());
        let taken = bench.run(async move { engine.replace_state(&[], &["t".to_owned()]).await });
        let detail = taken.unwrap_err().detail;
        assert!(
            detail.contains("torn") || detail.contains("not there"),
            "{detail}"
        );
    }
    assert!((1..20).contains(&torn));
}

#[test]
fn a_disk_can_be_emptied() {
    let mut bench = Bench::new(1);
    bench.write_log(&[1], true).unwrap();
    bench.disk.crash(Crash::Process);
    assert_eq!(bench.rows(Family::Log), [1]);
    bench.disk.crash(Crash::Process);
    bench.disk.wipe();
    assert!(bench.rows(Family::Log).is_empty());
    assert_eq!(bench.disk.flip_bit(3), None);
}
