//! Decides sales.

use quorate_proto::ids::{ProductId, ProgramId};

use super::{
    account::{Account, Known},
    batch::Step,
    calendar::Calendar,
    command::RecordSale,
    history,
    judge::{self, Asked, Bought, Judgement, Want},
    outcome::{CommandError, CommandErrorKind, DenialReason, Outcome, RecordOutcome},
    program::Program,
    record::{Denial, Sale, SaleKind},
    rule::Rule,
    state::{self, KnownProgram},
};
use crate::{
    error::CoreError,
    keys,
    planted::{self, Bug},
};

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
    let KnownProgram { program, calendar } = known;
    let product = match listed_product(program, command.product) {
        Ok(product) => product,
        Err(error) => return Ok(error.into()),
    };
    let key = keys::citizen(&command.citizen, &command.program);
    let mut account = state::load_account(&*step.overlay, &key, step.now_ms)?;
    if let Some(earlier) = account.known(command.request_id)
        && !planted::is(Bug::DoubleApply)
    {
        return repeat(&account, command, product, program, calendar, earlier);
    }
    let asked = Asked {
        claims: command.claims,
        site_type: command.site.site_type,
        site_suspended: command.site_suspended,
        proxy: command.proxy,
        quantity: command.quantity.get(),
    };
    let bought = account.bought();
    #[cfg(feature = "planted-bugs")]
    let bought = as_checked_before(bought, step.now_ms);
    let decision = match decide(&account, &bought, program, calendar, &asked)? {
        Ok(decision) => decision,
        Err(error) => return Ok(error.into()),
    };
    step.tallies
        .shadows(program, calendar, &asked, &bought, &decision)?;
    let by_chance = planted::is(Bug::RandomInApply) && planted::unlike().is_multiple_of(16);
    let verdict = match decision.result {
        Ok(_) if by_chance => {
            let reason = DenialReason::OverLimit;
            account.add_denial(denied(command, product, &decision, reason));
            let newest = account.record.denials.len() - 1;
            history::denial_verdict(&account.record, newest, program, calendar)?
        }
        Ok(rule) => {
            let left = left_by_grant(&decision, rule, program, calendar, &asked, bought)?;
            let sale = granted(command, product, &account, &decision, rule, left);
            step.note_sale(&sale, program, calendar)?;
            account.record.sales.push(sale);
            let newest = account.record.sales.len() - 1;
            history::grant_verdict(&account.record, newest, program, calendar)?
        }
        Err(reason) => {
            let day = calendar.day(decision.decided_at_ms)?;
            step.facts.totals.denials[reason.number() as usize] += 1;
            step.tallies
                .day(program.id(), day, &command.site)
                .add_denial(reason);
            account.add_denial(denied(command, product, &decision, reason));
            let newest = account.record.denials.len() - 1;
            history::denial_verdict(&account.record, newest, program, calendar)?
        }
    };
    step.store_account(key, account, program, calendar)?;
    Ok(Outcome::Record(RecordOutcome {
        verdict,
        repeated: false,
    }))
}

/// What was bought; with that bug planted, as it was told to whoever checked a moment ago.
#[cfg(feature = "planted-bugs")]
fn as_checked_before(mut bought: Vec<Bought>, now_ms: i64) -> Vec<Bought> {
    /// How old the answer is that is decided by: a check over the network, and then the sale.
    const AGE_MS: i64 = 25;
    if planted::is(Bug::CheckThenRecord) {
        bought.retain(|sale| sale.sold_at_ms < now_ms - AGE_MS);
    }
    bought
}

/// A sale as it would be decided, before anything is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision<'p> {
    pub(super) result: Result<&'p Rule, DenialReason>,
    /// By the rule in force.
    pub(super) judged: Judgement<'p>,
    /// Of a denial: when such a sale could be granted.
    pub(super) next_eligible_ms: Option<i64>,
    pub(super) decided_at_ms: i64,
}

/// Decides without recording. The inner error is the caller's: a quantity that no sale may have.
pub(super) fn decide<'p>(
    account: &Account,
    bought: &[Bought],
    program: &'p Program,
    calendar: &mut Calendar,
    asked: &Asked,
) -> Result<Result<Decision<'p>, CommandError>, CoreError> {
    let at_ms = account.decision_ms();
    let judged = judge::judge(program, calendar, asked, bought, at_ms)?;
    let full_until_ms = account.full_until_ms();
    let denied = match judged.denied {
        Some(DenialReason::QuantityTooLarge) => {
            return Ok(Err(quantity_too_large(judged.rule)));
        }
        None if full_until_ms.is_some() => Some(DenialReason::OverLimit),
        denied => denied,
    };
    let result = match (denied, judged.rule) {
        (None, Some(rule)) => Ok(rule),
        (denied, _) => Err(denied.unwrap_or(DenialReason::ProgramClosed)),
    };
    let next_eligible_ms = if result.is_err() {
        let from_ms = full_until_ms.unwrap_or(at_ms).max(at_ms);
        let want = wanted(&judged, asked);
        judge::first_eligible(program, calendar, asked, bought, want, from_ms)?
    } else {
        None
    };
    Ok(Ok(Decision {
        result,
        judged,
        next_eligible_ms,
        decided_at_ms: at_ms,
    }))
}

