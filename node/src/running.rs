//! A node, assembled: everything but sockets, certificates and the database.
//!
//! State owned: the handles of its parts, for as long as it runs. Invariant: nothing here knows what carries
//! its messages, what keeps its rows, or what time it is; all of that is handed in by [`NodeParts`].

use std::sync::{Arc, Mutex, PoisonError};

use quorate_link::env::{Env, TaskHandle};
use quorate_proto::ids::{NodeId, ShardId};
use quorate_proto::storage::NodeRecord;
use tokio::sync::{Semaphore, watch};

use crate::config::ClusterConfig;
use crate::failure::Failure;
use crate::limits;
use crate::links::{Calls, DeliveryLinks, PeerLinks};
use crate::metrics::Metrics;
use crate::raft::Group;
use crate::shard::{CourierParts, Host, HostParts, Upkeep, run_couriers, run_flusher};
use crate::storage::{Engine, LogCommitter, LogQueue, StorageError, Witness};
use crate::system::{
    AddressBook, SystemProposer, SystemSlot, View, create_system_replica, run_bootstrap,
    run_local_view, run_registration, run_remote_view,
};

/// What a node is made of.
pub struct NodeParts {
    /// The cluster it belongs to.
    pub cluster: ClusterConfig,
    /// Which of its nodes this is.
    pub node: NodeId,
    /// `host:port` told to others.
    pub advertise: String,
    /// Failure domain.
    pub zone: String,
    /// Of the disk: drawn at random when it was first used; never 0.
    pub incarnation: u64,
    /// Whether the disk was first used when the cluster was founded.
    pub founding: bool,
    /// What keeps its rows.
    pub engine: Arc<dyn Engine>,
    /// The way to other nodes.
    pub calls: Arc<dyn Calls>,
    /// Where they are reached; kept up to date from the cluster view.
    pub addresses: Arc<AddressBook>,
    /// How often it makes its state durable and purges its logs.
    pub upkeep: Upkeep,
    /// Time, chance and tasks, on the cluster's clock.
    pub env: Env,
}

/// A node that runs. It is served by its methods, whatever carries the calls.
pub struct RunningNode {
    pub(crate) cluster_id: String,
    pub(crate) node: NodeId,
    pub(crate) env: Env,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) host: Arc<Host>,
    pub(crate) system: Arc<SystemProposer>,
    pub(crate) views: Arc<watch::Sender<Option<Arc<View>>>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) failure: Failure,
    pub(crate) witness: Arc<Witness>,
    /// A permit for each snapshot that is being taken in.
    pub(crate) snapshots_taken_in: Semaphore,
    queue: LogQueue,
    committer: Mutex<Option<TaskHandle>>,
}

impl RunningNode {
    /// Opens every replica that the engine knows and starts the node's tasks.
    ///
    /// # Errors
    /// Storage failed, or is damaged. What was started by then ends by itself.
    pub async fn start(parts: NodeParts) -> Result<Arc<Self>, StorageError> {
        let env = parts.env.clone();
        let failure = Failure::new();
        let witness = Witness::open(&*parts.engine, parts.incarnation)?;
        let (queue, committer) = LogCommitter::new(Arc::clone(&parts.engine), Arc::clone(&witness));
        let committer = run_committer(committer, &env, failure.clone())?;

        let cluster_id = parts.cluster.cluster_id.clone();
        let views = Arc::new(watch::Sender::new(None));
        let slot: SystemSlot = Arc::new(watch::Sender::new(None));
        let system = Arc::new(SystemProposer {
            this: parts.node,
            slot: Arc::clone(&slot),
            addresses: Arc::clone(&parts.addresses),
            calls: Arc::clone(&parts.calls),
            env: env.clone(),
        });
        let host = Host::new(HostParts {
            cluster_id: cluster_id.clone(),
            node: parts.node,
            engine: Arc::clone(&parts.engine),
            queue: queue.clone(),
            peers: Arc::new(PeerLinks::new(
                cluster_id.clone(),
                parts.node,
                Arc::clone(&parts.calls),
                env.clone(),
                Arc::clone(&witness),
                failure.clone(),
            )),
            incarnation: parts.incarnation,
            upkeep: parts.upkeep,
            view: views.subscribe(),
            system: Arc::clone(&system) as _,
            system_slot: Arc::clone(&slot),
            env: env.clone(),
            failure: failure.clone(),
        });
        host.open_known().await?;
        if parts.founding {
            create_system_replica(&host, &parts.cluster, parts.node).await?;
        }
        let node = Arc::new(Self {
            cluster_id,
            node: parts.node,
            env,
            engine: Arc::clone(&parts.engine),
            host,
            system,
            views,
            metrics: Arc::new(Metrics::new()),
            failure,
            witness,
            snapshots_taken_in: Semaphore::new(limits::SNAPSHOTS_TAKEN_IN_MAX),
            queue,
            committer: Mutex::new(Some(committer)),
        });
        node.start_tasks(parts, slot);
        Ok(node)
    }

