//! One citizen's record as it stands at an instant: what is still remembered, what counts, in which order
//! things happened.
//!
//! Order. A repeated request must be answered as it was the first time, with the purchases as they stood
//! then, and several acts may fall into one millisecond. So acts are stamped such that their order can be
//! read back. At equal stamps sales come first, then denials, then voids; where an act would break that
//! order it is stamped one millisecond later than the one before it.

use quorate_proto::ids::RequestId;

use super::{
    calendar::{Calendar, Window},
    outcome::Verdict,
    program::{Program, Rule},
    record::{CitizenRecord, Denial, Sale},
};
use crate::{error::CoreError, limits};

/// A citizen's record with the part that is remembered.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) record: CitizenRecord,
    /// Sales and denials in front of these were recorded a retention time ago or earlier: they are
    /// forgotten, whether or not they are still stored.
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

/// From where in the record's history the purchases of a window are looked at.
#[derive(Clone, Copy, Debug)]
enum Viewpoint {
    Now,
    /// Right after the sale at this index.
    Sale(usize),
    /// At a denial with this stamp.
    Denial(i64),
}

/// What a rule says of a record at an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Assessment {
    pub(super) rule: Rule,
    pub(super) window: Window,
    pub(super) remaining: u32,
}

/// Sales that left the record, and their units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Retired {
    pub(super) sales: u64,
    pub(super) units: u64,
}

impl Account {
    /// Looks at a record at the shard's time.
    pub(super) fn new(record: CitizenRecord, now_ms: i64) -> Self {
        let forgotten_ms = now_ms.saturating_sub(limits::RETENTION_MS);
        Self {
            live_sales_from: record
                .sales
                .partition_point(|sale| sale.recorded_at_ms <= forgotten_ms),
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

    fn last_sale_ms(&self) -> Option<i64> {
        self.record.sales.last().map(|sale| sale.recorded_at_ms)
    }

    fn last_denial_ms(&self) -> Option<i64> {
        self.record
            .denials
            .last()
            .map(|denial| denial.decided_at_ms)
    }

    /// What the rule in force at the instant leaves to this citizen; `None` while none is in force.
    pub(super) fn assess(
        &self,
        program: &Program,
        calendar: &mut Calendar,
        at_ms: i64,
    ) -> Result<Option<Assessment>, CoreError> {
        let Some(&rule) = program.rule_at(at_ms) else {
            return Ok(None);
        };
        let window = calendar.window(rule.window, at_ms)?;
        let units: u64 = self
            .live_sales()
            .iter()
            .filter(|sale| window.contains(sale.sold_at_ms) && sale.voided_at_ms().is_none())
            .map(|sale| u64::from(sale.quantity))
            .sum();
        let used = u32::try_from(units).unwrap_or(u32::MAX);
        Ok(Some(Assessment {
            rule,
            window,
            remaining: rule.limit.saturating_sub(used),
        }))
    }

    /// Instant at which the oldest live sale is forgotten, if the record is full.
    pub(super) fn full_until_ms(&self) -> Option<i64> {
        let live = self.live_sales();
        let oldest = live.first()?;
        (live.len() >= limits::SALES_KEPT_MAX)
            .then(|| oldest.recorded_at_ms.saturating_add(limits::RETENTION_MS))
    }

    /// The answer to the sale at this index: the same, whenever it is asked for.
    pub(super) fn grant_verdict(
        &self,
        index: usize,
        program: &Program,
        calendar: &mut Calendar,
    ) -> Result<Verdict, CoreError> {
        let sale = &self.record.sales[index];
        let window = window_of_sale(sale, program, calendar)?;
        Ok(Verdict {
            denied: None,
            remaining: sale.remaining,
            limit: sale.limit,
            next_eligible_ms: (sale.remaining == 0).then_some(window.end_ms),
            window: Some(window),
            rule: Some(sale.rule),
            decided_at_ms: sale.sold_at_ms,
            purchases: self.purchases(window, Viewpoint::Sale(index)),
        })
    }

    /// The answer to the denial at this index: the same, whenever it is asked for.
    pub(super) fn denial_verdict(
        &self,
        index: usize,
        program: &Program,
        calendar: &mut Calendar,
    ) -> Result<Verdict, CoreError> {
        let denial = &self.record.denials[index];
        let rule = denial.rule.and_then(|id| program.rule(id));
        let window = match rule {
            Some(rule) => Some(calendar.window(rule.window, denial.decided_at_ms)?),
            None => None,
        };
        let viewpoint = Viewpoint::Denial(denial.decided_at_ms);
        Ok(Verdict {
            denied: Some(denial.reason),
            remaining: denial.remaining,
            limit: denial.limit,
            next_eligible_ms: denial.next_eligible_ms,
            window,
            rule: denial.rule,
            decided_at_ms: denial.decided_at_ms,
            purchases: window.map_or_else(Vec::new, |window| self.purchases(window, viewpoint)),
        })
    }

    /// Live sales of the window as they stand now, newest first.
    pub(super) fn purchases_now(&self, window: Window) -> Vec<Sale> {
        self.purchases(window, Viewpoint::Now)
    }

    fn purchases(&self, window: Window, viewpoint: Viewpoint) -> Vec<Sale> {
        let sales = self.record.sales.iter().enumerate().rev();
        sales
            .filter(|(index, sale)| {
                window.contains(sale.sold_at_ms) && counts(*index, sale, viewpoint, &self.record)
            })
            .map(|(_, sale)| as_purchase(sale))
            .collect()
    }

    /// Drops what is forgotten, before the record is written. A forgotten sale stays while an attempt to undo
    /// it is remembered, and while it shares a window with something remembered, whose repeated answer
    /// lists it.
    pub(super) fn retire(&mut self, calendar: &mut Calendar) -> Result<Retired, CoreError> {
        self.record.denials.drain(..self.live_denials_from);
        self.live_denials_from = 0;
        if self.live_sales_from == 0 {
            return Ok(Retired::default());
        }
        let remembered = self.live_sales().iter().map(|sale| sale.sold_at_ms);
        let remembered = remembered.chain(self.live_denials().iter().map(|d| d.decided_at_ms));
        let keep_from = match remembered.min() {
            Some(oldest) => calendar.longest_window_start(oldest)?,
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
                retired.sales += 1;
                retired.units += u64::from(sale.quantity);
            }
            keep
        });
        self.live_sales_from -= retired.sales as usize;
        Ok(retired)
    }
}

