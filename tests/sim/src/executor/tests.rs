#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{mpsc, watch};

use super::*;

fn executor(seed: u64) -> Executor {
    Executor::new(seed, START)
}

const ONE: Place = 1;
const TWO: Place = 2;
const START: i64 = 1_584_057_600_000;

/// Tasks that talk, wait and draw: their log, and the run's trace.
fn chatter(seed: u64) -> (Vec<String>, u64) {
    let mut executor = executor(seed);
    let log = Arc::new(Mutex::new(Vec::new()));
    let (told, _) = watch::channel(0);
    for place in [ONE, TWO] {
        executor.tasks().set_clock(place, 0, 50);
        let env = executor.tasks().env(place);
        for task in 0..5 {
            let (env, log, told) = (env.clone(), Arc::clone(&log), told.clone());
            env.clone().spawn("chatters", async move {
                let mut heard = told.subscribe();
                for _ in 0..20 {
                    env.sleep(env.random_up_to(Duration::from_millis(3))).await;
                    told.send_modify(|number| *number += 1);
                    let _ = env.timeout(Duration::from_millis(1), heard.changed()).await;
                    let line = format!("{place} {task} {:?}", env.monotonic());
                    log.lock().unwrap().push(line);
                }
            });
        }
    }
    executor.run_for(Duration::from_secs(1)).unwrap();
    let log = std::mem::take(&mut *log.lock().unwrap());
    (log, executor.trace())
}

#[test]
fn the_same_seed_gives_the_same_steps_and_another_gives_others() {
    for seed in 0..20 {
        let (log, trace) = chatter(seed);
        assert_eq!(log.len(), 200);
        assert_eq!(chatter(seed), (log, trace), "seed {seed}");
        assert_ne!(chatter(seed + 100).1, trace, "seed {seed}");
    }
}

#[test]
fn time_jumps_to_what_is_waited_for() {
    let mut executor = executor(1);
    let env = executor.tasks().env(ONE);
    let slept = Arc::new(AtomicBool::new(false));
    let (sleeper, flag) = (env.clone(), Arc::clone(&slept));
    env.spawn("sleeps", async move {
        sleeper.sleep(Duration::from_secs(3600)).await;
        flag.store(true, Ordering::Relaxed);
    });
    executor.run_for(Duration::from_secs(3599)).unwrap();
    assert!(!slept.load(Ordering::Relaxed));
    executor.run_for(Duration::from_secs(2)).unwrap();
    assert!(slept.load(Ordering::Relaxed));
    assert!(executor.steps() < 10);
}

#[test]
fn clocks_differ_as_they_are_told_to() {
    let mut executor = executor(1);
    let right = executor.tasks().env(ONE);
    executor.tasks().set_clock(TWO, 5_000, 100);
    let wrong = executor.tasks().env(TWO);
    let (sleeper, waited) = (wrong.clone(), Arc::new(AtomicU64::new(0)));
    let told = Arc::clone(&waited);
    wrong.spawn("sleeps", async move {
        let before = sleeper.monotonic();
        sleeper.sleep(Duration::from_secs(1000)).await;
        assert!(sleeper.monotonic() - before >= Duration::from_secs(1000));
        told.store(1, Ordering::Relaxed);
    });
    executor.run_for(Duration::from_secs(999)).unwrap();
    assert_eq!(waited.load(Ordering::Relaxed), 0);
    executor.run_for(Duration::from_millis(950)).unwrap();
    // A hundred millionths of a thousand seconds.
    assert_eq!(waited.load(Ordering::Relaxed), 1);
    let apart = wrong.unix_ms() - right.unix_ms();
    assert!((5_099..=5_101).contains(&apart), "{apart}");
    assert!(right.unix_ms() >= START + 999_000);
    executor.tasks().jump_clock(TWO, -6_000);
    assert!(wrong.unix_ms() < right.unix_ms());
}

#[test]
fn a_step_without_an_end_is_a_panic() {
    let mut executor = executor(1);
    let env = executor.tasks().env(ONE);
    let clock = env.clone();
    env.spawn("goes in circles", async move {
        let until = clock.monotonic() + Duration::from_millis(1);
        while clock.monotonic() < until {}
    });
    let panicked = executor.run_for(Duration::from_secs(1)).unwrap_err();
    assert!(
        panicked.to_string().contains("without an end"),
        "{panicked}"
    );
}

