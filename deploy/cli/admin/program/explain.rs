//! Says what would be decided, and the clause that decides.

use std::path::PathBuf;

use clap::Args;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use quorate_core::ledger::{self, Claims, Explanation, Program, Proxy, Situation};
use quorate_proto::ids::{GroundId, ProgramId, SiteType};
use serde_json::json;

use crate::{
    config,
    exit::{Exit, Failure},
    output::{self, Output, Style},
    time,
};

#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// A program file, as YAML
    #[arg(long, required_unless_present = "program", conflicts_with = "program")]
    file: Option<PathBuf>,
    /// A program of the cluster
    #[arg(long)]
    pub(super) program: Option<ProgramId>,
    /// Full year of birth; left out: the ID does not say
    #[arg(long)]
    birth_year: Option<u16>,
    /// Last digit of the ID
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=9))]
    id_digit: Option<u8>,
    /// When, on the program's clocks: 2020-03-12T10:00
    #[arg(long)]
    at: DateTime,
    /// Class of the site: "01", "02" or "03"
    #[arg(long, value_parser = SiteType::parse)]
    site_type: SiteType,
    /// Units
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    quantity: u32,
    /// An earlier sale: 2020-03-09T10:00=2
    #[arg(long, value_parser = parse_bought)]
    bought: Vec<(DateTime, u32)>,
    /// The ground on which somebody else buys
    #[arg(long)]
    proxy: Option<GroundId>,
    /// Full year of birth of the buyer, where somebody else buys
    #[arg(long, requires = "proxy")]
    buyer_birth_year: Option<u16>,
}

fn parse_bought(text: &str) -> Result<(DateTime, u32), String> {
    let read = text.split_once('=').and_then(|(at, units)| {
        let at = at.parse::<DateTime>().ok()?;
        Some((at, units.parse::<u32>().ok().filter(|units| *units > 0)?))
    });
    read.ok_or_else(|| "an earlier sale is written as 2020-03-09T10:00=2".to_owned())
}

impl ExplainArgs {
    /// Whether no cluster is asked.
    pub(super) fn is_offline(&self) -> bool {
        self.program.is_none()
    }

    /// The program of the file.
    pub(super) fn program_in_file(&self) -> Result<Program, Failure> {
        let file = self.file.as_deref();
        let file = file.ok_or_else(|| Failure::usage("name a --file or a --program"))?;
        Ok(config::program::load(file)?)
    }

    fn situation(&self, zone: &TimeZone) -> Result<Situation, Failure> {
        let instant = |local: DateTime| {
            let at = zone.to_timestamp(local);
            at.map(Timestamp::as_millisecond)
                .map_err(|_| Failure::usage(format!("{local} lies outside the calendar")))
        };
        let bought = self.bought.iter();
        let buyer = self.buyer_birth_year.map(|year| Claims {
            birth_year: Some(year),
            id_digit: None,
        });
        Ok(Situation {
            at_ms: instant(self.at)?,
            claims: Claims {
                birth_year: self.birth_year,
                id_digit: self.id_digit,
            },
            site_type: self.site_type,
            proxy: self.proxy.map(|ground| Proxy { ground, buyer }),
            quantity: self.quantity,
            bought: bought
                .map(|(at, units)| Ok((instant(*at)?, *units)))
                .collect::<Result<_, Failure>>()?,
        })
    }
}

/// Prints the verdict and its clause; a denial ends as one.
pub(super) fn run(args: &ExplainArgs, program: &Program, output: Output) -> Result<Exit, Failure> {
    let zone = program.zone();
    let explained = ledger::explain(program, &args.situation(zone)?)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let Explanation {
        denied,
        remaining,
        limit,
        ..
    } = explained;
    let rule = explained.rule.map(|rule| rule.to_string());
    let reason = denied.and_then(reason_name);
    let next = explained
        .next_eligible_ms
        .and_then(|at_ms| Timestamp::from_millisecond(at_ms).ok());
    let result = json!({
        "decision": if denied.is_none() { "GRANTED" } else { "DENIED" },
        "reason": reason,
        "clause": explained.clause,
        "rule_version": rule,
        "remaining": remaining,
        "limit": limit,
        "next_eligible": next.map(|at| at.to_string()),
    });
    output.print(&result, |painter| {
        let headline = match &reason {
            None => painter.paint(Style::Good, "YES"),
            Some(reason) => painter.paint(Style::Bad, &format!("NO: {reason}")),
        };
        let mut facts = vec![
            ("clause", explained.clause.clone()),
            ("rule", rule.clone().unwrap_or_default()),
            ("remaining", format!("{remaining} of {limit}")),
        ];
        if let Some(next) = next {
            facts.push(("next", time::day_and_time(next, zone)));
        }
        format!("{headline}\n{}", output::facts(facts))
    })?;
    Ok(match denied {
        None => Exit::Ok,
        Some(_) => Exit::Denied,
    })
}

/// The contract's name, as verdicts carry it.
fn reason_name(reason: ledger::DenialReason) -> Option<String> {
    let number = i32::try_from(reason.number()).ok()?;
    let reason = quorate_proto::v1::DenialReason::try_from(number).ok()?;
    let name = reason.as_str_name();
    Some(name.trim_start_matches("DENIAL_REASON_").to_owned())
}
