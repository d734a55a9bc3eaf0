//! Undoes sales.

use super::{
    account::{Account, Known},
    batch::Step,
    command::VoidSale,
    outcome::{Outcome, VoidOutcome, VoidRefusal},
    record::{OutboxKind, OutboxRow, Sale, VoidAttempt},
    sale::{conflict, unknown_program},
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
            remaining: remaining_at(&account, known, at_ms)?,
            decided_at_ms: at_ms,
            repeated: false,
        }));
    };

    let refused = refusal(&account.record.sales[index], command, known, at_ms)?;
    let attempts = &mut account.record.sales[index].void_attempts;
    make_room(attempts);
    attempts.push(VoidAttempt {
        request_id: command.request_id,
        site_code: command.site_code,
        refused,
        remaining: 0,
        decided_at_ms: at_ms,
    });
    // Only now is what the void gives back part of what remains.
    let remaining = remaining_at(&account, known, at_ms)?;
    let sale = &mut account.record.sales[index];
    if let Some(attempt) = sale.void_attempts.last_mut() {
        attempt.remaining = remaining;
    }
    let quantity = if refused.is_none() { sale.quantity } else { 0 };
    if refused.is_none() {
        note_void(step, command, quantity, at_ms);
    }
    step.store_account(key, account, &mut known.calendar)?;
    Ok(Outcome::Void(VoidOutcome {
        refused,
        quantity,
        remaining,
        decided_at_ms: at_ms,
        repeated: false,
    }))
}

fn refusal(
    sale: &Sale,
    command: &VoidSale,
    known: &KnownProgram,
    at_ms: i64,
) -> Result<Option<VoidRefusal>, CoreError> {
    Ok(if sale.site.code != command.site_code {
        Some(VoidRefusal::OtherSite)
    } else if sale.voided_at_ms().is_some() {
        Some(VoidRefusal::AlreadyVoided)
    } else if !known.calendar.same_day(sale.sold_at_ms, at_ms)? {
        Some(VoidRefusal::TooLate)
    } else {
        None
    })
}

/// Counts the void and tells the site's shard.
fn note_void(step: &mut Step<'_, '_>, command: &VoidSale, quantity: u32, at_ms: i64) {
    step.facts.totals.voids += 1;
    step.facts.totals.units_voided += u64::from(quantity);
    let row = OutboxRow {
        site_code: command.site_code,
        program: command.program,
        request_id: command.sale_request_id,
        quantity,
        kind: OutboxKind::Voided,
        at_ms,
    };
    state::append_outbox(step.overlay, step.shard, &mut step.facts, &row);
}

/// Drops the oldest refused attempt when there are too many; never the one that undid the sale.
fn make_room(attempts: &mut Vec<VoidAttempt>) {
    if attempts.len() >= limits::VOID_ATTEMPTS_KEPT_MAX
        && let Some(oldest) = attempts.iter().position(|a| a.refused.is_some())
    {
        attempts.remove(oldest);
    }
}

fn remaining_at(account: &Account, known: &mut KnownProgram, at_ms: i64) -> Result<u32, CoreError> {
    let found = account.assess(&known.program, &mut known.calendar, at_ms)?;
    Ok(found.map_or(0, |found| found.remaining))
}

/// The answer given before, if it was given to the same content.
fn repeat(account: &Account, command: &VoidSale, earlier: Known) -> Outcome {
    let Known::Void { sale, attempt } = earlier else {
        return conflict("a sale").into();
    };
    let sale = &account.record.sales[sale];
    let attempt = &sale.void_attempts[attempt];
    if sale.request_id != command.sale_request_id || attempt.site_code != command.site_code {
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
