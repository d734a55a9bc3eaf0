//! Judges a sale by a rule: what the rule leaves, which clause decides, and when the next sale could be.
//!
//! The same judgement serves checks, sales, slips, shadow rules and explanations, so that they cannot differ.
//! Invariant: a judgement depends on the rule, the instant and what was bought, and on nothing else.
//! Deliberately absent: the record, and what happens with the judgement.

use super::{
    calendar::{Calendar, Window},
    claims::{Claims, Proxy},
    outcome::DenialReason,
    program::Program,
    rule::{Rotation, RotationDigit, Rule, WindowKind},
};
use crate::{error::CoreError, limits};

/// A sale as far as a rule looks at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) claims: Claims,
    pub(super) site_type: quorate_proto::ids::SiteType,
    pub(super) site_suspended: bool,
    pub(super) proxy: Option<Proxy>,
    pub(super) quantity: u32,
}

/// An earlier sale that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bought {
    pub(super) sold_at_ms: i64,
    pub(super) quantity: u32,
}

/// What a rule says at an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judgement<'p> {
    /// The rule; `None`: none is in force.
    pub(super) rule: Option<&'p Rule>,
    /// `None`: the program is closed.
    pub(super) window: Option<Window>,
    /// For this person; 0 while the program is closed.
    pub(super) limit: u32,
    /// Units available in the window, this sale not taken off: none once its only visit was made.
    pub(super) remaining: u32,
    /// The first clause that does not admit the sale.
    pub(super) denied: Option<DenialReason>,
}

/// How much a later sale must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// All that is asked for.
    All,
    /// What is asked for, or as much of it as one sale in an untouched window may hold.
    AsMuch,
}

/// What the rule in force leaves and decides.
pub(super) fn judge<'p>(
    program: &'p Program,
    calendar: &mut Calendar,
    asked: &Asked,
    bought: &[Bought],
    at_ms: i64,
) -> Result<Judgement<'p>, CoreError> {
    let rule = program.rule_at(at_ms);
    judge_by(rule, program, calendar, asked, bought, at_ms)
}

/// What this rule would leave and decide, were it in force.
pub(super) fn judge_by<'p>(
    rule: Option<&'p Rule>,
    program: &Program,
    calendar: &mut Calendar,
    asked: &Asked,
    bought: &[Bought],
    at_ms: i64,
) -> Result<Judgement<'p>, CoreError> {
    let standing = match rule {
        Some(rule) => stand(rule, calendar, asked.claims, bought, at_ms)?,
        None => None,
    };
    let (Some(in_force), Some(standing)) = (rule, standing) else {
        return Ok(Judgement {
            rule,
            window: None,
            limit: 0,
            remaining: 0,
            denied: Some(DenialReason::ProgramClosed),
        });
    };
    let denied = if asked.quantity > in_force.sale_quantity_max {
        Some(DenialReason::QuantityTooLarge)
    } else if asked.site_suspended {
        Some(DenialReason::SiteSuspended)
    } else if !in_force.site_types.is_empty() && !in_force.site_types.contains(&asked.site_type) {
        Some(DenialReason::SiteTypeNotAllowed)
    } else if !admits_proxy(in_force, asked) {
        Some(DenialReason::ProxyNotAllowed)
    } else if !is_their_day(in_force, program, calendar, asked, at_ms)? {
        Some(DenialReason::NotYourDay)
    } else if standing.only_visit_made {
        Some(DenialReason::AlreadyVisited)
    } else if asked.quantity > standing.remaining {
        Some(DenialReason::OverLimit)
    } else {
        None
    };
    Ok(Judgement {
        rule,
        window: Some(standing.window),
        limit: standing.limit,
        remaining: standing.remaining,
        denied,
    })
}

/// Units that a rule leaves at an instant; 0 while it is closed.
pub(super) fn remaining(
    rule: &Rule,
    calendar: &mut Calendar,
    claims: Claims,
    bought: &[Bought],
    at_ms: i64,
) -> Result<u32, CoreError> {
    let standing = stand(rule, calendar, claims, bought, at_ms)?;
    Ok(standing.map_or(0, |standing| standing.remaining))
}

/// Units by which a sale that is told late exceeds the ration: that of its own window, or that of a later sale
/// whose window holds it too. `bought` is without it. Outside every window there is no ration to exceed.
pub(super) fn over_by(
    program: &Program,
    calendar: &mut Calendar,
    claims: Claims,
    bought: &[Bought],
    late: Bought,
) -> Result<u32, CoreError> {
    let later = bought.iter().map(|sale| sale.sold_at_ms);
    let later = later.filter(|at_ms| *at_ms > late.sold_at_ms);
    let mut over_by = 0;
    for at_ms in std::iter::once(late.sold_at_ms).chain(later) {
        let standing = match program.rule_at(at_ms) {
            Some(rule) => stand(rule, calendar, claims, bought, at_ms)?,
            None => None,
        };
        if let Some(standing) = standing
            && standing.window.contains(late.sold_at_ms)
        {
            over_by = over_by.max(late.quantity.saturating_sub(standing.remaining));
        }
    }
    Ok(over_by)
}

/// How a person stands under a rule.
struct Standing {
    window: Window,
    limit: u32,
    remaining: u32,
    only_visit_made: bool,
}

