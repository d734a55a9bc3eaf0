//! One citizen's record as it stands at an instant: what is still remembered, what counts, and the stamp of
//! the next act. Why acts are stamped as they are is said in [`super::history`].

use std::collections::BTreeMap;

use quorate_proto::ids::{ProductId, RequestId, SiteCode};

use super::{
    calendar::Calendar,
    counts::RetiredUnits,
    judge::Bought,
    program::Program,
    record::{CitizenRecord, Denial, Sale},
};
use crate::{error::CoreError, limits};

/// A citizen's record with the part that is remembered.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) record: CitizenRecord,
    /// Sales and denials in front of these are forgotten, whether or not they are still stored: a retention
    /// time has passed since they were recorded, and since the time that a slip from a clock ahead says, for
    /// until then it would not be refused as too old.
    live_sales_from: usize,
    live_denials_from: usize,
    now_ms: i64,
    /// What was decided at this instant or earlier is forgotten.
    forgotten_ms: i64,
}

/// What a request id was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Sale { index: usize },
    Denial { index: usize },
    Void { sale: usize, attempt: usize },
}

/// Sales that left the record, and their units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Retired {
    pub(super) sales: u64,
    pub(super) units: u64,
    /// By site and product.
    pub(super) by_stock: BTreeMap<(SiteCode, ProductId), RetiredUnits>,
}

impl Account {
    /// Looks at a record at the shard's time.
    pub(super) fn new(record: CitizenRecord, now_ms: i64) -> Self {
        let forgotten_ms = now_ms.saturating_sub(limits::RETENTION_MS);
        Self {
            live_sales_from: record
                .sales
                .iter()
                .position(|sale| known_from_ms(sale) > forgotten_ms)
                .unwrap_or(record.sales.len()),
            live_denials_from: record
                .denials
                .partition_point(|denial| denial.decided_at_ms <= forgotten_ms),
            record,
            now_ms,
            forgotten_ms,
        }
    }

    /// Sales inside the retention time, oldest first, undone ones included.
    pub(super) fn live_sales(&self) -> &[Sale] {
        &self.record.sales[self.live_sales_from..]
    }

    fn live_denials(&self) -> &[Denial] {
        &self.record.denials[self.live_denials_from..]
    }

    /// What this request id was used for, inside the retention time. An attempt to undo a sale is remembered
    /// by its own time, which may be longer than the sale.
    pub(super) fn known(&self, id: RequestId) -> Option<Known> {
        for (index, sale) in self.record.sales.iter().enumerate() {
            if sale.request_id == id && index >= self.live_sales_from {
                return Some(Known::Sale { index });
            }
            let mut attempts = sale.void_attempts.iter();
            let attempt = attempts.position(|attempt| {
                attempt.request_id == id && attempt.decided_at_ms > self.forgotten_ms
            });
            if let Some(attempt) = attempt {
                return Some(Known::Void {
                    sale: index,
                    attempt,
                });
            }
        }
        self.live_denials()
            .iter()
            .position(|denial| denial.request_id == id)
            .map(|at| Known::Denial {
                index: self.live_denials_from + at,
            })
    }

    /// The instant at which a sale is decided: now, or a little later, so that every void before it has an
    /// earlier stamp, and every sale before it no later one.
    pub(super) fn decision_ms(&self) -> i64 {
        let sold = self.last_sale_ms().unwrap_or(i64::MIN);
        let voided = self.record.sales.iter().filter_map(Sale::voided_at_ms);
        let after_voids = voided.max().map_or(i64::MIN, |last| last + 1);
        self.now_ms.max(sold).max(after_voids)
    }

    /// The stamp of a sale decided at `decided_ms`: behind every denial.
    pub(super) fn sale_stamp_ms(&self, decided_ms: i64) -> i64 {
        let after_denials = self.last_denial_ms().map_or(i64::MIN, |last| last + 1);
        decided_ms.max(after_denials)
    }

    /// The instant at which a void is decided: not before any sale or denial.
    pub(super) fn void_decision_ms(&self) -> i64 {
        let sold = self.last_sale_ms().unwrap_or(i64::MIN);
        let denied = self.last_denial_ms().unwrap_or(i64::MIN);
        self.now_ms.max(sold).max(denied)
    }

