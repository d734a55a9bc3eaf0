//! A node's life, from its disk to its end.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt as _;
use quorate_link::client::TlsClient;
use quorate_link::env::Env;
use quorate_link::tls::{ClientAuth, TlsError, TlsServer};
use quorate_proto::storage::NodeRecord;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::config::{ClusterConfigError, NodeConfig};
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::shard::{CourierParts, Host, HostParts, run_couriers, run_flusher};
use crate::storage::{
    DiskIdentity, Engine, IdentityError, LogCommitter, RocksEngine, StorageError,
};
use crate::system::{
    AddressBook, SystemProposer, SystemSlot, create_system_replica, run_bootstrap, run_local_view,
    run_registration, run_remote_view,
};
use crate::transport::{self, ClusterClient, DeliveryLinks, MetricsServer, PeerLinks, ServerParts};

/// Why a node did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The cluster configuration breaks a law.
    #[error("the cluster configuration is wrong: {0}")]
    Config(#[from] ClusterConfigError),
    /// The certificates cannot be used.
    #[error("the certificates cannot be used: {0}")]
    Tls(#[from] TlsError),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As configured.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The disk belongs to someone else, or its identity is damaged.
    #[error("{0}")]
    Disk(String),
    /// Storage failed before the node was up.
    #[error("{dir}: {detail}", dir = dir.display())]
    Storage {
        /// The data directory.
        dir: PathBuf,
        /// What failed, with file and offset where they are known.
        detail: String,
    },
    /// The listener ended.
    #[error("the listener ended: {0}")]
    Serve(String),
    /// The node stopped itself because going on would be unsafe.
    #[error("the node stopped itself: {0}")]
    Failed(String),
}

impl From<IdentityError> for NodeError {
    fn from(error: IdentityError) -> Self {
        Self::Disk(error.to_string())
    }
}

/// Runs a node until `shutdown`, or until it fails. `ready` is told once the node serves.
///
/// # Errors
/// See [`NodeError`]. After a failure nothing has been acknowledged that is not durable.
pub async fn run(
    config: NodeConfig,
    env: Env,
    ready: oneshot::Sender<()>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), NodeError> {
    config.cluster.validate()?;
    let env = config.cluster.on_its_clock(env);
    let tls_server = TlsServer::new(&config.tls, ClientAuth::Required, &env)?;
    let tls_client = TlsClient::new(&config.tls, &env)?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| NodeError::Listen {
            address: config.listen,
            source,
        })?;
    let metrics_listener = match config.metrics_listen {
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .map_err(|source| NodeError::Listen { address, source })?,
        ),
        None => None,
    };
    let (identity, first_start) = claim_disk(&config, &env)?;
    let storage_failed = |error: StorageError| NodeError::Storage {
        dir: config.data_dir.clone(),
        detail: error.to_string(),
    };

    let engine: Arc<dyn Engine> = Arc::new(
        RocksEngine::open(&config.data_dir.join("db"), config.storage).map_err(storage_failed)?,
    );
    let failure = Failure::new();
    let (queue, committer) = LogCommitter::new(Arc::clone(&engine));
    let committer_ended = run_committer(committer, failure.clone()).map_err(storage_failed)?;

    let cluster_id = config.cluster.cluster_id.clone();
    let addresses = AddressBook::new(
        config
            .cluster
            .initial_nodes
            .iter()
            .map(|node| (node.node_id, node.address.clone())),
    );
    let views = Arc::new(watch::Sender::new(None));
    let slot: SystemSlot = Arc::new(watch::Sender::new(None));
    let system_peers = Arc::new(ClusterClient {
        cluster_id: cluster_id.clone(),
        addresses: Arc::clone(&addresses),
        tls: tls_client.clone(),
    });
    let system = Arc::new(SystemProposer {
        this: config.node_id,
        slot: Arc::clone(&slot),
        addresses: Arc::clone(&addresses),
        peers: Arc::clone(&system_peers) as _,
        env: env.clone(),
    });
    let snapshot_dir = config.data_dir.join("snapshots");
    let host = Host::new(HostParts {
        cluster_id: cluster_id.clone(),
        node: config.node_id,
        engine: Arc::clone(&engine),
        queue: queue.clone(),
        peers: Arc::new(PeerLinks::new(
            cluster_id.clone(),
            config.node_id,
            Arc::clone(&addresses),
            tls_client.clone(),
            env.clone(),
        )),
        snapshot_dir: snapshot_dir.clone(),
        incarnation: identity.incarnation,
        view: views.subscribe(),
        system: Arc::clone(&system) as _,
        system_slot: Arc::clone(&slot),
        env: env.clone(),
        failure: failure.clone(),
    });
    host.open_known().await.map_err(storage_failed)?;
    if first_start && config.bootstrap {
        create_system_replica(&host, &config.cluster, config.node_id)
            .await
            .map_err(storage_failed)?;
    }

    env.spawn(
        "local view",
        run_local_view(
            slot.subscribe(),
            Arc::clone(&views),
            Arc::clone(&addresses),
            failure.clone(),
        ),
    );
    env.spawn(
        "remote view",
        run_remote_view(
            config.node_id,
            Arc::clone(&slot),
            Arc::clone(&views),
            Arc::clone(&addresses),
            system_peers,
            env.clone(),
        ),
    );
    env.spawn(
        "bootstrap",
        run_bootstrap(
            config.cluster.clone(),
            slot,
            views.subscribe(),
            Arc::clone(&system) as _,
            env.clone(),
        ),
    );
    env.spawn(
        "registration",
        run_registration(
            NodeRecord {
                node_id: config.node_id.get(),
                incarnation: identity.incarnation,
                address: config.advertise.clone(),
                zone: config.zone.clone(),
            },
            config.cluster.fingerprint(),
            identity.founding,
            views.subscribe(),
            Arc::clone(&system) as _,
            env.clone(),
            failure.clone(),
        ),
    );
    env.spawn("view follower", Arc::clone(&host).follow_view());
    env.spawn(
        "flusher",
        run_flusher(Arc::clone(&host), env.clone(), failure.clone()),
    );

    let metrics = Arc::new(Metrics::new());
    env.spawn(
        "couriers",
        run_couriers(CourierParts {
            this: config.node_id,
            host: Arc::clone(&host),
            carrier: Arc::new(DeliveryLinks::new(
                cluster_id.clone(),
                Arc::clone(&addresses),
                tls_client,
                env.clone(),
            )),
            view: views.subscribe(),
            metrics: Arc::clone(&metrics),
            env: env.clone(),
        }),
    );
    if let Some(listener) = metrics_listener {
        let server = Arc::new(MetricsServer {
            host: Arc::clone(&host),
            metrics,
            env: env.clone(),
        });
        env.spawn("metrics listener", server.run(listener));
    }

    tracing::info!(node = %config.node_id, address = %config.listen, "serving");
    // The caller may not care.
    let _ = ready.send(());
    let failed = failure.clone();
    let stop = async move {
        futures_util::future::select(Box::pin(shutdown), failed.raised().boxed()).await;
    };
    let parts = ServerParts {
        cluster_id,
        this: config.node_id,
        host: Arc::clone(&host),
        engine,
        snapshot_dir,
        system,
        view: views.subscribe(),
        env,
    };
    let served = transport::serve(listener, tls_server, parts, stop).await;
    host.shutdown().await;
    queue.close().await;
    // The committer holds the database; it must let go before the process tears itself down.
    let _ = committer_ended.await;
    if let Some(cause) = failure.cause() {
        return Err(NodeError::Failed(cause.to_string()));
    }
    served.map_err(|e| NodeError::Serve(e.to_string()))
}

/// Reads or writes the disk's identity; also whether the disk was never used before.
fn claim_disk(config: &NodeConfig, env: &Env) -> Result<(DiskIdentity, bool), NodeError> {
    let dir: &Path = &config.data_dir;
    if let Some(identity) = DiskIdentity::read(dir)? {
        identity.check(dir, &config.cluster.cluster_id, config.node_id)?;
        return Ok((identity, false));
    }
    let identity = DiskIdentity {
        cluster_id: config.cluster.cluster_id.clone(),
        node: config.node_id,
        incarnation: env.random_u64().max(1),
        founding: config.bootstrap,
    };
    identity.create(dir)?;
    Ok((identity, true))
}

/// The committer blocks on the disk, so it has a thread of its own. What is returned tells its end.
fn run_committer(
    committer: LogCommitter,
    failure: Failure,
) -> Result<oneshot::Receiver<()>, StorageError> {
    let (end, ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("log committer".to_owned())
        .spawn(move || {
            if let Err(error) = futures_executor::block_on(committer.run()) {
                failure.raise(error);
            }
            // Nobody waits for it after a failed start.
            let _ = end.send(());
        })
        .map(|_| ended)
        .map_err(|e| StorageError::new("starting the log committer", e))
}
