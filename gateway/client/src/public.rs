//! Reading the public stock: plain HTTP/1.1 to a gateway's public listener, as any app does.
//!
//! State owned: one connection a [`PublicReader`], opened when it is first needed and again after it broke.
//! Invariant: no answer larger than [`ANSWER_BYTES_MAX`] is kept. Deliberately absent: sessions, certificates
//! and retries; public data is asked for again a moment later.

mod events;

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use quorate_link::Env;
use thiserror::Error;
use tokio::net::TcpStream;

pub use events::{Event, EventParser};

/// A page of all 5,000 sites that the public interface gives at once takes two or three mebibytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Why a public answer could not be had.
#[derive(Debug, Error)]
pub enum PublicError {
    /// Nobody listens at the address, or the name cannot be resolved.
    #[error("cannot connect to {address}")]
    Connect {
        /// `host:port`.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The address or path is not one.
    #[error("{path:?} cannot be asked for")]
    Path {
        /// As it was given.
        path: String,
        /// What is wrong with it.
        source: http::Error,
    },
    /// The connection broke before the answer was whole.
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
    /// Nothing came in the time that was allowed.
    #[error("no answer in time")]
    Late,
    /// The answer is larger than any that the interface gives.
    #[error("the answer is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
}

/// A public answer.
#[derive(Clone, Debug)]
pub struct PublicAnswer {
    /// HTTP status.
    pub status: StatusCode,
    /// As they came.
    pub headers: http::HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Asks one public listener, over one connection that it keeps.
pub struct PublicReader {
    address: String,
    env: Env,
    connection: Option<SendRequest<Empty<Bytes>>>,
}

/// An open stream of server-sent events.
pub struct Events {
    body: Incoming,
    parser: EventParser,
}

impl PublicReader {
    /// Of the listener at `host:port`.
    #[must_use]
    pub const fn new(address: String, env: Env) -> Self {
        Self {
            address,
            env,
            connection: None,
        }
    }

    /// Asks for a path, its query included.
    ///
    /// # Errors
    /// See [`PublicError`]; a status that is not 200 is none.
    pub async fn get(
        &mut self,
        path: &str,
        time_limit: Duration,
    ) -> Result<PublicAnswer, PublicError> {
        self.ask(Method::GET, path, &[], time_limit).await
    }

    /// The same with another method, and more headers.
    ///
    /// # Errors
    /// See [`PublicError`]; a status that is not 200 is none.
    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        time_limit: Duration,
    ) -> Result<PublicAnswer, PublicError> {
        let env = self.env.clone();
        let asked = env.timeout(time_limit, async {
            let response = self.send(method, path, headers).await?;
            let (parts, mut body) = response.into_parts();
            let mut whole = BytesMut::new();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(PublicError::Broken)?;
                if let Some(data) = frame.data_ref() {
                    if whole.len() + data.len() > ANSWER_BYTES_MAX {
                        return Err(PublicError::TooLarge);
                    }
                    whole.extend_from_slice(data);
                }
            }
            Ok(PublicAnswer {
                status: parts.status,
                headers: parts.headers,
                body: whole.freeze(),
            })
        });
        let answer = asked.await.unwrap_or(Err(PublicError::Late));
        if answer.is_err() {
            // Whatever is left of the answer must not be taken for the next.
            self.connection = None;
        }
        answer
    }

    /// Opens a stream of server-sent events over a connection of its own; from behind `last_event_id`, where
    /// one is given.
    ///
    /// # Errors
    /// See [`PublicError`].
    pub async fn events(
        &self,
        path: &str,
        last_event_id: Option<&str>,
        time_limit: Duration,
    ) -> Result<Events, PublicError> {
        let mut reader = Self::new(self.address.clone(), self.env.clone());
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(last_event_id.map(|id| ("last-event-id", id)));
        let asked = reader.send(Method::GET, path, &headers);
        let response = self.env.timeout(time_limit, asked).await;
        Ok(Events {
            body: response.map_err(|_| PublicError::Late)??.into_body(),
            parser: EventParser::default(),
        })
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<http::Response<Incoming>, PublicError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::new());
        let request = request.map_err(|source| PublicError::Path {
            path: path.to_owned(),
            source,
        })?;
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => self.connect().await?,
        };
        connection.ready().await.map_err(PublicError::Broken)?;
        let answer = connection.send_request(request).await;
        let answer = answer.map_err(PublicError::Broken)?;
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, PublicError> {
        let failed = |source| PublicError::Connect {
            address: self.address.clone(),
            source,
        };
        let stream = TcpStream::connect(&self.address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let opened = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = opened.map_err(PublicError::Broken)?;
        self.env.spawn("public-reader", async move {
            // Whoever waits for an answer is told when the connection breaks.
            let _told_to_the_caller = connection.await;
        });
        Ok(sender)
    }
}

impl Events {
    /// The next event; `None` when the stream has ended.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Result<Option<Event>, PublicError> {
        loop {
            if let Some(event) = self.parser.take() {
                return Ok(Some(event));
            }
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            if let Some(data) = frame.map_err(PublicError::Broken)?.data_ref() {
                self.parser.push(data);
            }
        }
    }
}
