//! `/v1/deltas`: changes as they come, as server-sent events.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use futures_util::stream;
use http::{
    HeaderMap, HeaderValue, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Refusal,
    query::{Fault, Pairs},
    rows,
};
use crate::{
    limits,
    public::{
        answer::{self, Body},
        app::App,
        deltas::{Cursor, Told},
    },
};

pub(in crate::public) const PATH: &str = "/v1/deltas";

/// One listener.
struct Listener {
    app: Arc<App>,
    cursor: Cursor,
    /// Whether nothing was sent yet: the first thing to be said is how old the data is.
    is_new: bool,
    _place: OwnedSemaphorePermit,
}

/// Changes as they come: `site` with a row of `/v1/sites`, `gone` with the code of a site that is no more,
/// `status` with the age of the data every few seconds, `reset` where what was missed is no longer kept:
/// then read `/v1/sites` again. The id of an event, sent back as `Last-Event-ID`, goes on behind it.
#[utoipa::path(
    get,
    path = PATH,
    tag = "stock",
    operation_id = "listenToDeltas",
    params(
        ("since" = Option<String>, Query, description = "The `version` of an answer: changes since then; \
            from now on where neither this nor `Last-Event-ID` is given"),
        ("Last-Event-ID" = Option<String>, Header, description = "Wins over `since`"),
    ),
    responses(
        (status = 200, description = "The stream", content_type = "text/event-stream", body = String),
        (status = 400, description = "A parameter is wrong", body = super::Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "Too many listen already", body = super::Problem,
            content_type = "application/problem+json"),
    )
)]
pub(in crate::public) fn answer(
    app: &Arc<App>,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let place = place(query, headers.get("last-event-id"))?;
    let listener = Listener {
        app: app.clone(),
        cursor: place.unwrap_or_else(|| app.deltas.cursor()),
        is_new: true,
        _place: app.deltas.listen().ok_or(Refusal::TooManyListeners)?,
    };
    let events = stream::unfold(listener, |mut listener| async {
        let events = listener.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(events)), listener))
    });
    let mut response = Response::new(StreamBody::new(events).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer::open_to_all(headers);
    Ok(response)
}

/// Where a listener goes on from; `None`: from now on.
fn place(query: Option<&str>, last_id: Option<&HeaderValue>) -> Result<Option<Cursor>, Fault> {
    let mut pairs = Pairs::new(query);
    let since = pairs.take("since").map(|text| {
        Cursor::parse(&text).ok_or_else(|| Fault::new("since", "must be the version of an answer"))
    });
    let since = since.transpose()?;
    pairs.finish(&["since"])?;
    let last = last_id.and_then(|value| Cursor::parse(value.to_str().ok()?));
    Ok(last.or(since))
}

/// Reads where a listener goes on from, and forgets it: for [`crate::decoders`].
///
/// # Panics
/// A place is not read again from its own id.
pub(crate) fn read(query: &str, last_id: &str) {
    let last_id = HeaderValue::from_bytes(last_id.as_bytes()).ok();
    if let Ok(Some(cursor)) = place(Some(query), last_id.as_ref()) {
        let again = Cursor::parse(&cursor.to_string());
        assert_eq!(again, Some(cursor), "a place read from its own id");
    }
}

impl Listener {
    /// What is to be sent next; `None`: nothing more.
    async fn next(&mut self) -> Option<Bytes> {
        if std::mem::take(&mut self.is_new) {
            return Some(self.status());
        }
        loop {
            match self.app.deltas.read(self.cursor) {
                Told::Events(text, cursor) => {
                    self.cursor = cursor;
                    return Some(text);
                }
                Told::Reset(cursor) => {
                    self.cursor = cursor;
                    let reset = format!("id: {cursor}\nevent: reset\ndata: {{}}\n\n");
                    return Some(reset.into());
                }
                Told::Nothing => {}
            }
            let news = self.app.deltas.wait(self.cursor);
            let interval = limits::DELTA_STATUS_INTERVAL;
            match self.app.env.timeout(interval, news).await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(_) => return Some(self.status()),
            }
        }
    }

    fn status(&self) -> Bytes {
        #[derive(Serialize)]
        struct Status {
            as_of: Option<String>,
            lag_ms: Option<u64>,
            complete: bool,
        }
        let freshness = self.app.freshness();
        let zone = self.app.snapshot.shown().zone;
        let status = Status {
            as_of: freshness.as_of_ms.and_then(|at| rows::time(at, &zone)),
            lag_ms: freshness.lag_ms,
            complete: freshness.is_complete(),
        };
        let data = serde_json::to_string(&status).expect("texts and numbers are JSON");
        format!("event: status\ndata: {data}\n\n").into()
    }
}
