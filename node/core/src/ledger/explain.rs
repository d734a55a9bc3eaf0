//! Says in words which clause of a rule decides a sale, by the judgement that decides sales.

use jiff::{Timestamp, civil::Date};
use quorate_proto::ids::{RuleId, SiteType};

use super::{
    calendar::{Calendar, Window},
    claims::{Claims, Proxy},
    judge::{self, Asked, Bought, Judgement},
    outcome::DenialReason,
    program::Program,
    rule::{BirthYears, Digits, Rotation, RotationDigit, Rule, WindowKind},
    sale::wanted,
};
use crate::error::CoreError;

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// A sale that nobody has asked for yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// What the person's ID says.
    pub claims: Claims,
    /// Where.
    pub site_type: SiteType,
    /// Who buys for the person, if somebody does.
    pub proxy: Option<Proxy>,
    /// Units.
    pub quantity: u32,
    /// Earlier sales that were not undone: when, Unix milliseconds, and units.
    pub bought: Vec<(i64, u32)>,
}

/// What would be decided, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Why it would be denied; `None`: granted.
    pub denied: Option<DenialReason>,
    /// The rule in force.
    pub rule: Option<RuleId>,
    /// Over which time sales add up.
    pub window: Option<Window>,
    /// Units that the rule allows this person in the window.
    pub limit: u32,
    /// Units available, this sale not taken off.
    pub remaining: u32,
    /// Of a denial: when such a sale could be granted, Unix milliseconds.
    pub next_eligible_ms: Option<i64>,
    /// The clause that decided, with its data.
    pub clause: String,
}

/// What the program would decide, and the clause that decides.
///
/// # Errors
/// The instant lies outside the calendar.
pub fn explain(program: &Program, situation: &Situation) -> Result<Explanation, CoreError> {
    let mut calendar = Calendar::new(program.zone().clone());
    let asked = Asked {
        claims: situation.claims,
        site_type: situation.site_type,
        site_suspended: false,
        proxy: situation.proxy,
        quantity: situation.quantity,
    };
    let bought: Vec<Bought> = situation
        .bought
        .iter()
        .map(|&(sold_at_ms, quantity)| Bought {
            sold_at_ms,
            quantity,
        })
        .collect();
    let at_ms = situation.at_ms;
    let judged = judge::judge(program, &mut calendar, &asked, &bought, at_ms)?;
    let next_eligible_ms = match judged.denied {
        None => None,
        Some(_) => {
            let want = wanted(&judged, &asked);
            judge::first_eligible(program, &mut calendar, &asked, &bought, want, at_ms)?
        }
    };
    let date = calendar.day(at_ms)?.date;
    Ok(Explanation {
        denied: judged.denied,
        rule: judged.rule.map(|rule| rule.id),
        window: judged.window,
        limit: judged.limit,
        remaining: judged.remaining,
        next_eligible_ms,
        clause: clause(program, &judged, &asked, date),
    })
}

fn clause(program: &Program, judged: &Judgement<'_>, asked: &Asked, date: Date) -> String {
    let Some(rule) = judged.rule else {
        return "program: no rule is in force yet".to_owned();
    };
    match judged.denied {
        Some(DenialReason::ProgramClosed) => closed(rule),
        Some(DenialReason::QuantityTooLarge) => {
            format!(
                "largest sale: one sale holds at most {}",
                rule.sale_quantity_max
            )
        }
        Some(DenialReason::SiteSuspended) => "site: it is suspended".to_owned(),
        Some(DenialReason::SiteTypeNotAllowed) => {
            let allowed: Vec<_> = rule.site_types.iter().map(ToString::to_string).collect();
            format!(
                "site types: {} may sell, and this is {}",
                allowed.join(", "),
                asked.site_type
            )
        }
        Some(DenialReason::ProxyNotAllowed) => proxy(rule, asked),
        Some(DenialReason::NotYourDay) => rule
            .rotation
            .as_ref()
            .map_or_else(String::new, |rotation| not_their_day(rotation, asked, date)),
        Some(DenialReason::AlreadyVisited) => {
            format!(
                "visits: one in a window, and it was made{}",
                during(program, judged)
            )
        }
        Some(DenialReason::OverLimit) | None => {
            let taken = judged.limit - judged.remaining.min(judged.limit);
            format!(
                "limit: {taken} of {} taken{}, {} asked for",
                judged.limit,
                during(program, judged),
                asked.quantity
            )
        }
    }
}

