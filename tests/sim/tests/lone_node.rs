//! A node whose calls lead nowhere: it founds its part of the cluster whenever the power fails, and says of a
//! proposal what it knows.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, pending, ready};
use futures_util::stream::BoxStream;
use quorate_node::seams::{
    AddressBook, Calls, NodeParts, PeerUnreachable, RunningNode, SystemError, Upkeep,
};
use quorate_node::{ClusterConfig, InitialNode, Purpose};
use quorate_proto::ids::{NodeId, ShardId};
use quorate_proto::internal::{
    ClusterEvent, DeliverStockRequest, DeliverStockResponse, PeerFrame, SnapshotFrame,
    SnapshotReply,
};
use quorate_proto::storage::{SystemCommand, SystemOutcome};
use quorate_sim::chance::Chance;
use quorate_sim::disk::{Crash, SimDisk};
use quorate_sim::executor::Executor;

/// How the others answer a proposal to the system shard; nothing else is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Others {
    /// They cannot be reached.
    Away,
    /// They take it and are not heard of again.
    Silent,
    /// The first to be asked loses its connection; from then on, nobody leads.
    LostOnce,
    /// The first to be asked loses its connection; from then on, it is refused.
    LostThenRefused,
    /// It is refused.
    Refused,
}

fn refused() -> SystemOutcome {
    SystemOutcome {
        refused: "it has another version by now".to_owned(),
        ..SystemOutcome::default()
    }
}

struct Alone {
    others: Others,
    asked: AtomicBool,
}

fn unreachable<T>(node: NodeId) -> BoxFuture<'static, Result<T, PeerUnreachable>>
where
    T: Send + 'static,
{
    let detail = "nobody is there".to_owned();
    ready(Err(PeerUnreachable { node, detail })).boxed()
}

impl Calls for Alone {
    fn exchange(
        &self,
        node: NodeId,
        _: BoxStream<'static, PeerFrame>,
    ) -> BoxFuture<'static, Result<BoxStream<'static, PeerFrame>, PeerUnreachable>> {
        unreachable(node)
    }

    fn install_snapshot(
        &self,
        node: NodeId,
        _: BoxStream<'static, SnapshotFrame>,
    ) -> BoxFuture<'static, Result<SnapshotReply, PeerUnreachable>> {
        unreachable(node)
    }

    fn propose_system(
        &self,
        _: NodeId,
        _: SystemCommand,
    ) -> BoxFuture<'static, Result<SystemOutcome, SystemError>> {
        let first = !self.asked.swap(true, Ordering::Relaxed);
        match self.others {
            Others::Away => ready(Err(SystemError::Unavailable)).boxed(),
            Others::Silent => pending().boxed(),
            Others::LostOnce | Others::LostThenRefused if first => {
                ready(Err(SystemError::OutcomeUnknown)).boxed()
            }
            Others::LostOnce => ready(Err(SystemError::NotLeader)).boxed(),
            Others::LostThenRefused | Others::Refused => ready(Ok(refused())).boxed(),
        }
    }

    fn watch(
        &self,
        _: NodeId,
    ) -> BoxFuture<'static, Result<BoxStream<'static, ClusterEvent>, SystemError>> {
        ready(Err(SystemError::Unavailable)).boxed()
    }

    fn deliver_stock(
        &self,
        node: NodeId,
        _: DeliverStockRequest,
    ) -> BoxFuture<'static, Result<DeliverStockResponse, PeerUnreachable>> {
        unreachable(node)
    }
}

fn cluster() -> ClusterConfig {
    let node = |id: u64| InitialNode {
        node_id: NodeId::new(id),
        address: format!("node-{id}:1"),
        zone: format!("zone-{id}"),
    };
    ClusterConfig {
        cluster_id: "sim".to_owned(),
        shards: 1,
        initial_nodes: (1..=3).map(node).collect(),
        purpose: Purpose::Production,
        clock: None,
    }
}

const NODE: u64 = 1;

/// Where a node that starts will be found.
type Slot = Arc<Mutex<Option<Arc<RunningNode>>>>;

fn start(executor: &Executor, disk: &SimDisk, others: Others) -> Slot {
    let env = executor.tasks().env(NODE);
    let cluster = cluster();
    let nodes = cluster.initial_nodes.iter();
    let addresses = nodes.map(|node| (node.node_id, node.address.clone()));
    let parts = NodeParts {
        node: NodeId::new(NODE),
        advertise: "node-1:1".to_owned(),
        zone: "zone-1".to_owned(),
        incarnation: 1,
        founding: true,
        engine: disk.open(env.clone()),
        calls: Arc::new(Alone {
            others,
            asked: AtomicBool::new(false),
        }),
        addresses: AddressBook::new(addresses),
        upkeep: Upkeep::default(),
        env: env.clone(),
        cluster,
    };
    let slot = Slot::default();
    let told = Arc::clone(&slot);
    env.spawn("start", async move {
        let node = RunningNode::start(parts).await.unwrap();
        *told.lock().unwrap() = Some(node);
    });
    slot
}

#[test]
fn the_system_shard_is_formed_whenever_the_power_fails() {
    for seed in 0..300 {
        let mut chance = Chance::new(seed);
        let mut executor = Executor::new(seed, 0);
        let disk = SimDisk::new(seed);
        // The identity is on disk by then; a few syncs follow.
        let starting = start(&executor, &disk, Others::Away);
        let fails_after = chance.duration(Duration::ZERO, Duration::from_millis(12));
        executor.run_for(fails_after).unwrap();
        disk.crash(Crash::Power);
        executor.tasks().kill(NODE);
        drop(starting);

        let again = start(&executor, &disk, Others::Away);
        executor.run_for(Duration::from_secs(1)).unwrap();
        let node = again.lock().unwrap().take().unwrap();
        let replica = node.observe(ShardId::SYSTEM);
        let members = replica.map(|replica| replica.members.len());
        assert_eq!(
            members,
            Some(3),
            "seed {seed}: power failed after {fails_after:?}"
        );
        assert_eq!(node.failed(), None);
    }
}

#[test]
fn a_proposal_that_may_have_been_recorded_is_not_told_as_undone() {
    for (others, told) in [
        (Others::Away, Err(SystemError::Unavailable)),
        (Others::Silent, Err(SystemError::OutcomeUnknown)),
        (Others::LostOnce, Err(SystemError::OutcomeUnknown)),
        (Others::LostThenRefused, Err(SystemError::OutcomeUnknown)),
        (Others::Refused, Ok(refused())),
    ] {
        let mut executor = Executor::new(7, 0);
        let disk = SimDisk::new(7);
        let starting = start(&executor, &disk, others);
        executor.run_for(Duration::from_secs(1)).unwrap();
        let node = starting.lock().unwrap().take().unwrap();

        let (answer, mut answered) = tokio::sync::oneshot::channel();
        executor.tasks().env(NODE).spawn("operator", async move {
            let command = SystemCommand::default();
            let _ = answer.send(node.propose_system(command, false).await);
        });
        executor.run_for(Duration::from_secs(10)).unwrap();
        assert_eq!(answered.try_recv().unwrap(), told, "{others:?}");
    }
}
