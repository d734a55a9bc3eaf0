//! The gateway: the stateless front of the cluster, and the only holder of the secret that turns a
//! national ID into a key.
//!
//! The public's questions go through `public` alone, which answers from memory.
//!
//! A call goes through `service` (message to types: session, ID, deadline), `dispatch` (which shard, which
//! node, once more or not: `route`, `retry`) and `nodes` (one stream a node), and back the same way.
//! `directory` knows the cluster as far as nodes have told.
//!
//! Invariants: national IDs exist in `national_id` alone and cannot be printed; a write that may have been
//! recorded is never reported as not done; the caller hears by its deadline. Deliberately absent: any
//! decision about a ration, any state that outlives the process, reading files or the environment. Every
//! gateway of a cluster is equal: give them the same pepper and token key and put any number side by side.

#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod decoders;
mod directory;
mod dispatch;
mod limits;
mod mac;
mod model;
mod national_id;
mod nodes;
mod public;
mod retry;
mod route;
mod sealing_keys;
pub mod seams;
mod service;
mod session;

use std::{fmt, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::try_join};
use quorate_link::{
    ClientAuth, Env, ServerLimits, TlsClient, TlsError, TlsMaterial, TlsServer,
    identity::{is_cluster_id, is_peer_name},
};
use tokio::{net::TcpListener, sync::oneshot};
use zeroize::Zeroizing;

use directory::Directory;
use dispatch::Dispatcher;
use national_id::CitizenHasher;
use nodes::{GrpcDial, Nodes};
use public::{PublicApi, Snapshot};
pub use public::{PublicConfig, region::region_of};
use sealing_keys::SealingKeys;
use service::{Border, BorderConfig};
use session::{Challenger, Tokens};

/// One gateway process.
pub struct GatewayConfig {
    /// The cluster it belongs to.
    pub cluster_id: String,
    /// Its name in its own certificate and in the log.
    pub name: String,
    /// What it serves to terminals and operators; without it no door is opened to them, and no secret held.
    pub terminals: Option<TerminalsConfig>,
    /// The public API; without it none is served.
    pub public: Option<PublicConfig>,
    /// Addresses (`host:port`) of nodes to ask for the cluster's view; one that answers is enough.
    pub seeds: Vec<String>,
    /// Its certificate (role `gateway`) and the cluster's authority.
    pub tls: TlsMaterial,
}

/// What a gateway needs to serve terminals and operators.
pub struct TerminalsConfig {
    /// Where they connect.
    pub listen: SocketAddr,
    /// The secret under which national IDs become keys. Equal in all gateways of a cluster, for ever:
    /// with another pepper every citizen is a stranger.
    pub pepper: Zeroizing<[u8; 32]>,
    /// The secret that seals session tokens. Equal in all gateways of a cluster.
    pub token_key: Zeroizing<[u8; 32]>,
    /// The secrets that open national IDs sealed on slips. Equal in all gateways of a cluster. New slips are
    /// sealed to the first; the others open what was sealed to them before.
    pub sealing_keys: Vec<Zeroizing<[u8; 32]>>,
    /// How long a session lasts: one minute to seven days.
    pub session_lifetime: Duration,
}

/// Where a gateway accepts connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Of terminals and operators.
    pub terminals: Option<SocketAddr>,
    /// Of the public.
    pub public: Option<SocketAddr>,
}

/// Prints no secret.
impl fmt::Debug for GatewayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayConfig")
            .field("cluster_id", &self.cluster_id)
            .field("name", &self.name)
            .field(
                "terminals",
                &self.terminals.as_ref().map(|terminals| terminals.listen),
            )
            .field("public", &self.public)
            .field("seeds", &self.seeds)
            .finish_non_exhaustive()
    }
}

