//! Many sites as JSON, GeoJSON or CSV.

use serde::Serialize;
use utoipa::ToSchema;

use super::{query::Format, rows};
use crate::public::{
    answer::{Answer, JSON},
    snapshot::{Shown, Site},
};

/// What an answer about many sites says of itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::public) struct Envelope {
    /// Everything decided up to here is in the answer; null until every shard has been heard.
    pub(super) as_of: Option<String>,
    /// How old the data is at most, milliseconds; null until every shard has been heard.
    pub(super) lag_ms: Option<u64>,
    /// Whether every shard has been heard: otherwise sites are missing.
    pub(super) complete: bool,
    /// Where `/v1/deltas?since=` goes on from this answer.
    pub(super) version: String,
    /// Whose stock is shown.
    pub(super) product: Option<String>,
    /// Sites that fit the question.
    pub(super) total: usize,
    pub(super) page: usize,
    pub(super) per_page: usize,
}

/// A page of sites.
#[derive(Serialize, ToSchema)]
pub(in crate::public) struct SitesPage<'a> {
    #[serde(flatten)]
    envelope: Envelope,
    sites: Vec<rows::SiteRow<'a>>,
}

/// A site and how far it is, where that was asked.
pub(super) type Found<'a> = (&'a Site, Option<f64>);

/// The columns of CSV, in order.
const COLUMNS: &str = "code,name,type,address,region,latitude,longitude,product,level,available,held,\
                       sales_stopped,suspended,notice,updated_at,received_at,distance_m";

pub(super) fn write(
    format: Format,
    envelope: &Envelope,
    found: &[Found<'_>],
    shown: &Shown,
) -> Answer {
    match format {
        Format::Json => Answer::ok(JSON, json(envelope, found, shown)),
        Format::GeoJson => Answer::ok("application/geo+json", geo_json(envelope, found, shown)),
        Format::Csv => Answer::ok("text/csv; charset=utf-8; header=present", csv(found, shown)),
    }
}

fn append(body: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(body, value).expect("texts and finite numbers are JSON");
}

/// The envelope's members without the closing brace.
fn open(envelope: &Envelope) -> Vec<u8> {
    let mut body = Vec::with_capacity(512);
    append(&mut body, envelope);
    body.pop();
    body
}

fn json(envelope: &Envelope, found: &[Found<'_>], shown: &Shown) -> Vec<u8> {
    let mut body = open(envelope);
    body.extend_from_slice(b",\"sites\":[");
    for (at, (site, distance_m)) in found.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        rows::with_row(site, shown, *distance_m, |row| append(&mut body, row));
    }
    body.extend_from_slice(b"]}");
    body
}

/// Sites without a place have a null geometry, as the format wants it.
fn geo_json(envelope: &Envelope, found: &[Found<'_>], shown: &Shown) -> Vec<u8> {
    #[derive(Serialize)]
    struct Feature<'a> {
        r#type: &'a str,
        id: &'a str,
        geometry: Option<Point<'a>>,
        properties: &'a rows::SiteRow<'a>,
    }
    #[derive(Serialize)]
    struct Point<'a> {
        r#type: &'a str,
        coordinates: [f64; 2],
    }
    let mut body = open(envelope);
    body.extend_from_slice(b",\"type\":\"FeatureCollection\",\"features\":[");
    for (at, (site, distance_m)) in found.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        rows::with_row(site, shown, *distance_m, |row| {
            let place = row.longitude.zip(row.latitude);
            let feature = Feature {
                r#type: "Feature",
                id: site.profile.code.as_str(),
                geometry: place.map(|(longitude, latitude)| Point {
                    r#type: "Point",
                    coordinates: [longitude, latitude],
                }),
                properties: row,
            };
            append(&mut body, &feature);
        });
    }
    body.extend_from_slice(b"]}");
    body
}

/// RFC 4180; the columns are those of the JSON row.
fn csv(found: &[Found<'_>], shown: &Shown) -> Vec<u8> {
    let mut body = COLUMNS.as_bytes().to_vec();
    for (site, distance_m) in found {
        body.extend_from_slice(b"\r\n");
        let row = rows::with_row(site, shown, *distance_m, |row| serde_json::to_value(row));
        let row = row.expect("texts and finite numbers are JSON");
        for (at, column) in COLUMNS.split(',').enumerate() {
            if at > 0 {
                body.push(b',');
            }
            match row.get(column) {
                None | Some(serde_json::Value::Null) => {}
                Some(serde_json::Value::String(text)) => append_field(&mut body, text),
                Some(other) => append_field(&mut body, &other.to_string()),
            }
        }
    }
    body.extend_from_slice(b"\r\n");
    body
}

fn append_field(body: &mut Vec<u8>, text: &str) {
    if text.contains([',', '"', '\r', '\n']) {
        body.push(b'"');
        body.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        body.push(b'"');
    } else {
        body.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_csv_are_quoted_where_they_must_be() {
        for (text, field) in [
            ("plain", "plain"),
            ("a, b", "\"a, b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            let mut body = Vec::new();
            append_field(&mut body, text);
            assert_eq!(body, field.as_bytes());
        }
    }
}
