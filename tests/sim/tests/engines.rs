//! The simulated engine and the real one give the same answers to the same calls, also after they were closed and
//! opened again; and what survives of the real one without a flush is something the simulated one might keep.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use quorate_core::Writes;
use quorate_link::env::Env;
use quorate_node::StorageTuning;
use quorate_node::seams::{Engine, Family, RocksEngine, Row, RowOp, StorageError};
use quorate_sim::disk::{Crash, SimDisk};
use quorate_sim::executor::Executor;
use tempfile::TempDir;

/// One call; keys are small numbers, so that calls meet.
#[derive(Clone, Debug)]
enum Call {
    WriteLog(Vec<(u8, Option<u8>)>, bool),
    WriteState(Vec<(u8, Option<u8>)>),
    Flush,
    Get(Family, u8),
    Scan(Family, u8, u8),
    FirstKey(Family, u8, u8),
    /// Rows in a range are replaced by those of two tables.
    Replace(u8, u8, Vec<u8>),
    /// A table that is not needed.
    Leave,
    Reopen,
}

fn key(number: u8) -> Vec<u8> {
    vec![number / 8, number % 8]
}

fn changes() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
    prop::collection::vec((0..32u8, prop::option::of(any::<u8>())), 0..6)
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Log), Just(Family::State)]
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let numbers = || 0..34u8;
    let call = prop_oneof![
        4 => (changes(), any::<bool>()).prop_map(|(rows, sync)| Call::WriteLog(rows, sync)),
        4 => changes().prop_map(Call::WriteState),
        1 => Just(Call::Flush),
        2 => (family(), numbers()).prop_map(|(family, number)| Call::Get(family, number)),
        2 => (family(), numbers(), numbers()).prop_map(|(f, first, end)| Call::Scan(f, first, end)),
        2 => (family(), numbers(), numbers()).prop_map(|(f, first, end)| Call::FirstKey(f, first, end)),
        1 => (numbers(), numbers(), prop::collection::vec(0..32u8, 0..8))
            .prop_map(|(first, end, rows)| Call::Replace(first.min(end), first.max(end), rows)),
        1 => Just(Call::Leave),
        1 => Just(Call::Reopen),
    ];
    prop::collection::vec(call, 1..80)
}

/// What a call answers, in a form that can be compared.
type Answer = Result<Vec<Row>, StorageError>;

async fn call(engine: &dyn Engine, call: &Call) -> Answer {
    let none = |()| Vec::new();
    match call {
        Call::WriteLog(rows, sync) => {
            let ops = rows.iter().map(|(number, value)| match value {
                Some(value) => RowOp::Put(key(*number), vec![*value]),
                None => RowOp::Delete(key(*number)),
            });
            engine.write_log(ops.collect(), *sync).await.map(none)
        }
        Call::WriteState(rows) => {
            let rows = rows.iter();
            let writes: Writes = rows
                .map(|(number, value)| (key(*number), value.map(|value| vec![value])))
                .collect();
            engine.write_state(writes).map(none)
        }
        Call::Flush => engine.flush_state().await.map(none),
        Call::Get(family, number) => {
            let found = engine.get(*family, &key(*number))?;
            Ok(found
                .map(|value| (key(*number), value))
                .into_iter()
                .collect())
        }
        Call::Scan(family, first, end) => scan(engine, *family, &key(*first), &key(*end)),
        Call::FirstKey(family, first, end) => {
            let found = engine.first_key(*family, &key(*first), &key(*end))?;
            Ok(found.map(|key| (key, Vec::new())).into_iter().collect())
        }
        Call::Replace(first, end, numbers) => replace(engine, *first, *end, numbers).await,
        Call::Leave => {
            engine.write_table("left", &[(key(1), vec![1])]).await?;
            engine.remove_table("left");
            let taken = engine.replace_state(&[], &["left".to_owned()]).await;
            assert!(taken.is_err(), "the table was removed");
            Ok(Vec::new())
        }
        Call::Reopen => Ok(Vec::new()),
    }
}

fn scan(engine: &dyn Engine, family: Family, first: &[u8], end: &[u8]) -> Answer {
    let mut rows = Vec::new();
    engine.scan(family, first, end, &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        Ok(())
    })?;
    Ok(rows)
}