/// The window in which a sale was granted.
fn window_of_sale(
    sale: &Sale,
    program: &Program,
    calendar: &mut Calendar,
) -> Result<Window, CoreError> {
    let rule = program.rule(sale.rule).ok_or_else(|| {
        CoreError::Law(format!(
            "a sale names rule {}, which program {} does not list",
            sale.rule,
            program.id()
        ))
    })?;
    calendar.window(rule.window, sale.sold_at_ms)
}

/// Units that counted in the window of a sale right after it was granted, itself included. Sales already
/// dropped are missing from the sum, so it is never too high.
pub(crate) fn units_at_grant(
    record: &CitizenRecord,
    index: usize,
    program: &Program,
    calendar: &mut Calendar,
) -> Result<u64, CoreError> {
    let window = window_of_sale(&record.sales[index], program, calendar)?;
    let viewpoint = Viewpoint::Sale(index);
    Ok(record.sales[..=index]
        .iter()
        .enumerate()
        .filter(|(at, sale)| {
            window.contains(sale.sold_at_ms) && counts(*at, sale, viewpoint, record)
        })
        .map(|(_, sale)| u64::from(sale.quantity))
        .sum())
}

/// Whether a sale had been made and not undone, seen from the viewpoint.
fn counts(index: usize, sale: &Sale, viewpoint: Viewpoint, record: &CitizenRecord) -> bool {
    let made = match viewpoint {
        Viewpoint::Now => true,
        Viewpoint::Sale(at) => index <= at,
        Viewpoint::Denial(at_ms) => sale.recorded_at_ms <= at_ms,
    };
    made && !sale
        .voided_at_ms()
        .is_some_and(|voided| undone_before(voided, viewpoint, record))
}

fn undone_before(voided_ms: i64, viewpoint: Viewpoint, record: &CitizenRecord) -> bool {
    match viewpoint {
        Viewpoint::Now => true,
        Viewpoint::Sale(at) => voided_ms < record.sales[at].recorded_at_ms,
        Viewpoint::Denial(at_ms) => voided_ms < at_ms,
    }
}

/// A sale as a purchase that counts: attempts to undo it are left out, none had succeeded.
fn as_purchase(sale: &Sale) -> Sale {
    Sale {
        void_attempts: Vec::new(),
        ..*sale
    }
}
