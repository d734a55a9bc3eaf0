//! `quorate load`: plays people at counters, measures how long answers take, and counts what they were.
//!
//! The load itself is a pure function of the seed ([`plan`], [`morning`], [`population`]); [`stage`] makes
//! the cluster ready for it, [`player`] plays it, [`report`] says what came of it.

mod audit;
mod buyer;
mod counters;
mod doubt;
mod history;
mod morning;
mod pace;
mod plan;
mod player;
mod population;
mod report;
pub(crate) mod rrn;
mod stage;
mod tally;

use std::{num::NonZeroU64, path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use quorate_client::{Operator, model::Totals};
use quorate_link::Env;

use crate::{
    admin::VERIFY_TIME_MIN,
    exit::{Exit, Failure},
    progress,
    reach::Reach,
    time::{self, Span},
};

use counters::{Comparison, Counters};
use morning::Morning;
use plan::{Plan, Steady};
use report::Report;
use stage::Stage;

pub(crate) use population::{PERSONS_MAX, Population};

/// How long a steady load lasts where nothing is said.
const DURATION_DEFAULT: Span = Span::from_secs(10);

/// Sales of a morning that follow a check where nothing is said.
const MORNING_CHECK_SHARE: f64 = 0.25;

#[derive(Args, Debug)]
pub(crate) struct LoadArgs {
    /// What is played
    #[arg(long, value_enum, default_value_t = Profile::Steady)]
    profile: Profile,

    /// Closed loop: this many clients, each waiting for its answer before it asks again
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    clients: u32,

    /// Open loop instead: this many arrivals a second, whether or not answers keep up; latency counts
    /// from the moment a request was due
    #[arg(long, value_name = "PER_SECOND", conflicts_with = "clients", value_parser = parse_rate)]
    rate: Option<f64>,

    /// Connections that the clients share
    #[arg(long, value_name = "M", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    connections: u32,

    /// How long [default: 10s; a morning ends by itself]
    #[arg(long, value_name = "TIME", value_parser = time::parse_span)]
    duration: Option<Span>,

    /// End after so many arrivals
    #[arg(long, value_name = "N")]
    count: Option<NonZeroU64>,

    /// Not measured at the beginning, though counted
    #[arg(long, value_name = "TIME", value_parser = time::parse_span)]
    warmup: Option<Span>,

    /// Share of checks, 0 to 1: among all requests, or, in a morning, sales that follow a check
    /// [default: 0; a morning: 0.25]
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    checks: Option<f64>,

    /// Units of a sale or check; a morning has its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    qty: u32,

    /// Size of the population
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=PERSONS_MAX))]
    citizens: u64,

    /// Number of its first person: loads of one seed play different people where they begin far enough apart
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(u64).range(..PERSONS_MAX))]
    first_citizen: u64,

    /// Sites to sell at, as for `admin sites import`, which is done first [default: the context's own site]
    #[arg(long, value_name = "FILE")]
    sites: Option<PathBuf>,

    /// Use the first N sites of the file [default: 100; a morning: all]
    #[arg(long, value_name = "N", requires = "sites", value_parser = clap::value_parser!(u32).range(1..))]
    site_count: Option<u32>,

    /// The same seed plays the same people in the same order [default: a new one, which is printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Threads of the generator
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,

    /// Write every call and its answer to this file, as JSON lines, and list everybody at the end
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,

    /// Compare the counts with those of `admin verify`, before and after; a morning always does. Nobody
    /// else may sell in between
    #[arg(long)]
    verify: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// One request after the other, each for another person
    Steady,
    /// A national morning: families, second attempts elsewhere, lost answers
    Morning,
}

impl LoadArgs {
    /// Threads that the runtime shall have.
    pub(crate) const fn threads(&self) -> u16 {
        self.threads
    }
}

