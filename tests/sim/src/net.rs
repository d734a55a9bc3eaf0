//! The network between places: connections that carry messages in order until they break.
//!
//! A place is a node, a gateway or the driver; each runs its own tasks. State owned: who is up, which
//! directions are cut or slow, every open stream. Laws: messages of one stream arrive in order and at most
//! once; a stream that breaks delivers a prefix of what was under way, late or not, and its successor may
//! overtake that; a place that is down neither hears nor answers; everything crosses as encoded bytes, so
//! that two places share no memory. Deliberately absent: what is said (`peers`, `dial`), and when things
//! break (`faults`).

pub mod dial;
pub mod peers;
mod pipe;
mod stream;
mod weather;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use quorate_link::{BoxFuture, Env};
use quorate_node::seams::RunningNode;

use crate::chance::Chance;
pub use crate::executor::Place;
use crate::trace::BytesHash;
use pipe::Pipe;
pub use weather::Weather;

/// From one place to another.
pub type Direction = (Place, Place);

/// A connection that cannot be made, or is no more. Says nothing of what was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub &'static str);

/// A direction that stays cut for longer than this breaks its connections: somebody's keep-alive notices.
const CUT_NOTICED_MAX: Duration = Duration::from_secs(4);
const CUT_NOTICED_MIN: Duration = Duration::from_millis(800);
/// How long an attempt to connect waits for an answer that does not come.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(1);

/// The network. Cheap to clone.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
}

struct Shared {
    /// True time and the driver's tasks.
    env: Env,
    state: Mutex<State>,
}

struct State {
    chance: Chance,
    weather: Weather,
    places: BTreeMap<Place, Up>,
    starts: u64,
    /// How many faults cut a direction. They overlap: the end of one does not end the other.
    cuts: BTreeMap<Direction, u32>,
    /// By how much each fault multiplies the delays of a direction; the worst counts.
    slow: BTreeMap<Direction, Vec<u32>>,
    /// Messages sent into a direction while it was cut or slow.
    hindered: BTreeMap<Direction, u64>,
    streams: BTreeMap<u64, OpenStream>,
    opened: u64,
    /// Of every message of a stream.
    said: BytesHash,
}

/// A place that is up.
struct Up {
    /// Tells one life of a place from the next.
    life: u64,
    env: Env,
    serve: Option<Arc<RunningNode>>,
}

struct OpenStream {
    from: Place,
    to: Place,
    forth: Weak<Pipe>,
    back: Weak<Pipe>,
}

/// The two lives that a connection joins; it ends with either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    from: Place,
    to: Place,
    from_life: u64,
    to_life: u64,
}

impl Network {
    /// An empty network. `env`: true time, and tasks that no fault touches.
    pub fn new(env: Env, chance: Chance, weather: Weather) -> Self {
        let state = State {
            chance,
            weather,
            places: BTreeMap::new(),
            starts: 0,
            cuts: BTreeMap::new(),
            slow: BTreeMap::new(),
            hindered: BTreeMap::new(),
            streams: BTreeMap::new(),
            opened: 0,
            said: BytesHash::default(),
        };
        Self {
            shared: Arc::new(Shared {
                env,
                state: Mutex::new(state),
            }),
        }
    }

    /// A place comes up. Whoever only dials serves nothing.
    pub fn up(&self, place: Place, env: Env, serve: Option<Arc<RunningNode>>) {
        let mut state = self.lock();
        state.starts += 1;
        let life = state.starts;
        state.places.insert(place, Up { life, env, serve });
    }

    /// A place that is up begins to serve.
    pub fn serves(&self, place: Place, serve: Arc<RunningNode>) {
        if let Some(up) = self.lock().places.get_mut(&place) {
            up.serve = Some(serve);
        }
    }

    /// A place goes down. Its tasks are gone already. With `silent` its peers are not told, as when the
    /// machine lost power; otherwise they see their connections end, after what was under way.
    pub fn down(&self, place: Place, silent: bool) {
        let (ending, noticed) = {
            let mut state = self.lock();
            state.places.remove(&place);
            let of_place = |stream: &OpenStream| stream.from == place || stream.to == place;
            let ended: Vec<u64> = state
                .streams
                .iter()
                .filter(|(_, stream)| of_place(stream))
                .map(|(number, _)| *number)
                .collect();
            let ending: Vec<OpenStream> = ended
                .iter()
                .filter_map(|number| state.streams.remove(number))
                .collect();
            (ending, state.notice_after())
        };
        let after = if silent { noticed } else { Duration::ZERO };
        for stream in ending {
            let (mine, theirs) = if stream.from == place {
                (stream.forth, stream.back)
            } else {
                (stream.back, stream.forth)
            };
            // What was sent to it is lost with it; what it sent may still arrive.
            if let Some(pipe) = theirs.upgrade() {
                self.end_later(pipe, after);
            }
            if let Some(pipe) = mine.upgrade() {
                self.end_later(pipe, after);
            }
        }
    }

