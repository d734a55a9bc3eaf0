//! Every durable key, and nothing else, is made here. Numbers are big-endian, so keys sort as they count.
//!
//! State family:
//! ```text
//! 0x00 ‖ group (4) ‖ kind (1) ‖ …                         facts of a group
//!        kind 0x01 applied point, 0x02 shard facts, 0x03 program ‖ id, 0x04 cluster view,
//!        0x05 day counts ‖ program ‖ 0x00 ‖ yyyymmdd (4) ‖ site type (1) ‖ region,
//!        0x06 shadow counts ‖ program ‖ 0x00 ‖ rule, 0x07 retired units ‖ site code ‖ 0x00 ‖ product,
//!        0x08 watermark ‖ source group (4)
//! 0x01 ‖ ring position (8) ‖ kind (1) ‖ rest of key (8) ‖ … data, by position and not by group: a split moves no bytes
//!        kind 0x01 citizen record ‖ program id
//! 0x02 ‖ group (4) ‖ sequence (8)                          outbox rows
//! 0x03 ‖ kind (1) ‖ ring position (8) ‖ rest of key (8) ‖ … sites, by position too
//!        kind 0x01 site record, 0x02 stock ‖ product, 0x03 what the site changed,
//!        0x04 sale ‖ sold at (8) ‖ request id (16), 0x05 paper sale beyond the ration ‖ the same
//! ```
//! The log family is in [`raft`].

pub mod raft;
mod site;

use quorate_proto::{
    ids::{CitizenKey, ProductId, ProgramId, RingPosition, RuleId, ShardId, SiteCode, SiteType},
    ring::RingRange,
};

use crate::ledger::{DayKey, Region};

pub use site::{
    journal, over_quota, over_quota_in, over_quotas, product_of, sale_of, shown, site, site_at,
    site_of, site_ranges, site_sale, site_sales, sites_in, stock, stocks, stocks_in,
};

const FACTS: u8 = 0x00;
const DATA: u8 = 0x01;
const OUTBOX: u8 = 0x02;

const FACT_APPLIED: u8 = 0x01;
const FACT_SHARD: u8 = 0x02;
const FACT_PROGRAM: u8 = 0x03;
const FACT_VIEW: u8 = 0x04;
const FACT_DAY_COUNTS: u8 = 0x05;
const FACT_SHADOW_COUNTS: u8 = 0x06;
const FACT_RETIRED: u8 = 0x07;
const FACT_WATERMARK: u8 = 0x08;

/// Stands between two texts of a key; neither holds it.
const SEPARATOR: u8 = 0x00;

const DATA_CITIZEN: u8 = 0x01;

/// Bytes of a fact's key in front of what names it inside its kind.
const FACT_SUFFIX_AT: usize = 1 + 4 + 1;

/// Bytes of a data key in front of its kind.
const DATA_KIND_AT: usize = 1 + 8;

/// Which log entry the state of this group has come to.
#[must_use]
pub fn applied(shard: ShardId) -> Vec<u8> {
    fact(shard, FACT_APPLIED, &[])
}

/// The facts that the ledger keeps per shard.
#[must_use]
pub fn facts(shard: ShardId) -> Vec<u8> {
    fact(shard, FACT_SHARD, &[])
}

/// A program as this shard applies it.
#[must_use]
pub fn program(shard: ShardId, program: &ProgramId) -> Vec<u8> {
    fact(shard, FACT_PROGRAM, program.as_bytes())
}

/// Range of all programs of a shard.
#[must_use]
pub fn programs(shard: ShardId) -> (Vec<u8>, Vec<u8>) {
    (
        fact(shard, FACT_PROGRAM, &[]),
        fact(shard, FACT_PROGRAM + 1, &[]),
    )
}

/// The cluster view, a fact of the system shard.
#[must_use]
pub fn cluster_view() -> Vec<u8> {
    fact(ShardId::SYSTEM, FACT_VIEW, &[])
}

