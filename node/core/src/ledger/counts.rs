//! What is counted for reports: sales and refusals by day, and what shadow rules would have decided.

use quorate_proto::ids::{RuleId, SiteType};

use super::{
    outcome::DenialReason,
    record::{Sale, SaleKind},
    region::Region,
};

/// Something counted for each reason: by number of [`DenialReason`]; index 0 stays 0.
pub type ReasonCounts = [u64; DenialReason::ALL.len() + 1];

/// Sales and refusals of one local day, site type, region and program. A void counts on the day of its sale,
/// so that a day's sales less its voids are what was kept of that day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayCounts {
    /// Sales granted online.
    pub online_sales: u64,
    /// Units of them.
    pub online_units: u64,
    /// Slips recorded.
    pub paper_sales: u64,
    /// Units of them.
    pub paper_units: u64,
    /// Slips beyond the ration.
    pub over_quota_sales: u64,
    /// Sales and slips undone.
    pub voids: u64,
    /// Units of them.
    pub units_voided: u64,
    /// Denied sales by reason.
    pub denials: ReasonCounts,
}

impl DayCounts {
    pub(super) fn add_sale(&mut self, sale: &Sale) {
        let units = u64::from(sale.quantity);
        match sale.kind {
            SaleKind::Online => {
                self.online_sales += 1;
                self.online_units += units;
            }
            SaleKind::Paper => {
                self.paper_sales += 1;
                self.paper_units += units;
                self.over_quota_sales += u64::from(sale.over_by > 0);
            }
        }
    }

    pub(super) fn add_void(&mut self, sale: &Sale) {
        self.voids += 1;
        self.units_voided += u64::from(sale.quantity);
    }

    pub(super) fn add_denial(&mut self, reason: DenialReason) {
        self.denials[reason.number() as usize] += 1;
    }

    pub(super) fn add(&mut self, more: &Self) {
        self.online_sales += more.online_sales;
        self.online_units += more.online_units;
        self.paper_sales += more.paper_sales;
        self.paper_units += more.paper_units;
        self.over_quota_sales += more.over_quota_sales;
        self.voids += more.voids;
        self.units_voided += more.units_voided;
        add_reasons(&mut self.denials, &more.denials);
    }
}

/// What a shadow rule would have decided of the sales decided online while it was one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowCounts {
    /// Sales decided.
    pub evaluated: u64,
    /// Granted, and it would have denied them.
    pub would_deny: ReasonCounts,
    /// Denied, and it would have granted them.
    pub would_grant: u64,
}

impl ShadowCounts {
    pub(super) fn add(&mut self, more: &Self) {
        self.evaluated += more.evaluated;
        self.would_grant += more.would_grant;
        add_reasons(&mut self.would_deny, &more.would_deny);
    }
}

fn add_reasons(counts: &mut ReasonCounts, more: &ReasonCounts) {
    for (count, more) in counts.iter_mut().zip(more) {
        *count += more;
    }
}

/// Units of one site and product whose sales left the citizens' records after the retention time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetiredUnits {
    /// Sold, undone or not.
    pub sold: u64,
    /// Undone.
    pub voided: u64,
}

/// One page of sales and refusals by day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyAnswer {
    /// By date, site type and region.
    pub rows: Vec<DailyRow>,
    /// Where the next page goes on; empty: this was the last.
    pub next: Vec<u8>,
}

/// One day, site type and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyRow {
    /// What was counted.
    pub day: DayKey,
    /// How much of it.
    pub counts: DayCounts,
}

/// Which sales and refusals are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayKey {
    /// Local date, as yyyymmdd.
    pub date: u32,
    /// The class of site.
    pub site_type: SiteType,
    /// Its region.
    pub region: Region,
}

/// One shadow rule and its counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowRow {
    /// The rule version.
    pub rule: RuleId,
    /// Since it was put.
    pub counts: ShadowCounts,
}
