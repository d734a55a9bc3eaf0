//! What a shard is asked without recording anything.

use std::num::NonZeroU32;

use quorate_proto::ids::{CitizenKey, DeviceId, ProductId, ProgramId, SiteCode};

use super::{
    claims::{Claims, Proxy},
    command::SaleSite,
};

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// May this quantity be sold now?
    Check(CheckQuery),
    /// What was sold to this person?
    List(ListQuery),
    /// What does a login of this device need?
    Device(DeviceQuery),
    /// How many sales and refusals were there, day by day?
    Daily(DailyQuery),
    /// What would the shadow rules have decided?
    Shadow(ShadowQuery),
    /// What does a site have?
    Stock(StockQuery),
    /// What did a site sell?
    SiteSales(SiteSalesQuery),
    /// What was sold on paper beyond the ration?
    OverQuota(OverQuotaQuery),
}

/// May this quantity be sold now?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckQuery {
    /// Who asks to buy.
    pub citizen: CitizenKey,
    /// Under which program.
    pub program: ProgramId,
    /// Of what; `None`: the program's first product.
    pub product: Option<ProductId>,
    /// Units.
    pub quantity: NonZeroU32,
    /// Where.
    pub site: SaleSite,
    /// Whether the site may not sell, as the gateway knows it.
    pub site_suspended: bool,
    /// What the person's ID says.
    pub claims: Claims,
    /// Who would buy for the person, if somebody would.
    pub proxy: Option<Proxy>,
}

/// What was sold to this person?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Who bought.
    pub citizen: CitizenKey,
    /// Under which program.
    pub program: ProgramId,
}

/// What does a login of this device need?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceQuery {
    /// The site.
    pub site_code: SiteCode,
    /// The device.
    pub device_id: DeviceId,
}

/// How many sales and refusals were there, day by day? One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyQuery {
    /// Of which program.
    pub program: ProgramId,
    /// First local date, as yyyymmdd.
    pub first_date: u32,
    /// Last local date, as yyyymmdd.
    pub last_date: u32,
    /// Where the page before ended; empty: the first page.
    pub after: Vec<u8>,
    /// Rows in the page, 1 or more.
    pub limit: u32,
}

/// What would the shadow rules have decided?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShadowQuery {
    /// Of which program.
    pub program: ProgramId,
}

/// What does a site have?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockQuery {
    /// The site.
    pub site_code: SiteCode,
}

/// What did a site sell? Sales are listed for two days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSalesQuery {
    /// The site.
    pub site_code: SiteCode,
    /// Sales made at this time or later, Unix milliseconds.
    pub from_ms: i64,
    /// And before this time, Unix milliseconds.
    pub to_ms: i64,
    /// Where the page before ended; empty: the first page.
    pub after: Vec<u8>,
    /// Rows in a page, 1 to [`crate::limits::PAGE_ROWS_MAX`].
    pub limit: u32,
}

/// What was sold on paper beyond the ration at the sites of this shard?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverQuotaQuery {
    /// Sales made at this time or later, Unix milliseconds.
    pub from_ms: i64,
    /// And before this time, Unix milliseconds.
    pub to_ms: i64,
    /// Where the page before ended; empty: the first page.
    pub after: Vec<u8>,
    /// Rows in a page, 1 to [`crate::limits::PAGE_ROWS_MAX`].
    pub limit: u32,
}