/// More than a whole window allows: waiting does not help unless a later rule allows it, asking for less does.
pub(super) fn wanted(judged: &Judgement<'_>, asked: &Asked) -> Want {
    let over_limit = judged.denied == Some(DenialReason::OverLimit);
    if over_limit && asked.quantity > judged.limit && judged.remaining > 0 {
        Want::All
    } else {
        Want::AsMuch
    }
}

/// Units left after a grant, and, if there are none, when the next sale could be.
pub(super) fn left_by_grant(
    decision: &Decision<'_>,
    rule: &Rule,
    program: &Program,
    calendar: &mut Calendar,
    asked: &Asked,
    mut bought: Vec<Bought>,
) -> Result<(u32, Option<i64>), CoreError> {
    let left = decision.judged.remaining - asked.quantity;
    if left > 0 && !rule.single_visit {
        return Ok((left, None));
    }
    let at_ms = decision.decided_at_ms;
    bought.push(Bought {
        sold_at_ms: at_ms,
        quantity: asked.quantity,
    });
    let next = Asked {
        quantity: 1,
        ..*asked
    };
    let first = judge::first_eligible(program, calendar, &next, &bought, Want::AsMuch, at_ms)?;
    Ok((0, first))
}

fn granted(
    command: &RecordSale,
    product: Option<ProductId>,
    account: &Account,
    decision: &Decision<'_>,
    rule: &Rule,
    (remaining, next_eligible_ms): (u32, Option<i64>),
) -> Sale {
    Sale {
        request_id: command.request_id,
        quantity: command.quantity.get(),
        site: command.site,
        sold_at_ms: decision.decided_at_ms,
        recorded_at_ms: account.sale_stamp_ms(decision.decided_at_ms),
        kind: SaleKind::Online,
        flags: 0,
        rule: Some(rule.id),
        remaining,
        limit: decision.judged.limit,
        next_eligible_ms,
        product,
        proxy_ground: command.proxy.map(|proxy| proxy.ground),
        over_by: 0,
        irregularity: None,
        void_attempts: Vec::new(),
    }
}

fn denied(
    command: &RecordSale,
    product: Option<ProductId>,
    decision: &Decision<'_>,
    reason: DenialReason,
) -> Denial {
    Denial {
        request_id: command.request_id,
        quantity: command.quantity.get(),
        site_code: command.site.code,
        reason,
        remaining: decision.judged.remaining,
        limit: decision.judged.limit,
        next_eligible_ms: decision.next_eligible_ms,
        decided_at_ms: decision.decided_at_ms,
        rule: decision.judged.rule.map(|rule| rule.id),
        product,
        proxy_ground: command.proxy.map(|proxy| proxy.ground),
    }
}

/// The answer given before, if it was given to the same content.
fn repeat(
    account: &Account,
    command: &RecordSale,
    product: Option<ProductId>,
    program: &Program,
    calendar: &mut Calendar,
    earlier: Known,
) -> Result<Outcome, CoreError> {
    let ground = command.proxy.map(|proxy| proxy.ground);
    let asked = (command.quantity.get(), command.site.code, product, ground);
    let record = &account.record;
    let verdict = match earlier {
        Known::Sale { index } => {
            let sale = &record.sales[index];
            if (
                sale.quantity,
                sale.site.code,
                sale.product,
                sale.proxy_ground,
            ) != asked
            {
                return Ok(conflict("another sale").into());
            }
            history::grant_verdict(record, index, program, calendar)?
        }
        Known::Denial { index } => {
            let denial = &record.denials[index];
            let content = (
                denial.quantity,
                denial.site_code,
                denial.product,
                denial.proxy_ground,
            );
            if content != asked {
                return Ok(conflict("another sale").into());
            }
            history::denial_verdict(record, index, program, calendar)?
        }
        Known::Void { .. } => return Ok(conflict("a void").into()),
    };
    Ok(Outcome::Record(RecordOutcome {
        verdict,
        repeated: true,
    }))
}

/// A product as it is recorded: the first one is never named, so that naming it or not is the same.
pub(super) fn listed_product(
    program: &Program,
    product: Option<ProductId>,
) -> Result<Option<ProductId>, CommandError> {
    match product {
        Some(id) if !program.has_product(id) => Err(CommandError::new(
            CommandErrorKind::UnknownProduct,
            format!("program \"{}\" has no product \"{id}\"", program.id()),
        )),
        product => Ok(product.filter(|id| *id != program.first_product())),
    }
}

fn quantity_too_large(rule: Option<&Rule>) -> CommandError {
    let most = rule.map_or(0, |rule| rule.sale_quantity_max);
    CommandError::new(
        CommandErrorKind::QuantityTooLarge,
        format!("one sale holds at most {most} units"),
    )
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
