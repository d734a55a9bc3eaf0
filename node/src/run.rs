//! A node's life, from its disk to its end.

use std::future::Future;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt as _;
use quorate_link::client::TlsClient;
use quorate_link::env::Env;
use quorate_link::tls::{ClientAuth, TlsError, TlsServer};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::config::{ClusterConfigError, NodeConfig};
use crate::running::{NodeParts, RunningNode};
use crate::shard::Upkeep;
use crate::storage::{DiskIdentity, IdentityError, RocksEngine, StorageError};
use crate::transport::{self, MetricsServer, NodeCalls};

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
    let identity = claim_disk(&config, &env)?;
    let storage_failed = |error: StorageError| NodeError::Storage {
        dir: config.data_dir.clone(),
        detail: error.to_string(),
    };

    let engine = RocksEngine::open(&config.data_dir, config.storage).map_err(storage_failed)?;
    let addresses = config.cluster.addresses();
    let calls = NodeCalls::new(
        config.cluster.cluster_id.clone(),
        Arc::clone(&addresses),
        tls_client,
    );
    let node = RunningNode::start(NodeParts {
        cluster: config.cluster.clone(),
        node: config.node_id,
        advertise: config.advertise.clone(),
        zone: config.zone.clone(),
        incarnation: identity.incarnation,
        founding: identity.founding,
        engine: Arc::new(engine),
        calls: Arc::new(calls),
        addresses,
        upkeep: upkeep(&config),
        env: env.clone(),
    })
    .await
    .map_err(storage_failed)?;
    if let Some(listener) = metrics_listener {
        let server = Arc::new(MetricsServer {
            host: Arc::clone(&node.host),
            metrics: Arc::clone(&node.metrics),
            env: env.clone(),
        });
        env.spawn("metrics listener", server.run(listener));
    }

    tracing::info!(node = %config.node_id, address = %config.listen, "serving");
    // The caller may not care.
    let _ = ready.send(());
    let failed = Arc::clone(&node);
    let stop = async move {
        let failed = async move { failed.failure().await };
        futures_util::future::select(Box::pin(shutdown), failed.boxed()).await;
    };
    let served = transport::serve(listener, tls_server, Arc::clone(&node), stop).await;
    // The database must be let go of before the process tears itself down.
    node.shutdown().await;
    if let Some(cause) = node.failed() {
        return Err(NodeError::Failed(cause));
    }
    served.map_err(|e| NodeError::Serve(e.to_string()))
}

fn upkeep(config: &NodeConfig) -> Upkeep {
    let usual = Upkeep::default();
    let pace = config.snapshot_bytes_per_second.map(NonZeroU64::get);
    Upkeep {
        snapshot_bytes_per_second: pace.unwrap_or(usual.snapshot_bytes_per_second),
        log_keep_time: config.log_keep_time.unwrap_or(usual.log_keep_time),
        ..usual
    }
}

/// Reads the disk's identity, or writes it on a disk that was never used before.
fn claim_disk(config: &NodeConfig, env: &Env) -> Result<DiskIdentity, NodeError> {
    let dir: &Path = &config.data_dir;
    if let Some(identity) = DiskIdentity::read(dir)? {
        identity.check(dir, &config.cluster.cluster_id, config.node_id)?;
        return Ok(identity);
    }
    let identity = DiskIdentity {
        cluster_id: config.cluster.cluster_id.clone(),
        node: config.node_id,
        incarnation: env.random_u64().max(1),
        founding: config.bootstrap,
    };
    identity.create(dir)?;
    Ok(identity)
}
