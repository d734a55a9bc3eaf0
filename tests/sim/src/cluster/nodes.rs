//! Nodes: their starts and their deaths.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::keys;
use quorate_node::seams::{AddressBook, NodeParts, RunningNode};
use quorate_node::{ClusterConfig, InitialNode, Purpose};
use quorate_proto::ids::{NodeId, ShardId};
use tokio::sync::oneshot;

use super::{CLUSTER, Cluster, Death, Running};
use crate::coverage::Event;
use crate::disk::Crash;
use crate::invariants::Life;
use crate::net::Place;
use crate::net::dial::address;
use crate::net::peers::NodeCalls;

/// A node that stopped by itself is started again after this long.
const RESTART_PAUSE: Duration = Duration::from_millis(400);
/// An orderly stop that takes longer is a kill.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

impl Cluster {
    /// Starts a node that is down, and waits until it has started or died.
    pub async fn start(self: &Arc<Self>, place: Place) {
        let (life, parts) = {
            let mut state = self.lock();
            state.starts += 1;
            let start = state.starts;
            let Some(node) = state.nodes.get_mut(&place) else {
                return;
            };
            if node.up.is_some() {
                return;
            }
            let life = Life {
                node: place,
                disk: node.disk,
                start,
            };
            let parts = self.node_parts(place, node.disk, node.founding);
            node.paused = false;
            node.up = Some(Running {
                life,
                failures_before: self.disk(place).failures(),
                node: None,
                watchers: Vec::new(),
            });
            (life, parts)
        };
        let env = parts.env.clone();
        self.parts.network.up(place, env.clone(), None);
        self.parts
            .log
            .say(format_args!("start: node {place} disk {}", life.disk));
        let (tell, told) = oneshot::channel();
        env.spawn("start", async move {
            // Nobody waits for a node that was killed meanwhile.
            let _ = tell.send(RunningNode::start(parts).await);
        });
        match told.await {
            Ok(Ok(node)) => self.started(life, &node),
            Ok(Err(error)) => self.stopped_itself(life, error.to_string()),
            // Killed on the way up.
            Err(_) => {}
        }
    }

    fn node_parts(&self, place: Place, disk: u64, founding: bool) -> NodeParts {
        let env = self.parts.tasks.env(place);
        let cluster = ClusterConfig {
            cluster_id: CLUSTER.to_owned(),
            shards: self.plan().shards,
            initial_nodes: self
                .plan()
                .node_places()
                .map(|place| InitialNode {
                    node_id: NodeId::new(place),
                    address: address(place),
                    zone: format!("zone-{place}"),
                })
                .collect(),
            purpose: Purpose::Production,
            clock: None,
        };
        let disk_here = &self.parts.disks[&place];
        let shards =
            std::iter::once(ShardId::SYSTEM).chain((1..=self.plan().shards).map(ShardId::new));
        let redone = shards.filter(|shard| disk_here.has_log(&keys::raft::installing(*shard)));
        let redone = redone.count() as u64;
        self.parts.coverage.event(Event::InstallRedone, redone);
        let addresses = self
            .plan()
            .node_places()
            .map(|place| (NodeId::new(place), address(place)));
        NodeParts {
            cluster,
            node: NodeId::new(place),
            advertise: address(place),
            zone: format!("zone-{place}"),
            incarnation: place * 1_000 + disk,
            founding,
            engine: disk_here.open(env.clone()),
            calls: Arc::new(NodeCalls {
                network: self.parts.network.clone(),
                here: place,
                overhear: Arc::new(self.parts.judges.clone()),
                coverage: self.parts.coverage.clone(),
            }),
            addresses: AddressBook::new(addresses),
            upkeep: self.plan().upkeep,
            env,
        }
    }

    fn started(self: &Arc<Self>, life: Life, node: &Arc<RunningNode>) {
        if !self.is_alive(life) {
            return;
        }
        self.parts.network.serves(life.node, Arc::clone(node));
        let mut watchers = self.watch(life, node);
        let (cluster, failing) = (self.clone(), Arc::clone(node));
        watchers.push(self.parts.env.spawn("failure", async move {
            let why = failing.failure().await;
            drop(failing);
            cluster.stopped_itself(life, why);
        }));
        let mut state = self.lock();
        if let Some(up) = state
            .nodes
            .get_mut(&life.node)
            .and_then(|node| node.up.as_mut())
        {
            up.node = Some(Arc::clone(node));
            up.watchers = watchers;
        }
    }

    /// A node cannot go on. It is started again, as a supervisor would.
    fn stopped_itself(self: &Arc<Self>, life: Life, why: String) {
        if !self.is_alive(life) {
            return;
        }
        self.parts
            .log
            .say(format_args!("node {} stopped itself: {why}", life.node));
        self.event(Event::NodeStopped);
        let failures = self.disk(life.node).failures();
        let gave_cause = {
            let mut state = self.lock();
            let node = state.nodes.get_mut(&life.node);
            node.is_some_and(|node| {
                node.stops += 1;
                let up = node.up.as_ref();
                up.is_some_and(|up| failures > up.failures_before)
            })
        };
        if !gave_cause {
            let detail = format!("node {} stopped itself: {why}", life.node);
            self.parts.judges.find("nodes stop for a reason", detail);
        }
        // What a sync that failed was to make durable is there or not: sometimes the power goes with the node.
        let death = match self.parts.env.random_u64() % 2 {
            0 => Death::Killed,
            _ => Death::PowerCut,
        };
        self.bury(life, death);
        let cluster = self.clone();
        self.parts.env.spawn("supervisor", async move {
            loop {
                cluster.parts.env.sleep(RESTART_PAUSE).await;
                let faulty = {
                    let state = cluster.lock();
                    let node = state.nodes.get(&life.node);
                    node.is_some_and(|node| node.faulty > 0 && node.up.is_none())
                };
                if !faulty {
                    return cluster.start(life.node).await;
                }
            }
        });
    }

