//! What operators ask of whole shards.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_proto::{
    ids::{ProgramId, SiteType},
    v1::DenialReason,
};

use super::stock::SiteSale;

/// List one page of a shard's paper sales beyond the ration.
pub(crate) struct ListOverQuota {
    /// By time of sale, Unix milliseconds; the end is exclusive.
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    /// Where the page before ended; empty: the first page.
    pub(crate) after: Bytes,
    pub(crate) limit: u32,
}

/// List one page of a shard's counts by day, site type and region, in this order.
pub(crate) struct ListDays {
    pub(crate) program: ProgramId,
    /// Local dates as yyyymmdd, inclusive.
    pub(crate) first_date: u32,
    pub(crate) last_date: u32,
    /// Where the page before ended; empty: the first page.
    pub(crate) after: Bytes,
    pub(crate) limit: u32,
}

/// List what a shard's shadow rules would have decided.
pub(crate) struct ListShadows {
    pub(crate) program: ProgramId,
}

/// What one shadow rule would have decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShadowCount {
    pub(crate) evaluated: u64,
    /// Granted, and it would have denied them.
    pub(crate) would_deny: BTreeMap<DenialReason, u64>,
    /// Denied, and it would have granted them.
    pub(crate) would_grant: u64,
}

impl ShadowCount {
    pub(crate) fn add(&mut self, more: &ShadowCount) {
        self.evaluated += more.evaluated;
        self.would_grant += more.would_grant;
        for (reason, count) in &more.would_deny {
            *self.would_deny.entry(*reason).or_default() += count;
        }
    }
}

/// One paper sale beyond the ration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OverQuotaSale {
    pub(crate) site_code: String,
    pub(crate) site_name: String,
    /// `None`: the site's profile is not known.
    pub(crate) site_type: Option<SiteType>,
    pub(crate) region: String,
    pub(crate) sale: SiteSale,
}

/// What the counts of one day are about, in the order of reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DayKey {
    /// yyyymmdd.
    pub(crate) date: u32,
    pub(crate) site_type: SiteType,
    pub(crate) region: String,
}

/// Sales and refusals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DayCounts {
    pub(crate) online_sales: u64,
    pub(crate) online_units: u64,
    pub(crate) paper_sales: u64,
    pub(crate) paper_units: u64,
    pub(crate) over_quota_sales: u64,
    pub(crate) voids: u64,
    pub(crate) voided_units: u64,
    /// Those that are not 0, in the order of the reasons' numbers.
    pub(crate) denials: Vec<(DenialReason, u64)>,
}

impl DayCounts {
    /// Adds what another shard counted.
    pub(crate) fn add(&mut self, other: &DayCounts) {
        self.online_sales += other.online_sales;
        self.online_units += other.online_units;
        self.paper_sales += other.paper_sales;
        self.paper_units += other.paper_units;
        self.over_quota_sales += other.over_quota_sales;
        self.voids += other.voids;
        self.voided_units += other.voided_units;
        for (reason, count) in &other.denials {
            match self
                .denials
                .binary_search_by_key(reason, |(known, _)| *known)
            {
                Ok(at) => self.denials[at].1 += count,
                Err(at) => self.denials.insert(at, (*reason, *count)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_reason_by_reason() {
        use DenialReason::{NotYourDay, OverLimit, SiteSuspended};
        let mut sum = DayCounts {
            online_sales: 1,
            paper_units: 2,
            denials: vec![(OverLimit, 1), (SiteSuspended, 2)],
            ..DayCounts::default()
        };
        sum.add(&DayCounts {
            online_sales: 10,
            voided_units: 3,
            denials: vec![(NotYourDay, 5), (SiteSuspended, 1)],
            ..DayCounts::default()
        });
        assert_eq!(
            (sum.online_sales, sum.paper_units, sum.voided_units),
            (11, 2, 3)
        );
        let expected = [(OverLimit, 1), (NotYourDay, 5), (SiteSuspended, 3)];
        assert_eq!(sum.denials, expected);
    }
}
