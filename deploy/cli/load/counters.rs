//! What the load changed, by its own count and by the cluster's: they must agree to the unit.

use std::collections::BTreeMap;

use quorate_client::model::Totals;
use serde::Serialize;

use super::tally::Tally;

/// Sales that were decided, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counters {
    pub(crate) grants: u64,
    pub(crate) units: u64,
    /// By name of the reason; reasons that did not occur are left out.
    pub(crate) denials: BTreeMap<String, u64>,
}

/// The two counts side by side.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) agrees: bool,
    pub(crate) own: Counters,
    pub(crate) cluster: Counters,
}

impl Counters {
    /// What this run was told.
    pub(crate) fn of_tally(tally: &Tally) -> Self {
        let sales = &tally.sales;
        let denials = sales.denied.iter();
        Self {
            grants: sales.granted,
            units: sales.units,
            denials: denials
                .map(|(reason, count)| (reason.name().to_owned(), *count))
                .collect(),
        }
    }

    /// What the cluster counted between two verifications.
    pub(crate) fn between(before: &Totals, after: &Totals) -> Self {
        let more = |(name, count): (&String, &u64)| {
            let already = before.denials.get(name).copied().unwrap_or(0);
            (name.clone(), count.saturating_sub(already))
        };
        let denials = after.denials.iter().map(more);
        Self {
            grants: after.grants.saturating_sub(before.grants),
            units: after.units_granted.saturating_sub(before.units_granted),
            denials: denials.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

impl Comparison {
    pub(crate) fn new(own: Counters, cluster: Counters) -> Self {
        Self {
            agrees: own == cluster,
            own,
            cluster,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(grants: u64, denials: &[(&str, u64)]) -> Totals {
        Totals {
            grants,
            units_granted: 2 * grants,
            denials: denials
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
            ..Totals::default()
        }
    }

    #[test]
    fn what_was_there_before_does_not_count() {
        let before = totals(10, &[("OVER_LIMIT", 3)]);
        let after = totals(15, &[("OVER_LIMIT", 8), ("PROGRAM_CLOSED", 0)]);
        let counters = Counters::between(&before, &after);
        assert_eq!((counters.grants, counters.units), (5, 10));
        assert_eq!(counters.denials, [("OVER_LIMIT".to_owned(), 5)].into());
    }

    #[test]
    fn one_unit_too_many_is_a_difference() {
        let own = Counters {
            grants: 1,
            units: 2,
            denials: BTreeMap::new(),
        };
        assert!(Comparison::new(own.clone(), own.clone()).agrees);
        let cluster = Counters {
            units: 3,
            ..own.clone()
        };
        assert!(!Comparison::new(own, cluster).agrees);
    }
}