    /// Adds a denial; the oldest goes when there are too many.
    pub(super) fn add_denial(&mut self, denial: Denial) {
        self.record.denials.push(denial);
        if self.record.denials.len() > limits::DENIALS_KEPT_MAX {
            self.record.denials.remove(0);
            self.live_denials_from = self.live_denials_from.saturating_sub(1);
        }
    }

    /// Forgets that a request was denied: the sale was made all the same.
    pub(super) fn remove_denial(&mut self, index: usize) {
        self.record.denials.remove(index);
        if index < self.live_denials_from {
            self.live_denials_from -= 1;
        }
    }

    fn last_sale_ms(&self) -> Option<i64> {
        self.record.sales.last().map(|sale| sale.recorded_at_ms)
    }

    fn last_denial_ms(&self) -> Option<i64> {
        self.record
            .denials
            .last()
            .map(|denial| denial.decided_at_ms)
    }

    /// Sales that count towards a window: remembered and not undone.
    pub(super) fn bought(&self) -> Vec<Bought> {
        let live = self.live_sales().iter();
        live.filter(|sale| sale.voided_at_ms().is_none())
            .map(|sale| Bought {
                sold_at_ms: sale.sold_at_ms,
                quantity: sale.quantity,
            })
            .collect()
    }

    /// Instant at which there is room for a sale again, if the record is full: enough of the oldest live ones
    /// are forgotten then. Slips may have filled it beyond its bound.
    pub(super) fn full_until_ms(&self) -> Option<i64> {
        let live = self.live_sales();
        let beyond = live.len().checked_sub(limits::SALES_KEPT_MAX)?;
        let last = live[..=beyond].iter().map(known_from_ms).max()?;
        Some(last.saturating_add(limits::RETENTION_MS))
    }

    /// Drops what is forgotten, before the record is written. A forgotten sale stays while an attempt to undo
    /// it is remembered, and while it shares a window with something remembered, whose repeated answer
    /// lists it.
    pub(super) fn retire(
        &mut self,
        program: &Program,
        calendar: &mut Calendar,
    ) -> Result<Retired, CoreError> {
        self.record.denials.drain(..self.live_denials_from);
        self.live_denials_from = 0;
        if self.live_sales_from == 0 {
            return Ok(Retired::default());
        }
        let remembered = self.live_sales().iter().map(|sale| sale.sold_at_ms);
        let remembered = remembered.chain(self.live_denials().iter().map(|d| d.decided_at_ms));
        let keep_from = match remembered.min() {
            Some(oldest) => longest_window_start(program, calendar, oldest)?,
            None => i64::MAX,
        };

        let mut retired = Retired::default();
        let (mut index, live_from, forgotten_ms) = (0, self.live_sales_from, self.forgotten_ms);
        self.record.sales.retain(|sale| {
            let mut attempts = sale.void_attempts.iter();
            let keep = index >= live_from
                || sale.sold_at_ms >= keep_from
                || attempts.any(|attempt| attempt.decided_at_ms > forgotten_ms);
            index += 1;
            if !keep {
                retired.add(sale, program);
            }
            keep
        });
        self.live_sales_from -= retired.sales as usize;
        Ok(retired)
    }
}

impl Retired {
    fn add(&mut self, sale: &Sale, program: &Program) {
        let units = u64::from(sale.quantity);
        self.sales += 1;
        self.units += units;
        let product = sale.product.unwrap_or_else(|| program.first_product());
        let stock = self.by_stock.entry((sale.site.code, product)).or_default();
        stock.sold += units;
        if sale.voided_at_ms().is_some() {
            stock.voided += units;
        }
    }
}

/// From when on the retention time of a sale is counted, Unix milliseconds.
fn known_from_ms(sale: &Sale) -> i64 {
    sale.recorded_at_ms.max(sale.sold_at_ms)
}

/// Start of the longest window, by any rule of the program, that holds the instant.
fn longest_window_start(
    program: &Program,
    calendar: &mut Calendar,
    at_ms: i64,
) -> Result<i64, CoreError> {
    let mut start_ms = at_ms;
    for rule in program.rules() {
        if let Some(window) = calendar.window(rule.window, at_ms)? {
            start_ms = start_ms.min(window.start_ms);
        }
    }
    Ok(start_ms)
}