    fn start_tasks(&self, parts: NodeParts, slot: SystemSlot) {
        let env = &self.env;
        let (views, addresses) = (&self.views, parts.addresses);
        env.spawn(
            "local view",
            run_local_view(
                slot.subscribe(),
                Arc::clone(views),
                Arc::clone(&addresses),
                self.failure.clone(),
            ),
        );
        env.spawn(
            "remote view",
            run_remote_view(
                self.node,
                Arc::clone(&slot),
                Arc::clone(views),
                addresses,
                Arc::clone(&parts.calls),
                env.clone(),
            ),
        );
        let fingerprint = parts.cluster.fingerprint();
        env.spawn(
            "bootstrap",
            run_bootstrap(
                parts.cluster,
                slot,
                views.subscribe(),
                Arc::clone(&self.system) as _,
                env.clone(),
            ),
        );
        let record = NodeRecord {
            node_id: self.node.get(),
            incarnation: parts.incarnation,
            address: parts.advertise,
            zone: parts.zone,
        };
        env.spawn(
            "registration",
            run_registration(
                record,
                fingerprint,
                parts.founding,
                views.subscribe(),
                Arc::clone(&self.system) as _,
                env.clone(),
                self.failure.clone(),
            ),
        );
        env.spawn("view follower", Arc::clone(&self.host).follow_view());
        env.spawn(
            "flusher",
            run_flusher(
                Arc::clone(&self.host),
                parts.upkeep,
                env.clone(),
                self.failure.clone(),
            ),
        );
        let carrier = DeliveryLinks::new(self.cluster_id.clone(), parts.calls, env.clone());
        env.spawn(
            "couriers",
            run_couriers(CourierParts {
                this: self.node,
                host: Arc::clone(&self.host),
                carrier: Arc::new(carrier),
                view: views.subscribe(),
                metrics: Arc::clone(&self.metrics),
                env: env.clone(),
            }),
        );
    }

    /// Which node this is.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Why the node cannot go on; `None` while it can.
    #[must_use]
    pub fn failed(&self) -> Option<String> {
        self.failure.cause().map(|cause| cause.to_string())
    }

    /// Waits until the node cannot go on, and says why. Nothing is acknowledged afterwards that is not durable.
    pub async fn failure(&self) -> String {
        self.failure.raised().await.to_string()
    }

    /// The replica of a shard, if one is here.
    #[must_use]
    pub(crate) fn group(&self, shard: ShardId) -> Option<Arc<Group>> {
        self.host.group(shard)
    }

    /// Stops every replica and writes whatever is queued for the log. On return the engine is let go of, but
    /// for what still reads it.
    pub async fn shutdown(&self) {
        self.host.shutdown().await;
        self.queue.close().await;
        let committer = self
            .committer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut committer) = committer {
            committer.finished().await;
        }
    }
}

/// The committer blocks on the disk, so it has a thread of its own. What is returned tells its end.
fn run_committer(
    committer: LogCommitter,
    env: &Env,
    failure: Failure,
) -> Result<TaskHandle, StorageError> {
    let run = async move {
        if let Err(error) = committer.run().await {
            failure.raise(error);
        }
    };
    env.spawn_blocking("log committer", run)
        .map_err(|e| StorageError::new("starting the log committer", e))
}
