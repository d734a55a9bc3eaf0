//! What the public saw against what the record says: the same levels in the same order, each in time.
//!
//! Pure. Every site is judged twice, once for each of the two public answers. Deliberately absent: tolerance
//! for a level that came and went between two recorded ones. It is a difference.

use std::{collections::BTreeMap, time::Duration};

use quorate_files::{level::Level, record::Transition};
use quorate_proto::ids::SiteCode;
use serde::Serialize;

/// Which public answer showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Via {
    /// `/corona19-masks/v1`, asked again and again.
    Masks,
    /// The delta stream of `/v1`.
    Deltas,
}

/// Both.
pub(super) const VIAS: [Via; 2] = [Via::Masks, Via::Deltas];

/// A level that a public answer showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) via: Via,
    pub(super) site: SiteCode,
    pub(super) level: Level,
    /// Real time since the replay began.
    pub(super) at: Duration,
}

/// A level that must be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) transition: Transition,
    /// Real time since the replay began.
    pub(super) due: Duration,
    /// It was shown before; nothing changes.
    pub(super) unchanged: bool,
}

/// One recorded level and when it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) expected: Expected,
    /// Milliseconds of real time from the recorded time until each answer showed it; `None`: never.
    pub(super) lags_ms: LagsMs,
}

/// By [`VIAS`].
pub(super) type LagsMs = [Option<i64>; 2];

/// Everything that was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// By recorded time.
    pub(super) rows: Vec<Row>,
    /// Levels that were shown and are not on record.
    pub(super) surplus: Vec<Sighting>,
}

impl Row {
    /// Shown by both answers, in time.
    pub(super) fn equal(&self, bar: Duration) -> bool {
        self.expected.unchanged
            || self
                .lags_ms
                .iter()
                .all(|lag| lag.is_some_and(|lag| lag <= bar.as_millis() as i64))
    }
}

impl Comparison {
    /// Nothing missing, nothing late, nothing that is not on record.
    pub(super) fn equal(&self, bar: Duration) -> bool {
        self.surplus.is_empty() && self.rows.iter().all(|row| row.equal(bar))
    }

    /// Lags in both answers, sorted, milliseconds.
    pub(super) fn lags_ms(&self) -> Vec<i64> {
        let mut lags: Vec<i64> = self
            .rows
            .iter()
            .flat_map(|row| row.lags_ms)
            .flatten()
            .collect();
        lags.sort_unstable();
        lags
    }
}

/// Compares. `expected` is ordered by time; `sightings` of one site and answer are ordered by time.
pub(super) fn compare(expected: &[Expected], sightings: &[Sighting]) -> Comparison {
    let mut comparison = Comparison {
        rows: expected
            .iter()
            .map(|expected| Row {
                expected: *expected,
                lags_ms: [None; 2],
            })
            .collect(),
        surplus: Vec::new(),
    };
    let mut wanted: BTreeMap<SiteCode, Vec<usize>> = BTreeMap::new();
    for (index, expected) in expected.iter().enumerate() {
        if !expected.unchanged {
            wanted
                .entry(expected.transition.site)
                .or_default()
                .push(index);
        }
    }
    for (number, via) in VIAS.into_iter().enumerate() {
        for (site, wanted) in &wanted {
            let seen = changes(sightings, via, *site);
            align(&mut comparison, number, wanted, &seen);
        }
    }
    comparison
}

/// What one answer showed of one site, without repetitions.
fn changes(sightings: &[Sighting], via: Via, site: SiteCode) -> Vec<Sighting> {
    let mut seen: Vec<Sighting> = sightings
        .iter()
        .filter(|sighting| sighting.via == via && sighting.site == site)
        .copied()
        .collect();
    seen.dedup_by_key(|sighting| sighting.level);
    seen
}

/// How much earlier than its time a level may be shown: what two looks at the cluster's clock leave open.
const EARLY: Duration = Duration::from_millis(100);

