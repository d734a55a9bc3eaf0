//! What one replica knows of itself without reading its state: its outbox and clock, and who follows its
//! sites.
//!
//! State owned: the outbox's bounds, when its rows were seen to be written, and the followers. Invariant:
//! it is told after the batch was written, so nobody hears of a row that cannot be read. Memory is bounded:
//! times of neighbouring rows are merged, and a follower's sites are a set of sites.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use quorate_core::ledger::ShardFacts;
use quorate_core::{Writes, codec, keys};
use quorate_proto::ids::{ShardId, SiteKey};
use tokio::sync::{Notify, watch};

use crate::limits;

/// The bounds of an outbox, and the shard's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outbox {
    /// The newest row.
    pub(crate) newest: u64,
    /// Rows up to and including this one have reached their sites' shards.
    pub(crate) acknowledged: u64,
    /// Rows up to and including this one are deleted.
    pub(crate) trimmed: u64,
    /// Latest time of any batch, Unix milliseconds.
    pub(crate) clock_ms: i64,
}

impl Outbox {
    /// Rows not acknowledged.
    pub(crate) fn pending(&self) -> u64 {
        self.newest.saturating_sub(self.acknowledged)
    }
}

impl From<&ShardFacts> for Outbox {
    fn from(facts: &ShardFacts) -> Self {
        Self {
            newest: facts.outbox_rows(),
            acknowledged: facts.outbox_acknowledged(),
            trimmed: facts.outbox_trimmed(),
            clock_ms: facts.clock_ms(),
        }
    }
}

/// See the module.
pub(crate) struct Books {
    group: ShardId,
    outbox: watch::Sender<Outbox>,
    marks: Mutex<VecDeque<Mark>>,
    followers: Mutex<Vec<Weak<Follower>>>,
}

/// Rows up to `newest` were there at this time, on the node's monotonic clock.
#[derive(Clone, Copy)]
struct Mark {
    newest: u64,
    seen: Duration,
}

#[derive(Default)]
struct Follower {
    touched: Mutex<Touched>,
    news: Notify,
}

/// What changed since it was last asked for.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// Everything may have: the state was replaced by a snapshot.
    pub(crate) replaced: bool,
    pub(crate) sites: BTreeSet<SiteKey>,
}

/// Follows which sites are touched, from its creation on.
pub(crate) struct TouchedSites {
    follower: Arc<Follower>,
}

impl TouchedSites {
    /// Waits until something was touched since the last [`TouchedSites::take`].
    pub(crate) async fn news(&self) {
        self.follower.news.notified().await;
    }

    /// Everything touched since the last call.
    pub(crate) fn take(&self) -> Touched {
        std::mem::take(&mut *lock(&self.follower.touched))
    }
}

impl Books {
    /// Rows that are pending now count from now: how long they have been there is not known.
    pub(super) fn open(group: ShardId, outbox: Outbox, now: Duration) -> Self {
        let books = Self {
            group,
            outbox: watch::Sender::new(outbox),
            marks: Mutex::default(),
            followers: Mutex::default(),
        };
        books.mark(&outbox, now);
        books
    }

    /// Follows the outbox.
    pub(crate) fn outbox(&self) -> watch::Receiver<Outbox> {
        self.outbox.subscribe()
    }

    /// How long the oldest row that is not acknowledged has been there; zero if there is none.
    pub(crate) fn lag(&self, now: Duration) -> Duration {
        let marks = lock(&self.marks);
        marks
            .front()
            .map_or(Duration::ZERO, |mark| now.saturating_sub(mark.seen))
    }

    /// Follows which sites are touched from now on.
    pub(crate) fn follow_sites(&self) -> TouchedSites {
        let follower = Arc::new(Follower::default());
        lock(&self.followers).push(Arc::downgrade(&follower));
        TouchedSites { follower }
    }

    /// What a batch that is about to be written will change.
    pub(super) fn foresee(&self, writes: &Writes) -> Foreseen {
        let facts = writes
            .get(&keys::facts(self.group))
            .and_then(Option::as_ref);
        let facts = facts.and_then(|bytes| codec::decode_facts(bytes.clone()).ok());
        let mut sites = BTreeSet::new();
        if !lock(&self.followers).is_empty() {
            let (first, end) = keys::shown();
            sites.extend(
                writes
                    .range(first..end)
                    .filter_map(|(key, _)| keys::site_of(key)),
            );
        }
        Foreseen {
            outbox: facts.as_ref().map(Outbox::from),
            sites,
        }
    }

    /// The batch was written.
    pub(super) fn written(&self, foreseen: Foreseen, now: Duration) {
        if let Some(outbox) = foreseen.outbox {
            self.mark(&outbox, now);
            self.outbox.send_replace(outbox);
        }
        if !foreseen.sites.is_empty() {
            self.tell(|touched| touched.sites.extend(&foreseen.sites));
        }
    }

