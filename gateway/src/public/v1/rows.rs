//! One site as `/v1` shows it.

use jiff::{Timestamp, tz::TimeZone};
use quorate_proto::ids::{ProductId, SiteCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::public::snapshot::{Level, Shown, Site, Stock};

/// A site and its stock of one product.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::public) struct SiteRow<'a> {
    code: &'a str,
    name: &'a str,
    /// Two digits: 01 pharmacy, 02 post office, 03 mart.
    #[serde(rename = "type")]
    site_type: String,
    address: &'a str,
    /// Province or metropolitan city; null where it is not known.
    region: Option<&'a str>,
    /// Degrees, WGS 84; null where the place is not known.
    pub(super) latitude: Option<f64>,
    pub(super) longitude: Option<f64>,
    /// Whose stock this is.
    product: Option<&'a str>,
    /// plenty: 100 and more, some: 30 to 99, few: 2 to 29, empty: 0 or 1, break: the sale is stopped; null:
    /// the site has reported nothing.
    level: Option<Level>,
    /// On hand minus held; null: the site has reported nothing.
    available: Option<u64>,
    /// Units that handed-out number tickets take.
    held: Option<u32>,
    /// The site has stopped its sale.
    sales_stopped: bool,
    /// An authority has suspended the site: nothing is granted there.
    suspended: bool,
    /// A line of the site to the public.
    notice: Option<&'a str>,
    /// Last change of anything here.
    updated_at: Option<String>,
    /// When goods last came in.
    received_at: Option<String>,
    /// Metres over ground from the place that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) distance_m: Option<f64>,
}

/// One product at a site.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::public) struct ProductRow {
    product: String,
    level: Option<Level>,
    available: Option<u64>,
    held: Option<u32>,
    sales_stopped: bool,
    updated_at: Option<String>,
    received_at: Option<String>,
}

#[derive(Serialize)]
struct Gone<'a> {
    code: &'a str,
}

/// RFC 3339 with milliseconds and the program's offset; `None`: beyond the calendar.
pub(super) fn time(unix_ms: i64, zone: &TimeZone) -> Option<String> {
    let time = Timestamp::from_millisecond(unix_ms).ok()?;
    let local = time.to_zoned(zone.clone());
    Some(local.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string())
}

/// Calls `take` with a site's row as it is now, under the site's lock.
pub(super) fn with_row<T>(
    site: &Site,
    shown: &Shown,
    distance_m: Option<f64>,
    take: impl FnOnce(&SiteRow<'_>) -> T,
) -> T {
    let profile = &site.profile;
    let now = site.now();
    let stock = now.stock(shown.product.as_ref());
    let reported = stock.filter(|stock| stock.is_reported);
    take(&SiteRow {
        code: profile.code.as_str(),
        name: &profile.name,
        site_type: profile.site_type.to_string(),
        address: &profile.address,
        region: unless_empty(&profile.region),
        latitude: profile.location.map(|place| place.latitude),
        longitude: profile.location.map(|place| place.longitude),
        product: shown.product.as_ref().map(ProductId::as_str),
        level: reported.map(Stock::level),
        available: reported.map(Stock::available),
        held: reported.map(|stock| stock.held),
        sales_stopped: stock.is_some_and(|stock| stock.sales_stopped),
        suspended: now.suspended,
        notice: unless_empty(&now.notice),
        updated_at: time(now.updated_ms(stock), &shown.zone),
        received_at: stock
            .and_then(|stock| stock.received_ms)
            .and_then(|at| time(at, &shown.zone)),
        // Tenths of a metre are finer than any address.
        distance_m: distance_m.map(|metres| (metres * 10.0).round() / 10.0),
    })
}

fn unless_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A site's row as one line of JSON.
pub(in crate::public) fn to_json(site: &Site, shown: &Shown) -> String {
    with_row(site, shown, None, |row| {
        serde_json::to_string(row).expect("texts and finite numbers are JSON")
    })
}

/// What is told of a site that is no more.
pub(in crate::public) fn gone(code: &SiteCode) -> String {
    let gone = Gone {
        code: code.as_str(),
    };
    serde_json::to_string(&gone).expect("a text is JSON")
}

/// Every product that the site has, by name.
pub(super) fn products(site: &Site, zone: &TimeZone) -> Vec<ProductRow> {
    let now = site.now();
    let row = |(product, stock): (&ProductId, &Stock)| {
        let reported = Some(stock).filter(|stock| stock.is_reported);
        ProductRow {
            product: product.as_str().to_owned(),
            level: reported.map(Stock::level),
            available: reported.map(Stock::available),
            held: reported.map(|stock| stock.held),
            sales_stopped: stock.sales_stopped,
            updated_at: time(stock.updated_ms, zone),
            received_at: stock.received_ms.and_then(|at| time(at, zone)),
        }
    };
    now.products().map(row).collect()
}