/// Sales and refusals of one day, site type and region.
#[must_use]
pub fn day_counts(shard: ShardId, program: &ProgramId, day: &DayKey) -> Vec<u8> {
    let mut key = day_prefix(shard, program, day.date);
    key.push(day.site_type.get());
    key.extend_from_slice(day.region.as_bytes());
    key
}

/// Range of the day counts of a program between two local dates, as yyyymmdd, both inclusive.
#[must_use]
pub fn day_counts_between(
    shard: ShardId,
    program: &ProgramId,
    first_date: u32,
    last_date: u32,
) -> (Vec<u8>, Vec<u8>) {
    (
        day_prefix(shard, program, first_date),
        day_prefix(shard, program, last_date.saturating_add(1)),
    )
}

/// The day of a key that [`day_counts`] made for this program.
#[must_use]
pub fn day_of(key: &[u8], program: &ProgramId) -> Option<DayKey> {
    let rest = key.get(FACT_SUFFIX_AT + program.as_bytes().len() + 1..)?;
    let (date, rest) = rest.split_first_chunk::<4>()?;
    let (site_type, region) = rest.split_first()?;
    Some(DayKey {
        date: u32::from_be_bytes(*date),
        site_type: SiteType::try_from(u32::from(*site_type)).ok()?,
        region: Region::new(std::str::from_utf8(region).ok()?)?,
    })
}

/// What one shadow rule would have decided.
#[must_use]
pub fn shadow_counts(shard: ShardId, program: &ProgramId, rule: &RuleId) -> Vec<u8> {
    let suffix = two_texts(program.as_bytes(), rule.as_bytes());
    fact(shard, FACT_SHADOW_COUNTS, &suffix)
}

/// Range of the shadow counts of a program.
#[must_use]
pub fn shadow_counts_of(shard: ShardId, program: &ProgramId) -> (Vec<u8>, Vec<u8>) {
    let first = fact(
        shard,
        FACT_SHADOW_COUNTS,
        &two_texts(program.as_bytes(), b""),
    );
    let mut end = first.clone();
    if let Some(separator) = end.last_mut() {
        *separator = SEPARATOR + 1;
    }
    (first, end)
}

/// The rule of a key that [`shadow_counts`] made for this program.
#[must_use]
pub fn rule_of_shadow(key: &[u8], program: &ProgramId) -> Option<RuleId> {
    let rule = key.get(FACT_SUFFIX_AT + program.as_bytes().len() + 1..)?;
    RuleId::parse(std::str::from_utf8(rule).ok()?).ok()
}

/// Units of a site and product whose sales left the citizens' records of this shard.
#[must_use]
pub fn retired_units(shard: ShardId, site: &SiteCode, product: &ProductId) -> Vec<u8> {
    let suffix = two_texts(site.as_bytes(), product.as_bytes());
    fact(shard, FACT_RETIRED, &suffix)
}

/// Range of all retired units of a shard.
#[must_use]
pub fn all_retired_units(shard: ShardId) -> (Vec<u8>, Vec<u8>) {
    (
        fact(shard, FACT_RETIRED, &[]),
        fact(shard, FACT_RETIRED + 1, &[]),
    )
}

/// The site and product of a key that [`retired_units`] made.
#[must_use]
pub fn site_of_retired(key: &[u8]) -> Option<(SiteCode, ProductId)> {
    let text = std::str::from_utf8(key.get(FACT_SUFFIX_AT..)?).ok()?;
    let (site, product) = text.split_once(char::from(SEPARATOR))?;
    Some((SiteCode::parse(site).ok()?, ProductId::parse(product).ok()?))
}

/// One citizen in one program.
#[must_use]
pub fn citizen(citizen: &CitizenKey, program: &ProgramId) -> Vec<u8> {
    let suffix = program.as_bytes();
    data(citizen.position(), DATA_CITIZEN, citizen.rest(), suffix)
}