/// Each level that was seen belongs to the next wanted one of its kind that was due by then; those before it
/// were never shown.
fn align(comparison: &mut Comparison, via: usize, wanted: &[usize], seen: &[Sighting]) {
    let mut open = wanted.iter();
    for sighting in seen {
        let rest = open.clone();
        let expected = |index: &usize| comparison.rows[*index].expected;
        let found = open
            .by_ref()
            .take_while(|index| expected(index).due <= sighting.at + EARLY)
            .find(|index| expected(index).transition.level == sighting.level);
        match found {
            Some(index) => {
                let row = &mut comparison.rows[*index];
                row.lags_ms[via] = Some(ms(sighting.at) - ms(row.expected.due));
            }
            None => {
                open = rest;
                comparison.surplus.push(*sighting);
            }
        }
    }
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const BAR: Duration = Duration::from_secs(2);

    use Level::{Empty, Few, Plenty, Several};

    fn expected(levels: &[(u64, Level)]) -> Vec<Expected> {
        levels
            .iter()
            .map(|(due_s, level)| Expected {
                transition: Transition {
                    at: "2020-03-17T09:00:00".parse().unwrap(),
                    site: SiteCode::parse("1").unwrap(),
                    level: *level,
                },
                due: Duration::from_secs(*due_s),
                unchanged: false,
            })
            .collect()
    }

    fn sightings(via: Via, levels: &[(u64, Level)]) -> Vec<Sighting> {
        levels
            .iter()
            .map(|(at_ms, level)| Sighting {
                via,
                site: SiteCode::parse("1").unwrap(),
                level: *level,
                at: Duration::from_millis(*at_ms),
            })
            .collect()
    }

    fn by_both(levels: &[(u64, Level)]) -> Vec<Sighting> {
        let mut both = sightings(Via::Masks, levels);
        both.extend(sightings(Via::Deltas, levels));
        both
    }

    #[test]
    fn the_same_levels_in_time_are_equal() {
        let expected = expected(&[(10, Plenty), (20, Several), (30, Empty)]);
        let seen = by_both(&[
            (10_100, Plenty),
            (20_300, Several),
            (20_900, Several),
            (31_000, Empty),
        ]);
        let comparison = compare(&expected, &seen);
        assert!(comparison.equal(BAR), "{comparison:?}");
        assert_eq!(comparison.lags_ms(), [100, 100, 300, 300, 1000, 1000]);
    }

    #[test]
    fn one_answer_that_lacks_a_level_is_enough() {
        let expected = expected(&[(10, Plenty), (20, Several), (30, Empty)]);
        let mut seen = sightings(Via::Masks, &[(10_100, Plenty), (30_300, Empty)]);
        seen.extend(sightings(
            Via::Deltas,
            &[(10_100, Plenty), (20_300, Several), (30_300, Empty)],
        ));
        let comparison = compare(&expected, &seen);
        assert!(!comparison.equal(BAR));
        assert_eq!(comparison.rows[1].lags_ms, [None, Some(300)]);
        assert!(comparison.rows[2].equal(BAR));
    }

    #[test]
    fn a_late_level_is_a_difference() {
        let expected = expected(&[(10, Plenty)]);
        let comparison = compare(&expected, &by_both(&[(12_001, Plenty)]));
        assert!(!comparison.equal(BAR));
        assert!(comparison.equal(Duration::from_secs(3)));
    }

    #[test]
    fn a_level_that_is_not_on_record_is_a_difference() {
        let expected = expected(&[(10, Plenty), (30, Empty)]);
        let seen = by_both(&[(10_100, Plenty), (29_000, Few), (30_300, Empty)]);
        let comparison = compare(&expected, &seen);
        assert_eq!(comparison.surplus.len(), 2);
        assert!(!comparison.equal(BAR));
        assert!(comparison.rows.iter().all(|row| row.equal(BAR)));
    }

    #[test]
    fn a_level_that_came_too_early_is_not_the_one_of_another_day() {
        let expected = expected(&[(10, Plenty), (20, Empty), (100, Plenty), (110, Few)]);
        let seen = by_both(&[
            (10_100, Plenty),
            (20_050, Few),
            (20_100, Empty),
            (100_100, Plenty),
            (110_100, Few),
        ]);
        let comparison = compare(&expected, &seen);
        assert_eq!(comparison.surplus.len(), 2);
        assert!(comparison.rows.iter().all(|row| row.equal(BAR)));
    }

    #[test]
    fn what_does_not_change_is_not_waited_for() {
        let mut expected = expected(&[(10, Plenty), (20, Plenty)]);
        expected[1].unchanged = true;
        let comparison = compare(&expected, &by_both(&[(10_100, Plenty)]));
        assert!(comparison.equal(BAR), "{comparison:?}");
    }
}
