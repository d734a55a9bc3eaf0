//! The first start of a cluster, and a node's registration at every start.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_link::env::Env;
use quorate_proto::ids::{NodeId, ReplicaId, ShardId};
use quorate_proto::storage::{Bootstrap, NodeRecord, RegisterNode, SystemCommand, system_command};
use tokio::sync::watch;

use super::propose::{ProposeSystem, SystemSlot};
use super::view::View;
use crate::config::ClusterConfig;
use crate::failure::{Cause, Failure};
use crate::limits;
use crate::raft;
use crate::shard::Host;
use crate::storage::StorageError;

/// Creates this node's replica of the system shard, as far as the first start has not come to it. Called at every
/// start of a node whose disk was there when the cluster was founded: a replica that was ever in use is on it.
///
/// The replicas are numbered by the order of the initial nodes; the first of them forms the group.
pub(crate) async fn create_system_replica(
    host: &Host,
    cluster: &ClusterConfig,
    this: NodeId,
) -> Result<(), StorageError> {
    let members: BTreeMap<u64, raft::Host> = (1..)
        .zip(cluster.founders())
        .map(|(replica, founder)| (replica, raft::Host(founder.node_id.get())))
        .collect();
    let Some(replica) = members
        .iter()
        .find(|(_, host)| host.node() == this)
        .map(|(replica, _)| *replica)
    else {
        return Ok(());
    };
    let form = (replica == 1).then_some(members);
    host.create(ShardId::SYSTEM, ReplicaId::new(replica), form)
        .await
}

/// Creates the first cluster view, from whichever node leads the system shard.
pub(crate) async fn run_bootstrap(
    cluster: ClusterConfig,
    slot: SystemSlot,
    mut view: watch::Receiver<Option<Arc<View>>>,
    system: Arc<dyn ProposeSystem>,
    env: Env,
) {
    let command = SystemCommand {
        body: Some(system_command::Body::Bootstrap(Bootstrap {
            cluster_id: cluster.cluster_id.clone(),
            fingerprint: cluster.fingerprint(),
            shards: cluster.shards,
            nodes: cluster
                .initial_nodes
                .iter()
                .map(|node| NodeRecord {
                    node_id: node.node_id.get(),
                    // Not known until the node registers itself.
                    incarnation: 0,
                    address: node.address.clone(),
                    zone: node.zone.clone(),
                })
                .collect(),
        })),
    };
    while view.borrow_and_update().is_none() {
        let leads = slot
            .borrow()
            .as_ref()
            .is_some_and(|group| group.leadership().borrow().here);
        if leads && let Err(error) = system.propose(command.clone()).await {
            tracing::debug!(%error, "the first cluster view is not written yet");
        }
        let pause = env.sleep(2 * limits::RECONNECT_PAUSE_MIN);
        tokio::select! {
            biased;
            _ = view.changed() => {}
            () = pause => {}
        }
    }
}

/// Makes this node and its disk known to the cluster.
///
/// A cluster that refuses it (another configuration) stops the node.
pub(crate) async fn run_registration(
    node: NodeRecord,
    fingerprint: String,
    founding: bool,
    mut view: watch::Receiver<Option<Arc<View>>>,
    system: Arc<dyn ProposeSystem>,
    env: Env,
    failure: Failure,
) {
    if view.wait_for(Option::is_some).await.is_err() {
        return;
    }
    let command = SystemCommand {
        body: Some(system_command::Body::RegisterNode(RegisterNode {
            node: Some(node),
            fingerprint,
            founding,
        })),
    };
    loop {
        match system.propose(command.clone()).await {
            Ok(outcome) if outcome.refused.is_empty() => return,
            Ok(outcome) => {
                failure.raise(Cause::new("joining the cluster", outcome.refused));
                return;
            }
            Err(error) => tracing::debug!(%error, "not registered yet"),
        }
        env.sleep(limits::RECONNECT_PAUSE_MAX).await;
    }
}
