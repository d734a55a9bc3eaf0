//! The stock API of March 2020, as hundreds of apps know it: `/corona19-masks/v1`.
//!
//! Frozen: names, order and quirks stay as they are (`page` is a text, coordinates always have a decimal
//! point, what is not known is null with its key present). Nothing a caller sends is an error: what cannot
//! be read counts as not given, what is out of bounds is moved to the nearest bound, because these callers
//! never look at the status. Two things about the original are not known and were decided here: a question
//! without a place gets the neighbourhood of Seoul's city hall, and an address that names a whole province
//! gets an empty list.

mod query;
mod rows;

use http::StatusCode;
use serde::Serialize;

pub(super) use rows::row;

use super::{
    answer::{Answer, JSON},
    app::App,
    snapshot::Atlas,
};
use query::Query;

/// Where the API lives.
pub(super) const BASE: &str = "/corona19-masks/v1";

/// Answers a GET below [`BASE`].
pub(super) fn answer(app: &App, path: &str, query: Option<&str>) -> Answer {
    let query = Query::new(query.unwrap_or(""));
    let atlas = app.snapshot.atlas();
    let body = match path.strip_prefix(BASE) {
        Some("/storesByGeo/json") => by_place(&atlas, &query),
        Some("/storesByAddr/json") => by_address(&atlas, &query),
        Some("/stores/json") => rows::stores(&atlas, &query),
        Some("/sales/json") => rows::sales(&atlas, &query, &app.snapshot.shown()),
        _ => return not_found(),
    };
    Answer::ok(JSON, body).briefly_cached()
}

fn by_place(atlas: &Atlas, query: &Query<'_>) -> Vec<u8> {
    let near = atlas.places.within(query.place(), query.radius_m());
    let mut body = Vec::with_capacity(rows::bytes(near.len()));
    body.extend_from_slice(b"{\"count\":");
    body.extend_from_slice(near.len().to_string().as_bytes());
    let numbers = near.iter().map(|near| near.index);
    rows::append_whole(&mut body, atlas, numbers);
    body
}

fn by_address(atlas: &Atlas, query: &Query<'_>) -> Vec<u8> {
    let address = query.address();
    let found = atlas.addresses.find(&address);
    let mut body = Vec::with_capacity(rows::bytes(found.len()) + address.len());
    body.extend_from_slice(b"{\"address\":");
    rows::append_text(&mut body, &address);
    body.extend_from_slice(b",\"count\":");
    body.extend_from_slice(found.len().to_string().as_bytes());
    rows::append_whole(&mut body, atlas, found.into_iter());
    body
}

#[derive(Serialize)]
struct Fault {
    error: FaultBody,
}
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FaultBody {
    error_code: &'static str,
    message: &'static str,
    details: &'static str,
}

fn fault(
    status: StatusCode,
    error_code: &'static str,
    message: &'static str,
    details: &'static str,
) -> Answer {
    let fault = Fault {
        error: FaultBody {
            error_code,
            message,
            details,
        },
    };
    let body = serde_json::to_vec(&fault).expect("texts are JSON");
    Answer::new(status, JSON, body)
}

/// Reads everything that a question may hold, and forgets it: for [`crate::decoders`].
pub(crate) fn read(query: &str) {
    let query = Query::new(query);
    let _ = (query.place(), query.radius_m(), query.address());
    let _ = (query.page(), query.per_page());
}

pub(super) fn not_found() -> Answer {
    fault(
        StatusCode::NOT_FOUND,
        "300",
        "Not Found Exception",
        "URL not found.",
    )
}

pub(super) fn method_not_allowed() -> Answer {
    fault(
        StatusCode::METHOD_NOT_ALLOWED,
        "405",
        "Method Not Allowed Exception",
        "Use GET.",
    )
}

/// Too much is under way.
pub(super) fn throttled() -> Answer {
    fault(
        StatusCode::TOO_MANY_REQUESTS,
        "429",
        "Too Many Requests Exception",
        "Try again in a few seconds.",
    )
    .retry_later()
}

#[cfg(test)]
mod tests;
