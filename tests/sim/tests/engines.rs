//! The simulated engine and the real one give the same answers to the same calls, also after a crash; and what a
//! crash leaves of the real one is something that the simulated one might keep.
//!
//! A crash of the real engine is a copy of its directory while it is open: what a process that is killed leaves to the
//! next one. What a power cut takes from the page cache is not tried here.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use proptest::prelude::*;
use quorate_core::{ViewError, Writes};
use quorate_link::env::Env;
use quorate_node::StorageTuning;
use quorate_node::seams::{
    Engine, Family, KeyRange, ReadView, RocksEngine, Row, RowOp, StorageError,
};
use quorate_sim::disk::{Crash, SimDisk};
use quorate_sim::executor::Executor;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// Rows by their numbers; without a value a row is deleted.
type Changes = Vec<(u8, Option<u8>)>;

/// One call; keys are small numbers, so that calls meet.
#[derive(Clone, Debug)]
enum Call {
    WriteLog(Changes, bool),
    WriteState(Changes),
    Flush,
    Get(Family, u8),
    /// The visitor refuses to see more rows than so many.
    Scan(Family, u8, u8, usize),
    FirstKey(Family, u8, u8),
    /// A view is fixed, rows change, and the view is read; its visitor refuses to see more rows than so many.
    ReadInBackground(u8, u8, Changes, usize),
    /// Rows in ranges are replaced by those of two tables.
    Replace(Vec<(u8, u8)>, Vec<u8>),
    /// A table that is not needed, removed by its name or with all others.
    Leave(bool),
    /// Everything is made durable, and then the process is killed, or the power fails.
    CrashDurable,
}

fn key(number: u8) -> Vec<u8> {
    vec![number / 8, number % 8]
}

fn changes() -> impl Strategy<Value = Changes> {
    prop::collection::vec((0..32u8, prop::option::of(any::<u8>())), 0..6)
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Log), Just(Family::State)]
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let numbers = || 0..34u8;
    let rows = || 0..40usize;
    let range = || (numbers(), numbers()).prop_map(|(one, other)| (one.min(other), one.max(other)));
    let call = prop_oneof![
        8 => (changes(), any::<bool>()).prop_map(|(rows, sync)| Call::WriteLog(rows, sync)),
        12 => changes().prop_map(Call::WriteState),
        1 => Just(Call::Flush),
        4 => (family(), numbers()).prop_map(|(family, number)| Call::Get(family, number)),
        4 => (family(), numbers(), numbers(), rows())
            .prop_map(|(family, first, end, most)| Call::Scan(family, first, end, most)),
        4 => (family(), numbers(), numbers())
            .prop_map(|(family, first, end)| Call::FirstKey(family, first, end)),
        3 => (numbers(), numbers(), changes(), rows())
            .prop_map(|(first, end, rows, most)| Call::ReadInBackground(first, end, rows, most)),
        2 => (prop::collection::vec(range(), 0..4), prop::collection::vec(0..32u8, 0..8))
            .prop_map(|(ranges, rows)| Call::Replace(ranges, rows)),
        1 => any::<bool>().prop_map(Call::Leave),
        1 => Just(Call::CrashDurable),
    ];
    prop::collection::vec(call, 1..60)
}

/// What a call answers, in a form that can be compared.
type Answer = Result<Vec<Row>, StorageError>;

async fn call(engine: Arc<dyn Engine>, env: Env, call: Call) -> Answer {
    let none = |()| Vec::new();
    match call {
        Call::WriteLog(rows, sync) => {
            let ops = rows.into_iter().map(|(number, value)| match value {
                Some(value) => RowOp::Put(key(number), vec![value]),
                None => RowOp::Delete(key(number)),
            });
            engine.write_log(ops.collect(), sync).await.map(none)
        }
        Call::WriteState(rows) => engine.write_state(writes(rows)).map(none),
        Call::Flush => engine.flush_state().await.map(none),
        Call::Get(family, number) => {
            let found = engine.get(family, &key(number))?;
            Ok(found
                .map(|value| (key(number), value))
                .into_iter()
                .collect())
        }
        Call::Scan(family, first, end, most) => {
            Ok(scan(&*engine, family, &key(first), &key(end), most))
        }
        Call::FirstKey(family, first, end) => {
            let found = engine.first_key(family, &key(first), &key(end))?;
            Ok(found.map(|key| (key, Vec::new())).into_iter().collect())
        }
        Call::ReadInBackground(first, end, rows, most) => {
            let (go, gone) = oneshot::channel::<()>();
            let (tell, told) = oneshot::channel();
            let read: ReadView = Box::new(move |view| {
                async move {
                    gone.await.unwrap();
                    let mut seen = Seen::new(most);
                    let scanned = view.scan(&key(first), &key(end), &mut |key, value| {
                        seen.visit(key, value).map_err(ViewError::new)
                    });
                    let found = view.get(&key(first)).unwrap().unwrap_or_default();
                    let mut rows = seen.end(scanned);
                    rows.push((b"first".to_vec(), found));
                    tell.send(rows).unwrap();
                }
                .boxed()
            });
            Arc::clone(&engine).read_in_background(&env, "read", read)?;
            engine.write_state(writes(rows))?;
            go.send(()).unwrap();
            Ok(told.await.unwrap())
        }
        Call::Replace(ranges, numbers) => replace(&*engine, &ranges, &numbers).await,
        Call::Leave(by_name) => {
            engine.write_table("left", &[(key(1), vec![1])]).await?;
            match by_name {
                true => engine.remove_table("left"),
                false => engine.remove_all_tables(),
            }
            let taken = engine.replace_state(&[], &["left".to_owned()]).await;
            assert!(taken.is_err(), "the table was removed");
            Ok(Vec::new())
        }
        Call::CrashDurable => {
            engine.flush_state().await?;
            engine.write_log(Vec::new(), true).await.map(none)
        }
    }
}