    fn end_later(&self, pipe: Arc<Pipe>, after: Duration) {
        if after.is_zero() {
            let kept = self.kept(&pipe);
            return pipe.cut(kept);
        }
        let (env, network) = (self.shared.env.clone(), self.clone());
        self.shared.env.spawn("connection times out", async move {
            env.sleep(after).await;
            let kept = network.kept(&pipe);
            pipe.cut(kept);
        });
    }

    /// How many of the messages under way a break lets through.
    fn kept(&self, pipe: &Pipe) -> usize {
        let under_way = pipe.under_way();
        self.lock().chance.index(under_way + 1)
    }

    /// Cuts a direction: nothing arrives any more until [`Network::mend`] was called as often.
    pub fn cut(&self, from: Place, to: Place) {
        let (pipes, noticed) = {
            let mut state = self.lock();
            *state.cuts.entry((from, to)).or_default() += 1;
            (state.pipes(from, to), state.notice_after())
        };
        for pipe in pipes {
            pipe.hold(Duration::MAX);
        }
        let (env, network) = (self.shared.env.clone(), self.clone());
        self.shared.env.spawn("a cut is noticed", async move {
            env.sleep(noticed).await;
            if network.is_cut(from, to) {
                network.break_connections(from, to);
            }
        });
    }

    /// Ends one cut; after the last, what has waited arrives.
    pub fn mend(&self, from: Place, to: Place) {
        {
            let mut state = self.lock();
            if let Some(count) = state.cuts.get_mut(&(from, to)).filter(|count| **count > 1) {
                *count -= 1;
                return;
            }
        }
        self.release(from, to);
    }

    fn release(&self, from: Place, to: Place) {
        let pipes = {
            let mut state = self.lock();
            state.cuts.remove(&(from, to));
            state.pipes(from, to)
        };
        let now = self.now();
        for pipe in pipes {
            pipe.hold(now);
        }
    }

    /// Ends every cut and every slowness.
    pub fn mend_all(&self) {
        let cuts = {
            let mut state = self.lock();
            state.slow.clear();
            std::mem::take(&mut state.cuts)
        };
        for (from, to) in cuts.into_keys() {
            self.release(from, to);
        }
    }

    /// Whether nothing arrives in this direction.
    pub fn is_cut(&self, from: Place, to: Place) -> bool {
        self.lock().cuts.contains_key(&(from, to))
    }

    /// Multiplies the delays of a direction until [`Network::quicken`].
    pub fn slow(&self, from: Place, to: Place, factor: u32) {
        let slow = &mut self.lock().slow;
        slow.entry((from, to)).or_default().push(factor);
    }

    /// Ends one slowness; another one goes on.
    pub fn quicken(&self, from: Place, to: Place, factor: u32) {
        let slow = &mut self.lock().slow;
        if let Some(factors) = slow.get_mut(&(from, to))
            && let Some(at) = factors.iter().position(|one| *one == factor)
        {
            factors.swap_remove(at);
        }
    }

    /// Messages so far that were sent into one of these directions while it was cut or slow.
    pub fn hindered(&self, directions: &[Direction]) -> u64 {
        let state = self.lock();
        let counts = directions.iter().filter_map(|one| state.hindered.get(one));
        counts.sum()
    }

    /// Breaks every stream between two places, in both directions; each delivers a prefix of what was under
    /// way. How many there were.
    pub fn break_connections(&self, one: Place, other: Place) -> usize {
        let broken: Vec<OpenStream> = {
            let mut state = self.lock();
            let between = |stream: &OpenStream| {
                (stream.from, stream.to) == (one, other) || (stream.from, stream.to) == (other, one)
            };
            let numbers: Vec<u64> = state
                .streams
                .iter()
                .filter(|(_, stream)| between(stream))
                .map(|(number, _)| *number)
                .collect();
            numbers
                .iter()
                .filter_map(|number| state.streams.remove(number))
                .collect()
        };
        let count = broken.len();
        for pipe in broken
            .into_iter()
            .flat_map(|stream| [stream.forth, stream.back])
        {
            if let Some(pipe) = pipe.upgrade() {
                let kept = self.kept(&pipe);
                pipe.cut(kept);
            }
        }
        count
    }

    /// Connects two places.
    ///
    /// # Errors
    /// The other place is down, or no answer comes.
    pub async fn connect(&self, from: Place, to: Place) -> Result<Connection, Broken> {
        let round_trip = self.delay(from, to) + self.delay(to, from);
        self.shared.env.sleep(round_trip).await;
        if self.is_cut(from, to) || self.is_cut(to, from) {
            self.shared.env.sleep(CONNECT_TIME_MAX).await;
            return Err(Broken("nobody answers"));
        }
        let state = self.lock();
        let life = |place| state.places.get(&place).map(|up| up.life);
        let serves = |up: &Up| up.serve.is_some();
        match (life(from), life(to)) {
            (Some(from_life), Some(to_life)) if state.places.get(&to).is_some_and(serves) => {
                Ok(Connection {
                    from,
                    to,
                    from_life,
                    to_life,
                })
            }
            _ => Err(Broken("the connection was refused")),
        }
    }