/// How much of another shard's outbox has been applied by this one.
#[must_use]
pub fn watermark(shard: ShardId, source: ShardId) -> Vec<u8> {
    fact(shard, FACT_WATERMARK, &source.get().to_be_bytes())
}

/// The shard whose outbox a watermark key speaks of.
#[must_use]
pub fn source_of_watermark(key: &[u8]) -> Option<ShardId> {
    if StateKind::of(key) != Some(StateKind::Watermark) {
        return None;
    }
    let source = key.get(6..)?.try_into().ok()?;
    Some(ShardId(u32::from_be_bytes(source)))
}

/// One outbox row. Sequence numbers of a shard start at 1.
#[must_use]
pub fn outbox(shard: ShardId, sequence: u64) -> Vec<u8> {
    let mut key = group_prefix(OUTBOX, shard, 8);
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

/// Range of all outbox rows of a shard.
#[must_use]
pub fn outbox_rows(shard: ShardId) -> (Vec<u8>, Vec<u8>) {
    group_range(OUTBOX, shard)
}

/// The sequence number of an outbox key of this shard.
#[must_use]
pub fn outbox_sequence(key: &[u8]) -> Option<u64> {
    if StateKind::of(key) != Some(StateKind::Outbox) {
        return None;
    }
    key.last_chunk().copied().map(u64::from_be_bytes)
}

/// Every `[first, end)` key range that a shard owns, in key order: facts, data, outbox, sites.
#[must_use]
pub fn ranges(shard: ShardId, range: Option<RingRange>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut ranges = vec![group_range(FACTS, shard)];
    ranges.extend(range.map(data_range));
    ranges.push(group_range(OUTBOX, shard));
    ranges.extend(range.into_iter().flat_map(site_ranges));
    ranges
}

/// The `[first, end)` key range of the citizens on this part of the ring.
#[must_use]
pub fn data_range(range: RingRange) -> (Vec<u8>, Vec<u8>) {
    let position_key = |position: RingPosition| {
        let mut key = vec![DATA];
        key.extend_from_slice(&position.get().to_be_bytes());
        key
    };
    let end = match range.last().get().checked_add(1) {
        Some(next) => position_key(RingPosition(next)),
        None => vec![DATA + 1],
    };
    (position_key(range.first()), end)
}

/// What a state key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateKind {
    /// The applied point of a group.
    Applied,
    /// The facts of a shard.
    Facts,
    /// A program.
    Program,
    /// The cluster view.
    ClusterView,
    /// How much of another shard's outbox was applied.
    Watermark,
    /// Sales and refusals of a day.
    DayCounts,
    /// What a shadow rule would have decided.
    ShadowCounts,
    /// Units whose sales left the citizens' records.
    Retired,
    /// A citizen record.
    Citizen,
    /// A site record.
    Site,
    /// One product at one site.
    Stock,
    /// What a site changed by itself.
    StockJournal,
    /// A sale in its site's list.
    SiteSale,
    /// A paper sale beyond the ration in its site's list.
    OverQuotaSale,
    /// An outbox row.
    Outbox,
}

impl StateKind {
    /// The kind of this key, if it is one of ours.
    #[must_use]
    pub fn of(key: &[u8]) -> Option<Self> {
        match (*key.first()?, key.len()) {
            (FACTS, 6..) => match key[5] {
                FACT_APPLIED => Some(Self::Applied),
                FACT_SHARD => Some(Self::Facts),
                FACT_PROGRAM => Some(Self::Program),
                FACT_VIEW => Some(Self::ClusterView),
                FACT_WATERMARK => Some(Self::Watermark),
                FACT_DAY_COUNTS => Some(Self::DayCounts),
                FACT_SHADOW_COUNTS => Some(Self::ShadowCounts),
                FACT_RETIRED => Some(Self::Retired),
                _ => None,
            },
            (DATA, 18..) => match key[DATA_KIND_AT] {
                DATA_CITIZEN => Some(Self::Citizen),
                _ => None,
            },
            (OUTBOX, 13) => Some(Self::Outbox),
            (site::SITES, _) => site::kind(key),
            _ => None,
        }
    }
}