/// Why a gateway does not run, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A value of the configuration cannot be.
    #[error("{field} {law}")]
    Config {
        /// The value's name in [`GatewayConfig`].
        field: &'static str,
        /// What it must be.
        law: &'static str,
    },
    /// The certificate, key or authority cannot be used.
    #[error("the gateway's certificates cannot be used")]
    Tls(#[from] TlsError),
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The server stopped.
    #[error("cannot serve")]
    Serve(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Runs a gateway until `shutdown` completes; then refuses new calls and lets those under way end.
///
/// `ready` is told the addresses once connections are accepted. That is before the cluster is known: calls
/// wait for it within their deadlines, and the health service says `SERVING` only afterwards.
///
/// # Errors
/// It cannot start, or a listener failed.
pub async fn run(
    config: GatewayConfig,
    env: Env,
    ready: oneshot::Sender<Listening>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), GatewayError> {
    check(&config)?;
    let public = config.public;
    let limits = ServerLimits {
        connections_max: limits::CONNECTIONS_MAX,
        ..ServerLimits::default()
    };
    let server = TlsServer::new(&config.tls, ClientAuth::Optional, &env)?.with_limits(limits);
    let client = TlsClient::new(&config.tls, &env)?;
    let (terminal_listener, terminals) =
        listen(config.terminals.as_ref().map(|terminals| terminals.listen)).await?;
    let (public_listener, public_address) =
        listen(public.as_ref().map(|public| public.listen)).await?;

    let directory = Arc::new(Directory::new(&config.cluster_id));
    let snapshot = Arc::new(Snapshot::new(env.clone(), public.is_some()));
    let nodes = Nodes::new(nodes::Context {
        cluster_id: config.cluster_id.clone(),
        directory: directory.clone(),
        snapshot: snapshot.clone(),
        dial: Arc::new(GrpcDial { tls: client }),
        env: env.clone(),
    });
    let keep_nodes = env.spawn("nodes", nodes.clone().run(config.seeds));
    let dispatcher = Dispatcher {
        directory: directory.clone(),
        nodes: nodes.clone(),
        env: env.clone(),
    };
    let border = config
        .terminals
        .map(|terminals| border(terminals, config.cluster_id, dispatcher, snapshot.clone()));
    let border = border.transpose()?;

    let listening = Listening {
        terminals,
        public: public_address,
    };
    tracing::info!(name = config.name, ?listening, "gateway listening");
    // Nobody may be waiting to hear it.
    let _ = ready.send(listening);
    let shutdown = shutdown.shared();
    let serve_terminals = async {
        let Some((border, listener)) = border.zip(terminal_listener) else {
            return Ok(());
        };
        let served = service::serve(Arc::new(border), server, listener, shutdown.clone()).await;
        served.map_err(|error| GatewayError::Serve(Box::new(error)))
    };
    let serve_public = async {
        if let Some((config, listener)) = public.zip(public_listener) {
            let api = PublicApi::new(config, directory, snapshot, env);
            api.serve(listener, shutdown.clone()).await;
        }
        Ok(())
    };
    let served = try_join(serve_terminals, serve_public).await;
    keep_nodes.abort();
    nodes.close();
    served.map(|((), ())| ())
}

/// What terminals and operators meet.
fn border(
    config: TerminalsConfig,
    cluster_id: String,
    dispatcher: Dispatcher,
    snapshot: Arc<Snapshot>,
) -> Result<Border, GatewayError> {
    let tokens = Tokens::new(&config.token_key, &cluster_id).ok_or(GatewayError::Config {
        field: "token_key",
        law: "must be 32 bytes",
    })?;
    let sealing = SealingKeys::new(&config.sealing_keys).ok_or(GatewayError::Config {
        field: "sealing_keys",
        law: "must hold at least one key and none twice",
    })?;
    Ok(Border::new(BorderConfig {
        dispatcher,
        snapshot,
        hasher: CitizenHasher::new(&config.pepper),
        challenger: Challenger::new(&config.token_key, &cluster_id),
        tokens,
        sealing,
        session_lifetime: config.session_lifetime,
        cluster_id,
    }))
}

/// Binds an address, if there is one to bind.
async fn listen(
    address: Option<SocketAddr>,
) -> Result<(Option<TcpListener>, Option<SocketAddr>), GatewayError> {
    let Some(address) = address else {
        return Ok((None, None));
    };
    let error = |source| GatewayError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(error)?;
    let bound = listener.local_addr().map_err(error)?;
    Ok((Some(listener), Some(bound)))
}

fn check(config: &GatewayConfig) -> Result<(), GatewayError> {
    let law = |holds: bool, field, law| match holds {
        true => Ok(()),
        false => Err(GatewayError::Config { field, law }),
    };
    law(
        is_cluster_id(&config.cluster_id),
        "cluster_id",
        "must be 1 to 64 ASCII letters, digits and '-'",
    )?;
    law(
        is_peer_name(&config.name),
        "name",
        "must be 1 to 64 ASCII letters, digits and '-'",
    )?;
    law(
        !config.seeds.is_empty(),
        "seeds",
        "must name at least one node",
    )?;
    law(
        config.terminals.is_some() || config.public.is_some(),
        "public",
        "must say where to listen when terminals are not served",
    )?;
    let connections = config.public.as_ref().map(|public| public.connections_max);
    law(
        connections.is_none_or(|count| (1..=limits::PUBLIC_CONNECTIONS_MAX).contains(&count)),
        "public.connections_max",
        "must be 1 to 65536",
    )?;
    let terminals = config.terminals.as_ref();
    let lifetimes = limits::SESSION_LIFETIME_MIN..=limits::SESSION_LIFETIME_MAX;
    law(
        terminals.is_none_or(|terminals| lifetimes.contains(&terminals.session_lifetime)),
        "session_lifetime",
        "must be one minute to seven days",
    )
}
