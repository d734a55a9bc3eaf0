//! Tells a gateway every site of the shards that this node leads, then every change.
//!
//! State owned: per subscriber and shard, the sites touched since they were last told. Invariants: a snapshot
//! begins only once this node has proved that it leads and has applied everything before; what changes while
//! it is sent is told behind it; a frame is sent at least every [`limits::SITE_FEED_HEARTBEAT`]. A slow
//! subscriber is told less often, never more at once. Deliberately absent: anything of citizens.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use quorate_core::{CoreError, codec, ledger};
use quorate_link::env::Env;
use quorate_proto::ids::{ShardId, SiteKey};
use quorate_proto::internal::{SiteFrame, SiteState};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::limits;
use crate::raft::{Group, TouchedSites};
use crate::shard::Host;

/// Frames for one subscriber, until it goes or the node stops.
pub(super) fn watch_sites(host: &Arc<Host>, env: &Env) -> BoxStream<'static, SiteFrame> {
    let (frames, queue) = mpsc::channel(limits::SITE_FRAMES_QUEUED);
    env.spawn("site feed", feed(Arc::clone(host), env.clone(), frames));
    ReceiverStream::new(queue).boxed()
}

/// Starts a feeder for every replica, also for those that are created later.
async fn feed(host: Arc<Host>, env: Env, frames: mpsc::Sender<SiteFrame>) {
    let mut leaders = host.leaders();
    let mut fed: BTreeSet<ShardId> = BTreeSet::new();
    loop {
        leaders.borrow_and_update();
        for group in host.groups() {
            if group.shard() != ShardId::SYSTEM && fed.insert(group.shard()) {
                let feeder = Feeder {
                    host: Arc::clone(&host),
                    group,
                    env: env.clone(),
                    frames: frames.clone(),
                };
                env.spawn("site feeder", feeder.run());
            }
        }
        tokio::select! {
            biased;
            () = frames.closed() => return,
            changed = leaders.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Feeds one subscriber with the sites of one shard.
struct Feeder {
    host: Arc<Host>,
    group: Arc<Group>,
    env: Env,
    frames: mpsc::Sender<SiteFrame>,
}

/// Why a feeder cannot go on.
enum Ended {
    /// The subscriber has gone, or the node stops.
    Gone,
    /// Another node leads now.
    Deposed,
}

impl From<CoreError> for Ended {
    /// Damaged state is never served: the node has been told to stop.
    fn from(_: CoreError) -> Self {
        Ended::Gone
    }
}

impl Feeder {
    async fn run(self) {
        let mut leadership = self.group.leadership();
        loop {
            let term = tokio::select! {
                biased;
                () = self.frames.closed() => return,
                now = leadership.wait_for(|now| now.here || now.failure.is_some()) => match now {
                    Ok(now) if now.here => now.term,
                    _ => return,
                },
            };
            let proved = self
                .env
                .timeout(limits::LINEARIZE_TIMEOUT, self.group.linearize())
                .await;
            let ended = match proved {
                Ok(Ok(())) => self.lead(term).await,
                _ => Ended::Deposed,
            };
            match ended {
                Ended::Gone => return,
                Ended::Deposed => self.env.sleep(limits::SITE_FEED_PAUSE).await,
            }
        }
    }

    /// Feeds for as long as this node leads in this term.
    async fn lead(&self, term: u64) -> Ended {
        let touched = self.group.state().books().follow_sites();
        loop {
            let told = async {
                self.snapshot(term).await?;
                self.changes(term, &touched).await
            };
            match told.await {
                Ok(()) => touched.take(),
                Err(ended) => return ended,
            };
        }
    }

    async fn snapshot(&self, term: u64) -> Result<(), Ended> {
        let mut after = None;
        loop {
            let (sites, mut frame) = self.read(term, |view| {
                let range = ledger::facts(view, self.group.shard())?.range();
                let page = match range {
                    Some(range) => ledger::site_keys(view, range, after, limits::SITES_PER_FRAME)?,
                    None => Vec::new(),
                };
                Ok((page.clone(), states(view, page)?))
            })?;
            frame.snapshot_start = after.is_none();
            frame.snapshot_end = sites.len() < limits::SITES_PER_FRAME;
            after = sites.last().copied();
            let last = frame.snapshot_end;
            self.send(frame).await?;
            if last {
                return Ok(());
            }
        }
    }

    /// Tells what is touched. Returns when the state was replaced and a snapshot is needed.
    async fn changes(&self, term: u64, touched: &TouchedSites) -> Result<(), Ended> {
        let mut leadership = self.group.leadership();
        loop {
            tokio::select! {
                biased;
                () = self.frames.closed() => return Err(Ended::Gone),
                deposed = leadership.wait_for(|now| !now.here || now.term != term) => {
                    return Err(deposed.map_or(Ended::Gone, |_| Ended::Deposed));
                }
                () = touched.news() => {}
                () = self.env.sleep(limits::SITE_FEED_HEARTBEAT) => {}
            }
            // Whatever is touched in the meantime is told with it.
            self.env.sleep(limits::SITE_FEED_PAUSE).await;
            let news = touched.take();
            if news.replaced {
                return Ok(());
            }
            let sites: Vec<SiteKey> = news.sites.into_iter().collect();
            let mut parts = sites.chunks(limits::SITES_PER_FRAME);
            // Without news the frame is a heartbeat.
            let mut part = parts.next().unwrap_or_default();
            loop {
                let (_, frame) =
                    self.read(term, |view| Ok(((), states(view, part.iter().copied())?)))?;
                self.send(frame).await?;
                match parts.next() {
                    Some(next) => part = next,
                    None => break,
                }
            }
        }
    }

    /// Reads sites at one log index and makes a frame of them.
    fn read<T>(
        &self,
        term: u64,
        read: impl FnOnce(&dyn quorate_core::View) -> Result<(T, Vec<SiteState>), CoreError>,
    ) -> Result<(T, SiteFrame), CoreError> {
        let state = self.group.state();
        let read = state.read(|view, point| {
            let (result, sites) = read(view)?;
            let clock_ms = ledger::facts(view, self.group.shard())?.clock_ms();
            let frame = SiteFrame {
                shard: self.group.shard().get(),
                term,
                log_index: point.map_or(0, |id| id.index),
                snapshot_start: false,
                snapshot_end: false,
                sites,
                clock_ms,
                outbox_lag_ms: millis(state.books().lag(self.env.monotonic())),
            };
            Ok((result, frame))
        });
        read.inspect_err(|error: &CoreError| self.host.failure().raise(error.clone()))
    }

    async fn send(&self, frame: SiteFrame) -> Result<(), Ended> {
        self.frames.send(frame).await.map_err(|_| Ended::Gone)
    }
}

fn states(
    view: &dyn quorate_core::View,
    sites: impl IntoIterator<Item = SiteKey>,
) -> Result<Vec<SiteState>, CoreError> {
    let mut states = Vec::new();
    for site in sites {
        states.extend(ledger::shown_site(view, &site)?.map(codec::site_state_to_proto));
    }
    Ok(states)
}

/// Whole milliseconds, for a report.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
