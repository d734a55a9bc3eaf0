//! Runs every task of a simulation in one thread.
//!
//! Which of the tasks that can go on goes on is drawn; time passes a little with every step, and jumps to the next
//! timer when nothing can go on. Tasks that only look on go first, and take no time. Tasks belong to a [`Place`] (a process of the simulated cluster, or the driver of
//! the run) and to one of its lives: a kill drops all of them at once and ends the life, so that whatever still
//! holds on to it can start nothing any more.
//!
//! State owned: tasks, timers, time, and the hash over all steps so far. Invariant: the steps are a function of the
//! seed and of what the tasks do. In particular the order in which tasks are woken within one step changes nothing.

mod panics;
mod shared;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use quorate_link::env::{Env, with_current_env};

use crate::chance::{Chance, mix};
use crate::env::{SimClock, SimRandom, SimSpawner};
pub use panics::Panic;
use shared::{Living, Picked};
pub(crate) use shared::{Order, Shared};

/// Whose tasks they are: a process, or the driver of the run.
pub type Place = u64;

/// The driver of the run.
pub const DRIVER: Place = 0;

/// One run of a place, from its first task to its kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) place: Place,
    pub(crate) number: u64,
}

/// A task panicked, which no task may.
#[derive(Clone, Debug, thiserror::Error)]
#[error("task {task:?} of place {place} panicked after {at:?}: {panic}")]
pub struct TaskPanicked {
    /// Whose task it was.
    pub place: Place,
    /// Its name.
    pub task: &'static str,
    /// When.
    pub at: Duration,
    /// What it said.
    pub panic: Panic,
}

/// The handle on everybody's tasks: from inside of a task as well. Cheap to clone.
#[derive(Clone)]
pub struct Tasks {
    shared: Arc<Shared>,
}

impl Tasks {
    /// The seams of a place: of the life that it has, or of one that begins now. What is started by it belongs to
    /// that life.
    #[must_use]
    pub fn env(&self, place: Place) -> Env {
        let living = self.shared.living(place, |life, chance, clock| Env {
            clock: Arc::new(SimClock::new(Arc::clone(&self.shared), clock)),
            random: Arc::new(SimRandom::new(chance)),
            spawner: Arc::new(SimSpawner::new(Arc::clone(&self.shared), life)),
        });
        Env::clone(&living)
    }

    /// Ends the life of a place: drops all its tasks, but for the one that calls this.
    pub fn kill(&self, place: Place) {
        let Some((Living { env, .. }, tasks)) = self.shared.end(place) else {
            return;
        };
        for task in tasks {
            with_current_env(&env, || drop(task));
        }
    }

    /// Starts a task of a place that lives, which goes on as soon as it is woken, before anything else happens, and
    /// takes no time: it sees every step that it waits for, and changes nothing.
    pub fn look_on(
        &self,
        place: Place,
        name: &'static str,
        look: impl Future<Output = ()> + Send + 'static,
    ) {
        if let Some(life) = self.shared.life(place) {
            self.shared.spawn(name, life, Order::Ahead, look.boxed());
        }
    }

    /// Stops a place from going on, as a frozen process.
    pub fn pause(&self, place: Place) {
        self.shared.pause(place);
    }

    /// Lets a paused place go on.
    pub fn resume(&self, place: Place) {
        self.shared.resume(place);
    }

    /// Says how the clock of a place differs from the driver's: its wall clock is off by `skew_ms`, and it runs
    /// `drift_ppm` millionths faster. The drift holds from the next life on.
    pub fn set_clock(&self, place: Place, skew_ms: i64, drift_ppm: i32) {
        let clock = self.shared.clock(place);
        clock.set_skew_ms(skew_ms);
        self.shared.set_clock(place, clock.with_drift(drift_ppm));
    }

    /// How often the wall clock of a place was read.
    #[must_use]
    pub fn clock_reads(&self, place: Place) -> u64 {
        self.shared.clock(place).reads()
    }

    /// Makes the wall clock of a place jump.
    pub fn jump_clock(&self, place: Place, by_ms: i64) {
        self.shared.clock(place).jump(by_ms);
    }
}

/// See the module.
pub struct Executor {
    shared: Arc<Shared>,
    chance: Chance,
    steps: u64,
    trace: u64,
}

/// The least and the most time that one step takes.
const STEP_NS_MIN: u64 = 500;
const STEP_NS_MAX: u64 = 20_000;

impl Executor {
    /// An executor without tasks; its time begins at this wall time.
    #[must_use]
    pub fn new(seed: u64, start_unix_ms: i64) -> Self {
        let mut chance = Chance::new(seed);
        Self {
            shared: Arc::new(Shared::new(chance.fork("lives"), start_unix_ms)),
            chance,
            steps: 0,
            trace: seed,
        }
    }

    /// The handle on everybody's tasks.
    #[must_use]
    pub fn tasks(&self) -> Tasks {
        Tasks {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Virtual time since the beginning.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.shared.now_ns())
    }

    /// Steps done.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The hash over every step so far: when, which task, whose.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// Lets one task go on, or time pass to the next timer; false if nothing will ever go on.
    ///
    /// # Errors
    /// The task that went on panicked.
    pub fn step(&mut self) -> Result<bool, TaskPanicked> {
        self.shared.fire_due();
        let chance = &mut self.chance;
        match self.shared.pick(|ready| chance.index(ready)) {
            Some(picked) => self.run(picked).map(|()| true),
            None => Ok(self.shared.jump_to_next_timer()),
        }
    }

    /// Steps for this long; false if nothing will ever go on.
    ///
    /// # Errors
    /// A task panicked.
    pub fn run_for(&mut self, duration: Duration) -> Result<bool, TaskPanicked> {
        let deadline = self.now() + duration;
        while self.now() < deadline {
            if !self.step()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn run(&mut self, picked: Picked) -> Result<(), TaskPanicked> {
        let Picked {
            id,
            name,
            life,
            env,
            waker,
            order,
            mut future,
        } = picked;
        self.steps += 1;
        let step = self.shared.now_ns() ^ id.number().rotate_left(40) ^ life.place.rotate_left(20);
        self.trace = mix(self.trace ^ step).wrapping_add(self.steps);
        let mut context = Context::from_waker(&waker);
        let polled =
            panics::catch(|| with_current_env(&env, || future.as_mut().poll(&mut context)));
        match polled {
            Ok(Poll::Pending) => {
                if let Some(killed) = self.shared.put_back(id, future) {
                    // Its place was killed by what it did itself.
                    with_current_env(&env, || drop(killed));
                }
            }
            Ok(Poll::Ready(())) => {
                with_current_env(&env, || drop(future));
                self.shared.forget(id);
            }
            Err(panic) => {
                // What a panic leaves behind is not worth another one.
                std::mem::forget(future);
                return Err(TaskPanicked {
                    place: life.place,
                    task: name,
                    at: self.now(),
                    panic,
                });
            }
        }
        if order == Order::Drawn {
            let cost = self.chance.between(STEP_NS_MIN, STEP_NS_MAX);
            self.shared.pass(cost);
        }
        Ok(())
    }
}

impl Drop for Executor {
    /// Tasks hold the executor's shared part and one another: they go place by place, as at a kill.
    fn drop(&mut self) {
        let tasks = self.tasks();
        for place in self.shared.places() {
            tasks.kill(place);
        }
    }
}

#[cfg(test)]
mod tests;
