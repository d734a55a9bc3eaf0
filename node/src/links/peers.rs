//! Connections to the other nodes' replicas.
//!
//! State owned: one link per node, kept connected in the background from its first use on. A session
//! lives on the connection it was opened on and ends with it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use quorate_link::env::Env;
use quorate_proto::ids::NodeId;
use quorate_proto::internal::{Envelope, SessionEnd, SnapshotFrame, SnapshotReply, envelope};
use tokio::sync::mpsc;

use super::Calls;
use super::frames::peer_frames;
use crate::failure::{Cause, Failure};
use crate::limits;
use crate::raft::{PeerNetwork, PeerSession, PeerUnreachable, Route, SessionSender};
use crate::storage::Witness;

/// Links to every other node.
pub(crate) struct PeerLinks {
    parts: Arc<Parts>,
    links: Mutex<BTreeMap<NodeId, Arc<Link>>>,
}

/// What a link is made with.
struct Parts {
    cluster_id: String,
    this: NodeId,
    calls: Arc<dyn Calls>,
    env: Env,
    witness: Arc<Witness>,
    failure: Failure,
}

/// The connection to one node, present or being attempted.
struct Link {
    sessions_opened: AtomicU64,
    connection: Mutex<Option<Connection>>,
}

struct Connection {
    outgoing: mpsc::Sender<Envelope>,
    replies: BTreeMap<u64, mpsc::Sender<Envelope>>,
}

impl PeerLinks {
    pub(crate) fn new(
        cluster_id: String,
        this: NodeId,
        calls: Arc<dyn Calls>,
        env: Env,
        witness: Arc<Witness>,
        failure: Failure,
    ) -> Self {
        Self {
            parts: Arc::new(Parts {
                cluster_id,
                this,
                calls,
                env,
                witness,
                failure,
            }),
            links: Mutex::new(BTreeMap::new()),
        }
    }

    /// The link to a node; its first use starts connecting.
    fn link(&self, node: NodeId) -> Arc<Link> {
        let mut links = self.links.lock().expect("no holder of the links panics");
        let link = links.entry(node).or_insert_with(|| {
            let link = Arc::new(Link {
                sessions_opened: AtomicU64::new(0),
                connection: Mutex::new(None),
            });
            self.parts.env.spawn(
                "peer link",
                keep_connected(Arc::clone(&self.parts), node, Arc::clone(&link)),
            );
            link
        });
        Arc::clone(link)
    }
}

impl PeerNetwork for PeerLinks {
    fn open(&self, route: Route) -> Result<PeerSession, PeerUnreachable> {
        let link = self.link(route.node);
        let session = link.sessions_opened.fetch_add(1, Ordering::Relaxed);
        let (sender, replies) = mpsc::channel(limits::SESSION_REPLIES);
        let outgoing = {
            let mut connection = link.lock();
            let connection = connection.as_mut().ok_or_else(|| PeerUnreachable {
                node: route.node,
                detail: "not connected".to_owned(),
            })?;
            connection.replies.insert(session, sender);
            connection.outgoing.clone()
        };
        Ok(PeerSession {
            sender: SessionSender {
                route,
                session,
                seq: 0,
                outgoing: outgoing.clone(),
            },
            replies,
            guard: Box::new(OpenSession {
                link,
                route,
                session,
                outgoing,
            }),
        })
    }

    fn send_snapshot(
        &self,
        node: NodeId,
        frames: BoxStream<'static, SnapshotFrame>,
    ) -> BoxFuture<'static, Result<SnapshotReply, PeerUnreachable>> {
        self.parts.calls.install_snapshot(node, frames)
    }
}

/// Ends its session on both sides when dropped.
struct OpenSession {
    link: Arc<Link>,
    route: Route,
    session: u64,
    outgoing: mpsc::Sender<Envelope>,
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        if let Some(connection) = self.link.lock().as_mut() {
            connection.replies.remove(&self.session);
        }
        // With a full queue the receiver learns of the end when the session's number never comes again.
        let _ = self.outgoing.try_send(Envelope {
            group: self.route.group.get(),
            from_replica: self.route.from.get(),
            to_replica: self.route.to.get(),
            session: self.session,
            seq: 0,
            body: Some(envelope::Body::End(SessionEnd {})),
        });
    }
}

impl Link {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Connection>> {
        self.connection
            .lock()
            .expect("no holder of the connection panics")
    }

    fn deliver(&self, reply: Envelope) {
        let mut connection = self.lock();
        let Some(connection) = connection.as_mut() else {
            return;
        };
        let session = reply.session;
        let delivered = match connection.replies.get(&session) {
            Some(queue) => queue.try_send(reply).is_ok(),
            None => true,
        };
        if !delivered {
            connection.replies.remove(&session);
        }
    }
}

async fn keep_connected(parts: Arc<Parts>, node: NodeId, link: Arc<Link>) {
    let mut pause = limits::RECONNECT_PAUSE_MIN;
    let mut reachable = true;
    loop {
        match run_connection(&parts, node, &link).await {
            Ok(()) => {
                pause = limits::RECONNECT_PAUSE_MIN;
                reachable = true;
            }
            Err(error) => {
                // Once, however long it lasts.
                if std::mem::replace(&mut reachable, false) {
                    tracing::warn!(%error, "trying again");
                }
                pause = (2 * pause).min(limits::RECONNECT_PAUSE_MAX);
            }
        }
        // Closes every session: their reply queues go with the connection.
        *link.lock() = None;
        parts.env.sleep(pause).await;
    }
}

/// Connects and serves one connection to its end.
async fn run_connection(parts: &Parts, node: NodeId, link: &Link) -> Result<(), PeerUnreachable> {
    let (outgoing, queue) = mpsc::channel(limits::PEER_QUEUE);
    let frames = peer_frames(
        queue,
        parts.cluster_id.clone(),
        parts.this,
        Arc::clone(&parts.witness),
        move || Some(node),
    );
    let mut replies = parts.calls.exchange(node, frames.boxed()).await?;
    tracing::info!(%node, "connected to another node");
    *link.lock() = Some(Connection {
        outgoing,
        replies: BTreeMap::new(),
    });
    while let Some(frame) = replies.next().await {
        if let Err(outdated) = parts.witness.hear(node, frame.disk.as_ref()) {
            parts
                .failure
                .raise(Cause::new("vouching for this disk", outdated));
            break;
        }
        for reply in frame.envelopes {
            link.deliver(reply);
        }
    }
    tracing::debug!(%node, "link lost");
    Ok(())
}
