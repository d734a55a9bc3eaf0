//! `/v1/sites/{code}`: one site with all of its products.

use http::{HeaderMap, StatusCode};
use quorate_proto::ids::SiteCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{query::Pairs, rows, sites};
use crate::public::{
    answer::{Answer, JSON},
    app::App,
    etag::Tag,
};

pub(in crate::public) const PREFIX: &str = "/v1/sites/";

/// One site.
#[derive(Serialize, ToSchema)]
pub(in crate::public) struct SiteDetail<'a> {
    #[serde(flatten)]
    site: &'a rows::SiteRow<'a>,
    /// Every product that the site has or had.
    products: &'a [rows::ProductRow],
    /// Everything decided up to here is in the answer; null until every shard has been heard.
    as_of: Option<String>,
    /// How old the data is at most, milliseconds; null until every shard has been heard.
    lag_ms: Option<u64>,
}

/// One site with all of its products.
#[utoipa::path(
    get,
    path = "/v1/sites/{code}",
    tag = "stock",
    operation_id = "getSite",
    params(
        ("code" = String, Path, description = "The site's code", example = "11841176"),
        ("product" = Option<String>, Query, description = "Whose stock the row shows"),
    ),
    responses(
        (status = 200, description = "The site", body = SiteDetail, headers(("ETag" = String))),
        (status = 304, description = "Nothing has changed since the answer with that `ETag`"),
        (status = 400, description = "A parameter is wrong", body = super::Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "There is no such site", body = super::Problem,
            content_type = "application/problem+json"),
    )
)]
pub(in crate::public) fn answer(
    app: &App,
    code: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Answer {
    let mut pairs = Pairs::new(query);
    let product = pairs.take("product");
    let product = product.map(|text| super::query::product(&text)).transpose();
    let shown = product
        .and_then(|product| sites::shown(app, product))
        .and_then(|shown| pairs.finish(&["product"]).map(|()| shown));
    let shown = match shown {
        Ok(shown) => shown,
        Err(fault) => return fault.answer(),
    };
    let atlas = app.snapshot.atlas();
    let code = SiteCode::parse(code).ok();
    let Some(site) = code.and_then(|code| atlas.find(&code)) else {
        return super::problem(StatusCode::NOT_FOUND, "there is no site of that code", None);
    };
    let version = site.now().version;
    Tag::of(app.deltas.epoch(), (version, shown.product)).answer(headers, || {
        let freshness = app.freshness();
        let products = rows::products(site, &shown.zone);
        let body = rows::with_row(site, &shown, None, |row| {
            serde_json::to_vec(&SiteDetail {
                site: row,
                products: &products,
                as_of: freshness
                    .as_of_ms
                    .and_then(|at| rows::time(at, &shown.zone)),
                lag_ms: freshness.lag_ms,
            })
        });
        Answer::ok(JSON, body.expect("texts and finite numbers are JSON"))
    })
}
