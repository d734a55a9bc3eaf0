//! The cluster view as this node knows it, and how it learns a newer one.
//!
//! Invariant: the version of the published view never falls.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use futures_util::StreamExt as _;
use quorate_core::ledger::Program;
use quorate_core::{codec, system};
use quorate_link::env::Env;
use quorate_proto::ids::NodeId;
use quorate_proto::shard_map::ShardMap;
use quorate_proto::storage::ClusterView;
use tokio::sync::watch;

use super::propose::SystemSlot;
use crate::failure::{Cause, Failure};
use crate::limits;
use crate::links::Calls;

/// A parsed cluster view.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) map: ShardMap,
    pub(crate) programs: Vec<Program>,
    /// As received, to be passed on.
    pub(crate) message: ClusterView,
}

impl View {
    /// Parses a view.
    ///
    /// # Errors
    /// It breaks a law of the shard map, or holds a program that cannot be read.
    pub(crate) fn parse(message: ClusterView) -> Result<Self, String> {
        let map = ShardMap::new(&message).map_err(|e| e.to_string())?;
        let programs = message
            .programs
            .iter()
            .cloned()
            .map(codec::program_from_proto)
            .collect::<Result<_, _>>()
            .map_err(|e| e.to_string())?;
        Ok(Self {
            map,
            programs,
            message,
        })
    }
}

/// Where nodes are reached: from the configuration first, then from the view.
pub struct AddressBook {
    addresses: RwLock<BTreeMap<NodeId, String>>,
}

impl AddressBook {
    /// Knows these from the start.
    pub fn new(initial: impl IntoIterator<Item = (NodeId, String)>) -> Arc<Self> {
        Arc::new(Self {
            addresses: RwLock::new(initial.into_iter().collect()),
        })
    }

    /// The address of a node.
    pub fn of(&self, node: NodeId) -> Option<String> {
        let addresses = self
            .addresses
            .read()
            .expect("no holder of the address book panics");
        addresses.get(&node).cloned()
    }

    /// Every known node.
    pub fn nodes(&self) -> Vec<NodeId> {
        let addresses = self
            .addresses
            .read()
            .expect("no holder of the address book panics");
        addresses.keys().copied().collect()
    }

    fn take(&self, map: &ShardMap) {
        let mut addresses = self
            .addresses
            .write()
            .expect("no holder of the address book panics");
        for node in map.nodes() {
            addresses.insert(node.id, node.address.clone());
        }
    }
}

/// Publishes a view if it is newer; also whether it was.
fn publish(
    views: &watch::Sender<Option<Arc<View>>>,
    addresses: &AddressBook,
    message: ClusterView,
) -> Result<bool, String> {
    let known = views.borrow().as_ref().map(|view| view.map.version());
    if known.is_some_and(|known| known >= message.version) {
        return Ok(false);
    }
    let view = Arc::new(View::parse(message)?);
    addresses.take(&view.map);
    tracing::debug!(version = view.map.version(), "a newer cluster view");
    views.send_replace(Some(view));
    Ok(true)
}

/// Follows the system shard's state where a replica of it is here.
pub(crate) async fn run_local_view(
    mut slot: watch::Receiver<Option<Arc<crate::raft::Group>>>,
    views: Arc<watch::Sender<Option<Arc<View>>>>,
    addresses: Arc<AddressBook>,
    failure: Failure,
) {
    let Ok(group) = slot
        .wait_for(Option::is_some)
        .await
        .map(|slot| slot.clone())
    else {
        return;
    };
    let Some(group) = group else {
        return;
    };
    let mut applied = group.state().watch_applied();
    loop {
        applied.borrow_and_update();
        let published = group
            .state()
            .read(|state, _| system::view(state))
            .map_err(|e| e.to_string())
            .and_then(|view| match view {
                Some(message) => publish(&views, &addresses, message),
                None => Ok(false),
            });
        if let Err(error) = published {
            failure.raise(Cause::new("reading the cluster view", error));
            return;
        }
        if applied.changed().await.is_err() {
            return;
        }
    }
}

/// Follows other nodes while no replica of the system shard is here.
///
/// Nobody is followed for ever: whoever holds no replica either may be following us, and a node that is cut off
/// looks like one that has no news.
pub(crate) async fn run_remote_view(
    this: NodeId,
    slot: SystemSlot,
    views: Arc<watch::Sender<Option<Arc<View>>>>,
    addresses: Arc<AddressBook>,
    calls: Arc<dyn Calls>,
    env: Env,
) {
    loop {
        for node in addresses.nodes() {
            if slot.borrow().is_some() {
                return;
            }
            if node == this {
                continue;
            }
            let patience = match holds_system(&views, node) {
                true => limits::VIEW_FOLLOWED_MAX,
                false => limits::VIEW_GLANCE_MAX,
            };
            let follow = follow(node, &slot, &views, &addresses, &*calls);
            // What it told until then is published; the next one goes on from there.
            let _ = env.timeout(patience, follow).await;
        }
        env.sleep(limits::RECONNECT_PAUSE_MAX).await;
    }
}

/// Whether this node holds a replica of the system shard, by the newest view that is known here.
fn holds_system(views: &watch::Sender<Option<Arc<View>>>, node: NodeId) -> bool {
    let known = views.borrow();
    let system = known.as_ref().map(|view| view.map.system());
    system.is_some_and(|system| system.replica_on(node).is_some())
}

/// Publishes what one node tells, until it tells no more or a replica of the system shard is here.
async fn follow(
    node: NodeId,
    slot: &SystemSlot,
    views: &watch::Sender<Option<Arc<View>>>,
    addresses: &AddressBook,
    calls: &dyn Calls,
) {
    let Ok(mut events) = calls.watch(node).await else {
        return;
    };
    while let Some(event) = events.next().await {
        let Some(message) = event.view else {
            continue;
        };
        if let Err(error) = publish(views, addresses, message) {
            tracing::warn!(%node, error, "a cluster view that cannot be read");
            return;
        }
        if slot.borrow().is_some() {
            return;
        }
    }
}
