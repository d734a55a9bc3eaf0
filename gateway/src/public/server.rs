//! The public listener: plain HTTP/1.1 with keep-alive, bounded in every direction.
//!
//! State owned: the count of open connections. Invariants: a peer that is slow to ask, slow to read or
//! silent is dropped by a timer and delays nobody; when the listener stops, requests under way have
//! [`limits::DRAIN_TIMEOUT`] to end. Deliberately absent: TLS. What is served here is public, carries no
//! secret and takes no input that is kept; who wants it encrypted puts a proxy in front.

use std::{convert::Infallible, future::Future, io, pin::pin, sync::Arc};

use futures_util::future::{Either, select};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use quorate_link::Env;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};

use super::{answer::Body, patience::Patient};
use crate::limits;

/// Answers one request.
pub(super) trait Answers: Send + Sync + 'static {
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send;
}

/// Serves until `shutdown`, then drains.
pub(super) async fn serve<A: Answers>(
    app: Arc<A>,
    listener: TcpListener,
    connections_max: usize,
    env: Env,
    shutdown: impl Future<Output = ()>,
) {
    let connections = Arc::new(Semaphore::new(connections_max));
    let (stop, stopping) = watch::channel(());
    {
        let accepting = accept_loop(app, listener, connections.clone(), env.clone(), stopping);
        match select(pin!(shutdown), pin!(accepting)).await {
            Either::Left(((), _)) => {}
            Either::Right((never, _)) => match never {},
        }
    }
    drop(stop);
    let all = u32::try_from(connections_max).unwrap_or(u32::MAX);
    let drained = env
        .timeout(limits::DRAIN_TIMEOUT, connections.acquire_many(all))
        .await;
    if drained.is_err() {
        tracing::info!("public connections were still open when the gateway stopped");
    }
}

async fn accept_loop<A: Answers>(
    app: Arc<A>,
    listener: TcpListener,
    connections: Arc<Semaphore>,
    env: Env,
    stopping: watch::Receiver<()>,
) -> Infallible {
    loop {
        let (socket, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept public connections");
                env.sleep(limits::PUBLIC_ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Full: a connection closed at once lets the peer try elsewhere, a silent one does not.
        let Ok(permit) = connections.clone().try_acquire_owned() else {
            tracing::debug!(%address, "public connection closed: too many");
            continue;
        };
        let connection = serve_connection(app.clone(), socket, env.clone(), stopping.clone());
        drop(env.spawn("public-connection", async move {
            if let Err(error) = connection.await {
                tracing::debug!(%address, %error, "public connection ended");
            }
            drop(permit);
        }));
    }
}

async fn serve_connection<A: Answers>(
    app: Arc<A>,
    socket: TcpStream,
    env: Env,
    mut stopping: watch::Receiver<()>,
) -> Result<(), ConnectionError> {
    // Answers are written whole; waiting to fill a segment only adds delay.
    socket.set_nodelay(true)?;
    let io = TokioIo::new(Patient::new(socket, env));
    let service = service_fn(move |request| app.clone().answer(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::PUBLIC_REQUEST_TIMEOUT)
        .max_buf_size(limits::PUBLIC_REQUEST_BYTES_MAX)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    // Changes only by its end.
    let stopped = pin!(stopping.changed());
    match select(connection.as_mut(), stopped).await {
        Either::Left((ended, _)) => Ok(ended?),
        Either::Right(_) => {
            connection.as_mut().graceful_shutdown();
            Ok(connection.await?)
        }
    }
}

/// Why a connection ended early: the peer's doing, told at debug level.
#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error("the socket failed: {0}")]
    Socket(#[from] io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
}
