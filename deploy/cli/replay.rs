//! `quorate replay FILE`: a record of what the public saw, played again through the whole system.
//!
//! A cluster on a fast clock: goods in, invented buyers on their days, the stop button, each at its recorded
//! time; and both public answers watched. They must show the recorded levels, in order, each within the
//! freshness bar of real time. State owned: a trial cluster of its own, gone at the end, unless it plays on a
//! running one. Deliberately absent: any look behind the public answers.

mod clock;
mod compare;
mod crowd;
mod plan;
mod play;
mod report;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::PathBuf,
    sync::Mutex,
    time::Duration,
};

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use quorate_client::{
    DeviceKey, Operator, Terminal, TerminalIdentity,
    model::{NationalId, Sale, Site},
};
use quorate_files::record::{self, NoRecord, Only, Transition};
use quorate_link::{CLOCK_SPEED_MAX, Env};
use quorate_proto::ids::{DeviceId, ProgramId, SiteCode, SiteType};

use crate::{
    admin,
    cli::Global,
    demo::trial::{Trial, TrialOptions},
    exit::{Exit, Failure},
    output::Output,
    progress,
    reach::Reach,
};

use clock::{ClusterClock, Reading};
use compare::{Expected, compare};
use crowd::Crowd;
use plan::Plan;
use play::Counters;
use report::Report;
use watch::Watch;

/// How soon after its recorded time a level must be shown, in real time.
const FRESHNESS_BAR: Duration = Duration::from_secs(2);

/// A trial cluster is up after less than this, and waits for the rest: its clock runs meanwhile.
const FOUNDING_TIME: Duration = Duration::from_secs(30);

/// Real time between two looks at the cluster's clock.
const CLOCK_LOOK: Duration = Duration::from_secs(1);

#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// CSV: site_code, date, and the local time at which each level was first read
    file: PathBuf,

    /// Profiles of the sites; those not in it get an invented one
    #[arg(long, value_name = "FILE")]
    sites: Option<PathBuf>,

    /// How many times as fast as real time the cluster's clock runs
    #[arg(long, value_name = "N", default_value_t = 1800, value_parser = clap::value_parser!(u32).range(1..=i64::from(CLOCK_SPEED_MAX)))]
    speed: u32,

    /// Play one site, or one site on one day
    #[arg(long, value_name = "CODE[,DATE]", value_parser = Only::parse)]
    only: Option<Only>,

    /// Play on the running cluster of the context, which must have a set clock, and not on one of its own
    #[arg(long, conflicts_with = "speed")]
    running: bool,
}

pub(crate) async fn run(
    args: ReplayArgs,
    global: &Global,
    output: Output,
    env: Env,
) -> Result<Exit, Failure> {
    let transitions = recorded(&args)?;
    let profiles = profiles(&args, &transitions)?;
    if args.running {
        let reach = Reach::new(global, output, env)?;
        return replay(&transitions, &profiles, &reach).await;
    }
    let trial = Trial::start(
        TrialOptions {
            clock_starts_at: clock_start(&transitions, args.speed)?,
            speed: args.speed,
        },
        output,
        &env,
    );
    let mut trial = trial.await?;
    let context = trial.context();
    let played = async {
        let reach = Reach::of_context(&context, global, output, env.clone())?;
        replay(&transitions, &profiles, &reach).await
    };
    let ended = tokio::select! {
        biased;
        ended = played => ended,
        failure = trial.failure() => Err(failure),
    };
    trial.end().await;
    ended
}

/// What of the record is played.
fn recorded(args: &ReplayArgs) -> Result<Vec<Transition>, Failure> {
    let shown = args.file.display();
    let unreadable =
        |error: &dyn std::fmt::Display| Failure::usage(format!("cannot read {shown}: {error}"));
    let file = File::open(&args.file).map_err(|error| unreadable(&error))?;
    record::read(file, args.only).map_err(|error| match error {
        NoRecord::Unreadable(error) => unreadable(&error),
        NoRecord::NoColumn(missing) => Failure::usage(format!("{shown} has no column {missing:?}"))
            .next("a record has the columns site_code, date, plenty_at, some_at, few_at, empty_at, break_at"),
        NoRecord::Faults(faults) => Failure::usage(format!("{shown}: {faults}")),
        NoRecord::Nothing => Failure::usage(format!("{shown} holds no such level"))
            .next("name a site, and perhaps a date, of the file with --only CODE[,DATE]"),
    })
}

/// Early enough for the cluster to be founded before the first level is due.
fn clock_start(transitions: &[Transition], speed: u32) -> Result<Timestamp, Failure> {
    let first = transitions.first().expect("a record holds something");
    let first = first
        .at
        .to_zoned(zone())
        .map_err(|error| Failure::usage(format!("the first level's time: {error}")))?;
    Ok(first.timestamp() - FOUNDING_TIME * speed)
}

/// In which the record's times are written.
fn zone() -> TimeZone {
    TimeZone::get("Asia/Seoul").expect("the time zones are built in")
}

/// Of every recorded site.
fn profiles(args: &ReplayArgs, transitions: &[Transition]) -> Result<Vec<Site>, Failure> {
    let mut known: BTreeMap<SiteCode, Site> = BTreeMap::new();
    if let Some(path) = &args.sites {
        let read = admin::read_sites(path)?.sites;
        known.extend(read.into_iter().map(|site| (site.code, site)));
    }
    let codes: BTreeSet<SiteCode> = transitions
        .iter()
        .map(|transition| transition.site)
        .collect();
    let profile = |code| known.remove(&code).unwrap_or_else(|| invented(code));
    Ok(codes.into_iter().map(profile).collect())
}

