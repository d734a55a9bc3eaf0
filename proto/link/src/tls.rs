//! TLS 1.3 for a listener: what it needs, what it demands of its peers, what it tells about them.
//!
//! State owned: one immutable configuration. Invariants: TLS 1.3 and HTTP/2 only, even where the library
//! was built with more; certificates are judged by the time of the injected clock; no session is resumed,
//! so that every connection shows its certificate again. Deliberately absent: reading files, reloading.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::Stream;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject as _},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    time_provider::TimeProvider,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
};
use tonic::transport::server::Connected;
use zeroize::Zeroizing;

use crate::{
    accept,
    env::{Clock, Env},
    identity::{Identity, IdentityError},
    limits,
};

/// The only application protocol spoken.
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";

/// The keys of one process, PEM, as read by whoever may read files.
#[derive(Clone)]
pub struct TlsMaterial {
    /// Certificates of the authorities that are trusted, and no others.
    pub ca_pem: Vec<u8>,
    /// Our own certificate, then those between it and the authority.
    pub cert_pem: Vec<u8>,
    /// The private key of our own certificate.
    pub key_pem: Zeroizing<Vec<u8>>,
}

/// Prints no key.
impl fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsMaterial").finish_non_exhaustive()
    }
}

/// Why keys and certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The trusted certificates cannot be read, or there are none.
    #[error("the certificate authority's PEM holds no usable certificate")]
    Authority,
    /// Our own certificate cannot be read.
    #[error("the certificate's PEM holds no usable certificate")]
    Certificate,
    /// Our own key cannot be read.
    #[error("the key's PEM holds no usable private key")]
    Key,
    /// The parts are readable and do not fit together.
    #[error("the certificate, key and authority do not fit together")]
    Unfit(#[source] rustls::Error),
    /// Client certificates cannot be verified with these authorities.
    #[error("client certificates cannot be verified with this authority")]
    Verifier(#[source] rustls::client::VerifierBuilderError),
    /// The name that the peer's certificate shall carry is no host name.
    #[error("{0:?} is no server name")]
    ServerName(String),
}

impl TlsMaterial {
    pub(crate) fn roots(ca_pem: &[u8]) -> Result<Arc<RootCertStore>, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem) {
            let certificate = certificate.map_err(|_| TlsError::Authority)?;
            roots.add(certificate).map_err(|_| TlsError::Authority)?;
        }
        if roots.is_empty() {
            return Err(TlsError::Authority);
        }
        Ok(Arc::new(roots))
    }

    pub(crate) fn chain(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&self.cert_pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| TlsError::Certificate)?;
        if chain.is_empty() {
            return Err(TlsError::Certificate);
        }
        Ok(chain)
    }

    pub(crate) fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.key_pem).map_err(|_| TlsError::Key)
    }
}

/// The cryptography, named explicitly: whatever else is linked in, nothing is chosen by default.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The injected clock as TLS asks for it.
pub(crate) struct CertificateTime(pub(crate) Arc<dyn Clock>);

impl fmt::Debug for CertificateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateTime")
    }
}

impl TimeProvider for CertificateTime {
    fn current_time(&self) -> Option<UnixTime> {
        let unix_ms = u64::try_from(self.0.unix_ms()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(unix_ms)))
    }
}

/// What a listener demands of those who connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// A certificate of our authority, or no connection.
    Required,
    /// No certificate, or one of our authority.
    Optional,
}

/// Bounds of one listener.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Open connections; a connection above it is closed at once.
    pub connections_max: usize,
    /// Handshakes under way at once; further connections wait in the kernel's queue.
    pub handshakes_max: usize,
    /// Time for one handshake.
    pub handshake_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> ServerLimits {
        ServerLimits {
            connections_max: limits::CONNECTIONS_MAX,
            handshakes_max: limits::HANDSHAKES_MAX,
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
        }
    }
}

/// The TLS side of a listener.
#[derive(Clone)]
pub struct TlsServer {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) limits: ServerLimits,
    pub(crate) env: Env,
}

impl TlsServer {
    /// A server with the default [`ServerLimits`].
    ///
    /// # Errors
    /// The material cannot be read or does not fit together.
    pub fn new(
        material: &TlsMaterial,
        client_auth: ClientAuth,
        env: &Env,
    ) -> Result<TlsServer, TlsError> {
        let roots = TlsMaterial::roots(&material.ca_pem)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
        let verifier = match client_auth {
            ClientAuth::Required => verifier,
            ClientAuth::Optional => verifier.allow_unauthenticated(),
        };
        let verifier = verifier.build().map_err(TlsError::Verifier)?;
        let time = Arc::new(CertificateTime(env.clock.clone()));
        let mut config = ServerConfig::builder_with_details(provider(), time)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::Unfit)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(material.chain()?, material.key()?)
            .map_err(TlsError::Unfit)?;
        config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(TlsServer {
            config: Arc::new(config),
            limits: ServerLimits::default(),
            env: env.clone(),
        })
    }

    /// The same server with other bounds.
    pub fn with_limits(self, limits: ServerLimits) -> TlsServer {
        TlsServer { limits, ..self }
    }

    /// Accepts connections for `serve_with_incoming_shutdown`. Each item is a connection whose handshake
    /// is done; failed handshakes are logged at debug level and never appear. Handshakes run in tasks of
    /// their own. Dropping the stream closes the listener.
    pub fn incoming(
        self,
        listener: TcpListener,
    ) -> impl Stream<Item = Result<TlsStream, io::Error>> + Send + 'static {
        accept::incoming(self, listener)
    }
}

/// What is known of the other end of a connection: an extension of every request that arrives over it.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    address: Option<SocketAddr>,
    identity: Option<Arc<Result<Identity, IdentityError>>>,
}

impl PeerInfo {
    /// Where the peer connected from.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What the peer's certificate says; `None` without a certificate.
    pub(crate) fn identity(&self) -> Option<&Result<Identity, IdentityError>> {
        self.identity.as_deref()
    }
}

/// One accepted connection after its handshake.
#[derive(Debug)]
pub struct TlsStream {
    stream: tokio_rustls::server::TlsStream<TcpStream>,
    peer: PeerInfo,
    /// Given back when the connection closes.
    _permit: OwnedSemaphorePermit,
}

impl TlsStream {
    pub(crate) fn new(
        stream: tokio_rustls::server::TlsStream<TcpStream>,
        permit: OwnedSemaphorePermit,
    ) -> TlsStream {
        let (socket, session) = stream.get_ref();
        // The certificate is read once a connection, not once a request.
        let identity = session
            .peer_certificates()
            .and_then(<[_]>::first)
            .map(|certificate| Arc::new(Identity::read(certificate)));
        let peer = PeerInfo {
            address: socket.peer_addr().ok(),
            identity,
        };
        TlsStream {
            stream,
            peer,
            _permit: permit,
        }
    }
}

impl Connected for TlsStream {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.peer.clone()
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