/// The program of a citizen key: what follows the 18 bytes of prefix, position, kind and rest.
pub(crate) fn program_of_citizen_key(key: &[u8]) -> Option<ProgramId> {
    if StateKind::of(key) != Some(StateKind::Citizen) {
        return None;
    }
    let text = std::str::from_utf8(&key[DATA_KIND_AT + 9..]).ok()?;
    ProgramId::parse(text).ok()
}

/// Names the row in words. A citizen is never identified: only the first two bytes of the key are shown.
#[must_use]
pub fn describe(key: &[u8]) -> String {
    let group = || match key.get(1..5) {
        Some(&[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]),
        _ => 0,
    };
    match StateKind::of(key) {
        Some(StateKind::Applied) => format!("applied point of shard {}", group()),
        Some(StateKind::Facts) => format!("row of facts of shard {}", group()),
        Some(StateKind::Program) => {
            let id = String::from_utf8_lossy(&key[6..]);
            format!("program \"{id}\" of shard {}", group())
        }
        Some(StateKind::ClusterView) => "cluster view".to_owned(),
        Some(StateKind::DayCounts) => format!("counts of a day of shard {}", group()),
        Some(StateKind::ShadowCounts) => format!("counts of a shadow rule of shard {}", group()),
        Some(StateKind::Retired) => format!("retired units of shard {}", group()),
        Some(StateKind::Citizen) => format!("citizen record at {:02x}{:02x}…", key[1], key[2]),
        Some(StateKind::Watermark) => format!("watermark of shard {}", group()),
        Some(StateKind::Site) => format!("site record at {:02x}{:02x}…", key[2], key[3]),
        Some(StateKind::Stock) => format!("stock at {:02x}{:02x}…", key[2], key[3]),
        Some(StateKind::StockJournal) => {
            format!("list of stock changes at {:02x}{:02x}…", key[2], key[3])
        }
        Some(StateKind::SiteSale | StateKind::OverQuotaSale) => {
            format!("sale of the site at {:02x}{:02x}…", key[2], key[3])
        }
        Some(StateKind::Outbox) => format!("outbox row of shard {}", group()),
        None => format!("row of an unknown kind, {} bytes of key", key.len()),
    }
}

fn group_prefix(family: u8, shard: ShardId, more: usize) -> Vec<u8> {
    let mut key = Vec::with_capacity(5 + more);
    key.push(family);
    key.extend_from_slice(&shard.get().to_be_bytes());
    key
}

fn group_range(family: u8, shard: ShardId) -> (Vec<u8>, Vec<u8>) {
    let end = match shard.get().checked_add(1) {
        Some(next) => group_prefix(family, ShardId(next), 0),
        None => vec![family + 1],
    };
    (group_prefix(family, shard, 0), end)
}

fn fact(shard: ShardId, kind: u8, suffix: &[u8]) -> Vec<u8> {
    let mut key = group_prefix(FACTS, shard, 1 + suffix.len());
    key.push(kind);
    key.extend_from_slice(suffix);
    key
}

fn day_prefix(shard: ShardId, program: &ProgramId, date: u32) -> Vec<u8> {
    let suffix = two_texts(program.as_bytes(), &date.to_be_bytes());
    fact(shard, FACT_DAY_COUNTS, &suffix)
}

/// A text without the separator, the separator, and what follows.
fn two_texts(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(first.len() + 1 + second.len());
    key.extend_from_slice(first);
    key.push(SEPARATOR);
    key.extend_from_slice(second);
    key
}

fn data(position: RingPosition, kind: u8, rest: [u8; 8], suffix: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(18 + suffix.len());
    key.push(DATA);
    key.extend_from_slice(&position.get().to_be_bytes());
    key.push(kind);
    key.extend_from_slice(&rest);
    key.extend_from_slice(suffix);
    key
}

#[cfg(test)]
mod tests;
