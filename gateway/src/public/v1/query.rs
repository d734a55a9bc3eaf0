//! What a caller of `/v1` asks for, strictly: an unknown name, a value of the wrong shape or out of bounds
//! is a fault, and the fault names the parameter.

use std::borrow::Cow;

use quorate_proto::ids::{ProductId, SiteType};
use utoipa::IntoParams;

use crate::{limits, public::snapshot::Location};

/// A parameter that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::public) struct Fault {
    pub(super) parameter: String,
    pub(super) detail: String,
}

impl Fault {
    pub(super) fn new(parameter: &str, detail: impl Into<String>) -> Fault {
        Fault {
            parameter: parameter.to_owned(),
            detail: detail.into(),
        }
    }
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Format {
    Json,
    GeoJson,
    Csv,
}

impl Format {
    /// What the `format` parameter, or else the `Accept` header asks for.
    fn chosen(format: Option<&str>, accept: Option<&str>) -> Result<Format, Fault> {
        match format {
            Some("json") => Ok(Format::Json),
            Some("geojson") => Ok(Format::GeoJson),
            Some("csv") => Ok(Format::Csv),
            Some(_) => Err(Fault::new("format", "must be json, geojson or csv")),
            None => Ok(Format::accepted(accept.unwrap_or(""))),
        }
    }

    /// The first kind of ours that is named; JSON for whoever names none.
    fn accepted(accept: &str) -> Format {
        let kinds = accept.split(',').map(|kind| {
            let kind = kind.split(';').next().unwrap_or("");
            kind.trim().to_ascii_lowercase()
        });
        let known = kinds.filter_map(|kind| match kind.as_str() {
            "application/json" | "application/*" | "*/*" => Some(Format::Json),
            "application/geo+json" => Some(Format::GeoJson),
            "text/csv" => Some(Format::Csv),
            _ => None,
        });
        known.into_iter().next().unwrap_or(Format::Json)
    }
}

/// Degrees; west may be more than east, across the date line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

impl Bounds {
    pub(super) fn contains(&self, place: Location) -> bool {
        let between = |from: f64, value: f64, to: f64| from <= value && value <= to;
        let is_across = self.west > self.east;
        let is_east_of_west = self.west <= place.longitude;
        let is_west_of_east = place.longitude <= self.east;
        between(self.south, place.latitude, self.north)
            && match is_across {
                true => is_east_of_west || is_west_of_east,
                false => is_east_of_west && is_west_of_east,
            }
    }
}

/// A question about many sites.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SitesQuery {
    pub(super) near: Option<(Location, f64)>,
    pub(super) bounds: Option<Bounds>,
    pub(super) address: Option<String>,
    pub(super) site_type: Option<SiteType>,
    pub(super) product: Option<ProductId>,
    /// Counted from 1.
    pub(super) page: usize,
    pub(super) per_page: usize,
    pub(super) format: Format,
}

/// The parameters of `/v1/sites`, for its description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
pub(in crate::public) struct SitesParams {
    /// `latitude,longitude` in degrees. Nearest first, each with its distance.
    #[param(example = "37.5665,126.978")]
    near: Option<String>,
    /// How far `near` looks, metres. Only with `near`.
    #[param(minimum = 1, maximum = 50000, default = 5000)]
    radius_m: Option<f64>,
    /// `west,south,east,north` in degrees, as in GeoJSON.
    #[param(example = "126.9,37.5,127.1,37.6")]
    bbox: Option<String>,
    /// Parts of an address, the province under any of its names: all must be in a site's address. A
    /// province alone finds nothing.
    #[param(example = "서울특별시 강남구 논현동")]
    address: Option<String>,
    /// Two digits: 01 pharmacy, 02 post office, 03 mart.
    #[param(example = "01")]
    r#type: Option<String>,
    /// Whose stock is shown; the service's first product where nothing is said.
    product: Option<String>,
    /// Counted from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<usize>,
    /// Sites of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    per_page: Option<usize>,
    /// `json`, `geojson` or `csv`. Where it is missing the `Accept` header decides.
    format: Option<String>,
}