async fn replace(engine: &dyn Engine, first: u8, end: u8, numbers: &[u8]) -> Answer {
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
    let range = (key(first), key(end));
    engine.replace_state(&[range], &tables).await?;
    Ok(Vec::new())
}

fn everything(engine: &dyn Engine, family: Family) -> Vec<Row> {
    scan(engine, family, &[], &[255]).unwrap()
}

/// The real engine, in a directory of its own.
struct Real {
    dir: TempDir,
    engine: Option<RocksEngine>,
}

impl Real {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = Some(open(&dir));
        Self { dir, engine }
    }

    fn engine(&self) -> &RocksEngine {
        self.engine.as_ref().unwrap()
    }

    /// Closes without a flush and opens again.
    fn reopen(&mut self) {
        self.engine = None;
        self.engine = Some(open(&self.dir));
    }
}

fn open(dir: &TempDir) -> RocksEngine {
    let small = StorageTuning {
        block_cache_bytes: 1 << 20,
        state_buffer_bytes: 1 << 20,
        log_buffer_bytes: 1 << 20,
    };
    RocksEngine::open(dir.path(), small).unwrap()
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

    fn call(&mut self, made: &Call) -> Answer {
        let answer: Arc<Mutex<Option<Answer>>> = Arc::default();
        let (told, engine, made) = (Arc::clone(&answer), Arc::clone(&self.engine), made.clone());
        self.env.spawn("call", async move {
            let answered = call(&*engine, &made).await;
            *told.lock().unwrap() = Some(answered);
        });
        loop {
            if let Some(answer) = answer.lock().unwrap().take() {
                return answer;
            }
            assert!(self.executor.step().unwrap(), "every call ends");
        }
    }

    fn reopen(&mut self, crash: Crash) {
        self.disk.crash(crash);
        self.engine = self.disk.open(self.env.clone());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_engines_answer_alike(calls in calls()) {
        let mut real = Real::new();
        let mut simulated = Simulated::new(7);
        for made in &calls {
            if matches!(made, Call::Reopen) {
                // Flushed, nothing may be lost, and the two must agree again.
                for made in [Call::Flush, Call::WriteLog(Vec::new(), true)] {
                    futures_executor::block_on(call(real.engine(), &made)).unwrap();
                    simulated.call(&made).unwrap();
                }
                real.reopen();
                simulated.reopen(Crash::Power);
            }
            let expected = futures_executor::block_on(call(real.engine(), made)).unwrap();
            prop_assert_eq!(simulated.call(made).unwrap(), expected, "{:?}", made);
        }
        for family in [Family::Log, Family::State] {
            let expected = everything(real.engine(), family);
            prop_assert_eq!(everything(&*simulated.engine, family), expected);
        }
    }

    /// A process that ends without a flush: the log is whole on both sides, and the state is one of the cuts that
    /// the simulated disk chooses from.
    #[test]
    fn what_the_real_engine_keeps_the_simulated_one_may_keep(calls in calls()) {
        let mut real = Real::new();
        let mut simulated = Simulated::new(7);
        for made in calls.iter().filter(|made| !matches!(made, Call::Reopen)) {
            futures_executor::block_on(call(real.engine(), made)).unwrap();
            simulated.call(made).unwrap();
        }
        real.reopen();
        simulated.disk.crash(Crash::Process);
        let open = simulated.disk.open(simulated.env.clone());
        prop_assert_eq!(everything(&*open, Family::Log), everything(real.engine(), Family::Log));
        let expected = everything(real.engine(), Family::State);
        let mut cuts = vec![everything(&*open, Family::State)];
        // Other seeds choose other cuts.
        for seed in 0..40 {
            let mut again = Simulated::new(seed);
            for made in calls.iter().filter(|made| !matches!(made, Call::Reopen)) {
                again.call(made).unwrap();
            }
            again.reopen(Crash::Process);
            cuts.push(everything(&*again.engine, Family::State));
        }
        prop_assert!(cuts.contains(&expected), "{expected:?} is none of {cuts:?}");
    }
}