    /// The state was replaced.
    pub(super) fn replaced(&self, outbox: Outbox, now: Duration) {
        lock(&self.marks).clear();
        self.mark(&outbox, now);
        self.outbox.send_replace(outbox);
        self.tell(|touched| touched.replaced = true);
    }

    fn mark(&self, outbox: &Outbox, now: Duration) {
        let mut marks = lock(&self.marks);
        while marks
            .front()
            .is_some_and(|mark| mark.newest <= outbox.acknowledged)
        {
            marks.pop_front();
        }
        let known = marks.back().map_or(outbox.acknowledged, |mark| mark.newest);
        if outbox.newest <= known {
            return;
        }
        if marks.len() >= limits::OUTBOX_MARKS_MAX {
            thin_out(&mut marks);
        }
        marks.push_back(Mark {
            newest: outbox.newest,
            seen: now,
        });
    }

    fn tell(&self, change: impl Fn(&mut Touched)) {
        lock(&self.followers).retain(|follower| {
            let Some(follower) = follower.upgrade() else {
                return false;
            };
            change(&mut lock(&follower.touched));
            follower.news.notify_one();
            true
        });
    }
}

/// What a batch will change.
#[derive(Default)]
pub(super) struct Foreseen {
    outbox: Option<Outbox>,
    sites: BTreeSet<SiteKey>,
}

/// Makes one mark of every two. Rows are then told as older than they are, never as younger.
fn thin_out(marks: &mut VecDeque<Mark>) {
    let pairs: Vec<Mark> = marks.iter().copied().collect();
    marks.clear();
    marks.extend(pairs.chunks(2).map(|pair| Mark {
        newest: pair[pair.len() - 1].newest,
        seen: pair[0].seen,
    }));
}

/// A panic while one of these is held leaves it whole: every change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(newest: u64, acknowledged: u64) -> Outbox {
        Outbox {
            newest,
            acknowledged,
            ..Outbox::default()
        }
    }

    fn told(books: &Books, outbox: Outbox, now_ms: u64) {
        let foreseen = Foreseen {
            outbox: Some(outbox),
            sites: BTreeSet::new(),
        };
        books.written(foreseen, Duration::from_millis(now_ms));
    }

    fn lag_ms(books: &Books, now_ms: u64) -> u128 {
        books.lag(Duration::from_millis(now_ms)).as_millis()
    }

    #[test]
    fn the_lag_is_the_age_of_the_oldest_row_not_acknowledged() {
        let books = Books::open(ShardId(1), outbox(4, 4), Duration::ZERO);
        assert_eq!(lag_ms(&books, 500), 0);
        told(&books, outbox(6, 4), 1000);
        told(&books, outbox(9, 4), 1200);
        assert_eq!(lag_ms(&books, 1500), 500);
        told(&books, outbox(9, 5), 1500);
        assert_eq!(lag_ms(&books, 1500), 500, "row 6 is still there");
        told(&books, outbox(10, 6), 1600);
        assert_eq!(lag_ms(&books, 1600), 400);
        told(&books, outbox(10, 10), 1700);
        assert_eq!(lag_ms(&books, 5000), 0);
        assert_eq!(books.outbox().borrow().pending(), 0);
        books.replaced(outbox(20, 15), Duration::from_secs(6));
        assert_eq!(lag_ms(&books, 6250), 250);
    }

    #[test]
    fn marks_are_bounded_and_never_tell_rows_as_younger() {
        let books = Books::open(ShardId(1), outbox(0, 0), Duration::ZERO);
        let rows = 5 * limits::OUTBOX_MARKS_MAX as u64;
        for row in 1..=rows {
            told(&books, outbox(row, 0), row);
        }
        assert!(lock(&books.marks).len() <= limits::OUTBOX_MARKS_MAX);
        for acknowledged in [1, rows / 2, rows - 1] {
            told(&books, outbox(rows, acknowledged), rows);
            let age = rows - (acknowledged + 1);
            assert!(lag_ms(&books, rows) >= u128::from(age));
        }
    }

    #[test]
    fn followers_hear_of_sites_touched_and_of_nothing_else() {
        let books = Books::open(ShardId(1), outbox(0, 0), Duration::ZERO);
        let site = SiteKey::new([7; 16]);
        let mut writes = Writes::new();
        writes.insert(keys::site_at(&site), None);
        writes.insert(keys::journal(&SiteKey::new([8; 16])), None);
        assert!(books.foresee(&writes).sites.is_empty(), "nobody follows");
        let touched = books.follow_sites();
        books.written(books.foresee(&writes), Duration::ZERO);
        assert_eq!(touched.take().sites, BTreeSet::from([site]));
        let again = touched.take();
        assert!(again.sites.is_empty() && !again.replaced);
        books.replaced(outbox(0, 0), Duration::ZERO);
        assert!(touched.take().replaced);
        drop(touched);
        books.written(books.foresee(&writes), Duration::ZERO);
        assert!(lock(&books.followers).is_empty());
    }
}