fn closed(rule: &Rule) -> String {
    match rule.window {
        WindowKind::FixedDates { first, last } if !rule.closed => {
            format!("program: sales are from {first} to {last} only")
        }
        _ => "program: it is closed".to_owned(),
    }
}

fn proxy(rule: &Rule, asked: &Asked) -> String {
    let Some(proxy) = asked.proxy else {
        return String::new();
    };
    if rule.proxies.is_empty() {
        return "proxies: nobody may buy for another".to_owned();
    }
    let same: Vec<_> = rule
        .proxies
        .iter()
        .filter(|p| p.id == proxy.ground)
        .collect();
    if same.is_empty() {
        let mut grounds: Vec<_> = rule.proxies.iter().map(|p| p.id.as_str()).collect();
        grounds.dedup();
        return format!(
            "proxies: {} is no ground; {}",
            proxy.ground,
            match grounds.len() {
                1 => format!("{} is", grounds[0]),
                _ => format!("{} are", grounds.join(", ")),
            }
        );
    }
    let born: Vec<_> = same.iter().map(|listed| years(listed.born)).collect();
    let year = asked.claims.birth_year.unwrap_or_default();
    format!(
        "proxies: {} holds for persons born {}, and this one was born in {year}",
        proxy.ground,
        born.join(" or ")
    )
}

/// "on Monday persons born in years ending in 1 or 6; 1987 ends in 7 → Tuesday".
fn not_their_day(rotation: &Rotation, asked: &Asked, date: Date) -> String {
    let weekday = usize::from(date.weekday().to_monday_zero_offset().unsigned_abs());
    let digits = |digits: Digits| {
        let digits: Vec<_> = digits.iter().map(|digit| digit.to_string()).collect();
        digits.join(" or ")
    };
    let digit = judge::digit_of(rotation, asked.claims).unwrap_or_default();
    // Days that are open to everybody go without saying.
    let theirs = (0..7)
        .filter(|day| rotation.days[*day] != Digits::ALL && rotation.days[*day].contains(digit));
    let theirs: Vec<_> = theirs.map(|day| WEEKDAYS[day]).collect();
    let (whose, person) = match rotation.digit {
        RotationDigit::BirthYear => (
            "born in years ending in",
            format!(
                "{} ends in {digit}",
                asked.claims.birth_year.unwrap_or_default()
            ),
        ),
        RotationDigit::Id => ("whose ID ends in", format!("this one ends in {digit}")),
    };
    format!(
        "rotation: on {} persons {whose} {}; {person} → {}",
        WEEKDAYS[weekday],
        digits(rotation.days[weekday]),
        theirs.join(", ")
    )
}

fn years(born: BirthYears) -> String {
    match (born.first, born.last) {
        (Some(first), Some(last)) => format!("from {first} to {last}"),
        (Some(first), None) => format!("in {first} or later"),
        (None, Some(last)) => format!("in {last} or earlier"),
        (None, None) => "in any year".to_owned(),
    }
}

/// " from 2020-03-09 to 2020-03-15", both inclusive.
fn during(program: &Program, judged: &Judgement<'_>) -> String {
    let date = |at_ms: i64| {
        let at = Timestamp::from_millisecond(at_ms).ok()?;
        Some(at.to_zoned(program.zone().clone()).date())
    };
    let window = judged.window;
    let dates = window.and_then(|w| Some((date(w.start_ms)?, date(w.end_ms - 1)?)));
    dates.map_or_else(String::new, |(first, last)| {
        format!(" from {first} to {last}")
    })
}
