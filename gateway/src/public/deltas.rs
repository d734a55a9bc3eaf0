//! The changes of late, ready to be sent to those who listen.
//!
//! State owned: the last changes as server-sent events, bounded by bytes, each with a number. Laws: numbers
//! grow by one with every event; a listener holds nothing but the number it wants next, so that a slow one
//! costs no more than a fast one; who wants what is no longer kept is told to read the list again.
//! Numbers of another process mean nothing here: an event's id carries the process's epoch too.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use quorate_link::Env;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::limits;

/// A place in the stream of changes: everything before it has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    epoch: u32,
    next: u64,
}

impl Cursor {
    /// Of the text that an event's id, or an envelope's version, is.
    pub(super) fn parse(text: &str) -> Option<Cursor> {
        let (epoch, seen) = text.split_once('-')?;
        let seen: u64 = seen.parse().ok()?;
        Some(Cursor {
            epoch: u32::from_str_radix(epoch, 16).ok()?,
            next: seen.checked_add(1)?,
        })
    }
}

/// As an id: the number of the last event seen.
impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}-{}", self.epoch, self.next - 1)
    }
}

/// Events that came at once.
#[derive(Debug)]
struct Batch {
    /// Number of its first event.
    first: u64,
    /// Where each event begins in `text`.
    begins: Vec<usize>,
    text: Bytes,
}

impl Batch {
    fn end(&self) -> u64 {
        self.first + self.begins.len() as u64
    }
}

#[derive(Debug)]
struct Buffer {
    batches: VecDeque<Batch>,
    bytes: usize,
    /// Number of the next event.
    next: u64,
}

/// What there is for a listener.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Events, and the place behind them.
    Events(Bytes, Cursor),
    /// What was wanted is no longer there; the place to go on from, after reading the list.
    Reset(Cursor),
    /// Nothing yet.
    Nothing,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Deltas {
    epoch: u32,
    buffer: Mutex<Buffer>,
    /// Number of the next event; `None`: there will be no more.
    published: watch::Sender<Option<u64>>,
    listeners: Arc<Semaphore>,
}

