//! Reading and writing the rows of a shard.

use std::collections::BTreeMap;

use jiff::{ToSpan as _, civil::Date};
use quorate_proto::ids::{ProductId, ProgramId, RuleId, ShardId, SiteCode, SiteKey};

use super::{
    account::Account,
    calendar::Calendar,
    counts::{DayCounts, DayKey, RetiredUnits, ShadowCounts},
    deliver::SiteSale,
    program::Program,
    record::{CitizenRecord, OutboxRow, ShardFacts, SiteRecord},
    stock::{StockJournal, StockRecord},
};
use crate::{
    codec::{self, DecodeError},
    error::CoreError,
    keys, limits,
    view::{Overlay, View, ViewError},
};

/// What a shard knows of itself; the empty facts if nothing was applied yet.
///
/// # Errors
/// The state cannot be read, or is damaged.
pub fn facts(view: &dyn View, shard: ShardId) -> Result<ShardFacts, CoreError> {
    Ok(read(view, keys::facts(shard), codec::decode_facts)?.unwrap_or_default())
}

/// The programs that this shard applies, by id, and their versions.
///
/// # Errors
/// The state cannot be read, or is damaged.
pub fn program_versions(
    view: &dyn View,
    shard: ShardId,
) -> Result<Vec<(ProgramId, u64)>, CoreError> {
    let programs = load_programs(view, shard)?;
    Ok(programs
        .into_iter()
        .map(|(id, known)| (id, known.program.version()))
        .collect())
}

/// A program and its calendar.
#[derive(Debug)]
pub(crate) struct KnownProgram {
    pub(crate) program: Program,
    pub(crate) calendar: Calendar,
}

impl KnownProgram {
    pub(super) fn new(program: Program) -> Self {
        Self {
            calendar: Calendar::new(program.zone().clone()),
            program,
        }
    }
}

/// Every program of a shard.
pub(crate) fn load_programs(
    view: &dyn View,
    shard: ShardId,
) -> Result<BTreeMap<ProgramId, KnownProgram>, CoreError> {
    let (first, end) = keys::programs(shard);
    let mut rows = Vec::new();
    view.scan(&first, &end, &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        Ok::<(), ViewError>(())
    })?;
    let mut programs = BTreeMap::new();
    for (key, value) in rows {
        match codec::decode_program(value) {
            Ok(program) => programs.insert(program.id(), KnownProgram::new(program)),
            Err(fault) => return Err(CoreError::Damaged { key, fault }),
        };
    }
    Ok(programs)
}

/// One program of a shard.
pub(super) fn load_program(
    view: &dyn View,
    shard: ShardId,
    id: &ProgramId,
) -> Result<Option<KnownProgram>, CoreError> {
    let program = read(view, keys::program(shard, id), codec::decode_program)?;
    Ok(program.map(KnownProgram::new))
}

/// The record at this key, looked at now; empty if there is none.
pub(super) fn load_account(view: &dyn View, key: &[u8], now_ms: i64) -> Result<Account, CoreError> {
    let record = read_at(view, key, |bytes| codec::decode_citizen(&bytes))?;
    Ok(Account::new(record.unwrap_or_default(), now_ms))
}

/// One site.
pub(super) fn load_site(view: &dyn View, key: &[u8]) -> Result<Option<SiteRecord>, CoreError> {
    read_at(view, key, codec::decode_site)
}

/// One product at one site.
pub(super) fn load_stock(view: &dyn View, key: &[u8]) -> Result<Option<StockRecord>, CoreError> {
    read_at(view, key, codec::decode_stock)
}

/// Every product at one site, by product.
pub(super) fn load_stocks(
    view: &dyn View,
    site: &SiteKey,
) -> Result<Vec<(ProductId, StockRecord)>, CoreError> {
    let (first, end) = keys::stocks(site);
    let mut stocks = Vec::new();
    visit_rows(view, &first, &end, &mut |key, value| {
        let product =
            keys::product_of(key).ok_or(DecodeError::missing("product of a stock key"))?;
        stocks.push((product, codec::decode_stock(value.to_vec())?));
        Ok(())
    })?;
    Ok(stocks)
}

/// What a site changed by itself; empty if nothing is remembered.
pub(super) fn load_journal(view: &dyn View, key: &[u8]) -> Result<StockJournal, CoreError> {
    Ok(read_at(view, key, codec::decode_journal)?.unwrap_or_default())
}

