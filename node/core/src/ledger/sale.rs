//! Decides sales.

use std::num::NonZeroU32;

use quorate_proto::ids::ProgramId;

use super::{
    account::{Account, Assessment, Known},
    batch::Step,
    calendar::Window,
    command::RecordSale,
    history,
    outcome::{CommandError, CommandErrorKind, DenialReason, Outcome, RecordOutcome, Verdict},
    program::Rule,
    record::{Denial, OutboxKind, OutboxRow, Sale, SaleKind},
    state::{self, KnownProgram},
};
use crate::{error::CoreError, keys};

/// Decides a sale and records it, or repeats the answer of the same request.
pub(super) fn record(step: &mut Step<'_, '_>, command: &RecordSale) -> Result<Outcome, CoreError> {
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
    command: &RecordSale,
    known: &mut KnownProgram,
) -> Result<Outcome, CoreError> {
    let key = keys::citizen(&command.citizen, &command.program);
    let mut account = state::load_account(&*step.overlay, &key, step.now_ms)?;
    if let Some(earlier) = account.known(command.request_id) {
        return repeat(&account, command, known, earlier);
    }
    let decision = match decide(&account, known, command.quantity)? {
        Ok(decision) => decision,
        Err(error) => return Ok(error.into()),
    };
    let verdict = match decision.result {
        Ok(rule) => grant(step, command, known, &mut account, &decision, rule)?,
        Err(reason) => deny(step, command, known, &mut account, &decision, reason)?,
    };
    step.store_account(key, account, &mut known.calendar)?;
    Ok(Outcome::Record(RecordOutcome {
        verdict,
        repeated: false,
    }))
}

/// A sale as it would be decided, before anything is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision {
    pub(super) result: Result<Rule, DenialReason>,
    /// The rule in force, if one is.
    pub(super) rule: Option<Rule>,
    /// Units available, this sale not taken off.
    pub(super) remaining: u32,
    pub(super) next_eligible_ms: Option<i64>,
    pub(super) window: Option<Window>,
    pub(super) decided_at_ms: i64,
}

impl Decision {
    pub(super) fn limit(&self) -> u32 {
        self.rule.map_or(0, |rule| rule.limit)
    }
}

/// Decides without recording. The inner error is the caller's: a quantity that no sale may have.
pub(super) fn decide(
    account: &Account,
    known: &mut KnownProgram,
    quantity: NonZeroU32,
) -> Result<Result<Decision, CommandError>, CoreError> {
    let decided_at_ms = account.decision_ms();
    let KnownProgram { program, calendar } = known;
    let Some(found) = account.assess(program, calendar, decided_at_ms)? else {
        return Ok(Ok(Decision {
            result: Err(DenialReason::ProgramClosed),
            rule: None,
            remaining: 0,
            next_eligible_ms: program.rules().first().map(|rule| rule.effective_from_ms),
            window: None,
            decided_at_ms,
        }));
    };
    let Assessment { rule, window, .. } = found;
    if quantity.get() > rule.sale_quantity_max {
        return Ok(Err(CommandError::new(
            CommandErrorKind::QuantityTooLarge,
            format!("one sale holds at most {} units", rule.sale_quantity_max),
        )));
    }
    let full_until_ms = account.full_until_ms();
    let granted = quantity.get() <= found.remaining && full_until_ms.is_none();
    // More than a whole window allows: waiting does not help, asking for less does.
    let never = quantity.get() > rule.limit && found.remaining > 0;
    Ok(Ok(Decision {
        result: granted.then_some(rule).ok_or(DenialReason::OverLimit),
        rule: Some(rule),
        remaining: found.remaining,
        next_eligible_ms: if granted || never {
            None
        } else {
            Some(full_until_ms.unwrap_or(window.end_ms))
        },
        window: Some(window),
        decided_at_ms,
    }))
}

/// Records a grant: the sale, its outbox row, the totals. The answer is read back from the record, as a
/// repeat will read it.
fn grant(
    step: &mut Step<'_, '_>,
    command: &RecordSale,
    known: &mut KnownProgram,
    account: &mut Account,
    decision: &Decision,
    rule: Rule,
) -> Result<Verdict, CoreError> {
    let quantity = command.quantity.get();
    account.record.sales.push(Sale {
        request_id: command.request_id,
        quantity,
        site: command.site,
        sold_at_ms: decision.decided_at_ms,
        recorded_at_ms: account.sale_stamp_ms(decision.decided_at_ms),
        kind: SaleKind::Online,
        flags: 0,
        rule: rule.id,
        remaining: decision.remaining - quantity,
        limit: rule.limit,
        void_attempts: Vec::new(),
    });
    step.facts.totals.grants += 1;
    step.facts.totals.units_granted += u64::from(quantity);
    let row = OutboxRow {
        site_code: command.site.code,
        program: command.program,
        request_id: command.request_id,
        quantity,
        kind: OutboxKind::Sold,
        at_ms: decision.decided_at_ms,
    };
    state::append_outbox(step.overlay, step.shard, &mut step.facts, &row);
    let newest = account.record.sales.len() - 1;
    history::grant_verdict(&account.record, newest, &known.program, &mut known.calendar)
}

/// Records a denial, so that a repeat repeats it. The oldest is dropped when there are too many.
fn deny(
    step: &mut Step<'_, '_>,
    command: &RecordSale,
    known: &mut KnownProgram,
    account: &mut Account,
    decision: &Decision,
    reason: DenialReason,
) -> Result<Verdict, CoreError> {
    account.add_denial(Denial {
        request_id: command.request_id,
        quantity: command.quantity.get(),
        site_code: command.site.code,
        reason,
        remaining: decision.remaining,
        limit: decision.limit(),
        next_eligible_ms: decision.next_eligible_ms,
        decided_at_ms: decision.decided_at_ms,
        rule: decision.rule.map(|rule| rule.id),
    });
    step.facts.totals.denials[reason.number() as usize] += 1;
    let newest = account.record.denials.len() - 1;
    history::denial_verdict(&account.record, newest, &known.program, &mut known.calendar)
}

/// The answer given before, if it was given to the same content.
fn repeat(
    account: &Account,
    command: &RecordSale,
    known: &mut KnownProgram,
    earlier: Known,
) -> Result<Outcome, CoreError> {
    let asked = (command.quantity.get(), command.site.code);
    let KnownProgram { program, calendar } = known;
    let verdict = match earlier {
        Known::Sale { index } => {
            let sale = &account.record.sales[index];
            if (sale.quantity, sale.site.code) != asked {
                return Ok(conflict("another sale").into());
            }
            history::grant_verdict(&account.record, index, program, calendar)?
        }
        Known::Denial { index } => {
            let denial = &account.record.denials[index];
            if (denial.quantity, denial.site_code) != asked {
                return Ok(conflict("another sale").into());
            }
            history::denial_verdict(&account.record, index, program, calendar)?
        }
        Known::Void { .. } => return Ok(conflict("a void").into()),
    };
    Ok(Outcome::Record(RecordOutcome {
        verdict,
        repeated: true,
    }))
}

/// A request id that was used for something else.
pub(super) fn conflict(used_for: &str) -> CommandError {
    CommandError::new(
        CommandErrorKind::RequestIdConflict,
        format!("this request id was used before, for {used_for}"),
    )
}

/// A program that this shard does not know.
pub(super) fn unknown_program(program: &ProgramId) -> CommandError {
    CommandError::new(
        CommandErrorKind::UnknownProgram,
        format!("there is no program \"{program}\""),
    )
}
