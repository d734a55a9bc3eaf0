//! The simulated cluster: nodes and gateways that start, die and come back.
//!
//! State owned: every node's disk and, while it is up, the node; every gateway; the newest view anybody tells.
//! Laws: what a node that dies would tidy up is not done, its disk being cut first; a node that stops by
//! itself without a fault of its disk is a finding. Deliberately absent: when any of this happens (`faults`).

mod gateways;
mod nodes;
mod observe;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_check::history::{Call, Position};
use quorate_gateway::seams::Dispatch;
use quorate_link::{Env, TaskHandle};
use quorate_node::seams::{ObservedReplica, RunningNode};
use quorate_proto::ids::ShardId;
use quorate_proto::storage::ClusterView;

use crate::coverage::{Coverage, Event};
use crate::disk::SimDisk;
use crate::executor::Tasks;
use crate::invariants::{Judges, Life};
use crate::net::{Network, Place};
use crate::plan::Plan;
use crate::shelves::Shelves;
use crate::trace::Log;

/// The name of the cluster.
pub const CLUSTER: &str = "sim";

/// How a node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// In an orderly way.
    Stopped,
    /// The process is gone, the machine lives on.
    Killed,
    /// The machine is gone.
    PowerCut,
}

/// What a cluster is made with.
pub struct ClusterParts {
    /// What the seed stands for.
    pub plan: Arc<Plan>,
    /// Runs everybody's tasks.
    pub tasks: Tasks,
    /// True time, and tasks that no fault touches.
    pub env: Env,
    /// Between all places.
    pub network: Network,
    /// The disks, by node.
    pub disks: BTreeMap<Place, Arc<SimDisk>>,
    /// Who watches.
    pub judges: Judges,
    /// Who counts.
    pub coverage: Coverage,
    /// Who is told.
    pub log: Log,
}

/// See the module.
pub struct Cluster {
    parts: ClusterParts,
    shelves: Shelves,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    nodes: BTreeMap<Place, Node>,
    gateways: BTreeMap<Place, Gateway>,
    starts: u64,
    view: Option<ClusterView>,
    /// The node whose disk is lost or damaged, until the cluster has made up for it.
    spoiled: Option<Place>,
}

/// One node, up or not.
struct Node {
    /// Another number is another disk.
    disk: u64,
    /// Whether this disk was first used when the cluster was founded.
    founding: bool,
    /// Faults of its disk under way: while there are any, starting it again is no use.
    faulty: u32,
    /// How often it has stopped by itself.
    stops: u64,
    paused: bool,
    up: Option<Running>,
}

/// A node that is up, or on its way.
struct Running {
    life: Life,
    /// How often its disk had failed it before it was started.
    failures_before: u64,
    /// Absent until it has started.
    node: Option<Arc<RunningNode>>,
    /// Tasks of the driver that look at it.
    watchers: Vec<TaskHandle>,
}

struct Gateway {
    dispatch: Arc<Dispatch>,
    env: Env,
}

impl Cluster {
    /// Nobody is up.
    pub fn new(parts: ClusterParts) -> Arc<Self> {
        let nodes = parts.plan.node_places().map(|place| {
            let node = Node {
                disk: 1,
                founding: true,
                faulty: 0,
                stops: 0,
                paused: false,
                up: None,
            };
            (place, node)
        });
        let state = State {
            nodes: nodes.collect(),
            ..State::default()
        };
        Arc::new(Self {
            shelves: Shelves::default(),
            state: Mutex::new(state),
            parts,
        })
    }

    /// What the seed stands for.
    pub fn plan(&self) -> &Plan {
        &self.parts.plan
    }

    /// Between all places.
    pub fn network(&self) -> &Network {
        &self.parts.network
    }

    /// Hashes over all that was said and written, each in its order.
    pub fn hashes(&self) -> impl Iterator<Item = u64> {
        let disks = self.parts.disks.values();
        std::iter::once(self.network().said()).chain(disks.map(|disk| disk.written()))
    }

    /// What sites have brought in.
    pub fn shelves(&self) -> &Shelves {
        &self.shelves
    }

    /// True time.
    pub fn unix_ms(&self) -> i64 {
        self.parts.env.unix_ms()
    }

    /// A client was told where its request was decided.
    pub fn acknowledged(&self, call: &Call, position: Position) {
        if call.request().is_some() {
            let shard = ShardId::new(position.shard);
            self.parts
                .judges
                .acknowledged(shard, position.index, position.term);
        }
    }

    /// Stands a node still. False if it is down.
    pub fn pause(&self, place: Place) -> bool {
        let mut state = self.lock();
        let Some(node) = state.nodes.get_mut(&place) else {
            return false;
        };
        if node.up.is_none() || node.paused {
            return false;
        }
        node.paused = true;
        self.parts.tasks.pause(place);
        true
    }

    /// Lets it go on.
    pub fn resume(&self, place: Place) {
        let mut state = self.lock();
        if let Some(node) = state.nodes.get_mut(&place)
            && node.paused
        {
            node.paused = false;
            self.parts.tasks.resume(place);
        }
    }

