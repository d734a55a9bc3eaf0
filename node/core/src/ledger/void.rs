//! Undoes sales.

use super::{
    account::{Account, Known},
    batch::Step,
    calendar::Calendar,
    command::{VoidBy, VoidSale},
    outcome::{Outcome, VoidOutcome, VoidRefusal},
    record::{Sale, VoidAttempt},
    sale::{conflict, unknown_program},
    slip::remaining_at,
    state::{self, KnownProgram},
};
use crate::{error::CoreError, keys, limits};

/// Undoes a sale, or says why not, or repeats the answer of the same request.
///
/// The attempt is kept with the sale. One that names no remembered sale is not: deciding it anew is safe.
pub(super) fn void(step: &mut Step<'_, '_>, command: &VoidSale) -> Result<Outcome, CoreError> {
    if let Err(error) = step.check_owner(command.citizen.position()) {
        return Ok(error.into());
    }
    let Some(mut known) = step.take_program(&command.program)? else {
        return Ok(unknown_program(&command.program).into());
    };
    let outcome = decide_and_record(step, command, &mut known);
    step.keep_program(known);
    outcome
}

fn decide_and_record(
    step: &mut Step<'_, '_>,
    command: &VoidSale,
    known: &mut KnownProgram,
) -> Result<Outcome, CoreError> {
    let KnownProgram { program, calendar } = known;
    let key = keys::citizen(&command.citizen, &command.program);
    let mut account = state::load_account(&*step.overlay, &key, step.now_ms)?;
    if let Some(earlier) = account.known(command.request_id) {
        return Ok(repeat(&account, command, earlier));
    }
    let at_ms = account.void_decision_ms();
    let Some(Known::Sale { index }) = account.known(command.sale_request_id) else {
        return Ok(Outcome::Void(VoidOutcome {
            refused: Some(VoidRefusal::SaleNotFound),
            quantity: 0,
            remaining: remaining_at(&account, program, calendar, command.claims, at_ms)?,
            decided_at_ms: at_ms,
            repeated: false,
        }));
    };

    let refused = refusal(&account.record.sales[index], &command.by, calendar, at_ms)?;
    let attempts = &mut account.record.sales[index].void_attempts;
    make_room(attempts);
    attempts.push(VoidAttempt {
        request_id: command.request_id,
        by: command.by.clone(),
        refused,
        remaining: 0,
        decided_at_ms: at_ms,
    });
    // Only now is what the void gives back part of what remains.
    let remaining = remaining_at(&account, program, calendar, command.claims, at_ms)?;
    let sale = &mut account.record.sales[index];
    if let Some(attempt) = sale.void_attempts.last_mut() {
        attempt.remaining = remaining;
    }
    let quantity = if refused.is_none() { sale.quantity } else { 0 };
    if refused.is_none() {
        step.note_void(sale, program, calendar, at_ms)?;
    }
    step.store_account(key, account, program, calendar)?;
    Ok(Outcome::Void(VoidOutcome {
        refused,
        quantity,
        remaining,
        decided_at_ms: at_ms,
        repeated: false,
    }))
}

/// An administrator may undo a sale of any site, on any day.
fn refusal(
    sale: &Sale,
    by: &VoidBy,
    calendar: &mut Calendar,
    at_ms: i64,
) -> Result<Option<VoidRefusal>, CoreError> {
    let (other_site, on_its_day_only) = match by {
        VoidBy::Site(code) => (sale.site.code != *code, true),
        VoidBy::Administrator(_) => (false, false),
    };
    Ok(if other_site {
        Some(VoidRefusal::OtherSite)
    } else if sale.voided_at_ms().is_some() {
        Some(VoidRefusal::AlreadyVoided)
    } else if on_its_day_only && !calendar.same_day(sale.sold_at_ms, at_ms)? {
        Some(VoidRefusal::TooLate)
    } else {
        None
    })
}

/// Drops the oldest refused attempt when there are too many; never the one that undid the sale.
fn make_room(attempts: &mut Vec<VoidAttempt>) {
    if attempts.len() >= limits::VOID_ATTEMPTS_KEPT_MAX
        && let Some(oldest) = attempts.iter().position(|a| a.refused.is_some())
    {
        attempts.remove(oldest);
    }
}

/// The answer given before, if it was given to the same content.
fn repeat(account: &Account, command: &VoidSale, earlier: Known) -> Outcome {
    let Known::Void { sale, attempt } = earlier else {
        return conflict("a sale").into();
    };
    let sale = &account.record.sales[sale];
    let attempt = &sale.void_attempts[attempt];
    if sale.request_id != command.sale_request_id || attempt.by != command.by {
        return conflict("another void").into();
    }
    Outcome::Void(VoidOutcome {
        refused: attempt.refused,
        quantity: if attempt.refused.is_none() {
            sale.quantity
        } else {
            0
        },
        remaining: attempt.remaining,
        decided_at_ms: attempt.decided_at_ms,
        repeated: true,
    })
}
