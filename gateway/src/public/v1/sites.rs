//! `/v1/sites`: the sites that fit a question, page by page.

use http::{HeaderMap, header::ACCEPT};
use quorate_proto::ids::ProductId;

use super::{
    formats::{self, Envelope, Found},
    query::{Fault, SitesQuery},
    rows,
};
use crate::public::{
    answer::Answer,
    app::App,
    etag::Tag,
    snapshot::{Atlas, Near, Shown, Site},
};

pub(in crate::public) const PATH: &str = "/v1/sites";

/// Sites and their stock, nearest first with `near`, by code otherwise.
#[utoipa::path(
    get,
    path = PATH,
    tag = "stock",
    operation_id = "listSites",
    params(crate::public::v1::query::SitesParams),
    responses(
        (status = 200, description = "A page of sites, also as `application/geo+json` (rows as \
            properties) and `text/csv`", body = formats::SitesPage, headers(("ETag" = String))),
        (status = 304, description = "Nothing has changed since the answer with that `ETag`"),
        (status = 400, description = "A parameter is wrong", body = super::Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "Too much is under way", body = super::Problem,
            content_type = "application/problem+json"),
    )
)]
pub(in crate::public) fn answer(app: &App, query: Option<&str>, headers: &HeaderMap) -> Answer {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let question = SitesQuery::parse(query, accept)
        .and_then(|question| Ok((shown(app, question.product)?, question)));
    let (shown, question) = match question {
        Ok(question) => question,
        Err(fault) => return fault.answer(),
    };
    // Before looking: what changes from here on is told behind this version.
    let version = app.deltas.cursor();
    let atlas = app.snapshot.atlas();
    let all = candidates(&atlas, &question);
    let page = page(&atlas, &all, &question);

    let versions: Vec<u64> = page.iter().map(|(site, _)| site.now().version).collect();
    let codes: Vec<_> = page.iter().map(|(site, _)| site.profile.code).collect();
    let freshness = app.freshness();
    let content = (
        codes,
        versions,
        question.format,
        shown.product,
        all.len(),
        freshness.is_complete(),
    );
    Tag::of(app.deltas.epoch(), content).answer(headers, || {
        let envelope = Envelope {
            as_of: freshness
                .as_of_ms
                .and_then(|at| rows::time(at, &shown.zone)),
            lag_ms: freshness.lag_ms,
            complete: freshness.is_complete(),
            version: version.to_string(),
            product: shown.product.map(|product| product.as_str().to_owned()),
            total: all.len(),
            page: question.page,
            per_page: question.per_page,
        };
        formats::write(question.format, &envelope, &page, &shown)
    })
}

/// How the product that was asked for is shown.
pub(super) fn shown(app: &App, product: Option<ProductId>) -> Result<Shown, Fault> {
    match product {
        None => Ok(app.snapshot.shown()),
        Some(product) => app
            .shown_as(product)
            .ok_or_else(|| Fault::new("product", "no program has this product")),
    }
}

/// Sites that fit, in the order of the answer.
fn candidates(atlas: &Atlas, question: &SitesQuery) -> Vec<(u32, Option<f64>)> {
    let by_address = question
        .address
        .as_ref()
        .map(|address| atlas.addresses.find(address));
    let fits = |number: &u32| {
        let profile = &atlas.site(*number).profile;
        let is_there = question.bounds.is_none_or(|bounds| {
            profile
                .location
                .is_some_and(|location| bounds.contains(location))
        });
        let is_type = question
            .site_type
            .is_none_or(|kind| kind == profile.site_type);
        is_there && is_type
    };
    if let Some((place, radius_m)) = question.near {
        let is_at_address = |near: &Near| {
            let found = by_address.as_ref();
            found.is_none_or(|found| found.binary_search(&near.index).is_ok())
        };
        let near = atlas.places.within(place, radius_m).into_iter();
        return near
            .filter(is_at_address)
            .filter(|near| fits(&near.index))
            .map(|near| (near.index, Some(near.distance_m)))
            .collect();
    }
    let all = (0..).take(atlas.sites.len());
    let numbers: Vec<u32> = by_address.unwrap_or_else(|| all.collect());
    let fitting = numbers.into_iter().filter(fits);
    fitting.map(|number| (number, None)).collect()
}

fn page<'a>(atlas: &'a Atlas, all: &[(u32, Option<f64>)], question: &SitesQuery) -> Vec<Found<'a>> {
    let skipped = (question.page - 1).saturating_mul(question.per_page);
    let page = all.iter().skip(skipped).take(question.per_page);
    page.map(|(number, distance_m)| {
        let site: &Site = atlas.site(*number);
        (site, *distance_m)
    })
    .collect()
}
