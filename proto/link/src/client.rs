//! TLS 1.3 for those who connect: gRPC channels that verify a fixed name, whatever address is dialled.
//!
//! State owned: one immutable configuration. Invariants: as for [`crate::tls`]; the name verified is the
//! one asked for, never one taken from the address. Deliberately absent: choosing or retrying addresses.

use std::{
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::FutureExt as _;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, client::Resumption, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::{
    codegen::http::Uri,
    transport::{Channel, Endpoint},
};
use tower::Service;

use crate::{
    env::{BoxFuture, Env},
    limits,
    tls::{ALPN_HTTP2, CertificateTime, TlsError, TlsMaterial, provider},
};

/// Why there is no channel.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name that the peer's certificate shall carry is no host name.
    #[error(transparent)]
    Name(#[from] TlsError),
    /// No connection: the address does not answer, or the peer is not who it should be.
    #[error("cannot connect to {address}")]
    Connect {
        /// As asked for.
        address: String,
        /// What the transport said.
        #[source]
        source: tonic::transport::Error,
    },
}

/// How a channel behaves.
#[derive(Clone, Copy, Debug)]
pub struct ChannelOptions {
    /// Time for the TCP connection and the TLS handshake together.
    pub connect_timeout: Duration,
    /// A ping is sent after this long without a frame; `None`: never.
    pub keepalive_interval: Option<Duration>,
    /// The connection is closed when a ping is not answered within this time.
    pub keepalive_timeout: Duration,
    /// Whether to ping while no call is open.
    pub keepalive_while_idle: bool,
    /// HTTP/2 flow-control window of one stream, bytes.
    pub stream_window_bytes: u32,
    /// HTTP/2 flow-control window of the connection, bytes.
    pub connection_window_bytes: u32,
}

impl Default for ChannelOptions {
    /// For calls between processes of one cluster: a dead peer is noticed within 4 s, and a window holds
    /// what a 10 Gbit/s network carries in a millisecond.
    fn default() -> ChannelOptions {
        ChannelOptions {
            connect_timeout: limits::CONNECT_TIMEOUT,
            keepalive_interval: Some(Duration::from_secs(2)),
            keepalive_timeout: Duration::from_secs(2),
            keepalive_while_idle: true,
            stream_window_bytes: 1 << 20,
            connection_window_bytes: 4 << 20,
        }
    }
}

/// The TLS side of outgoing connections; cheap to clone.
#[derive(Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    env: Env,
}

impl TlsClient {
    /// A client that shows its certificate.
    ///
    /// # Errors
    /// The material cannot be read or does not fit together.
    pub fn new(material: &TlsMaterial, env: &Env) -> Result<TlsClient, TlsError> {
        let builder = builder(&material.ca_pem, env)?;
        let config = builder
            .with_client_auth_cert(material.chain()?, material.key()?)
            .map_err(TlsError::Unfit)?;
        Ok(TlsClient::from_config(config, env))
    }

    /// A client without a certificate, as terminals are.
    ///
    /// # Errors
    /// The authority's certificate cannot be read.
    pub fn anonymous(ca_pem: &[u8], env: &Env) -> Result<TlsClient, TlsError> {
        let config = builder(ca_pem, env)?.with_no_client_auth();
        Ok(TlsClient::from_config(config, env))
    }

    fn from_config(mut config: ClientConfig, env: &Env) -> TlsClient {
        config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
        config.resumption = Resumption::disabled();
        TlsClient {
            config: Arc::new(config),
            env: env.clone(),
        }
    }

    /// Connects to `address` (`host:port`) and verifies that the peer's certificate carries
    /// `server_name`. The channel reconnects by itself when a later call finds the connection gone.
    ///
    /// # Errors
    /// No connection within [`ChannelOptions::connect_timeout`], or the peer is not `server_name`.
    pub async fn connect(
        &self,
        address: &str,
        server_name: &str,
        options: ChannelOptions,
    ) -> Result<Channel, ConnectError> {
        let (endpoint, connector) = self.prepare(address, server_name, options)?;
        endpoint
            .connect_with_connector(connector)
            .await
            .map_err(|source| ConnectError::Connect {
                address: address.to_owned(),
                source,
            })
    }

    /// As [`TlsClient::connect`], at the first call.
    ///
    /// # Errors
    /// `server_name` is no host name.
    pub fn connect_lazy(
        &self,
        address: &str,
        server_name: &str,
        options: ChannelOptions,
    ) -> Result<Channel, TlsError> {
        let (endpoint, connector) = self.prepare(address, server_name, options)?;
        Ok(endpoint.connect_with_connector_lazy(connector))
    }

    fn prepare(
        &self,
        address: &str,
        server_name: &str,
        options: ChannelOptions,
    ) -> Result<(Endpoint, Connector), TlsError> {
        let no_name = || TlsError::ServerName(server_name.to_owned());
        let name = ServerName::try_from(server_name.to_owned()).map_err(|_| no_name())?;
        // The transport adds no TLS of its own to "http"; ours is in the connector. Requests say "https".
        let origin: Uri = format!("https://{server_name}")
            .parse()
            .map_err(|_| no_name())?;
        let mut endpoint = Endpoint::from_shared(format!("http://{server_name}"))
            .map_err(|_| no_name())?
            .origin(origin)
            .keep_alive_timeout(options.keepalive_timeout)
            .keep_alive_while_idle(options.keepalive_while_idle)
            .initial_stream_window_size(options.stream_window_bytes)
            .initial_connection_window_size(options.connection_window_bytes);
        if let Some(interval) = options.keepalive_interval {
            endpoint = endpoint.http2_keep_alive_interval(interval);
        }
        let connector = Connector {
            tls: TlsConnector::from(self.config.clone()),
            address: address.into(),
            name,
            timeout: options.connect_timeout,
            env: self.env.clone(),
        };
        Ok((endpoint, connector))
    }
}

fn builder(
    ca_pem: &[u8],
    env: &Env,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, TlsError> {
    let time = Arc::new(CertificateTime(env.clock.clone()));
    Ok(ClientConfig::builder_with_details(provider(), time)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Unfit)?
        .with_root_certificates(TlsMaterial::roots(ca_pem)?))
}

/// Dials one address and shakes hands with one name.
#[derive(Clone)]
struct Connector {
    tls: TlsConnector,
    address: Arc<str>,
    name: ServerName<'static>,
    timeout: Duration,
    env: Env,
}

impl Connector {
    async fn connect(self) -> io::Result<TlsStream<TcpStream>> {
        let dial = async {
            let socket = TcpStream::connect(&*self.address).await?;
            // Frames are written whole; waiting to fill a segment only adds delay.
            socket.set_nodelay(true)?;
            self.tls.connect(self.name, socket).await
        };
        match self.env.timeout(self.timeout, dial).await {
            Ok(outcome) => outcome,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The address is fixed: what the request says is only its authority.
    fn call(&mut self, _: Uri) -> Self::Future {
        let connect = self.clone().connect();
        async move { connect.await.map(TokioIo::new) }.boxed()
    }
}