fn writes(rows: Changes) -> Writes {
    let rows = rows.into_iter();
    rows.map(|(number, value)| (key(number), value.map(|value| vec![value])))
        .collect()
}

/// A visitor that refuses to see more rows than so many.
struct Seen {
    rows: Vec<Row>,
    most: usize,
}

impl Seen {
    fn new(most: usize) -> Self {
        let rows = Vec::new();
        Self { rows, most }
    }

    fn visit(&mut self, key: &[u8], value: &[u8]) -> Result<(), StorageError> {
        if self.rows.len() == self.most {
            return Err(StorageError::new("visiting", "enough"));
        }
        self.rows.push((key.to_vec(), value.to_vec()));
        Ok(())
    }

    /// What it saw, and how that ended.
    fn end<E: std::fmt::Display>(mut self, scanned: Result<(), E>) -> Vec<Row> {
        let said = scanned.map_or_else(|refused| refused.to_string(), |()| String::new());
        self.rows.push((b"end".to_vec(), said.into_bytes()));
        self.rows
    }
}

fn scan(engine: &dyn Engine, family: Family, first: &[u8], end: &[u8], most: usize) -> Vec<Row> {
    let mut seen = Seen::new(most);
    let scanned = engine.scan(family, first, end, &mut |key, value| seen.visit(key, value));
    seen.end(scanned)
}

async fn replace(engine: &dyn Engine, ranges: &[(u8, u8)], numbers: &[u8]) -> Answer {
    let mut rows: Vec<Row> = numbers
        .iter()
        .map(|number| (key(*number), vec![*number, 99]))
        .collect();
    rows.sort();
    rows.dedup();
    let (low, high) = rows.split_at(rows.len() / 2);
    let mut tables = Vec::new();
    for (name, rows) in [("low", low), ("high", high)] {
        if !rows.is_empty() {
            engine.write_table(name, rows).await?;
            tables.push(name.to_owned());
        }
    }
    let ranges = ranges.iter().map(|(first, end)| (key(*first), key(*end)));
    let ranges: Vec<KeyRange> = ranges.collect();
    engine.replace_state(&ranges, &tables).await?;
    Ok(Vec::new())
}

fn everything(engine: &dyn Engine, family: Family) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut rows = BTreeMap::new();
    let scanned = engine.scan(family, &[], &[255], &mut |key, value| {
        rows.insert(key.to_vec(), value.to_vec());
        Ok(())
    });
    scanned.unwrap();
    rows
}

/// The real engine, in a directory of its own.
struct Real {
    engine: Arc<RocksEngine>,
    dir: TempDir,
}

impl Real {
    fn open(dir: TempDir) -> Self {
        let small = StorageTuning {
            block_cache_bytes: 1 << 20,
            state_buffer_bytes: 1 << 20,
            log_buffer_bytes: 1 << 20,
        };
        let engine = RocksEngine::open(dir.path(), small).unwrap();
        let engine = Arc::new(engine);
        Self { engine, dir }
    }

    fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    fn call(&self, made: Call) -> Answer {
        futures_executor::block_on(call(self.engine.clone(), Env::system(), made))
    }

    /// What the next process finds after this one was killed now.
    fn killed(&self) -> Self {
        Self::open(self.copy(|_| true))
    }

