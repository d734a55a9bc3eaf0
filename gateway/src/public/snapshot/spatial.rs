//! Where the sites are: an R-tree of points on a sphere.
//!
//! State owned: one immutable tree. A place is three coordinates on the sphere and not two angles, so that
//! straight distances order places as distances over ground do, at every latitude and across the date
//! line. Deliberately absent: stock; the tree is built anew only when a place changes.

use rstar::{PointDistance as _, RTree, primitives::GeomWithData};

use super::site::Location;

/// Mean radius of the Earth, metres.
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// A place, and the number of its site in the atlas.
type Place = GeomWithData<[f64; 3], u32>;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct SpatialIndex(RTree<Place>);

/// A site and its distance over ground, metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Near {
    pub(crate) index: u32,
    pub(crate) distance_m: f64,
}

impl SpatialIndex {
    pub(super) fn new(places: impl Iterator<Item = (u32, Location)>) -> SpatialIndex {
        let places = places.map(|(index, location)| Place::new(on_sphere(location), index));
        SpatialIndex(RTree::bulk_load(places.collect()))
    }

    /// Sites within `radius_m` metres over ground, nearest first; equally near ones by their number.
    pub(crate) fn within(&self, center: Location, radius_m: f64) -> Vec<Near> {
        let center = on_sphere(center);
        let chord = chord(radius_m);
        let mut found: Vec<Near> = self
            .0
            .locate_within_distance(center, chord * chord)
            .map(|place| Near {
                index: place.data,
                distance_m: arc(place.distance_2(&center).sqrt()),
            })
            .collect();
        found.sort_unstable_by(|a, b| {
            let by_distance = a.distance_m.total_cmp(&b.distance_m);
            by_distance.then(a.index.cmp(&b.index))
        });
        found
    }
}

fn on_sphere(location: Location) -> [f64; 3] {
    let (latitude, longitude) = (
        location.latitude.to_radians(),
        location.longitude.to_radians(),
    );
    let across = EARTH_RADIUS_M * latitude.cos();
    [
        across * longitude.cos(),
        across * longitude.sin(),
        EARTH_RADIUS_M * latitude.sin(),
    ]
}

/// The straight way between two places that are `arc_m` metres apart over ground.
fn chord(arc_m: f64) -> f64 {
    let half = (arc_m / (2.0 * EARTH_RADIUS_M)).clamp(0.0, std::f64::consts::FRAC_PI_2);
    2.0 * EARTH_RADIUS_M * half.sin()
}

/// The way over ground between two places that are `chord_m` metres apart.
fn arc(chord_m: f64) -> f64 {
    2.0 * EARTH_RADIUS_M * (chord_m / (2.0 * EARTH_RADIUS_M)).clamp(0.0, 1.0).asin()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    /// The textbook's way over ground, metres.
    fn haversine(a: Location, b: Location) -> f64 {
        let (lat_a, lat_b) = (a.latitude.to_radians(), b.latitude.to_radians());
        let half_lat = (lat_b - lat_a) / 2.0;
        let half_lng = (b.longitude - a.longitude).to_radians() / 2.0;
        let h = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lng.sin().powi(2);
        2.0 * EARTH_RADIUS_M * h.sqrt().min(1.0).asin()
    }

    fn location() -> impl Strategy<Value = Location> {
        (37.0..37.2, 126.9..127.2)
            .prop_map(|(latitude, longitude)| Location::new(latitude, longitude).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn finds_what_a_search_of_all_finds_nearest_first(
            places in prop::collection::vec(location(), 0..200),
            center in location(),
            radius_m in 0.0..20_000.0,
        ) {
            let index = SpatialIndex::new((0..).zip(places.iter().copied()));
            let found = index.within(center, radius_m);
            prop_assert!(found.is_sorted_by(|a, b| a.distance_m <= b.distance_m));
            for near in &found {
                let apart = haversine(center, places[near.index as usize]);
                prop_assert!((near.distance_m - apart).abs() < 0.01, "{near:?}, but {apart}");
            }
            let mut found: Vec<u32> = found.iter().map(|near| near.index).collect();
            found.sort_unstable();
            let expected: Vec<u32> = (0..)
                .zip(&places)
                .filter(|(_, place)| haversine(center, **place) <= radius_m)
                .map(|(index, _)| index)
                .collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_date_line_and_the_poles_are_ordinary_places() {
        let at = |latitude, longitude| Location::new(latitude, longitude).unwrap();
        let index = SpatialIndex::new((0..).zip([at(0.0, 179.999), at(89.999, 0.0)]));
        assert_eq!(index.within(at(0.0, -179.999), 500.0).len(), 1);
        assert_eq!(index.within(at(89.999, 180.0), 500.0).len(), 1);
    }
}
