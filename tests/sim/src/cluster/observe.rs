//! Looks at nodes for the judges: every replica right after the step that changed it, every view.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt as _;
use quorate_check::facts::Totals;
use quorate_core::ledger::ShardTotals;
use quorate_link::TaskHandle;
use quorate_node::seams::{ObservedReplica, RunningNode};
use quorate_proto::ids::ShardId;

use super::Cluster;
use crate::coverage::Event;
use crate::executor::DRIVER;
use crate::invariants::Life;

/// How often new replicas are looked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(40);
/// A state is digested each time it has applied so many entries more.
const DIGEST_EVERY: u64 = 16;

impl Cluster {
    /// Watches a node that has started, until it dies.
    pub(super) fn watch(self: &Arc<Self>, life: Life, node: &Arc<RunningNode>) -> Vec<TaskHandle> {
        let env = &self.parts.env;
        let views = {
            let (cluster, mut events) = (self.clone(), node.watch());
            async move {
                while let Some(event) = events.next().await {
                    if let Some(view) = event.view {
                        cluster.parts.judges.view(life.node, &view);
                        cluster.note_view(view);
                    }
                }
            }
        };
        let replicas = {
            let (cluster, node) = (self.clone(), Arc::downgrade(node));
            async move { cluster.watch_replicas(life, node).await }
        };
        vec![env.spawn("views", views), env.spawn("replicas", replicas)]
    }

    fn note_view(&self, view: quorate_proto::storage::ClusterView) {
        let mut state = self.lock();
        let newer = state
            .view
            .as_ref()
            .is_none_or(|known| known.version < view.version);
        if newer {
            if let Some(known) = &state.view {
                let replaced = view.shards.iter().zip(&known.shards);
                let replaced = replaced.filter(|(new, old)| new.replicas != old.replicas);
                let count = replaced.count() as u64;
                self.parts.coverage.event(Event::ReplicaReplaced, count);
            }
            state.view = Some(view);
        }
    }

    async fn watch_replicas(self: Arc<Self>, life: Life, node: Weak<RunningNode>) {
        let mut known: BTreeSet<ShardId> = BTreeSet::new();
        loop {
            {
                let Some(node) = node.upgrade() else {
                    return;
                };
                for shard in node.shards() {
                    if known.insert(shard)
                        && let Some(observations) = node.observations(shard)
                    {
                        let (cluster, weak) = (self.clone(), Arc::downgrade(&node));
                        let watch = async move {
                            let mut observations = observations;
                            let mut memory = Memory::default();
                            while let Some(seen) = observations.next().await {
                                let Some(node) = weak.upgrade() else {
                                    return;
                                };
                                cluster.look(life, &node, &seen, &mut memory);
                            }
                        };
                        self.parts.tasks.look_on(DRIVER, "replica", watch);
                    }
                }
            }
            self.parts.env.sleep(LOOK_INTERVAL).await;
        }
    }

    fn look(&self, life: Life, node: &RunningNode, seen: &ObservedReplica, memory: &mut Memory) {
        if !self.is_alive(life) {
            return;
        }
        let judges = &self.parts.judges;
        let first = judges.entries_wanted(life, seen.shard);
        let first = first.max(seen.purged.map_or(0, |purged| purged + 1));
        let end = seen.last_index.map_or(0, |last| last + 1);
        // A damaged log is for the node to notice.
        let entries = node.observe_entries(seen.shard, first, end);
        judges.replica(life, seen, &entries.unwrap_or_default());
        let purged = seen.purged.unwrap_or_default();
        if purged > memory.purged {
            memory.purged = purged;
            self.event(Event::Purged);
        }
        if seen.leads && seen.term > memory.led {
            memory.led = seen.term;
            self.parts.log.say(format_args!(
                "leader: shard {} term {} on node {}",
                seen.shard, seen.term, life.node
            ));
        }
        let applied = seen.applied.map_or(0, |at| at.index);
        if applied / DIGEST_EVERY > memory.digested {
            memory.digested = applied / DIGEST_EVERY;
            if let Ok(Some(state)) = node.observe_state(seen.shard) {
                judges.state(life, seen.shard, &state);
            }
        }
    }

    /// Looks at the state of every replica where it stands; returns what the cluster has counted.
    pub fn look_at_states(&self) -> Totals {
        let mut totals = BTreeMap::new();
        let lives: Vec<Life> = {
            let state = self.lock();
            let up = state.nodes.values().filter_map(|node| node.up.as_ref());
            up.map(|up| up.life).collect()
        };
        for (place, node) in self.running() {
            let Some(life) = lives.iter().find(|life| life.node == place) else {
                continue;
            };
            for shard in node.shards() {
                match node.observe_state(shard) {
                    Ok(Some(state)) => {
                        self.parts.judges.state(*life, shard, &state);
                        totals.insert(shard, state.totals);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        let detail = format!("shard {shard} on node {place}: {error}");
                        self.parts.judges.find("a state that can be read", detail);
                    }
                }
            }
        }
        sum(totals.values())
    }
}

fn sum<'t>(shards: impl Iterator<Item = &'t ShardTotals>) -> Totals {
    shards.fold(Totals::default(), |sum, shard| Totals {
        grants: sum.grants + shard.grants,
        units_granted: sum.units_granted + shard.units_granted,
        slips: sum.slips + shard.slips,
        units_on_slips: sum.units_on_slips + shard.units_on_slips,
        voids: sum.voids + shard.voids,
        units_voided: sum.units_voided + shard.units_voided,
    })
}

/// What was seen of one replica.
#[derive(Default)]
struct Memory {
    purged: u64,
    led: u64,
    digested: u64,
}
