//! What tasks and the executor share: the tasks, time, timers, and who can go on.
//!
//! Behind a lock only because the seams ask for it: everything happens in one thread. Invariant: nothing foreign is
//! dropped or woken while the lock is held.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::future::BoxFuture;
use quorate_link::env::Env;

use super::{Life, Place};
use crate::chance::Chance;
use crate::env::ClockShape;

/// Never used twice in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskId(u64);

impl TaskId {
    pub(super) fn number(self) -> u64 {
        self.0
    }
}

/// A timer: when, and a number that tells those of the same time apart.
type TimerKey = (u64, u64);

type TaskFuture = BoxFuture<'static, ()>;

struct Task {
    name: &'static str,
    life: Life,
    flag: Arc<TaskWaker>,
    waker: Waker,
    order: Order,
    /// Absent while it goes on.
    future: Option<TaskFuture>,
}

/// When a task that can go on does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// When it is drawn; it takes a little time.
    Drawn,
    /// Before all that are drawn, and it takes no time: it looks on.
    Ahead,
}

/// A task that goes on now.
pub(super) struct Picked {
    pub(super) id: TaskId,
    pub(super) name: &'static str,
    pub(super) life: Life,
    pub(super) env: Arc<Env>,
    pub(super) waker: Waker,
    pub(super) order: Order,
    pub(super) future: TaskFuture,
}

/// A place that lives.
pub(super) struct Living {
    life: Life,
    pub(super) env: Arc<Env>,
}

/// No step asks for the time nearly as often.
const TIMES_ASKED_MAX: u32 = 1_000_000;

pub(crate) struct Shared {
    start_unix_ms: i64,
    inner: Mutex<Inner>,
    /// How often the task whose step it is has asked for the time.
    times_asked: AtomicU32,
    /// Whoever was woken since it was last looked at.
    woken: Arc<Mutex<Vec<TaskId>>>,
}

struct Inner {
    now_ns: u64,
    chance: Chance,
    clocks: BTreeMap<Place, ClockShape>,
    living: BTreeMap<Place, Living>,
    lives_begun: u64,
    tasks: BTreeMap<TaskId, Task>,
    tasks_made: u64,
    /// In order of their ids: the order of waking leaves no trace.
    ready: Vec<TaskId>,
    /// The same of those that go ahead.
    ahead: BTreeSet<TaskId>,
    paused: BTreeSet<Place>,
    /// Tasks of paused places that can go on once they are resumed.
    parked: Vec<TaskId>,
    timers: BTreeMap<TimerKey, Waker>,
    timers_made: u64,
}

