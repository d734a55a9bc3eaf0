//! The accept loop of a TLS listener.
//!
//! State owned: the listener, the counts of handshakes and of connections. Invariants: a peer that
//! stalls or fails its handshake delays nobody else; neither the loop nor its stream ends because of
//! anything a peer or the operating system does; both end when the stream is dropped.

use std::{io, net::SocketAddr, sync::Arc};

use futures_util::{Stream, stream};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    limits,
    tls::{ServerLimits, TlsServer, TlsStream},
};

pub(crate) fn incoming(
    server: TlsServer,
    listener: TcpListener,
) -> impl Stream<Item = Result<TlsStream, io::Error>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(limits::ACCEPTED_QUEUE_MAX);
    let env = server.env.clone();
    // The loop ends by itself when the stream, and with it the receiver, is dropped.
    drop(env.spawn("tls-accept", accept_loop(server, listener, sender)));
    stream::unfold(receiver, |mut receiver| async move {
        let stream = receiver.recv().await?;
        Some((Ok(stream), receiver))
    })
}

async fn accept_loop(server: TlsServer, listener: TcpListener, sender: mpsc::Sender<TlsStream>) {
    let TlsServer {
        config,
        limits:
            ServerLimits {
                connections_max,
                handshakes_max,
                handshake_timeout,
            },
        env,
    } = server;
    let acceptor = TlsAcceptor::from(config);
    let handshakes = Arc::new(Semaphore::new(handshakes_max));
    let connections = Arc::new(Semaphore::new(connections_max));
    loop {
        let accepted = tokio::select! {
            biased;
            () = sender.closed() => return,
            accepted = accept(&listener, &handshakes) => accepted,
        };
        let (socket, address, handshake_permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                env.sleep(limits::ACCEPT_BACKOFF).await;
                continue;
            }
        };
        // Full: a connection closed at once lets the peer try elsewhere, a silent one does not.
        let Ok(connection_permit) = connections.clone().try_acquire_owned() else {
            tracing::debug!(%address, connections_max, "connection closed: too many");
            continue;
        };
        let handshake = {
            let (acceptor, sender, env) = (acceptor.clone(), sender.clone(), env.clone());
            async move {
                let outcome = env
                    .timeout(handshake_timeout, shake_hands(&acceptor, socket))
                    .await;
                drop(handshake_permit);
                match outcome {
                    // The stream was dropped: so is the connection.
                    Ok(Ok(stream)) => {
                        let _ = sender.send(TlsStream::new(stream, connection_permit)).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%address, %error, "TLS handshake failed"),
                    Err(_) => tracing::debug!(%address, "TLS handshake timed out"),
                }
            }
        };
        drop(env.spawn("tls-handshake", handshake));
    }
}

/// The next connection, once there is room for its handshake.
async fn accept(
    listener: &TcpListener,
    handshakes: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = handshakes
        .clone()
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (socket, address) = listener.accept().await?;
    Ok((socket, address, permit))
}

async fn shake_hands(
    acceptor: &TlsAcceptor,
    socket: TcpStream,
) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    // Frames are written whole; waiting to fill a segment only adds delay.
    socket.set_nodelay(true)?;
    acceptor.accept(socket).await
}