    /// Asks once. What is asked and answered must have crossed as bytes: see [`copied`].
    ///
    /// # Errors
    /// No answer will come. It may have been done all the same.
    pub async fn call<T: Send + 'static>(
        &self,
        from: Place,
        to: Place,
        ask: impl FnOnce(Arc<RunningNode>) -> BoxFuture<'static, T> + Send + 'static,
    ) -> Result<T, Broken> {
        let connection = self.connect(from, to).await?;
        self.cross(connection, from, to).await?;
        let (env, serve) = self.served(connection)?;
        let (answer, answered) = tokio::sync::oneshot::channel();
        env.spawn("call", async move {
            // Nobody may be waiting any more.
            let _ = answer.send(ask(serve).await);
        });
        let answer = answered
            .await
            .map_err(|_| Broken("the connection was lost"))?;
        self.cross(connection, to, from).await?;
        Ok(answer)
    }

    /// Waits for one message to arrive.
    async fn cross(&self, connection: Connection, from: Place, to: Place) -> Result<(), Broken> {
        self.shared.env.sleep(self.delay(from, to)).await;
        if self.is_cut(from, to) || !self.is_alive(connection) {
            let noticed = self.lock().notice_after();
            self.shared.env.sleep(noticed).await;
            return Err(Broken("the connection was lost"));
        }
        Ok(())
    }

    fn served(&self, connection: Connection) -> Result<(Env, Arc<RunningNode>), Broken> {
        let state = self.lock();
        let up = state.places.get(&connection.to);
        up.filter(|up| up.life == connection.to_life)
            .and_then(|up| Some((up.env.clone(), up.serve.clone()?)))
            .ok_or(Broken("the connection was lost"))
    }

    fn is_alive(&self, connection: Connection) -> bool {
        let state = self.lock();
        let life = |place| state.places.get(&place).map(|up| up.life);
        life(connection.from) == Some(connection.from_life)
            && life(connection.to) == Some(connection.to_life)
    }

    fn env_of(&self, place: Place) -> Option<Env> {
        self.lock().places.get(&place).map(|up| up.env.clone())
    }

    fn register(&self, connection: Connection, forth: &Arc<Pipe>, back: &Arc<Pipe>) {
        let mut state = self.lock();
        state.opened += 1;
        let number = state.opened;
        if number.is_multiple_of(64) {
            let open = |stream: &OpenStream| {
                stream.forth.strong_count() > 0 || stream.back.strong_count() > 0
            };
            state.streams.retain(|_, stream| open(stream));
        }
        let stream = OpenStream {
            from: connection.from,
            to: connection.to,
            forth: Arc::downgrade(forth),
            back: Arc::downgrade(back),
        };
        let (from, to) = (connection.from, connection.to);
        for (pipe, direction) in [(forth, (from, to)), (back, (to, from))] {
            if state.cuts.contains_key(&direction) {
                pipe.hold(Duration::MAX);
            }
        }
        state.streams.insert(number, stream);
    }

    /// How long the next message takes.
    fn delay(&self, from: Place, to: Place) -> Duration {
        let mut state = self.lock();
        let direction = (from, to);
        let factors = state.slow.get(&direction).map(Vec::as_slice);
        let factor = factors
            .unwrap_or_default()
            .iter()
            .max()
            .copied()
            .unwrap_or(1);
        if factor > 1 || state.cuts.contains_key(&direction) {
            *state.hindered.entry(direction).or_default() += 1;
        }
        let State {
            chance, weather, ..
        } = &mut *state;
        weather.delay(chance) * factor
    }

    /// Whether a message that stands alone arrives twice.
    fn repeats(&self) -> bool {
        let mut state = self.lock();
        let times = state.weather.repeated_per_mille;
        state.chance.permille(times)
    }

    /// The hash over every message of every stream so far, in the order of sending.
    #[must_use]
    pub fn said(&self) -> u64 {
        self.lock().said.get()
    }

    /// True time since the start of the run.
    pub fn now(&self) -> Duration {
        self.shared.env.monotonic()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pipes(&self, from: Place, to: Place) -> Vec<Arc<Pipe>> {
        let streams = self.streams.values();
        streams
            .filter_map(|stream| match (stream.from, stream.to) {
                pair if pair == (from, to) => stream.forth.upgrade(),
                pair if pair == (to, from) => stream.back.upgrade(),
                _ => None,
            })
            .collect()
    }

    fn notice_after(&mut self) -> Duration {
        self.chance.duration(CUT_NOTICED_MIN, CUT_NOTICED_MAX)
    }
}

/// The message as the other side decodes it.
pub fn copied<M: prost::Message + Default>(message: &M) -> M {
    M::decode(&*message.encode_to_vec()).expect("what was encoded here can be decoded")
}

#[cfg(test)]
mod tests;
