//! The node's measurements as text, for a collector: plain HTTP/1.1, `GET /metrics`.
//!
//! Invariants: nothing is changed by a request, and nothing that is told names a citizen, a site or a
//! device; connections and their time are bounded. Deliberately absent: TLS and any check of who asks. The
//! listener is for the machine itself or a network of operators, and is off unless it is configured.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use quorate_link::env::Env;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::limits;
use crate::metrics::Metrics;
use crate::shard::Host;

/// What collectors are told.
pub(crate) struct MetricsServer {
    pub(crate) host: Arc<Host>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) env: Env,
}

impl MetricsServer {
    /// Serves until the node stops.
    pub(crate) async fn run(self: Arc<Self>, listener: TcpListener) {
        let connections = Arc::new(Semaphore::new(limits::METRICS_CONNECTIONS_MAX));
        loop {
            let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((socket, _)) => {
                    let server = Arc::clone(&self);
                    self.env.spawn("metrics", async move {
                        let env = server.env.clone();
                        let served = server.serve(socket);
                        // A collector asks once in a while: it may as well connect again.
                        let _ = env
                            .timeout(limits::METRICS_CONNECTION_TIME_MAX, served)
                            .await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a collector of metrics");
                    self.env.sleep(limits::RECONNECT_PAUSE_MAX).await;
                }
            }
        }
    }

    async fn serve(self: Arc<Self>, socket: TcpStream) {
        let service = service_fn(move |request| {
            let answer = self.answer(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a collector of metrics went away");
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<String> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => match self.text() {
                Ok(text) => {
                    let mut response = Response::new(text);
                    response.headers_mut().insert(
                        http::header::CONTENT_TYPE,
                        http::HeaderValue::from_static(
                            "application/openmetrics-text; version=1.0.0; charset=utf-8",
                        ),
                    );
                    response
                }
                Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
            },
            (_, "/metrics") => refuse(StatusCode::METHOD_NOT_ALLOWED, "use GET\n"),
            _ => refuse(StatusCode::NOT_FOUND, "the measurements are at /metrics\n"),
        }
    }

    fn text(&self) -> Result<String, std::fmt::Error> {
        let now = self.env.monotonic();
        let (mut pending, mut oldest) = (0, Duration::ZERO);
        for group in self.host.groups() {
            if group.leadership().borrow().here {
                let books = group.state().books();
                pending += books.outbox().borrow().pending();
                oldest = oldest.max(books.lag(now));
            }
        }
        self.metrics.text(pending, oldest)
    }
}

fn refuse(status: StatusCode, why: &str) -> Response<String> {
    let mut response = Response::new(why.to_owned());
    *response.status_mut() = status;
    response
}
