//! Answers as they leave: bodies counted against one bound, and the headers that all of them carry.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_TYPE,
        RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
    },
};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits;

/// The body of every answer.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

pub(super) const JSON: &str = "application/json";
pub(super) const PROBLEM: &str = "application/problem+json";

/// An answer that is ready, its body not yet counted.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Answer {
        let headers =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        Answer {
            status,
            headers,
            body,
        }
    }

    pub(super) fn ok(content_type: &'static str, body: Vec<u8>) -> Answer {
        Answer::new(StatusCode::OK, content_type, body)
    }

    /// No body at all.
    pub(super) fn empty(status: StatusCode) -> Answer {
        Answer {
            status,
            headers: HeaderMap::new(),
            body: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Answer {
        self.headers.insert(name, value);
        self
    }

    /// Data that may change with the next sale: a cache may keep it for as long as nobody minds.
    pub(super) fn briefly_cached(self) -> Answer {
        self.with(CACHE_CONTROL, HeaderValue::from_static("public, max-age=1"))
    }

    /// What does not change while this process runs.
    pub(super) fn long_cached(self) -> Answer {
        self.with(
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=3600"),
        )
    }

    pub(super) fn retry_later(self) -> Answer {
        self.with(
            RETRY_AFTER,
            HeaderValue::from(limits::PUBLIC_RETRY_AFTER_SECONDS),
        )
    }
}

/// The answer to a browser that asks whether another site's page may ask.
pub(super) fn preflight() -> Answer {
    Answer::empty(StatusCode::NO_CONTENT)
        .with(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, HEAD, OPTIONS"),
        )
        .with(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(
                "Accept, Cache-Control, Content-Type, If-None-Match, Last-Event-ID, X-Requested-With",
            ),
        )
        .with(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"))
}

/// Counts the bytes of answers under way.
#[derive(Debug)]
pub(super) struct Outgoing(Arc<Semaphore>);

/// Bytes of one permit.
const PERMIT_BYTES: usize = 1024;

impl Outgoing {
    pub(super) fn new() -> Outgoing {
        Outgoing(Arc::new(Semaphore::new(
            limits::PUBLIC_ANSWER_BYTES_MAX / PERMIT_BYTES,
        )))
    }

    /// The answer as it leaves. Its body is counted until the last byte of it was written to the socket.
    ///
    /// # Errors
    /// Too many bytes are under way.
    pub(super) fn seal(&self, answer: Answer) -> Result<Response<Body>, NoRoom> {
        let Answer {
            status,
            headers,
            body,
        } = answer;
        let permits = u32::try_from(body.len().div_ceil(PERMIT_BYTES)).map_err(|_| NoRoom)?;
        let permit = self.0.clone().try_acquire_many_owned(permits);
        let counted = Counted {
            bytes: body,
            _permit: permit.map_err(|_| NoRoom)?,
        };
        Ok(finish(status, headers, Bytes::from_owner(counted)))
    }
}

/// The bound on answers under way is reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoRoom;

/// Leaves uncounted: a small answer, such as that there is no room.
pub(super) fn uncounted(answer: Answer) -> Response<Body> {
    finish(answer.status, answer.headers, answer.body.into())
}

fn finish(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).boxed_unsync());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    open_to_all(response.headers_mut());
    response
}

/// Everything here is public, to pages of every origin.
pub(super) fn open_to_all(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("ETag, Retry-After"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

struct Counted {
    bytes: Vec<u8>,
    /// Given back when nobody holds the bytes any more.
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn answers_are_counted_until_they_are_gone() {
        let outgoing = Outgoing::new();
        let large = || Answer::ok(JSON, vec![b' '; limits::PUBLIC_ANSWER_BYTES_MAX / 2]);
        let first = outgoing.seal(large()).unwrap();
        let second = outgoing.seal(large()).unwrap();
        assert!(outgoing.seal(Answer::ok(JSON, vec![b' '])).is_err());
        drop(first);
        let third = outgoing.seal(large()).unwrap();
        drop((second, third));
    }
}