/// The pairs of a query, each to be taken once; what nobody took is a fault.
pub(super) struct Pairs<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Pairs<'a> {
    pub(super) fn new(query: Option<&'a str>) -> Pairs<'a> {
        Pairs(form_urlencoded::parse(query.unwrap_or("").as_bytes()).collect())
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// Everything was taken.
    pub(super) fn finish(self, known: &[&str]) -> Result<(), Fault> {
        let Some((name, _)) = self.0.first() else {
            return Ok(());
        };
        let detail = if known.contains(&&**name) {
            "is given twice".to_owned()
        } else if known.is_empty() {
            "is unknown: there are no parameters here".to_owned()
        } else {
            format!("is unknown; known here: {}", known.join(", "))
        };
        Err(Fault::new(name, detail))
    }
}

impl SitesQuery {
    pub(super) fn parse(query: Option<&str>, accept: Option<&str>) -> Result<SitesQuery, Fault> {
        let mut pairs = Pairs::new(query);
        let near = pairs.take("near").map(|text| place(&text)).transpose()?;
        let radius_m = pairs.take("radius_m");
        let radius_m = radius_m.map(|text| radius(&text, near.is_some()));
        let radius_m = radius_m
            .transpose()?
            .unwrap_or(limits::PUBLIC_RADIUS_M_DEFAULT);
        let bounds = pairs.take("bbox").map(|text| bounds(&text)).transpose()?;
        let address = pairs.take("address").map(|text| address(&text));
        let site_type = pairs.take("type").map(|text| site_type(&text));
        let product = pairs.take("product").map(|text| product(&text));
        let page = pairs
            .take("page")
            .map(|text| count("page", &text, usize::MAX));
        let per_page = pairs
            .take("per_page")
            .map(|text| count("per_page", &text, limits::PUBLIC_PAGE_ROWS_MAX));
        let format = pairs.take("format");
        let parsed = SitesQuery {
            near: near.map(|place| (place, radius_m)),
            bounds,
            address: address.transpose()?,
            site_type: site_type.transpose()?,
            product: product.transpose()?,
            page: page.transpose()?.unwrap_or(1),
            per_page: per_page
                .transpose()?
                .unwrap_or(limits::PUBLIC_PAGE_ROWS_DEFAULT),
            format: Format::chosen(format.as_deref(), accept)?,
        };
        pairs.finish(&[
            "near", "radius_m", "bbox", "address", "type", "product", "page", "per_page", "format",
        ])?;
        Ok(parsed)
    }
}

fn numbers<const N: usize>(text: &str) -> Option<[f64; N]> {
    let mut parts = text.split(',').map(|part| part.trim().parse::<f64>());
    let mut numbers = [0.0; N];
    for number in &mut numbers {
        *number = parts.next()?.ok().filter(|number| number.is_finite())?;
    }
    parts.next().is_none().then_some(numbers)
}

fn place(text: &str) -> Result<Location, Fault> {
    let place = numbers(text).and_then(|[latitude, longitude]| Location::new(latitude, longitude));
    place.ok_or_else(|| {
        Fault::new(
            "near",
            "must be latitude,longitude in degrees, such as 37.5665,126.978",
        )
    })
}

fn radius(text: &str, has_near: bool) -> Result<f64, Fault> {
    if !has_near {
        return Err(Fault::new("radius_m", "has a meaning only with near"));
    }
    let most = limits::PUBLIC_RADIUS_M_MAX;
    match numbers(text) {
        Some([radius_m]) if (1.0..=most).contains(&radius_m) => Ok(radius_m),
        _ => Err(Fault::new(
            "radius_m",
            format!("must be 1 to {most} metres"),
        )),
    }
}

fn bounds(text: &str) -> Result<Bounds, Fault> {
    let bounds = numbers(text).filter(|[west, south, east, north]| {
        let are_places = [(*south, *west), (*north, *east)]
            .into_iter()
            .all(|(latitude, longitude)| Location::new(latitude, longitude).is_some());
        are_places && south <= north
    });
    let [west, south, east, north] = bounds.ok_or_else(|| {
        Fault::new(
            "bbox",
            "must be west,south,east,north in degrees, such as 126.9,37.5,127.1,37.6",
        )
    })?;
    Ok(Bounds {
        west,
        south,
        east,
        north,
    })
}

fn address(text: &str) -> Result<String, Fault> {
    let most = limits::PUBLIC_ADDRESS_BYTES_MAX;
    match text.len() {
        1.. if text.len() <= most && !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(Fault::new("address", format!("must be 1 to {most} bytes"))),
    }
}

fn site_type(text: &str) -> Result<SiteType, Fault> {
    let site_type = SiteType::parse(text);
    site_type.map_err(|_| Fault::new("type", "must be two digits, such as 01"))
}

pub(super) fn product(text: &str) -> Result<ProductId, Fault> {
    ProductId::parse(text).map_err(|error| Fault::new("product", error.to_string()))
}

fn count(name: &str, text: &str, most: usize) -> Result<usize, Fault> {
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ if most == usize::MAX => Err(Fault::new(name, "must be a number from 1 on")),
        _ => Err(Fault::new(name, format!("must be 1 to {most}"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn fault(query: &str) -> (String, String) {
        let fault = SitesQuery::parse(Some(query), None).unwrap_err();
        (fault.parameter, fault.detail)
    }

    #[test]
    fn every_fault_names_its_parameter() {
        for (query, parameter) in [
            ("near=37.5", "near"),
            ("near=91,0", "near"),
            ("near=37.5,127,1", "near"),
            ("near=nan,1", "near"),
            ("radius_m=100", "radius_m"),
            ("near=37,127&radius_m=0", "radius_m"),
            ("near=37,127&radius_m=50001", "radius_m"),
            ("bbox=1,2,3", "bbox"),
            ("bbox=126,38,127,37", "bbox"),
            ("address=", "address"),
            ("type=1", "type"),
            ("product=Mask", "product"),
            ("page=0", "page"),
            ("per_page=1001", "per_page"),
            ("per_page=-1", "per_page"),
            ("format=xml", "format"),
            ("perPage=5", "perPage"),
            ("page=1&page=2", "page"),
        ] {
            let (named, detail) = fault(query);
            assert_eq!(named, parameter, "{query}");
            assert!(!detail.is_empty());
        }
    }

    #[test]
    fn a_full_question_is_read() {
        let query = "near=37.5,127&radius_m=250&bbox=126,37,128,38&address=%EB%8F%99&type=02\
                     &product=mask&page=2&per_page=7&format=csv";
        let parsed = SitesQuery::parse(Some(query), None).unwrap();
        assert_eq!(parsed.near.unwrap().1, 250.0);
        assert_eq!(parsed.address.as_deref(), Some("동"));
        assert_eq!((parsed.page, parsed.per_page), (2, 7));
        assert_eq!(parsed.format, Format::Csv);
        let usual = SitesQuery::parse(None, None).unwrap();
        assert_eq!((usual.page, usual.per_page), (1, 100));
        assert_eq!(usual.format, Format::Json);
    }

    #[test]
    fn the_accept_header_chooses_where_nothing_else_does() {
        for (accept, format) in [
            ("", Format::Json),
            ("text/html, */*;q=0.1", Format::Json),
            ("application/geo+json", Format::GeoJson),
            ("Text/CSV; charset=utf-8", Format::Csv),
            ("application/xml", Format::Json),
        ] {
            let parsed = SitesQuery::parse(None, Some(accept)).unwrap();
            assert_eq!(parsed.format, format, "{accept}");
        }
    }

    #[test]
    fn bounds_may_cross_the_date_line() {
        let at = |longitude| Location::new(0.0, longitude).unwrap();
        let across = bounds("170,-10,-170,10").unwrap();
        assert!(across.contains(at(175.0)) && across.contains(at(-175.0)));
        assert!(!across.contains(at(0.0)));
        let plain = bounds("126,-10,127,10").unwrap();
        assert!(plain.contains(at(126.5)) && !plain.contains(at(128.0)));
    }
}
