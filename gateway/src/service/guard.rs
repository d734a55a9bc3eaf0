//! Around each service: what has to be answered before a message is read, or instead of an answer that is
//! not ours.
//!
//! A call whose deadline has passed is answered without being read. A message that is too large is refused
//! by the decoder with an error of its own; here it gets our reason.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use futures_util::{
    TryFutureExt as _,
    future::{Either, MapOk},
};
use http::{Request, Response};
use quorate_proto::status::ErrorReason;
use tonic::{Code, Status, body::Body, server::NamedService};
use tower::Service;

use super::{deadline, errors};

/// A service within its guard.
#[derive(Clone)]
pub(crate) struct Guard<S>(pub(crate) S);

impl<S: NamedService> NamedService for Guard<S> {
    const NAME: &'static str = S::NAME;
}

type Answer = Result<Response<Body>, Infallible>;

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Answer>, MapOk<S::Future, fn(Response<Body>) -> Response<Body>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let header = request.headers().get(deadline::HEADER);
        if header.is_some_and(|header| deadline::has_passed(header.as_bytes())) {
            let answer = errors::deadline_passed().into_http();
            return Either::Left(ready(Ok(answer)));
        }
        let name_size = name_size as fn(Response<Body>) -> Response<Body>;
        Either::Right(self.0.call(request).map_ok(name_size))
    }
}

/// Only the decoder answers `OUT_OF_RANGE`; the error table has no such code.
fn name_size(response: Response<Body>) -> Response<Body> {
    let code = response.headers().get(Status::GRPC_STATUS);
    if code.is_none_or(|code| Code::from_bytes(code.as_bytes()) != Code::OutOfRange) {
        return response;
    }
    too_large().into_http()
}

pub(crate) fn too_large() -> Status {
    errors::plain(
        ErrorReason::MessageTooLarge,
        "the message is larger than this service reads",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use futures_util::FutureExt as _;
    use quorate_proto::status::reason_of;

    use super::*;

    /// Answers every call with this code and counts them.
    struct Inner {
        code: Code,
        calls: u32,
    }

    impl Service<Request<Body>> for Inner {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = Ready<Answer>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            self.calls += 1;
            ready(Ok(Status::new(self.code, "inner").into_http()))
        }
    }

    fn call(code: Code, timeout: Option<&str>) -> (Option<ErrorReason>, Code, u32) {
        let mut guard = Guard(Inner { code, calls: 0 });
        let mut request = Request::new(Body::empty());
        if let Some(timeout) = timeout {
            let timeout = timeout.parse().unwrap();
            request.headers_mut().insert(deadline::HEADER, timeout);
        }
        let response = guard.call(request).now_or_never().unwrap().unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        (reason_of(&status), status.code(), guard.0.calls)
    }

    #[test]
    fn a_passed_deadline_is_answered_without_the_service() {
        let passed = (Some(ErrorReason::DeadlinePassed), Code::DeadlineExceeded, 0);
        assert_eq!(call(Code::NotFound, Some("0m")), passed);
        assert_eq!(call(Code::NotFound, Some("1S")), (None, Code::NotFound, 1));
        assert_eq!(call(Code::NotFound, None), (None, Code::NotFound, 1));
    }

    #[test]
    fn the_decoders_refusal_gets_our_reason() {
        let too_large = (
            Some(ErrorReason::MessageTooLarge),
            Code::ResourceExhausted,
            1,
        );
        assert_eq!(call(Code::OutOfRange, None), too_large);
    }
}
