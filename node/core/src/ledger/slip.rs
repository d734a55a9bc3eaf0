//! Records sales that were made on paper.
//!
//! The sale has happened, so the rule in force when it was made only says what to flag. Invariants: a slip is
//! recorded once inside the retention time, in whatever order slips come; it counts against every later sale
//! of its window. Deliberately absent: whether the slip is authentic, which is the gateway's to know.

use quorate_proto::ids::ProductId;

use super::{
    account::{Account, Known},
    batch::Step,
    calendar::Calendar,
    claims::{Claims, Proxy},
    command::{RecordSlip, SaleSite},
    judge::{self, Asked, Bought},
    outcome::{DenialReason, Outcome, SlipOutcome, SlipRejection, SlipResult},
    program::Program,
    record::{Sale, SaleKind},
    sale::listed_product,
    state::{self, KnownProgram},
};
use crate::{
    error::CoreError,
    keys, limits,
    planted::{self, Bug},
};

/// Records a slip, or says that it was recorded before or why it never will be.
pub(super) fn record(step: &mut Step<'_, '_>, command: &RecordSlip) -> Result<Outcome, CoreError> {
    if let Err(error) = step.check_owner(command.citizen.position()) {
        return Ok(error.into());
    }
    let Some(mut known) = step.take_program(&command.program)? else {
        return Ok(rejected(SlipRejection::UnknownProgram, 0));
    };
    let outcome = decide_and_record(step, command, &mut known);
    step.keep_program(known);
    outcome
}

fn decide_and_record(
    step: &mut Step<'_, '_>,
    command: &RecordSlip,
    known: &mut KnownProgram,
) -> Result<Outcome, CoreError> {
    let KnownProgram { program, calendar } = known;
    let key = keys::citizen(&command.citizen, &command.program);
    let mut account = state::load_account(&*step.overlay, &key, step.now_ms)?;
    let remaining = remaining_at(&account, program, calendar, command.claims, step.now_ms)?;
    let Ok(product) = listed_product(program, command.product) else {
        return Ok(rejected(SlipRejection::UnknownProduct, remaining));
    };
    match account.known(command.request_id) {
        Some(Known::Sale { index }) => {
            let sale = &account.record.sales[index];
            return Ok(repeat(sale, command, product, remaining));
        }
        Some(Known::Void { .. }) => {
            return Ok(rejected(SlipRejection::RequestIdConflict, remaining));
        }
        // Denied online, and then sold all the same: the sale is what happened.
        Some(Known::Denial { index }) => account.remove_denial(index),
        None => {}
    }
    if command.sold_at_ms <= step.now_ms.saturating_sub(limits::RETENTION_MS) {
        return Ok(rejected(SlipRejection::TooOld, remaining));
    }
    if command.sold_at_ms > step.now_ms.saturating_add(limits::SLIP_AHEAD_MS_MAX) {
        return Ok(rejected(SlipRejection::InTheFuture, remaining));
    }

    let sale = sale_of(command, product, &account, program, calendar)?;
    let (irregularity, over_by) = (sale.irregularity, sale.over_by);
    if over_by == 0 || !planted::is(Bug::SlipDropped) {
        step.note_sale(&sale, program, calendar)?;
        account.record.sales.push(sale);
    }
    let remaining = remaining_at(&account, program, calendar, command.claims, step.now_ms)?;
    step.store_account(key, account, program, calendar)?;
    Ok(Outcome::Slip(SlipOutcome {
        result: if over_by > 0 {
            SlipResult::OverQuotaRecorded
        } else {
            SlipResult::Accepted
        },
        irregularity,
        over_by,
        remaining,
    }))
}

/// The slip as it is recorded, judged by the rule in force when it was sold.
fn sale_of(
    command: &RecordSlip,
    product: Option<ProductId>,
    account: &Account,
    program: &Program,
    calendar: &mut Calendar,
) -> Result<Sale, CoreError> {
    let quantity = command.quantity.get();
    let asked = Asked {
        claims: command.claims,
        site_type: command.site.site_type,
        site_suspended: command.site_suspended,
        proxy: command.proxy_ground.map(|ground| Proxy {
            ground,
            buyer: None,
        }),
        quantity,
    };
    let bought = account.bought();
    let judged = judge::judge(program, calendar, &asked, &bought, command.sold_at_ms)?;
    let late = Bought {
        sold_at_ms: command.sold_at_ms,
        quantity,
    };
    let over_by = judge::over_by(program, calendar, command.claims, &bought, late)?;
    let of_quota = |reason: &DenialReason| {
        matches!(
            reason,
            DenialReason::OverLimit | DenialReason::AlreadyVisited
        )
    };
    Ok(Sale {
        request_id: command.request_id,
        quantity,
        site: command.site,
        sold_at_ms: command.sold_at_ms,
        recorded_at_ms: account.sale_stamp_ms(account.decision_ms()),
        kind: SaleKind::Paper,
        flags: 0,
        rule: judged.rule.map(|rule| rule.id),
        remaining: judged.remaining.saturating_sub(quantity),
        limit: judged.limit,
        next_eligible_ms: None,
        product,
        proxy_ground: command.proxy_ground,
        over_by,
        irregularity: judged.denied.filter(|reason| !of_quota(reason)),
        void_attempts: Vec::new(),
    })
}

/// Recorded before, on paper or online, or a conflict. The device's clock is part of a slip, not of a sale
/// that was decided here.
fn repeat(
    sale: &Sale,
    command: &RecordSlip,
    product: Option<ProductId>,
    remaining: u32,
) -> Outcome {
    let known = (
        sale.quantity,
        sale.site.code,
        sale.product,
        sale.proxy_ground,
    );
    let SaleSite { code, .. } = command.site;
    let handed_in = (command.quantity.get(), code, product, command.proxy_ground);
    let other_time = sale.kind == SaleKind::Paper && sale.sold_at_ms != command.sold_at_ms;
    if known != handed_in || other_time {
        return rejected(SlipRejection::RequestIdConflict, remaining);
    }
    Outcome::Slip(SlipOutcome {
        result: SlipResult::Duplicate,
        irregularity: sale.irregularity,
        over_by: sale.over_by,
        remaining,
    })
}

fn rejected(rejection: SlipRejection, remaining: u32) -> Outcome {
    Outcome::Slip(SlipOutcome {
        result: SlipResult::Rejected(rejection),
        irregularity: None,
        over_by: 0,
        remaining,
    })
}

/// Units that the rule in force at the instant leaves to this citizen.
pub(super) fn remaining_at(
    account: &Account,
    program: &Program,
    calendar: &mut Calendar,
    claims: Claims,
    at_ms: i64,
) -> Result<u32, CoreError> {
    let Some(rule) = program.rule_at(at_ms) else {
        return Ok(0);
    };
    judge::remaining(rule, calendar, claims, &account.bought(), at_ms)
}