    /// A node dies. False if it was down: its disk loses its power all the same.
    pub async fn die(self: &Arc<Self>, place: Place, death: Death) -> bool {
        let (life, node) = {
            let state = self.lock();
            match state.nodes.get(&place).and_then(|node| node.up.as_ref()) {
                Some(up) => (up.life, up.node.clone()),
                None => {
                    drop(state);
                    if death == Death::PowerCut {
                        self.crash_disk(place, Crash::Power);
                    }
                    return false;
                }
            }
        };
        if death == Death::Stopped
            && let Some(node) = node
        {
            // Only a node whose tasks run can stop in an orderly way.
            self.resume(place);
            let (tell, told) = oneshot::channel();
            self.parts.tasks.env(place).spawn("stop", async move {
                node.shutdown().await;
                // Nobody waits if it took too long.
                let _ = tell.send(());
            });
            let env = &self.parts.env;
            // Whether it stopped or not: what is left of it goes now.
            let _ = env.timeout(STOP_TIME_MAX, told).await;
        }
        if !self.is_alive(life) {
            return false;
        }
        self.parts
            .log
            .say(format_args!("death: node {place} {death:?}"));
        self.bury(life, death);
        true
    }

    /// Lets a node's disk see how it died, and drops whatever it was.
    fn bury(&self, life: Life, death: Death) {
        let up = {
            let mut state = self.lock();
            let Some(node) = state.nodes.get_mut(&life.node) else {
                return;
            };
            node.paused = false;
            node.up.take()
        };
        if let Some(up) = &up {
            for watcher in &up.watchers {
                watcher.abort();
            }
        }
        let crash = match death {
            Death::Stopped | Death::Killed => Crash::Process,
            Death::PowerCut => Crash::Power,
        };
        // First, so that nothing is written by what is dropped.
        self.crash_disk(life.node, crash);
        self.parts.tasks.kill(life.node);
        self.parts.network.down(life.node, death == Death::PowerCut);
        drop(up);
    }

    /// Ends everybody. Nodes and the network hold each other, and would stay after the run.
    pub fn end(&self) {
        let lives: Vec<Life> = {
            let state = self.lock();
            let up = state.nodes.values().filter_map(|node| node.up.as_ref());
            up.map(|up| up.life).collect()
        };
        for life in lives {
            self.bury(life, Death::PowerCut);
        }
        for place in self.plan().gateway_places() {
            self.kill_gateway(place);
        }
    }

    fn crash_disk(&self, place: Place, how: Crash) {
        let report = self.parts.disks[&place].crash(how);
        self.parts
            .log
            .say(format_args!("disk of node {place}: {report:?}"));
        for (event, lost) in [
            (Event::LogCut, report.log_batches_lost),
            (Event::StateRolledBack, report.state_batches_lost),
            (Event::TableTorn, report.tables_torn),
        ] {
            self.parts.coverage.event(event, u64::from(lost > 0));
        }
    }

    /// Whether this life goes on.
    pub(super) fn is_alive(&self, life: Life) -> bool {
        let state = self.lock();
        let up = state
            .nodes
            .get(&life.node)
            .and_then(|node| node.up.as_ref());
        up.is_some_and(|up| up.life == life)
    }

    /// From now on nobody starts this node again when it has stopped by itself; or one reason for that has ended.
    pub fn hold_restarts(&self, place: Place, hold: bool) {
        if let Some(node) = self.lock().nodes.get_mut(&place) {
            node.faulty = match hold {
                true => node.faulty + 1,
                false => node.faulty.saturating_sub(1),
            };
        }
    }

    /// Claims the right to spoil a disk: one at a time.
    pub fn may_spoil(&self, place: Place) -> bool {
        let mut state = self.lock();
        let free = state.spoiled.is_none();
        if free {
            state.spoiled = Some(place);
        }
        free
    }

    /// The cluster has made up for the disk that was spoiled.
    pub fn spoil_over(&self) {
        self.lock().spoiled = None;
    }

    /// A node that is down gets an empty disk.
    pub fn replace_disk(&self, place: Place) {
        self.parts.disks[&place].wipe();
        if let Some(node) = self.lock().nodes.get_mut(&place) {
            node.disk += 1;
            node.founding = false;
            self.parts.judges.disk_replaced(place, node.disk);
        }
    }

    /// How often a node has stopped by itself.
    pub fn stops(&self, place: Place) -> u64 {
        let state = self.lock();
        state.nodes.get(&place).map_or(0, |node| node.stops)
    }

    /// Whether a node is up.
    pub fn is_up(&self, place: Place) -> bool {
        let state = self.lock();
        state
            .nodes
            .get(&place)
            .is_some_and(|node| node.up.is_some())
    }

    /// A node's disk.
    pub fn disk(&self, place: Place) -> &crate::disk::SimDisk {
        &self.parts.disks[&place]
    }
}