impl Deltas {
    pub(super) fn new(env: &Env) -> Deltas {
        let mut epoch = [0; 4];
        env.random.fill(&mut epoch);
        Deltas {
            epoch: u32::from_be_bytes(epoch),
            // Ids name the last event seen, so numbers begin behind 0.
            buffer: Mutex::new(Buffer {
                batches: VecDeque::new(),
                bytes: 0,
                next: 1,
            }),
            published: watch::Sender::new(Some(1)),
            listeners: Arc::new(Semaphore::new(limits::DELTA_LISTENERS_MAX)),
        }
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// A listener's place among the others; `None`: there are too many.
    pub(super) fn listen(&self) -> Option<OwnedSemaphorePermit> {
        self.listeners.clone().try_acquire_owned().ok()
    }

    /// The place behind everything that was published.
    pub(super) fn cursor(&self) -> Cursor {
        self.at(self.buffer().next)
    }

    /// Publishes events of a kind with their data, one line of JSON each.
    pub(super) fn publish(&self, events: impl Iterator<Item = (&'static str, String)>) {
        let mut buffer = self.buffer();
        let first = buffer.next;
        let (mut text, mut begins) = (String::new(), Vec::new());
        for ((kind, data), number) in events.zip(first..) {
            begins.push(text.len());
            let id = self.at(number + 1);
            writeln!(text, "id: {id}\nevent: {kind}\ndata: {data}\n").expect("a string grows");
        }
        buffer.push(Batch {
            first,
            begins,
            text: text.into(),
        });
        self.published.send_replace(Some(buffer.next));
    }

    /// So much has changed that everybody shall read the list again.
    pub(super) fn reset(&self) {
        let mut buffer = self.buffer();
        buffer.batches.clear();
        buffer.bytes = 0;
        // Everybody's place is now before what is kept.
        buffer.next += 1;
        self.published.send_replace(Some(buffer.next));
    }

    /// There will be no more events: listeners shall leave.
    pub(super) fn close(&self) {
        self.published.send_replace(None);
    }

    /// What there is from a place on.
    pub(super) fn read(&self, cursor: Cursor) -> Told {
        let buffer = self.buffer();
        let kept = buffer
            .batches
            .front()
            .map_or(buffer.next, |batch| batch.first);
        if cursor.epoch != self.epoch || !(kept..=buffer.next).contains(&cursor.next) {
            return Told::Reset(self.at(buffer.next));
        }
        let at = buffer
            .batches
            .partition_point(|batch| batch.end() <= cursor.next);
        let Some(batch) = buffer.batches.get(at) else {
            return Told::Nothing;
        };
        let skipped = usize::try_from(cursor.next - batch.first).expect("inside a batch");
        let text = batch.text.slice(batch.begins[skipped]..);
        Told::Events(text, self.at(batch.end()))
    }

    /// Completes when there is something at a place; `false`: there will be no more.
    pub(super) async fn wait(&self, cursor: Cursor) -> bool {
        let mut published = self.published.subscribe();
        let has_more = |next: &Option<u64>| next.is_none_or(|next| next > cursor.next);
        let next = published.wait_for(has_more).await;
        // The sender is ours, so waiting cannot fail.
        next.is_ok_and(|next| next.is_some())
    }

    fn at(&self, next: u64) -> Cursor {
        Cursor {
            epoch: self.epoch,
            next,
        }
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        // No code panics while it holds the lock.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    fn push(&mut self, batch: Batch) {
        if batch.begins.is_empty() {
            return;
        }
        self.next = batch.end();
        self.bytes += batch.text.len();
        self.batches.push_back(batch);
        while self.bytes > limits::DELTA_BUFFER_BYTES_MAX
            && let Some(oldest) = self.batches.pop_front()
        {
            self.bytes -= oldest.text.len();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use futures_util::FutureExt as _;

    use super::*;

    fn publish(deltas: &Deltas, data: &[&str]) {
        deltas.publish(data.iter().map(|data| ("site", (*data).to_owned())));
    }

    fn events(told: Told) -> (String, Cursor) {
        match told {
            Told::Events(text, cursor) => (String::from_utf8(text.to_vec()).unwrap(), cursor),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_listener_hears_everything_once() {
        let deltas = Deltas::new(&Env::system());
        let start = deltas.cursor();
        assert_eq!(deltas.read(start), Told::Nothing);
        publish(&deltas, &["A", "B"]);
        publish(&deltas, &["C"]);
        let (text, next) = events(deltas.read(start));
        let epoch = deltas.epoch();
        assert_eq!(
            text,
            format!(
                "id: {epoch:08x}-1\nevent: site\ndata: A\n\nid: {epoch:08x}-2\nevent: site\ndata: B\n\n"
            )
        );
        let (text, next) = events(deltas.read(next));
        assert!(text.contains("data: C") && !text.contains("data: B"));
        assert_eq!(deltas.read(next), Told::Nothing);
        assert_eq!(next, deltas.cursor());
    }

    #[test]
    fn an_id_is_a_place_to_go_on_from_also_within_a_batch() {
        let deltas = Deltas::new(&Env::system());
        publish(&deltas, &["A", "B", "C"]);
        let seen = Cursor::parse(&format!("{:08x}-2", deltas.epoch())).unwrap();
        let (text, _) = events(deltas.read(seen));
        assert!(
            text.contains("data: C") && !text.contains("data: B"),
            "{text}"
        );
        assert_eq!(Cursor::parse(&seen.to_string()), Some(seen));
        for bad in ["", "7", "x-7", "1-x", "1-18446744073709551615"] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn places_of_another_process_of_the_future_or_long_past_are_reset() {
        let deltas = Deltas::new(&Env::system());
        let start = deltas.cursor();
        let stranger = Cursor {
            epoch: start.epoch ^ 1,
            ..start
        };
        assert_eq!(deltas.read(stranger), Told::Reset(start));
        let future = Cursor { next: 99, ..start };
        assert_eq!(deltas.read(future), Told::Reset(start));
        let large = "x".repeat(limits::DELTA_BUFFER_BYTES_MAX / 2);
        publish(&deltas, &[&large]);
        publish(&deltas, &[&large]);
        assert_eq!(deltas.read(start), Told::Reset(deltas.cursor()));
        deltas.reset();
        let now = deltas.cursor();
        assert_eq!(deltas.read(start), Told::Reset(now));
        assert_eq!(deltas.read(now), Told::Nothing);
    }

    #[test]
    fn waiting_ends_with_news_and_with_the_stream() {
        let deltas = Deltas::new(&Env::system());
        let start = deltas.cursor();
        assert_eq!(deltas.wait(start).now_or_never(), None);
        publish(&deltas, &["A"]);
        assert_eq!(deltas.wait(start).now_or_never(), Some(true));
        deltas.close();
        assert_eq!(deltas.wait(deltas.cursor()).now_or_never(), Some(false));
    }

    #[test]
    fn listeners_are_bounded() {
        let deltas = Deltas::new(&Env::system());
        let mut all: Vec<_> = (0..limits::DELTA_LISTENERS_MAX)
            .map(|_| deltas.listen().unwrap())
            .collect();
        assert!(deltas.listen().is_none());
        all.pop();
        assert!(deltas.listen().is_some());
    }
}