/// One sale of a site's list.
pub(super) fn load_site_sale(view: &dyn View, key: &[u8]) -> Result<Option<SiteSale>, CoreError> {
    read_at(view, key, |bytes| codec::decode_site_sale(&bytes))
}

/// What has been applied here of another shard's outbox; 0: nothing.
pub(super) fn load_watermark(
    view: &dyn View,
    shard: ShardId,
    source: ShardId,
) -> Result<u64, CoreError> {
    let key = keys::watermark(shard, source);
    Ok(read(view, key, |bytes| codec::decode_watermark(&bytes))?.unwrap_or(0))
}

pub(super) fn store_site_sale(overlay: &mut Overlay<'_>, key: Vec<u8>, sale: &SiteSale) {
    overlay.put(key, codec::encode_site_sale(sale));
}

pub(super) fn store_watermark(
    overlay: &mut Overlay<'_>,
    shard: ShardId,
    source: ShardId,
    seq: u64,
) {
    overlay.put(keys::watermark(shard, source), codec::encode_watermark(seq));
}

pub(super) fn store_stock(overlay: &mut Overlay<'_>, key: Vec<u8>, stock: &StockRecord) {
    overlay.put(key, codec::encode_stock(stock));
}

pub(super) fn store_journal(overlay: &mut Overlay<'_>, key: Vec<u8>, journal: &StockJournal) {
    overlay.put(key, codec::encode_journal(journal));
}

pub(super) fn store_facts(overlay: &mut Overlay<'_>, shard: ShardId, facts: &ShardFacts) {
    overlay.put(keys::facts(shard), codec::encode_facts(facts));
}

pub(super) fn store_program(overlay: &mut Overlay<'_>, shard: ShardId, program: &Program) {
    overlay.put(
        keys::program(shard, &program.id()),
        codec::encode_program(program),
    );
}

pub(super) fn store_record(overlay: &mut Overlay<'_>, key: Vec<u8>, record: &CitizenRecord) {
    overlay.put(key, codec::encode_citizen(record));
}

pub(super) fn store_site(overlay: &mut Overlay<'_>, key: Vec<u8>, site: SiteRecord) {
    overlay.put(key, codec::encode_site(site));
}

pub(super) fn append_outbox(
    overlay: &mut Overlay<'_>,
    shard: ShardId,
    facts: &mut ShardFacts,
    row: &OutboxRow,
) {
    facts.outbox_rows += 1;
    overlay.put(
        keys::outbox(shard, facts.outbox_rows),
        codec::encode_outbox_row(row),
    );
}

/// A key and its value.
pub(super) type Row = (Vec<u8>, Vec<u8>);

/// The first rows of a range, at most `rows_max`, and whether there are more.
pub(super) fn page(
    view: &dyn View,
    first: &[u8],
    end: &[u8],
    rows_max: usize,
) -> Result<(Vec<Row>, bool), CoreError> {
    let mut rows = Vec::new();
    let mut more = false;
    let scanned = view.scan(first, end, &mut |key, value| {
        if rows.len() == rows_max {
            more = true;
            return Err(ViewError::new("the page is full"));
        }
        rows.push((key.to_vec(), value.to_vec()));
        Ok(())
    });
    match scanned {
        Err(_) if more => {}
        scanned => scanned?,
    }
    Ok((rows, more))
}

/// What each row holds; one that cannot be read is named as damaged.
pub(super) fn decoded<T>(
    rows: Vec<Row>,
    decode: impl Fn(&[u8], &[u8]) -> Result<T, DecodeError>,
) -> Result<Vec<T>, CoreError> {
    let decode =
        |(key, value): Row| decode(&key, &value).map_err(|fault| CoreError::Damaged { key, fault });
    rows.into_iter().map(decode).collect()
}

/// Reads a row; an error says that it is damaged.
type ReadRow<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), DecodeError>;