impl Inner {
    fn make_ready(&mut self, id: TaskId) {
        match self.tasks.get(&id).map(|task| task.order) {
            Some(Order::Drawn) => {
                if let Err(place) = self.ready.binary_search(&id) {
                    self.ready.insert(place, id);
                }
            }
            Some(Order::Ahead) => {
                self.ahead.insert(id);
            }
            None => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(chance: Chance, start_unix_ms: i64) -> Self {
        Self {
            start_unix_ms,
            times_asked: AtomicU32::new(0),
            inner: Mutex::new(Inner {
                now_ns: 0,
                chance,
                clocks: BTreeMap::new(),
                living: BTreeMap::new(),
                lives_begun: 0,
                tasks: BTreeMap::new(),
                tasks_made: 0,
                ready: Vec::new(),
                ahead: BTreeSet::new(),
                paused: BTreeSet::new(),
                parked: Vec::new(),
                timers: BTreeMap::new(),
                timers_made: 0,
            }),
            woken: Arc::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.inner().now_ns
    }

    /// The time, for a task.
    ///
    /// # Panics
    /// It has asked so often that it goes in circles, and others will never have their turn.
    pub(crate) fn tell_ns(&self) -> u64 {
        let asked = self.times_asked.fetch_add(1, Ordering::Relaxed);
        assert!(asked < TIMES_ASKED_MAX, "a step without an end");
        self.now_ns()
    }

    /// Wall time at the beginning.
    pub(crate) fn start_unix_ms(&self) -> i64 {
        self.start_unix_ms
    }

    pub(super) fn clock(&self, place: Place) -> ClockShape {
        self.inner().clocks.entry(place).or_default().clone()
    }

    pub(super) fn set_clock(&self, place: Place, clock: ClockShape) {
        self.inner().clocks.insert(place, clock);
    }

    /// The seams of the life that a place has; if it has none, one begins with what `make` gives.
    pub(super) fn living(
        &self,
        place: Place,
        make: impl FnOnce(Life, Chance, ClockShape) -> Env,
    ) -> Arc<Env> {
        let mut inner = self.inner();
        if let Some(living) = inner.living.get(&place) {
            return Arc::clone(&living.env);
        }
        inner.lives_begun += 1;
        let number = inner.lives_begun;
        let life = Life { place, number };
        let chance = inner.chance.fork(&place.to_string());
        let clock = inner.clocks.entry(place).or_default().clone();
        let env = Arc::new(make(life, chance, clock));
        let living = Living {
            life,
            env: Arc::clone(&env),
        };
        inner.living.insert(place, living);
        env
    }

    /// Ends a life, if there is one; hands out what is to be dropped.
    pub(super) fn end(&self, place: Place) -> Option<(Living, Vec<TaskFuture>)> {
        let mut inner = self.inner();
        let inner = &mut *inner;
        let living = inner.living.remove(&place)?;
        inner.paused.remove(&place);
        let mut futures = Vec::new();
        let dead = inner
            .tasks
            .extract_if(.., |_, task| task.life.place == place);
        for (_, task) in dead {
            futures.extend(task.future);
        }
        let tasks = &inner.tasks;
        inner.ready.retain(|id| tasks.contains_key(id));
        inner.ahead.retain(|id| tasks.contains_key(id));
        inner.parked.retain(|id| tasks.contains_key(id));
        Some((living, futures))
    }

    pub(super) fn places(&self) -> Vec<Place> {
        self.inner().living.keys().copied().collect()
    }

    pub(super) fn pause(&self, place: Place) {
        self.inner().paused.insert(place);
    }

    pub(super) fn resume(&self, place: Place) {
        let mut inner = self.inner();
        if inner.paused.remove(&place) {
            for id in std::mem::take(&mut inner.parked) {
                inner.make_ready(id);
            }
        }
    }

    /// The life of a place that lives.
    pub(super) fn life(&self, place: Place) -> Option<Life> {
        self.inner().living.get(&place).map(|living| living.life)
    }

    /// Starts a task, if its life has not ended.
    pub(crate) fn spawn(&self, name: &'static str, life: Life, order: Order, future: TaskFuture) {
        let mut inner = self.inner();
        let lives = inner.living.get(&life.place).map(|living| living.life) == Some(life);
        if !lives {
            drop(inner);
            drop(future);
            return;
        }
        inner.tasks_made += 1;
        let id = TaskId(inner.tasks_made);
        let flag = Arc::new(TaskWaker {
            id,
            news: Arc::downgrade(&self.woken),
            woken: AtomicBool::new(true),
        });
        let task = Task {
            name,
            life,
            waker: Waker::from(Arc::clone(&flag)),
            flag,
            order,
            future: Some(future),
        };
        inner.tasks.insert(id, task);
        inner.make_ready(id);
    }

    /// Takes one of the tasks that can go on: one that goes ahead, or the one at the place that `choose` draws among
    /// so many.
    pub(super) fn pick(&self, mut choose: impl FnMut(usize) -> usize) -> Option<Picked> {
        self.times_asked.store(0, Ordering::Relaxed);
        let woken = std::mem::take(&mut *lock(&self.woken));
        let mut inner = self.inner();
        let inner = &mut *inner;
        for id in woken {
            inner.make_ready(id);
        }
        while !inner.ready.is_empty() || !inner.ahead.is_empty() {
            let id = match inner.ahead.pop_first() {
                Some(id) => id,
                None => inner.ready.remove(choose(inner.ready.len())),
            };
            let Some(task) = inner.tasks.get_mut(&id) else {
                continue;
            };
            if inner.paused.contains(&task.life.place) {
                inner.parked.push(id);
                continue;
            }
            let Some(living) = inner.living.get(&task.life.place) else {
                continue;
            };
            let Some(future) = task.future.take() else {
                continue;
            };
            // From now on it must be woken again.
            task.flag.woken.store(false, Ordering::Relaxed);
            return Some(Picked {
                id,
                name: task.name,
                life: task.life,
                env: Arc::clone(&living.env),
                waker: task.waker.clone(),
                order: task.order,
                future,
            });
        }
        None
    }

    /// Takes a task back that waits; hands it out again if its place was killed meanwhile.
    pub(super) fn put_back(&self, id: TaskId, future: TaskFuture) -> Option<TaskFuture> {
        match self.inner().tasks.get_mut(&id) {
            Some(task) => task.future.replace(future),
            None => Some(future),
        }
    }

    /// A task has ended.
    pub(super) fn forget(&self, id: TaskId) {
        let task = self.inner().tasks.remove(&id);
        drop(task);
    }

    /// Lets time pass.
    pub(super) fn pass(&self, ns: u64) {
        self.inner().now_ns += ns;
    }

    /// Wakes whoever waits for a time that has come.
    pub(super) fn fire_due(&self) {
        loop {
            let due = {
                let mut inner = self.inner();
                match inner.timers.first_key_value() {
                    Some(((at, _), _)) if *at <= inner.now_ns => inner.timers.pop_first(),
                    _ => None,
                }
            };
            match due {
                Some((_, waker)) => waker.wake(),
                None => return,
            }
        }
    }

    /// Moves time to the next timer; false if there is none.
    pub(super) fn jump_to_next_timer(&self) -> bool {
        let mut inner = self.inner();
        let next = inner.timers.first_key_value().map(|((at, _), _)| *at);
        if let Some(at) = next {
            inner.now_ns = inner.now_ns.max(at);
        }
        next.is_some()
    }

    /// Completes when this time has come.
    pub(crate) fn sleep_until(self: &Arc<Self>, at_ns: u64) -> Sleep {
        Sleep {
            shared: Arc::clone(self),
            at_ns,
            timer: None,
        }
    }

    /// Waits for a time drawn up to this one.
    pub(crate) fn sleep_up_to(self: &Arc<Self>, duration: Duration) -> Sleep {
        let at_ns = {
            let mut inner = self.inner();
            let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            inner.now_ns + inner.chance.below(ns)
        };
        self.sleep_until(at_ns)
    }
}

/// Wakes one task.
struct TaskWaker {
    id: TaskId,
    news: Weak<Mutex<Vec<TaskId>>>,
    /// Woken since it last went on.
    woken: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::Relaxed)
            && let Some(news) = self.news.upgrade()
        {
            lock(&news).push(self.id);
        }
    }
}

/// Waits for a time.
pub(crate) struct Sleep {
    shared: Arc<Shared>,
    at_ns: u64,
    timer: Option<TimerKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (at_ns, shared) = (self.at_ns, Arc::clone(&self.shared));
        let replaced = {
            let mut inner = shared.inner();
            if inner.now_ns >= at_ns {
                return Poll::Ready(());
            }
            let known = self.timer.and_then(|key| inner.timers.get_mut(&key));
            match known {
                Some(waker) if waker.will_wake(cx.waker()) => None,
                Some(waker) => Some(std::mem::replace(waker, cx.waker().clone())),
                None => {
                    inner.timers_made += 1;
                    let key = (at_ns, inner.timers_made);
                    inner.timers.insert(key, cx.waker().clone());
                    self.timer = Some(key);
                    None
                }
            }
        };
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.timer {
            let waker = self.shared.inner().timers.remove(&key);
            drop(waker);
        }
    }
}
