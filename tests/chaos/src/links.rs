//! The links between processes: a TCP proxy in front of every node, which knows who connects.
//!
//! Nodes tell each other the addresses of these proxies, so that everything between nodes, and between
//! gateways and nodes, passes through here. Rules are by direction of flow, from one process to another,
//! whoever opened the connection: what a partition one way means. Invariant: with no rule, bytes pass in
//! order and unchanged, and the end of one side is told to the other. Deliberately absent: changed bytes;
//! TLS would see them, and a connection that breaks is `Quality::breaks`.

mod connection;
mod party;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use quorate_link::{Env, TaskHandle};
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use connection::{Ends, carry};
pub use party::{Parties, Party};

/// How bytes fare in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// Nothing gets through; what was sent waits.
    pub cut: bool,
    /// Everything is this late.
    pub delay: Duration,
    /// And by up to so much more. Order is kept.
    pub jitter: Duration,
    /// No more than this, if anything.
    pub bytes_per_second: Option<u64>,
    /// Of a thousand pieces, how many break their connection instead of arriving.
    pub breaks: u32,
}

/// What links have done, over all of them.
#[derive(Debug, Default)]
pub struct Tally {
    pub(crate) held: AtomicU64,
    pub(crate) pieces_delayed: AtomicU64,
    pub(crate) resets: AtomicU64,
    pub(crate) half_closes: AtomicU64,
    pub(crate) broken: AtomicU64,
}

/// A [`Tally`] at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Pieces and connections that had to wait for a cut to end.
    pub held: u64,
    /// Pieces that were delayed.
    pub pieces_delayed: u64,
    /// Connections that were reset, as [`Quality::breaks`] says.
    pub resets: u64,
    /// Connections that were closed in one direction, as it says too.
    pub half_closes: u64,
    /// Connections that [`Links::break_all`] has reset.
    pub broken: u64,
}

impl Tally {
    /// Everything so far.
    #[must_use]
    pub fn read(&self) -> Counted {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted {
            held: read(&self.held),
            pieces_delayed: read(&self.pieces_delayed),
            resets: read(&self.resets),
            half_closes: read(&self.half_closes),
            broken: read(&self.broken),
        }
    }
}

impl Counted {
    /// What has happened since.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            held: self.held - before.held,
            pieces_delayed: self.pieces_delayed - before.pieces_delayed,
            resets: self.resets - before.resets,
            half_closes: self.half_closes - before.half_closes,
            broken: self.broken - before.broken,
        }
    }
}

/// What all connections share.
pub(crate) struct Shared {
    rules: RwLock<BTreeMap<(Party, Party), Quality>>,
    /// Changes whenever the rules do.
    changed: watch::Sender<u64>,
    /// Changes whenever open connections shall break.
    broken: watch::Sender<u64>,
    pub(crate) tally: Tally,
    pub(crate) env: Env,
    random: Mutex<StdRng>,
}

impl Shared {
    pub(crate) fn quality(&self, from: Party, to: Party) -> Quality {
        let rules = self.rules.read().expect("no holder of the rules panics");
        rules.get(&(from, to)).copied().unwrap_or_default()
    }

    /// Waits until nothing cuts this direction.
    pub(crate) async fn until_open(&self, from: Party, to: Party) {
        let mut changed = self.changed.subscribe();
        if self.quality(from, to).cut {
            self.tally.held.fetch_add(1, Ordering::Relaxed);
        }
        while self.quality(from, to).cut {
            // The sender lives as long as these rules.
            if changed.changed().await.is_err() {
                break;
            }
        }
    }

    pub(crate) fn random<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.random.lock().expect("no holder of the dice panics"))
    }

    pub(crate) fn breaks(&self) -> watch::Receiver<u64> {
        self.broken.subscribe()
    }
}

/// All links of a cluster.
pub struct Links {
    shared: Arc<Shared>,
    parties: Arc<Parties>,
    listeners: Vec<TaskHandle>,
}

impl Links {
    /// No links yet.
    #[must_use]
    pub fn new(parties: Arc<Parties>, env: Env, seed: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                rules: RwLock::default(),
                changed: watch::Sender::new(0),
                broken: watch::Sender::new(0),
                tally: Tally::default(),
                env,
                random: Mutex::new(StdRng::seed_from_u64(seed)),
            }),
            parties,
            listeners: Vec::new(),
        }
    }

    /// Lays the link to a node: who connects to `at` is passed on to `node_listens_at`.
    ///
    /// # Errors
    /// The address is taken.
    pub async fn lay(
        &mut self,
        to: Party,
        at: SocketAddr,
        node_listens_at: SocketAddr,
    ) -> anyhow::Result<()> {
        let listener = TcpListener::bind(at)
            .await
            .with_context(|| format!("a link at {at}"))?;
        let (shared, parties) = (self.shared.clone(), self.parties.clone());
        let serve = async move {
            loop {
                // Out of files or reset before it was accepted: the next may be better.
                let Ok((stream, from)) = listener.accept().await else {
                    shared.env.sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let from = parties.behind(from.port(), at.port());
                let ends = Ends { from, to };
                let connection = connect(shared.clone(), ends, stream, node_listens_at);
                shared.env.spawn("link", Box::pin(connection));
            }
        };
        let task = self.shared.env.spawn("links", Box::pin(serve));
        self.listeners.push(task);
        Ok(())
    }

    /// How bytes fare from one process to another, from now on.
    pub fn set(&self, from: Party, to: Party, quality: Quality) {
        let mut rules = self.shared.rules.write().expect("no holder panics");
        rules.insert((from, to), quality);
        drop(rules);
        self.shared.changed.send_modify(|version| *version += 1);
    }

    /// The same in both directions.
    pub fn set_both(&self, one: Party, other: Party, quality: Quality) {
        self.set(one, other, quality);
        self.set(other, one, quality);
    }

    /// Everything passes again.
    pub fn heal(&self) {
        self.shared.rules.write().expect("no holder panics").clear();
        self.shared.changed.send_modify(|version| *version += 1);
    }

    /// Breaks every connection that is open now.
    pub fn break_all(&self) {
        self.shared.broken.send_modify(|version| *version += 1);
    }

    /// What has happened so far.
    #[must_use]
    pub fn tally(&self) -> Counted {
        self.shared.tally.read()
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
        self.break_all();
    }
}

async fn connect(shared: Arc<Shared>, ends: Ends, from: TcpStream, node_listens_at: SocketAddr) {
    let mut broken = shared.breaks();
    let open = async {
        // A connection needs both directions.
        shared.until_open(ends.from, ends.to).await;
        shared.until_open(ends.to, ends.from).await;
        TcpStream::connect(node_listens_at).await
    };
    let to = tokio::select! {
        to = open => to,
        _ = broken.changed() => return,
    };
    match to {
        Ok(to) => carry(shared, ends, from, to).await,
        // Nobody listens: what the one who connects would be told without a link.
        Err(_) => connection::reset(&from),
    }
}