/// Hands every row of a range to `visit`; what it cannot read is named as damaged.
pub(super) fn visit_rows(
    view: &dyn View,
    first: &[u8],
    end: &[u8],
    visit: ReadRow<'_>,
) -> Result<(), CoreError> {
    let mut damaged = None;
    let scanned = view.scan(first, end, &mut |key, value| {
        visit(key, value).map_err(|fault| {
            let key = key.to_vec();
            let stop = ViewError::new(&fault);
            damaged = Some(CoreError::Damaged { key, fault });
            stop
        })
    });
    match damaged {
        Some(error) => Err(error),
        None => Ok(scanned?),
    }
}

/// Adds to the counts of a day; says whether they are its first.
pub(super) fn add_day_counts(
    overlay: &mut Overlay<'_>,
    shard: ShardId,
    program: &ProgramId,
    day: &DayKey,
    more: &DayCounts,
) -> Result<bool, CoreError> {
    let key = keys::day_counts(shard, program, day);
    let stored = read_at(&*overlay, &key, |bytes| codec::decode_day_counts(&bytes))?;
    let is_new = stored.is_none();
    let mut counts = stored.unwrap_or_default();
    counts.add(more);
    overlay.put(key, codec::encode_day_counts(&counts));
    Ok(is_new)
}

/// Drops the counts of days that lie too far before this one, given as yyyymmdd.
pub(super) fn drop_old_days(
    overlay: &mut Overlay<'_>,
    shard: ShardId,
    program: &ProgramId,
    date: u32,
) -> Result<(), CoreError> {
    let Some(kept_from) = days_before(date, limits::DAY_COUNTS_KEPT_DAYS) else {
        return Ok(());
    };
    let (first, end) = keys::day_counts_between(shard, program, 0, kept_from - 1);
    let mut old = Vec::new();
    overlay.scan(&first, &end, &mut |key, _| {
        old.push(key.to_vec());
        Ok(())
    })?;
    for key in old {
        overlay.delete(key);
    }
    Ok(())
}

/// A date and its predecessor by so many days, as yyyymmdd; `None` outside the calendar.
fn days_before(date: u32, days: i64) -> Option<u32> {
    let part = |divisor: u32, modulus: u32| (date / divisor) % modulus;
    let date = Date::new(
        i16::try_from(date / 10_000).ok()?,
        i8::try_from(part(100, 100)).ok()?,
        i8::try_from(part(1, 100)).ok()?,
    );
    let earlier = date.ok()?.checked_sub(days.days()).ok()?;
    let number = |part: i8| u32::from(part.unsigned_abs());
    let year = u32::try_from(earlier.year()).ok()?;
    Some(year * 10_000 + number(earlier.month()) * 100 + number(earlier.day()))
}

pub(super) fn add_shadow_counts(
    overlay: &mut Overlay<'_>,
    shard: ShardId,
    program: &ProgramId,
    rule: &RuleId,
    more: &ShadowCounts,
) -> Result<(), CoreError> {
    let key = keys::shadow_counts(shard, program, rule);
    let stored = read_at(&*overlay, &key, |bytes| codec::decode_shadow_counts(&bytes))?;
    let mut counts = stored.unwrap_or_default();
    counts.add(more);
    overlay.put(key, codec::encode_shadow_counts(&counts));
    Ok(())
}

pub(super) fn add_retired_units(
    overlay: &mut Overlay<'_>,
    shard: ShardId,
    site: &SiteCode,
    product: &ProductId,
    more: RetiredUnits,
) -> Result<(), CoreError> {
    let key = keys::retired_units(shard, site, product);
    let stored = read_at(&*overlay, &key, |bytes| codec::decode_retired_units(&bytes))?;
    let mut units = stored.unwrap_or_default();
    units.sold += more.sold;
    units.voided += more.voided;
    overlay.put(key, codec::encode_retired_units(&units));
    Ok(())
}

fn read<T>(
    view: &dyn View,
    key: Vec<u8>,
    decode: impl FnOnce(Vec<u8>) -> Result<T, DecodeError>,
) -> Result<Option<T>, CoreError> {
    read_at(view, &key, decode)
}

fn read_at<T>(
    view: &dyn View,
    key: &[u8],
    decode: impl FnOnce(Vec<u8>) -> Result<T, DecodeError>,
) -> Result<Option<T>, CoreError> {
    let Some(bytes) = view.get(key)? else {
        return Ok(None);
    };
    decode(bytes).map(Some).map_err(|fault| CoreError::Damaged {
        key: key.to_vec(),
        fault,
    })
}