fn invented(code: SiteCode) -> Site {
    Site {
        code,
        name: format!("Recorded site {code}"),
        address: "not on record".to_owned(),
        site_type: SiteType::try_from(1).expect("pharmacies are of type 1"),
        coordinates: None,
        region: String::new(),
    }
}

async fn replay(
    transitions: &[Transition],
    profiles: &[Site],
    reach: &Reach,
) -> Result<Exit, Failure> {
    let public = reach.public_address()?;
    let program = reach.program(None)?;
    let began = reach.env.monotonic();
    let plan = plan::plan(transitions);
    let terminals = staff(profiles, &reach.operator()?, reach).await?;
    let clock = cluster_clock(&terminals, program, began, reach).await?;
    let counters = Counters {
        terminals,
        clock,
        zone: zone(),
        program,
        crowd: Mutex::new(Crowd::new(reach.env.random_u64())),
        began,
        time_limit: reach.time_limit,
        env: reach.env.clone(),
    };
    let expected = expected(&plan, &counters)?;
    let sites = profiles.iter().map(|site| site.code).collect();
    let watch = Watch::begin(&public, sites, began, &reach.env).await?;

    let bar = progress::counter("levels", expected.len() as u64, reach.output);
    let played = counters.play(&plan, &bar).await;
    bar.finish_and_clear();
    played?;
    let give_up = reach.env.monotonic() + FRESHNESS_BAR;
    while reach.env.monotonic() < give_up
        && !compare(&expected, &watch.sightings()).equal(FRESHNESS_BAR)
    {
        reach.env.sleep(Duration::from_millis(50)).await;
    }
    let comparison = compare(&expected, &watch.sightings());
    let report = Report::new(&comparison, clock.speed, FRESHNESS_BAR);
    reach
        .output
        .print(&report, |painter| report.render(painter))?;
    Ok(match report.equal() {
        true => Exit::Ok,
        false => Exit::Difference,
    })
}

/// The sites are there, and a new device is logged in at each.
async fn staff(
    profiles: &[Site],
    operator: &Operator,
    reach: &Reach,
) -> Result<BTreeMap<SiteCode, Terminal>, Failure> {
    operator
        .import_sites(profiles, reach.time_limit, |_| {})
        .await?;
    let key = DeviceKey::generate(&reach.env);
    let device = format!("replay-{:016x}", reach.env.random_u64());
    let device = DeviceId::parse(&device).expect("letters, digits and '-'");
    let mut terminals = BTreeMap::new();
    for site in profiles {
        operator
            .enroll_device(site.code, device, key.public(), reach.time_limit)
            .await?;
        let identity = TerminalIdentity {
            site: site.code,
            device,
            key: key.clone(),
        };
        let terminal = Terminal::new(reach.connection()?, identity);
        let stock = terminal.stock(reach.time_limit).await?;
        if stock.products.iter().any(|product| product.received > 0) {
            return Err(Failure::usage(format!(
                "site {} has had goods on this cluster; a record begins with empty shelves",
                site.code
            ))
            .next("leave --running out"));
        }
        terminals.insert(site.code, terminal);
    }
    Ok(terminals)
}

/// Looks at the clock twice: a check says when it was decided.
async fn cluster_clock(
    terminals: &BTreeMap<SiteCode, Terminal>,
    program: ProgramId,
    began: Duration,
    reach: &Reach,
) -> Result<ClusterClock, Failure> {
    let terminal = terminals.values().next().expect("a record names a site");
    let nobody = NationalId::new(NationalId::KR_RRN, Crowd::new(0).anybody());
    let somebody = Sale::new(nobody, program, 1);
    let look = async || {
        let verdict = terminal.check(&somebody, reach.time_limit).await?;
        Ok::<Reading, Failure>(Reading {
            real: reach.env.monotonic().saturating_sub(began),
            cluster: verdict.decided_at,
        })
    };
    let first = look().await?;
    reach.env.sleep(CLOCK_LOOK).await;
    let clock = ClusterClock::between(first, look().await?);
    let now = Timestamp::from_millisecond(reach.env.unix_ms()).unwrap_or(Timestamp::UNIX_EPOCH);
    if !clock.is_set(now) {
        return Err(Failure::usage(
            "this cluster runs in real time, and a record can only be played where the clock is set",
        )
        .next("leave --running out, or start `quorate demo --clock TIME --speed N`"));
    }
    Ok(clock)
}

/// What must be shown, and when, in real time.
fn expected(plan: &Plan, counters: &Counters) -> Result<Vec<Expected>, Failure> {
    let mut expected = Vec::new();
    for stage in plan.values().flatten() {
        let at = stage.transition.at;
        let now = counters.env.monotonic().saturating_sub(counters.began);
        let due = counters.due(at).filter(|due| *due > now).ok_or_else(|| {
            Failure::usage(format!("{at} has passed on the cluster's clock"))
                .next("choose a lower --speed, or set the clock to a time before the record")
        })?;
        expected.push(Expected {
            transition: stage.transition,
            due,
            unchanged: stage.unchanged,
        });
    }
    expected.sort_by_key(|expected| (expected.due, expected.transition.site));
    Ok(expected)
}