    /// A law is broken, as somebody sees who is no judge.
    pub fn find(&self, law: &'static str, detail: String) {
        self.parts.judges.find(law, detail);
    }

    /// How often a node's wall clock was read.
    pub fn clock_reads(&self, place: Place) -> u64 {
        self.parts.tasks.clock_reads(place)
    }

    /// A wall clock jumps.
    pub fn jump_clock(&self, place: Place, by_ms: i64) {
        self.parts.tasks.jump_clock(place, by_ms);
    }

    /// Undoes whatever is wrong, and starts whoever is down.
    pub async fn heal(self: &Arc<Self>) {
        self.parts.network.mend_all();
        for place in self.plan().gateway_places() {
            self.start_gateway(place);
        }
        for place in self.plan().node_places() {
            self.parts.disks[&place].heal();
            self.resume(place);
            self.start(place).await;
        }
    }

    /// Waits until everybody is up, every replica is where the view wants it and has applied all that is
    /// committed. The time limit is a finding.
    ///
    /// # Errors
    /// It did not come to that.
    pub async fn whole(&self, time_limit: Duration) -> Result<(), String> {
        let deadline = self.parts.env.monotonic() + time_limit;
        loop {
            let missing = self.missing();
            match missing {
                None => return Ok(()),
                Some(what) if self.parts.env.monotonic() > deadline => return Err(what),
                Some(_) => self.parts.env.sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Nodes that lead something.
    pub fn leaders(&self) -> Vec<Place> {
        let mut leaders: Vec<Place> = self
            .replicas()
            .into_iter()
            .filter(|(_, seen)| seen.leads)
            .map(|(place, _)| place)
            .collect();
        leaders.dedup();
        leaders
    }

    /// Every replica of every node that is up.
    pub fn replicas(&self) -> Vec<(Place, ObservedReplica)> {
        let mut replicas = Vec::new();
        for (place, node) in self.running() {
            let shards = node.shards().into_iter();
            replicas.extend(shards.filter_map(|shard| Some((place, node.observe(shard)?))));
        }
        replicas
    }

    /// Every node that is up.
    pub fn running(&self) -> Vec<(Place, Arc<RunningNode>)> {
        let state = self.lock();
        let running = state.nodes.iter().filter_map(|(place, node)| {
            let node = node.up.as_ref()?.node.clone()?;
            Some((*place, node))
        });
        running.collect()
    }

    /// What is missing to a cluster that is whole.
    fn missing(&self) -> Option<String> {
        let replicas = self.replicas();
        let state = self.lock();
        for (place, node) in &state.nodes {
            if node.up.as_ref().is_none_or(|up| up.node.is_none()) {
                return Some(format!("node {place} is down"));
            }
        }
        let Some(view) = &state.view else {
            return Some("nobody has a view".to_owned());
        };
        for shard in &view.shards {
            let id = ShardId::new(shard.shard);
            let of_shard = || replicas.iter().filter(move |(_, seen)| seen.shard == id);
            let Some((_, leader)) = of_shard()
                .filter(|(_, seen)| seen.leads)
                .max_by_key(|(_, seen)| seen.term)
            else {
                return Some(format!("shard {id} has no leader"));
            };
            let mut wanted: Vec<u64> = shard.replicas.iter().map(|one| one.replica).collect();
            wanted.sort_unstable();
            if leader.voters != [wanted.clone()] || leader.members.len() != wanted.len() {
                return Some(format!("shard {id} has the voters {:?}", leader.voters));
            }
            for placed in &shard.replicas {
                let here = of_shard().find(|(place, seen)| {
                    *place == placed.node && seen.replica.get() == placed.replica
                });
                let Some((_, seen)) = here else {
                    return Some(format!(
                        "node {} lacks its replica of shard {id}",
                        placed.node
                    ));
                };
                if seen.applied < leader.committed || leader.committed.is_none() {
                    let (applied, committed) = (seen.applied, leader.committed);
                    return Some(format!(
                        "node {} is behind in shard {id}: applied {applied:?}, committed {committed:?}",
                        placed.node
                    ));
                }
            }
        }
        None
    }

    /// Waits until no outbox holds anything that has not reached its site.
    ///
    /// # Errors
    /// It did not come to that.
    pub async fn drained(&self, time_limit: Duration) -> Result<(), String> {
        let deadline = self.parts.env.monotonic() + time_limit;
        loop {
            let pending: Vec<String> = self
                .replicas()
                .iter()
                .filter(|(_, seen)| seen.leads && seen.outbox.acknowledged < seen.outbox.newest)
                .map(|(_, seen)| format!("shard {}: {:?}", seen.shard, seen.outbox))
                .collect();
            if pending.is_empty() {
                return Ok(());
            }
            if self.parts.env.monotonic() > deadline {
                return Err(format!("outboxes are not empty: {pending:?}"));
            }
            self.parts.env.sleep(Duration::from_millis(100)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn event(&self, event: Event) {
        self.parts.coverage.event(event, 1);
    }
}