    /// A copy of the files that are `wanted`, as they are at one moment: tried again as long as the engine's own
    /// threads change them meanwhile.
    fn copy(&self, wanted: impl Fn(&Path) -> bool) -> TempDir {
        for _ in 0..1_000 {
            let files = self.files();
            let copy = tempfile::tempdir().unwrap();
            let mut names = files.keys().filter(|name| wanted(name));
            let all = names.all(|name| {
                let to = copy.path().join(name);
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::copy(self.dir.path().join(name), to).is_ok()
            });
            if all && self.files() == files {
                return copy;
            }
        }
        panic!("the directory never stands still");
    }

    /// Sizes of the files, by their names below the directory. The engine's own notes are not among them.
    fn files(&self) -> BTreeMap<PathBuf, u64> {
        let mut files = BTreeMap::new();
        for family in ["db", "snapshots"] {
            let Ok(entries) = fs::read_dir(self.dir.path().join(family)) else {
                continue;
            };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let noted = name.to_string_lossy().starts_with("LOG");
                if let (false, Ok(about)) = (noted, entry.metadata()) {
                    files.insert(Path::new(family).join(name), about.len());
                }
            }
        }
        files
    }
}

/// The simulated engine, and time to wait for it.
struct Simulated {
    executor: Executor,
    env: Env,
    disk: Arc<SimDisk>,
    engine: Arc<dyn Engine>,
}

impl Simulated {
    fn new(seed: u64) -> Self {
        let executor = Executor::new(seed, 0);
        let env = executor.tasks().env(1);
        let disk = SimDisk::new(seed);
        let engine = disk.open(env.clone());
        Self {
            executor,
            env,
            disk,
            engine,
        }
    }

    fn call(&mut self, made: Call) -> Answer {
        let answer: Arc<Mutex<Option<Answer>>> = Arc::default();
        let told = Arc::clone(&answer);
        let work = call(Arc::clone(&self.engine), self.env.clone(), made);
        self.env.spawn("call", async move {
            let answered = work.await;
            *told.lock().unwrap() = Some(answered);
        });
        loop {
            if let Some(answer) = answer.lock().unwrap().take() {
                return answer;
            }
            assert!(self.executor.step().unwrap(), "every call ends");
        }
    }

    fn crash(&mut self, how: Crash) {
        self.disk.crash(how);
        self.engine = self.disk.open(self.env.clone());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_engines_answer_alike_and_keep_what_they_must(seed in any::<u64>(), calls in calls()) {
        let mut real = Real::new();
        let mut simulated = Simulated::new(seed);
        for made in calls {
            let expected = real.call(made.clone()).unwrap();
            prop_assert_eq!(simulated.call(made.clone()).unwrap(), expected, "{:?}", made);
            if matches!(made, Call::CrashDurable) {
                real = real.killed();
                let how = if seed % 2 == 0 { Crash::Power } else { Crash::Process };
                simulated.crash(how);
            }
        }
        for family in [Family::Log, Family::State] {
            let expected = everything(&*real.engine, family);
            prop_assert_eq!(everything(&*simulated.engine, family), expected);
        }
        // Nothing is made durable before this one: the log is whole all the same, and the state is at one of the
        // cuts, the first of which is the last flush.
        let real = real.killed();
        let cuts = simulated.disk.state_cuts();
        simulated.crash(Crash::Process);
        let expected = everything(&*real.engine, Family::Log);
        prop_assert_eq!(everything(&*simulated.engine, Family::Log), expected);
        for engine in [&*real.engine as &dyn Engine, &*simulated.engine] {
            let kept = everything(engine, Family::State);
            prop_assert!(cuts.contains(&kept), "{kept:?} is none of {cuts:?}");
        }
    }
}

#[test]
fn a_kill_takes_state_that_was_not_flushed_and_no_log() {
    let real = Real::new();
    real.call(Call::WriteState(vec![(1, Some(1))])).unwrap();
    real.call(Call::Flush).unwrap();
    real.call(Call::WriteState(vec![(2, Some(2))])).unwrap();
    real.call(Call::WriteLog(vec![(3, Some(3))], false))
        .unwrap();
    let row = |number: u8| BTreeMap::from([(key(number), vec![number])]);
    let after = real.killed();
    assert_eq!(everything(&*after.engine, Family::State), row(1));
    assert_eq!(everything(&*after.engine, Family::Log), row(3));
    // What was recovered is in tables by now: the next loss of a write-ahead log does not touch it.
    let is_table = |name: &Path| name.extension().is_none_or(|kind| kind != "log");
    let without_logs = Real::open(after.copy(is_table));
    assert_eq!(everything(&*without_logs.engine, Family::Log), row(3));
}