pub(crate) async fn run(args: LoadArgs, reach: &Reach) -> Result<Exit, Failure> {
    ensure_they_exist(args.first_citizen, args.citizens)?;
    let seed = args.seed.unwrap_or_else(|| reach.env.random_u64());
    let verifies = args.verify || args.profile == Profile::Morning;
    let operator = match verifies || args.sites.is_some() {
        true => Some(reach.operator()?),
        false => None,
    };
    let sites = stage::sites(&args, operator.as_ref(), reach).await?;
    let site_count = sites.as_ref().map_or(1, Vec::len);
    let (plan, used_sites, calls) = plan(&args, seed, site_count)?;
    let stage = Stage::set(&args, seed, sites, used_sites, operator.as_ref(), reach).await?;
    let stage = Arc::new(stage);
    let before = totals(verifies, operator.as_ref(), reach, "counting before").await?;
    let played = player::play(&args, plan, calls, stage, reach).await?;
    let after = totals(verifies, operator.as_ref(), reach, "counting after").await?;
    let comparison = before.zip(after).map(|(before, after)| {
        Comparison::new(
            Counters::of_tally(&played.tally),
            Counters::between(&before, &after),
        )
    });
    let report = Report::new(&args, seed, &played, comparison);
    reach
        .output
        .print(&report, |painter| report.render(painter))?;
    Ok(report.exit())
}

/// `first`: the first of so many citizens. Each number is at most [`PERSONS_MAX`].
fn ensure_they_exist(first: u64, citizens: u64) -> Result<(), Failure> {
    if first + citizens <= PERSONS_MAX {
        return Ok(());
    }
    let beyond = format!("a seed has {PERSONS_MAX} people, and the last of these lie beyond them");
    Err(Failure::usage(beyond).next("lower --first-citizen or --citizens"))
}

/// What to play, the sites it takes place at (`None`: all of them), and how many calls it takes, if it
/// ends by itself.
type Playbill = (
    Box<dyn Plan>,
    Option<std::collections::BTreeSet<usize>>,
    Option<u64>,
);

fn plan(args: &LoadArgs, seed: u64, sites: usize) -> Result<Playbill, Failure> {
    match args.profile {
        Profile::Steady => {
            let checks = args.checks.unwrap_or(0.0);
            let steady = Steady::new(seed, sites, args.citizens, args.qty, checks);
            Ok((Box::new(steady), None, args.count.map(NonZeroU64::get)))
        }
        Profile::Morning => {
            if args.sites.is_none() {
                return Err(Failure::usage("a morning needs sites")
                    .next("name a file of them with --sites"));
            }
            let checks = args.checks.unwrap_or(MORNING_CHECK_SHARE);
            let morning = || Morning::new(seed, sites, args.citizens, checks);
            let outline = morning().outline();
            let whole = args.count.is_none() && args.duration.is_none();
            Ok((
                Box::new(morning()),
                Some(outline.sites),
                whole.then_some(outline.calls),
            ))
        }
    }
}

/// What the cluster has counted so far.
async fn totals(
    wanted: bool,
    operator: Option<&Operator>,
    reach: &Reach,
    what: &'static str,
) -> Result<Option<Totals>, Failure> {
    let Some(operator) = operator.filter(|_| wanted) else {
        return Ok(None);
    };
    let bar = progress::ticker(what, reach.output);
    let verification = operator.verify(reach.time_limit.max(VERIFY_TIME_MIN)).await;
    bar.finish_and_clear();
    Ok(Some(verification?.totals))
}

/// Processor time that this process has used.
fn processor_time() -> Span {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Span::try_from(used).unwrap_or_default()
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share is a number from 0 to 1".to_owned()),
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..=1e6).contains(&rate) => Ok(rate),
        _ => Err("a rate is a number from 0.001 to 1000000".to_owned()),
    }
}

/// A synthetic person, for examples.
pub(crate) fn example_person(env: &Env) -> String {
    Population::new(env.random_u64()).number(0).to_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_rates_have_bounds() {
        assert_eq!(parse_share("0.5"), Ok(0.5));
        assert!(parse_share("1.1").is_err() && parse_share("NaN").is_err());
        assert_eq!(parse_rate("10000"), Ok(10_000.0));
        assert!(parse_rate("0").is_err() && parse_rate("inf").is_err());
    }

    #[test]
    fn nobody_is_played_who_does_not_exist() {
        assert!(ensure_they_exist(0, PERSONS_MAX).is_ok());
        assert!(ensure_they_exist(1, PERSONS_MAX).is_err());
    }

    #[test]
    fn the_processor_time_grows() {
        let before = processor_time();
        let sum: u64 = (0..20_000_000)
            .map(population::mix)
            .fold(0, u64::wrapping_add);
        assert!(std::hint::black_box(sum) != 0);
        assert!(processor_time() > before);
    }
}