/// Says when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_kill_drops_every_task_and_ends_the_life() {
    let mut executor = executor(1);
    let env = executor.tasks().env(ONE);
    let other = executor.tasks().env(TWO);
    let dropped = Arc::new(AtomicBool::new(false));
    let held = Dropped(Arc::clone(&dropped));
    let (sender, mut receiver) = mpsc::channel::<()>(1);
    env.spawn("holds", async move {
        let (_held, _sender) = (held, sender);
        std::future::pending::<()>().await;
    });
    let noticed = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&noticed);
    other.spawn("notices", async move {
        assert!(receiver.recv().await.is_none());
        told.store(true, Ordering::Relaxed);
    });
    executor.run_for(Duration::from_millis(1)).unwrap();
    assert!(!dropped.load(Ordering::Relaxed));
    executor.tasks().kill(ONE);
    assert!(dropped.load(Ordering::Relaxed));
    env.spawn("starts too late", async { panic!("never runs") });
    executor.run_for(Duration::from_millis(1)).unwrap();
    assert!(noticed.load(Ordering::Relaxed));
    let again = executor.tasks().env(ONE);
    again.spawn("lives", async {});
    executor.run_for(Duration::from_millis(1)).unwrap();
}

#[test]
fn a_paused_actor_goes_on_where_it_was() {
    let mut executor = executor(1);
    let env = executor.tasks().env(ONE);
    let count = Arc::new(AtomicU64::new(0));
    let (ticker, counted) = (env.clone(), Arc::clone(&count));
    env.spawn("ticks", async move {
        loop {
            ticker.sleep(Duration::from_millis(10)).await;
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    executor.run_for(Duration::from_millis(105)).unwrap();
    executor.tasks().pause(ONE);
    executor.run_for(Duration::from_secs(1)).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 10);
    executor.tasks().resume(ONE);
    executor.run_for(Duration::from_millis(105)).unwrap();
    assert!((20..=21).contains(&count.load(Ordering::Relaxed)));
}

#[test]
fn a_panic_names_the_task() {
    let mut executor = executor(1);
    let env = executor.tasks().env(TWO);
    env.spawn("breaks", async { panic!("planted {}", 7) });
    let error = executor.run_for(Duration::from_secs(1)).unwrap_err();
    assert_eq!((error.place, error.task), (TWO, "breaks"));
    assert_eq!(error.panic.message, "planted 7");
    assert!(error.panic.place.contains("tests.rs"), "{error}");
}

#[test]
fn blocking_work_is_a_task_that_starts_a_little_later() {
    let mut executor = executor(1);
    let env = executor.tasks().env(ONE);
    let done = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&done);
    let work = async move { flag.store(true, Ordering::Relaxed) };
    env.spawn_blocking("blocks", work).unwrap();
    executor.run_for(Duration::from_millis(4)).unwrap();
    assert!(done.load(Ordering::Relaxed));
}

#[test]
fn a_task_may_kill_its_own_place_and_others() {
    let mut executor = executor(1);
    let tasks = executor.tasks();
    let (one, two) = (tasks.env(ONE), tasks.env(TWO));
    let reached = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&reached);
    two.spawn("waits", std::future::pending());
    one.spawn("kills", async move {
        tasks.kill(TWO);
        tasks.kill(ONE);
        told.store(true, Ordering::Relaxed);
        std::future::pending::<()>().await;
    });
    assert!(!executor.run_for(Duration::from_secs(1)).unwrap());
    assert!(reached.load(Ordering::Relaxed));
}

#[test]
fn who_looks_on_sees_every_step_and_changes_nothing() {
    // A value that changes with every step of one task, among others that can always go on.
    let watched = |looks: bool| {
        let mut executor = executor(5);
        let env = executor.tasks().env(ONE);
        let (tell, mut told) = watch::channel(0);
        env.spawn("tells", async move {
            for value in 1..=100 {
                tell.send_replace(value);
                tokio::task::yield_now().await;
            }
        });
        for _ in 0..5 {
            env.spawn("goes on", async {
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
            });
        }
        let seen: Arc<Mutex<Vec<i32>>> = Arc::default();
        if looks {
            let seen = Arc::clone(&seen);
            executor.tasks().look_on(ONE, "looks", async move {
                while told.changed().await.is_ok() {
                    seen.lock().unwrap().push(*told.borrow_and_update());
                }
            });
        }
        while executor.step().unwrap() {}
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        (executor.now(), seen)
    };
    let (now, seen) = watched(true);
    assert_eq!(seen, (1..=100).collect::<Vec<i32>>());
    assert_eq!(watched(false), (now, Vec::new()));
}