/// `None`: the rule admits no sale at all at this instant.
fn stand(
    rule: &Rule,
    calendar: &mut Calendar,
    claims: Claims,
    bought: &[Bought],
    at_ms: i64,
) -> Result<Option<Standing>, CoreError> {
    if rule.closed {
        return Ok(None);
    }
    let Some(window) = calendar.window(rule.window, at_ms)? else {
        return Ok(None);
    };
    let (mut visited, mut units) = (false, 0_u64);
    for sale in bought
        .iter()
        .filter(|sale| window.contains(sale.sold_at_ms))
    {
        visited = true;
        units += u64::from(sale.quantity);
    }
    let limit = limit_for(rule, claims);
    let used = u32::try_from(units).unwrap_or(u32::MAX);
    let only_visit_made = rule.single_visit && visited;
    Ok(Some(Standing {
        window,
        limit,
        remaining: if only_visit_made {
            0
        } else {
            limit.saturating_sub(used)
        },
        only_visit_made,
    }))
}

/// The first instant not before `from_ms` at which the sale would be granted, Unix milliseconds; `None` if there
/// is none within [`limits::ELIGIBLE_MS_MAX`]. Each day is judged by the rule in force then. Verdicts change
/// at local midnights and where a rule comes into force, so these are all that is looked at.
pub(super) fn first_eligible(
    program: &Program,
    calendar: &mut Calendar,
    asked: &Asked,
    bought: &[Bought],
    want: Want,
    from_ms: i64,
) -> Result<Option<i64>, CoreError> {
    // Nobody knows when a site may sell again.
    if asked.site_suspended {
        return Ok(None);
    }
    let until_ms = from_ms.saturating_add(limits::ELIGIBLE_MS_MAX);
    let mut at_ms = from_ms;
    // Each turn lies on a later day or at a later rule, so this ends.
    while at_ms <= until_ms {
        let judged = judge_wanted(program, calendar, asked, bought, want, at_ms)?;
        if judged.denied.is_none() {
            return Ok(Some(at_ms));
        }
        match next_turn(program, calendar, &judged, at_ms)? {
            Some(next_ms) => at_ms = next_ms,
            None => break,
        }
    }
    Ok(None)
}

/// The next instant at which a denied sale could be judged otherwise.
fn next_turn(
    program: &Program,
    calendar: &mut Calendar,
    judged: &Judgement<'_>,
    at_ms: i64,
) -> Result<Option<i64>, CoreError> {
    let change_ms = program.next_change_ms(at_ms);
    let fixed = |rule: &Rule| matches!(rule.window, WindowKind::FixedDates { .. }) && !rule.closed;
    let rolling = |rule: &Rule| matches!(rule.window, WindowKind::RollingDays(_));
    let within_rule = match judged.denied {
        Some(
            DenialReason::SiteTypeNotAllowed
            | DenialReason::ProxyNotAllowed
            | DenialReason::QuantityTooLarge
            | DenialReason::SiteSuspended,
        ) => None,
        Some(DenialReason::ProgramClosed) if !judged.rule.is_some_and(fixed) => None,
        Some(DenialReason::OverLimit | DenialReason::AlreadyVisited)
            if !judged.rule.is_some_and(rolling) =>
        {
            judged.window.map(|window| window.end_ms)
        }
        _ => Some(calendar.day(at_ms)?.span.end_ms),
    };
    Ok(match (within_rule, change_ms) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    })
}

fn judge_wanted<'p>(
    program: &'p Program,
    calendar: &mut Calendar,
    asked: &Asked,
    bought: &[Bought],
    want: Want,
    at_ms: i64,
) -> Result<Judgement<'p>, CoreError> {
    let mut asked = *asked;
    if let (Want::AsMuch, Some(rule)) = (want, program.rule_at(at_ms)) {
        let most = limit_for(rule, asked.claims).min(rule.sale_quantity_max);
        asked.quantity = asked.quantity.min(most);
    }
    judge(program, calendar, &asked, bought, at_ms)
}

/// Units that the rule allows this person. An ID that does not say its year of birth gets the rule's own limit.
pub(super) fn limit_for(rule: &Rule, claims: Claims) -> u32 {
    let Some(year) = claims.birth_year else {
        return rule.limit;
    };
    let mut others = rule.birth_year_limits.iter();
    let other = others.find(|other| other.born.contains(year));
    other.map_or(rule.limit, |other| other.limit)
}

fn admits_proxy(rule: &Rule, asked: &Asked) -> bool {
    let Some(proxy) = asked.proxy else {
        return true;
    };
    rule.proxies.iter().any(|listed| {
        let year = asked.claims.birth_year;
        listed.id == proxy.ground && year.is_none_or(|year| listed.born.contains(year))
    })
}

/// Whether the day is the recipient's, or, where the rule says so, the buyer's.
fn is_their_day(
    rule: &Rule,
    program: &Program,
    calendar: &mut Calendar,
    asked: &Asked,
    at_ms: i64,
) -> Result<bool, CoreError> {
    let Some(rotation) = &rule.rotation else {
        return Ok(true);
    };
    let date = calendar.day(at_ms)?.date;
    if rotation.holidays_open && program.is_holiday(date) {
        return Ok(true);
    }
    let weekday = usize::from(date.weekday().to_monday_zero_offset().unsigned_abs());
    let admits = |claims: Claims| {
        let digit = digit_of(rotation, claims);
        digit.is_none_or(|digit| rotation.days[weekday].contains(digit))
    };
    let buyer = asked.proxy.and_then(|proxy| proxy.buyer);
    Ok(admits(asked.claims) || (rule.proxy_either_day && buyer.is_some_and(admits)))
}

/// The digit that tells the person's day; `None`: the ID does not say, and every day is theirs.
pub(super) fn digit_of(rotation: &Rotation, claims: Claims) -> Option<u8> {
    match rotation.digit {
        RotationDigit::BirthYear => claims.birth_year.map(|year| (year % 10) as u8),
        RotationDigit::Id => claims.id_digit,
    }
}
