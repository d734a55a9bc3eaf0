//! A citizen's record as it stood at some moment of its own history.
//!
//! A repeated request must be answered as it was the first time, with the purchases as they stood then, and
//! several acts may fall into one millisecond. So acts are stamped such that their order can be read back:
//! at equal stamps sales come first, then denials, then voids, and where an act would break that order it is
//! stamped one millisecond later than the one before it. `Account` makes the stamps, this module reads them.

use super::{
    calendar::{Calendar, Window},
    outcome::Verdict,
    program::Program,
    record::{CitizenRecord, Sale},
    rule::Rule,
};
use crate::error::CoreError;

/// From where in the record's history the purchases of a window are looked at.
#[derive(Clone, Copy, Debug)]
enum Viewpoint {
    Now,
    /// Right after the sale at this index.
    Sale(usize),
    /// At a denial with this stamp.
    Denial(i64),
}

/// The answer to the sale at this index: the same, whenever it is asked for.
pub(super) fn grant_verdict(
    record: &CitizenRecord,
    index: usize,
    program: &Program,
    calendar: &mut Calendar,
) -> Result<Verdict, CoreError> {
    let sale = &record.sales[index];
    let window = window_of_sale(sale, program, calendar)?;
    Ok(Verdict {
        denied: None,
        remaining: sale.remaining,
        limit: sale.limit,
        next_eligible_ms: sale.next_eligible_ms,
        window,
        rule: sale.rule,
        decided_at_ms: sale.sold_at_ms,
        purchases: window.map_or_else(Vec::new, |window| {
            purchases(record, window, Viewpoint::Sale(index))
        }),
    })
}

/// The answer to the denial at this index: the same, whenever it is asked for.
pub(super) fn denial_verdict(
    record: &CitizenRecord,
    index: usize,
    program: &Program,
    calendar: &mut Calendar,
) -> Result<Verdict, CoreError> {
    let denial = &record.denials[index];
    let rule = denial.rule.and_then(|id| program.rule(id));
    let window = match rule {
        Some(rule) => window_of(rule, calendar, denial.decided_at_ms)?,
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
        purchases: window.map_or_else(Vec::new, |window| purchases(record, window, viewpoint)),
    })
}

/// Sales of the window that count now, newest first.
pub(super) fn purchases_now(record: &CitizenRecord, window: Window) -> Vec<Sale> {
    purchases(record, window, Viewpoint::Now)
}

/// Newest first by time of sale: slips may be recorded long after later sales.
pub(super) fn newest_first(sales: &mut [Sale]) {
    sales.sort_by_key(|sale| std::cmp::Reverse(sale.sold_at_ms));
}

fn purchases(record: &CitizenRecord, window: Window, viewpoint: Viewpoint) -> Vec<Sale> {
    let sales = record.sales.iter().enumerate().rev();
    let mut purchases: Vec<_> = sales
        .filter(|(index, sale)| {
            window.contains(sale.sold_at_ms) && counts(*index, sale, viewpoint, record)
        })
        .map(|(_, sale)| as_purchase(sale))
        .collect();
    newest_first(&mut purchases);
    purchases
}

/// The window in which a sale was made; `None`: the program was closed, and it is a slip.
fn window_of_sale(
    sale: &Sale,
    program: &Program,
    calendar: &mut Calendar,
) -> Result<Option<Window>, CoreError> {
    let Some(id) = sale.rule else {
        return Ok(None);
    };
    let rule = program.rule(id).ok_or_else(|| {
        CoreError::Law(format!(
            "a sale names rule {id}, which program {} does not list",
            program.id()
        ))
    })?;
    window_of(rule, calendar, sale.sold_at_ms)
}

fn window_of(
    rule: &Rule,
    calendar: &mut Calendar,
    at_ms: i64,
) -> Result<Option<Window>, CoreError> {
    if rule.closed {
        return Ok(None);
    }
    calendar.window(rule.window, at_ms)
}

/// Units that counted in the window of a sale right after it was granted, itself included. Sales already
/// dropped are missing from the sum, so it is never too high.
pub(crate) fn units_at_grant(
    record: &CitizenRecord,
    index: usize,
    program: &Program,
    calendar: &mut Calendar,
) -> Result<u64, CoreError> {
    let Some(window) = window_of_sale(&record.sales[index], program, calendar)? else {
        return Ok(0);
    };
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
        ..sale.clone()
    }
}
