//! `/v1/status`: how old the data is, and why.

use http::{HeaderValue, header::CACHE_CONTROL};
use serde::Serialize;
use utoipa::ToSchema;

use super::{query::Pairs, rows};
use crate::public::{
    answer::{Answer, JSON},
    app::App,
    freshness,
};

pub(in crate::public) const PATH: &str = "/v1/status";

/// How old the data is, and why.
#[derive(Serialize, ToSchema)]
pub(in crate::public) struct Status {
    /// Everything decided up to here is served; null until every shard has been heard.
    as_of: Option<String>,
    /// How old the data is at most, milliseconds; null until every shard has been heard.
    lag_ms: Option<u64>,
    /// Whether every shard has been heard.
    complete: bool,
    /// Of the last change that `/v1/deltas` has told.
    version: String,
    /// The product that is shown where a request names none.
    product: Option<String>,
    sites: usize,
    /// Shards that hold sites.
    shards: usize,
    /// Of these, those heard.
    shards_heard: usize,
    /// Each shard that was ever heard.
    feeds: Vec<FeedStatus>,
}

/// One shard.
#[derive(Serialize, ToSchema)]
pub(in crate::public) struct FeedStatus {
    shard: u32,
    /// Whether all of its sites are known.
    complete: bool,
    /// How old what is known of it is at most, milliseconds: since it was last heard, and what its sales
    /// had not yet told their sites then.
    lag_ms: u64,
    /// The second part of `lag_ms`.
    outbox_lag_ms: u64,
}

/// How old the data is, and why.
#[utoipa::path(
    get,
    path = PATH,
    tag = "service",
    operation_id = "getStatus",
    responses((status = 200, description = "How old the data is", body = Status))
)]
pub(in crate::public) fn answer(app: &App, query: Option<&str>) -> Answer {
    if let Err(fault) = Pairs::new(query).finish(&[]) {
        return fault.answer();
    }
    let (freshness, shown) = (app.freshness(), app.snapshot.shown());
    let now = app.env.monotonic();
    let feeds = app.snapshot.heard().into_iter();
    let status = Status {
        as_of: freshness
            .as_of_ms
            .and_then(|at| rows::time(at, &shown.zone)),
        lag_ms: freshness.lag_ms,
        complete: freshness.is_complete(),
        version: app.deltas.cursor().to_string(),
        product: shown.product.map(|product| product.as_str().to_owned()),
        sites: app.snapshot.atlas().sites.len(),
        shards: freshness.shards,
        shards_heard: freshness.shards_heard,
        feeds: feeds
            .map(|(shard, heard)| FeedStatus {
                shard: shard.get(),
                complete: heard.is_complete,
                lag_ms: freshness::lag_ms(&heard, now),
                outbox_lag_ms: heard.outbox_lag_ms,
            })
            .collect(),
    };
    let body = serde_json::to_vec(&status).expect("texts and numbers are JSON");
    Answer::ok(JSON, body).with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
