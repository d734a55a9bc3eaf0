//! One direction of one stream between two places: bytes that arrive in order, each after its delay.
//!
//! State owned: what is under way. Laws: nothing arrives that was not sent, nothing arrives twice or out of
//! order; after an end, what was let through still arrives, and then the end does. Deliberately absent:
//! where the delays come from, and who decides on an end (`net`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use quorate_link::Env;
use tokio::sync::Notify;

/// Messages under way. Beyond it the sender waits, as it would for a full socket.
const UNDER_WAY_MAX: usize = 256;

#[derive(Default)]
struct State {
    under_way: VecDeque<(Duration, Bytes)>,
    /// No message arrives before the one sent before it.
    last_arrival: Duration,
    /// Nothing more is sent.
    ended: bool,
    /// Nobody reads any more.
    abandoned: bool,
    /// Nothing arrives until this time; `Duration::MAX`: until further notice.
    held_until: Duration,
}

/// See the module's documentation.
pub(super) struct Pipe {
    state: Mutex<State>,
    /// For the reader.
    news: Notify,
    /// For the writer.
    room: Notify,
    clock: Env,
}

impl Pipe {
    pub(super) fn new(clock: Env) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            news: Notify::new(),
            room: Notify::new(),
            clock,
        })
    }

    /// Sends, to arrive after `delay`; waits while too much is under way. False: nobody will read it.
    pub(super) async fn send(&self, message: Bytes, delay: Duration) -> bool {
        loop {
            {
                let mut state = self.lock();
                if state.ended || state.abandoned {
                    return false;
                }
                if state.under_way.len() < UNDER_WAY_MAX {
                    let arrival = state.last_arrival.max(self.clock.monotonic() + delay);
                    state.last_arrival = arrival;
                    state.under_way.push_back((arrival, message));
                    drop(state);
                    self.news.notify_one();
                    return true;
                }
            }
            self.room.notified().await;
        }
    }

    /// The next message, when it has arrived; `None` after the last.
    pub(super) async fn receive(&self) -> Option<Bytes> {
        loop {
            let now = self.clock.monotonic();
            let arrival = {
                let mut state = self.lock();
                match state.under_way.front() {
                    Some((arrival, _)) => {
                        let arrival = (*arrival).max(state.held_until);
                        if arrival <= now {
                            let (_, message) = state.under_way.pop_front()?;
                            drop(state);
                            self.room.notify_one();
                            return Some(message);
                        }
                        Some(arrival)
                    }
                    None if state.ended && state.held_until <= now => return None,
                    None if state.ended => Some(state.held_until),
                    None => None,
                }
            };
            let news = std::pin::pin!(self.news.notified());
            match arrival {
                Some(Duration::MAX) | None => news.await,
                Some(arrival) => match select(news, self.clock.sleep(arrival - now)).await {
                    Either::Left(_) | Either::Right(_) => {}
                },
            }
        }
    }

    /// Completes when nobody reads any more, or nothing more may be sent.
    pub(super) async fn closed(&self) {
        loop {
            {
                let state = self.lock();
                if state.ended || state.abandoned {
                    return;
                }
            }
            self.room.notified().await;
        }
    }

    /// The sender is done: what was sent still arrives.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.wake();
    }

    /// The stream breaks: the first `kept` of what is under way still arrive, unless it is held.
    pub(super) fn cut(&self, kept: usize) {
        {
            let mut state = self.lock();
            let is_held = state.held_until == Duration::MAX;
            state.ended = true;
            state.under_way.truncate(if is_held { 0 } else { kept });
            state.held_until = Duration::ZERO;
        }
        self.wake();
    }

    /// The reader is gone.
    pub(super) fn abandon(&self) {
        {
            let mut state = self.lock();
            state.abandoned = true;
            state.under_way.clear();
        }
        self.wake();
    }

    /// Nothing arrives before `until`.
    pub(super) fn hold(&self, until: Duration) {
        self.lock().held_until = until;
        self.wake();
    }

    /// How many messages are under way.
    pub(super) fn under_way(&self) -> usize {
        self.lock().under_way.len()
    }

    fn wake(&self) {
        self.news.notify_one();
        self.room.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
