//! The rows of the frozen API, byte for byte.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::query::Query;
use crate::public::snapshot::{Atlas, Level, Profile, Shown, Site, Stock};

/// What is known of the stock of a site; all null where the site has reported nothing.
struct Report {
    created_at: Option<String>,
    remain_stat: Option<Level>,
    stock_at: Option<String>,
}

impl Report {
    fn of(stock: Option<&Stock>, zone: &TimeZone) -> Report {
        let stock = stock.filter(|stock| stock.is_reported);
        Report {
            created_at: stock.and_then(|stock| local_time(stock.updated_ms, zone)),
            remain_stat: stock.map(Stock::level),
            stock_at: stock
                .and_then(|stock| stock.received_ms)
                .and_then(|at| local_time(at, zone)),
        }
    }
}

/// `YYYY/MM/DD HH:mm:ss`; `None`: beyond the calendar.
fn local_time(unix_ms: i64, zone: &TimeZone) -> Option<String> {
    let time = Timestamp::from_millisecond(unix_ms).ok()?;
    let local = zone.to_datetime(time);
    Some(local.strftime("%Y/%m/%d %H:%M:%S").to_string())
}

/// All nine fields.
#[derive(Serialize)]
struct Whole<'a> {
    addr: &'a str,
    code: &'a str,
    created_at: Option<String>,
    lat: Option<f64>,
    lng: Option<f64>,
    name: &'a str,
    remain_stat: Option<Level>,
    stock_at: Option<String>,
    r#type: String,
}

/// A site's row in an answer by place or address.
pub(in crate::public) fn row(profile: &Profile, stock: Option<&Stock>, zone: &TimeZone) -> String {
    let report = Report::of(stock, zone);
    let row = Whole {
        addr: &profile.address,
        code: profile.code.as_str(),
        created_at: report.created_at,
        lat: profile.location.map(|location| location.latitude),
        lng: profile.location.map(|location| location.longitude),
        name: &profile.name,
        remain_stat: report.remain_stat,
        stock_at: report.stock_at,
        r#type: profile.site_type.to_string(),
    };
    serde_json::to_string(&row).expect("texts and finite numbers are JSON")
}

/// About how long an answer of so many rows is, bytes.
pub(super) fn bytes(rows: usize) -> usize {
    // Addresses and names of 2020 make rows of 330 bytes.
    64 + rows * 384
}

/// Ends an answer with the rows of these sites.
pub(super) fn append_whole(body: &mut Vec<u8>, atlas: &Atlas, numbers: impl Iterator<Item = u32>) {
    body.extend_from_slice(b",\"stores\":[");
    for (at, number) in numbers.enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(atlas.site(number).now().legacy.as_bytes());
    }
    body.extend_from_slice(b"]}");
}

pub(super) fn append_text(body: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(body, text).expect("a text is JSON");
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<Rows> {
    total_pages: usize,
    total_count: usize,
    page: String,
    count: usize,
    #[serde(flatten)]
    rows: Rows,
}

#[derive(Serialize)]
struct Stores<'a> {
    #[serde(rename = "storeInfos")]
    stores: Vec<Store<'a>>,
}
#[derive(Serialize)]
struct Store<'a> {
    addr: &'a str,
    code: &'a str,
    lat: Option<f64>,
    lng: Option<f64>,
    name: &'a str,
    r#type: String,
}

#[derive(Serialize)]
struct Sales<'a> {
    sales: Vec<Sale<'a>>,
}
#[derive(Serialize)]
struct Sale<'a> {
    code: &'a str,
    created_at: Option<String>,
    remain_stat: Option<Level>,
    stock_at: Option<String>,
}

/// One page of what the sites are.
pub(super) fn stores(atlas: &Atlas, query: &Query<'_>) -> Vec<u8> {
    let (page, sites) = page(atlas, query);
    let stores = sites.iter().map(|site| &site.profile).map(|profile| Store {
        addr: &profile.address,
        code: profile.code.as_str(),
        lat: profile.location.map(|location| location.latitude),
        lng: profile.location.map(|location| location.longitude),
        name: &profile.name,
        r#type: profile.site_type.to_string(),
    });
    to_json(&page.with(Stores {
        stores: stores.collect(),
    }))
}

/// One page of what the sites have.
pub(super) fn sales(atlas: &Atlas, query: &Query<'_>, shown: &Shown) -> Vec<u8> {
    let (page, sites) = page(atlas, query);
    let sales = sites.iter().map(|site| {
        let now = site.now();
        let report = Report::of(now.stock(shown.product.as_ref()), &shown.zone);
        Sale {
            code: site.profile.code.as_str(),
            created_at: report.created_at,
            remain_stat: report.remain_stat,
            stock_at: report.stock_at,
        }
    });
    to_json(&page.with(Sales {
        sales: sales.collect(),
    }))
}

/// A page's counters, and its sites.
fn page<'a>(atlas: &'a Atlas, query: &Query<'_>) -> (Page<()>, &'a [Arc<Site>]) {
    let (page, per_page) = (query.page(), query.per_page());
    let first = (page - 1).saturating_mul(per_page).min(atlas.sites.len());
    let end = first.saturating_add(per_page).min(atlas.sites.len());
    let sites = &atlas.sites[first..end];
    let counters = Page {
        total_pages: atlas.sites.len().div_ceil(per_page),
        total_count: atlas.sites.len(),
        page: page.to_string(),
        count: sites.len(),
        rows: (),
    };
    (counters, sites)
}

impl Page<()> {
    fn with<Rows>(self, rows: Rows) -> Page<Rows> {
        Page {
            total_pages: self.total_pages,
            total_count: self.total_count,
            page: self.page,
            count: self.count,
            rows,
        }
    }
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and finite numbers are JSON")
}
