//! What operators correct and report.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use quorate_proto::ids::{ProgramId, RequestId};
use serde::Serialize;

use super::{NationalId, verdict::as_text};

/// A sale to undo, whichever site made it and whenever it was.
#[derive(Clone, Debug)]
pub struct Correction {
    /// Whose ration.
    pub citizen: NationalId,
    /// Of which program.
    pub program: ProgramId,
    /// The request that recorded the sale.
    pub sale_request_id: RequestId,
    /// Why; stays on record. At most 200 bytes.
    pub reason: String,
    /// Under which number; stays on record. At most 64 bytes.
    pub case_number: String,
}

/// One paper sale that exceeded the ration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OverQuotaSale {
    /// The site that sold.
    pub site_code: String,
    /// Its name.
    pub site_name: String,
    /// "01" pharmacy, "02" post office, "03" mart; empty if not known.
    pub site_type: String,
    /// Its province or metropolitan city; empty if not known.
    pub region: String,
    /// What was sold.
    pub product: String,
    /// When.
    pub sold_at: Timestamp,
    /// Units.
    pub quantity: u32,
    /// Of these, units above what the rule left at the time of the sale.
    pub over_by: u32,
    /// The request that recorded it.
    #[serde(serialize_with = "as_text")]
    pub request_id: RequestId,
    /// When it was undone, if it was.
    pub voided_at: Option<Timestamp>,
}

/// Sales and refusals of one day, region and site type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DailyCounts {
    /// In the program's time zone.
    pub date: Date,
    /// Province or metropolitan city; empty if not known.
    pub region: String,
    /// "01" pharmacy, "02" post office, "03" mart.
    pub site_type: String,
    /// Sales granted online.
    pub online_sales: u64,
    /// Their units.
    pub online_units: u64,
    /// Sales handed in on paper.
    pub paper_sales: u64,
    /// Their units.
    pub paper_units: u64,
    /// Of the paper sales, those that exceeded the ration.
    pub over_quota_sales: u64,
    /// Sales undone.
    pub voids: u64,
    /// Their units.
    pub voided_units: u64,
    /// Sales denied, by reason.
    pub denials: BTreeMap<String, u64>,
}

impl DailyCounts {
    /// Of a hundred sales, those on paper; `None` where nothing was sold.
    #[must_use]
    pub fn paper_percent(&self) -> Option<f64> {
        let sales = self.online_sales + self.paper_sales;
        (sales > 0).then(|| 100.0 * self.paper_sales as f64 / sales as f64)
    }

    /// Sales denied, for whatever reason.
    #[must_use]
    pub fn denied(&self) -> u64 {
        self.denials.values().sum()
    }
}
