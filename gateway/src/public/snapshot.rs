//! Every site and its stock in memory, as the leaders of their shards tell.
//!
//! State owned: the sites, the indexes over them, what has changed and was not yet told, and when each
//! shard was last heard. Laws: memory is filled by the site feed alone and is rebuilt from it after a
//! restart; what was heard stays until something newer is heard, and its age is said. Readers hold no
//! lock across a request: they take an [`Atlas`] and look at one site at a time. Deliberately absent: any
//! way to ask a shard.

mod address;
mod atlas;
mod feed;
mod site;
mod spatial;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::tz::TimeZone;
use quorate_link::Env;
use quorate_proto::ids::{ShardId, SiteCode};
use tokio::sync::Notify;

pub(crate) use atlas::Atlas;
pub(crate) use feed::SiteFrame;
pub(crate) use site::{Level, Location, Profile, Shown, Site, SiteNews, Stock};
pub(crate) use spatial::Near;

use feed::Feeds;

/// Something to be told to those who listen.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The site is new or other than it was.
    Site(Arc<Site>),
    /// There is no such site any more.
    Gone(SiteCode),
}

/// When and what a shard was last heard to say of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// Whether all of its sites are known.
    pub(crate) is_complete: bool,
    /// By the monotonic clock.
    pub(crate) at: Duration,
    /// By the wall clock, Unix milliseconds.
    pub(crate) at_unix_ms: i64,
    /// Age of what it, as a source of sales, had not yet delivered, milliseconds.
    pub(crate) outbox_lag_ms: u64,
}

/// What only the feed changes.
#[derive(Debug, Default)]
struct Book {
    feeds: Feeds,
    /// Of the last change.
    version: u64,
}

/// See the module's documentation.
pub(crate) struct Snapshot {
    env: Env,
    /// Whether anybody looks: otherwise rows are not rendered, indexes not built, changes not gathered.
    is_public: bool,
    book: Mutex<Book>,
    sites: RwLock<HashMap<SiteCode, Arc<Site>>>,
    heard: RwLock<BTreeMap<ShardId, Heard>>,
    shown: RwLock<Shown>,
    atlas: RwLock<Arc<Atlas>>,
    /// Whether sites came, went or moved since the atlas was made.
    is_outdated: AtomicBool,
    changes: Mutex<Vec<Change>>,
    has_changed: Notify,
}

impl Snapshot {
    pub(crate) fn new(env: Env, is_public: bool) -> Snapshot {
        let shown = Shown {
            product: None,
            zone: TimeZone::UTC,
        };
        Snapshot {
            env,
            is_public,
            book: Mutex::default(),
            sites: RwLock::default(),
            heard: RwLock::default(),
            shown: RwLock::new(shown),
            atlas: RwLock::new(Arc::new(Atlas::empty())),
            is_outdated: AtomicBool::new(false),
            changes: Mutex::default(),
            has_changed: Notify::new(),
        }
    }

    /// Whether the site was suspended when last heard of; a site not heard of is not.
    pub(crate) fn is_suspended(&self, site: &SiteCode) -> bool {
        let site = read(&self.sites).get(site).cloned();
        site.is_some_and(|site| site.now().suspended)
    }

    /// Takes in one piece of the site feed.
    pub(crate) fn apply(&self, frame: SiteFrame) {
        let shard = frame.shard;
        let mut book = lock(&self.book);
        if !book.feeds.accept(&frame) {
            tracing::debug!(
                shard = shard.get(),
                term = frame.term,
                "a void piece of the site feed"
            );
            return;
        }
        let shown = self.is_public.then(|| self.shown());
        for news in frame.sites {
            book.feeds.named(shard, news.profile.code);
            book.version += 1;
            self.put(news, book.version, shown.as_ref());
        }
        if frame.snapshot_end {
            for code in book.feeds.finish(shard) {
                self.remove(&code);
            }
        }
        let heard = Heard {
            is_complete: book.feeds.is_complete(shard),
            at: self.env.monotonic(),
            at_unix_ms: self.env.unix_ms(),
            outbox_lag_ms: frame.outbox_lag_ms,
        };
        write(&self.heard).insert(shard, heard);
    }

    fn put(&self, news: SiteNews, version: u64, shown: Option<&Shown>) {
        let code = news.profile.code;
        let known = read(&self.sites).get(&code).cloned();
        if let Some(site) = known.filter(|site| site.profile == news.profile) {
            if site.update(news, version, shown) {
                self.tell(site);
            }
            return;
        }
        let site = Arc::new(Site::new(news, version, shown));
        write(&self.sites).insert(code, site.clone());
        self.is_outdated.store(true, Ordering::Release);
        self.tell(site);
    }

    fn remove(&self, code: &SiteCode) {
        write(&self.sites).remove(code);
        self.is_outdated.store(true, Ordering::Release);
        self.queue(Change::Gone(*code));
    }

    fn tell(&self, site: Arc<Site>) {
        // Queued once, however often it changes before it is told: so the queue is never longer than the
        // list of sites.
        if self.is_public && site.enqueue() {
            self.queue(Change::Site(site));
        }
    }

    fn queue(&self, change: Change) {
        if self.is_public {
            lock(&self.changes).push(change);
            self.has_changed.notify_one();
        }
    }

    /// How stock is shown from now on. Renders every row anew if that is news.
    pub(crate) fn show(&self, shown: Shown) {
        // No piece of the feed comes in between.
        let _book = lock(&self.book);
        {
            let mut known = write(&self.shown);
            if known.product == shown.product && known.zone == shown.zone {
                return;
            }
            *known = shown.clone();
        }
        for site in read(&self.sites).values() {
            site.show(Some(&shown));
        }
    }

    pub(crate) fn shown(&self) -> Shown {
        read(&self.shown).clone()
    }

    /// The sites in order and the indexes over them.
    pub(crate) fn atlas(&self) -> Arc<Atlas> {
        read(&self.atlas).clone()
    }

    /// Completes when something has changed since it last completed.
    pub(crate) async fn changed(&self) {
        self.has_changed.notified().await;
    }

    /// What has changed since this was last asked, each site once, in the order of its first change.
    pub(crate) fn take_changes(&self) -> Vec<Change> {
        let changes = std::mem::take(&mut *lock(&self.changes));
        for change in &changes {
            if let Change::Site(site) = change {
                site.dequeue();
            }
        }
        changes
    }

    /// Whether sites came, went or moved since the atlas was made.
    pub(crate) fn is_outdated(&self) -> bool {
        self.is_outdated.load(Ordering::Acquire)
    }

    /// Makes the atlas anew.
    pub(crate) fn refresh(&self) {
        self.is_outdated.store(false, Ordering::Release);
        let sites = read(&self.sites).values().cloned().collect();
        let next = Arc::new(self.atlas().next(sites));
        *write(&self.atlas) = next;
    }

    /// The last that was heard of each shard.
    pub(crate) fn heard(&self) -> BTreeMap<ShardId, Heard> {
        read(&self.heard).clone()
    }
}

// No code panics while it holds one of these locks, so what they guard is whole.

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
