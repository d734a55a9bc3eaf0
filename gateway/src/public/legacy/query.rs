//! What a caller of the frozen API asks for, forgivingly.

use std::borrow::Cow;

use crate::{limits, public::snapshot::Location};

/// Seoul's city hall.
const PLACE_DEFAULT: (f64, f64) = (37.5665, 126.978);
/// Bounds of the original, degrees: Korea and some sea.
const LATITUDES: (f64, f64) = (33.0, 43.0);
/// See [`LATITUDES`].
const LONGITUDES: (f64, f64) = (124.0, 132.0);
/// Metres.
const RADIUS_M_DEFAULT: f64 = 1000.0;
/// The original's second bound; the first was 10,000.
const RADIUS_M_MAX: f64 = 5000.0;

const PER_PAGE_MIN: usize = 500;
const PER_PAGE_MAX: usize = 5000;

/// The parameters of a request; of several with one name the first counts.
pub(super) struct Query<'a>(&'a [u8]);

impl<'a> Query<'a> {
    pub(super) fn new(query: &'a str) -> Query<'a> {
        Query(query.as_bytes())
    }

    fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut pairs = form_urlencoded::parse(self.0);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn number(&self, name: &str) -> Option<f64> {
        let number: f64 = self.get(name)?.trim().parse().ok()?;
        number.is_finite().then_some(number)
    }

    pub(super) fn place(&self) -> Location {
        let bounded = |name, default, (least, most): (f64, f64)| {
            self.number(name).unwrap_or(default).clamp(least, most)
        };
        Location {
            latitude: bounded("lat", PLACE_DEFAULT.0, LATITUDES),
            longitude: bounded("lng", PLACE_DEFAULT.1, LONGITUDES),
        }
    }

    pub(super) fn radius_m(&self) -> f64 {
        self.number("m")
            .unwrap_or(RADIUS_M_DEFAULT)
            .clamp(0.0, RADIUS_M_MAX)
    }

    /// Counted from 1.
    pub(super) fn page(&self) -> usize {
        self.whole("page").unwrap_or(1).max(1)
    }

    pub(super) fn per_page(&self) -> usize {
        self.whole("perPage")
            .unwrap_or(PER_PAGE_MIN)
            .clamp(PER_PAGE_MIN, PER_PAGE_MAX)
    }

    fn whole(&self, name: &str) -> Option<usize> {
        let text = self.get(name)?;
        let text = text.trim();
        match text.parse::<usize>() {
            Ok(number) => Some(number),
            // Below the least or above the most that a number can be: moved to the bound all the same.
            Err(_) if is_digits(text) => Some(usize::MAX),
            Err(_) if text.strip_prefix('-').is_some_and(is_digits) => Some(0),
            Err(_) => None,
        }
    }

    /// As given, or cut to the longest that is looked for.
    pub(super) fn address(&self) -> Cow<'a, str> {
        let mut address = self.get("address").unwrap_or_default();
        if address.len() > limits::PUBLIC_ADDRESS_BYTES_MAX {
            let end = address.floor_char_boundary(limits::PUBLIC_ADDRESS_BYTES_MAX);
            address.to_mut().truncate(end);
        }
        address
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_moved_into_their_bounds() {
        for (query, page, per_page) in [
            ("", 1, 500),
            ("page=3&perPage=1000", 3, 1000),
            ("page=0&perPage=100", 1, 500),
            ("page=-2&perPage=100000", 1, 5000),
            ("page=99999999999999999999&perPage=-1", usize::MAX, 500),
            ("page=x&perPage=", 1, 500),
            ("page=%202%20&page=7", 2, 500),
            ("PAGE=2", 1, 500),
        ] {
            let parsed = Query::new(query);
            assert_eq!(
                (parsed.page(), parsed.per_page()),
                (page, per_page),
                "{query}"
            );
        }
    }

    #[test]
    fn places_are_moved_into_their_bounds() {
        for (query, latitude, longitude, radius_m) in [
            ("", 37.5665, 126.978, 1000.0),
            ("lat=35.1&lng=129.0&m=500", 35.1, 129.0, 500.0),
            ("lat=90&lng=-200&m=100000", 43.0, 124.0, 5000.0),
            ("lat=nan&lng=inf&m=-1", 37.5665, 126.978, 0.0),
            ("lat=%EB%8F%99&lng=&m=1e3", 37.5665, 126.978, 1000.0),
        ] {
            let parsed = Query::new(query);
            let place = parsed.place();
            let found = (place.latitude, place.longitude, parsed.radius_m());
            assert_eq!(found, (latitude, longitude, radius_m), "{query}");
        }
    }

    #[test]
    fn a_long_address_is_cut_between_letters() {
        let long = format!("address={}", "동".repeat(200));
        let address = Query::new(&long).address().into_owned();
        assert!(address.len() <= limits::PUBLIC_ADDRESS_BYTES_MAX);
        assert!(address.chars().all(|letter| letter == '동'));
        assert_eq!(Query::new("address=a+b%20c").address(), "a b c");
    }
}
