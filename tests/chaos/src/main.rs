//! `make chaos`: faults upon a cluster of real processes, for as long as you like.

mod mutants;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::{self, Command, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use quorate_chaos::{
    kind::{self, Kind},
    means::Means,
    report::{Report, RunReport},
    run::{RunOptions, run},
    schedule::Schedule,
    volume,
};
use quorate_harness::cluster::ClusterOptions;
use quorate_link::Env;
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
};

/// Beyond the time within which goodput must be back, so that a slump which follows is seen.
const WATCH: Duration = Duration::from_secs(8);
/// After an hour of sales a node that lost its disk gets gigabytes back, at a bounded pace.
const SETTLES_IN: Duration = Duration::from_secs(300);

/// What a shell makes of a program that SIGINT has ended.
const EXIT_INTERRUPTED: i32 = 130;

/// Bring faults upon a cluster of real processes and judge everything its clients saw
///
/// A run fails when a promise is broken, a fault does not strike, a time bar is missed, or a kind that was asked
/// for does not come up. Every kind comes up once in about 35 steps of 25 seconds: what is shorter needs fewer
/// --kinds, --steps, or --allow-missing. Ctrl-C or SIGTERM ends a run after its step; what it has seen is judged
/// and reported.
#[derive(Parser, Clone, Debug)]
#[command(version)]
struct Options {
    /// How long, such as 90s, 20m or 1h; judging what was seen comes on top
    #[arg(long, default_value = "20m", value_parser = duration)]
    duration: Duration,

    /// The same seed brings the same faults in the same order; a new one without it
    #[arg(long)]
    seed: Option<u64>,

    /// Only these kinds, such as kill-node,power-cut
    #[arg(long, value_parser = kind_list)]
    kinds: Option<Kinds>,

    /// One kind at a time
    #[arg(long)]
    alone: bool,

    /// No more steps than this; kinds may then stay out
    #[arg(long)]
    steps: Option<usize>,

    /// Steps after which everything is judged
    #[arg(long, default_value_t = 8)]
    round: usize,

    /// Clients, each with a connection of its own
    #[arg(long, default_value_t = 400)]
    clients: u32,

    /// Milliseconds from one call of each to its next, on average: so long that a slower answer leaves the rate as it
    /// is, and that two cores have room to fill a lost disk beside the calls
    #[arg(long, default_value_t = 400)]
    interval: u64,

    /// Sales made at full speed before the first fault, so that nodes have much to lose, to replay and to send
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    fill: u64,

    /// Run even if the machine does not permit every kind that was asked for, and let kinds stay out that did not
    /// come up in time
    #[arg(long)]
    allow_missing: bool,

    /// Do not fail when a time bar is missed, as on a machine that does other things as well
    #[arg(long)]
    allow_slow: bool,

    /// The file to which the run is added
    #[arg(long, default_value = "docs/chaos/report.json")]
    report: PathBuf,

    /// The program under test; the one that was built with this without it
    #[arg(long)]
    program: Option<PathBuf>,

    /// Plant this bug in every process (`all`: one after the other), and fail unless it breaks a promise; the program
    /// under test must have the feature planted-bugs
    #[arg(long, value_delimiter = ',')]
    mutants: Vec<String>,

    /// List the kinds and whether this machine permits them, and end
    #[arg(long)]
    list: bool,

    /// Take away what a run that was killed has left, and end
    #[arg(long)]
    clean: bool,
}

#[derive(Clone, Debug)]
struct Kinds(Vec<Kind>);

fn kind_list(list: &str) -> anyhow::Result<Kinds> {
    kind::parse_list(list).map(Kinds)
}

fn duration(text: &str) -> anyhow::Result<Duration> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number
        .parse()
        .context("a number and s, m or h, such as 90s")?;
    match unit {
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        "h" => Ok(Duration::from_secs(number * 3600)),
        _ => bail!("{unit:?} is no unit: s, m or h"),
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options {
        Options { clean: true, .. } => clean(),
        options if !options.mutants.is_empty() => mutants::plant(options),
        options => chaos(options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn clean() -> anyhow::Result<()> {
    for removed in volume::clean_up(&env::temp_dir())? {
        println!("removed {removed}");
    }
    Ok(())
}

/// The place of a run, taken away at its end unless it holds what a failure has left.
struct Directory(PathBuf);

impl Directory {
    fn new() -> anyhow::Result<Self> {
        let path = env::temp_dir().join(volume::run_directory_prefix() + "run");
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Not empty: a failed run's files are kept, and it has said where.
        let _kept = fs::remove_dir(&self.0);
    }
}

fn chaos(options: &Options) -> anyhow::Result<()> {
    let directory = Directory::new()?;
    let means = Means::probe(&directory.0);
    if options.list {
        list(&means);
        return Ok(());
    }
    let (kinds, missing) = possible(options, &means)?;
    // One of another format is better found now than when there is something to add.
    Report::load(&options.report)?;
    let env = Env::system();
    let seed = options.seed.unwrap_or_else(|| env.random_u64() % 1_000_000);
    let again = replay_line(options, seed);
    println!("the same schedule again: {again}");
    let mut schedule = Schedule::new(seed, &kinds);
    if options.alone {
        schedule = schedule.unmixed();
    }
    let mut report = RunReport {
        seed,
        started_ms: env.unix_ms(),
        commit: commit(),
        machine: machine(),
        clients: options.clients,
        interval_ms: options.interval,
        fill: options.fill,
        asked: kinds,
        missing,
        ..RunReport::default()
    };
    let run_options = run_options(options, seed, means, &directory)?;
    let done = run_until_asked(&env, &run_options, &mut schedule, &mut report);
    finish(options, report, done, &again)
}

/// The kinds that were asked for and are possible here, and why others are not.
fn possible(
    options: &Options,
    means: &Means,
) -> anyhow::Result<(Vec<Kind>, BTreeMap<String, String>)> {
    let asked = options.kinds.clone();
    let asked = asked.map_or(Kind::ALL.to_vec(), |kinds| kinds.0);
    let (mut kinds, mut missing) = (Vec::new(), BTreeMap::new());
    for kind in asked {
        match means.missing(kind) {
            None => kinds.push(kind),
            Some(why) => {
                println!("not possible here: {kind}: {why}");
                missing.insert(kind.name().to_owned(), why.to_owned());
            }
        }
    }
    ensure!(
        missing.is_empty() || options.allow_missing,
        "{} of {} kinds are not possible here; --allow-missing runs the others",
        missing.len(),
        missing.len() + kinds.len()
    );
    ensure!(!kinds.is_empty(), "none of these kinds is possible here");
    Ok((kinds, missing))
}

fn run_options(
    options: &Options,
    seed: u64,
    means: Means,
    directory: &Directory,
) -> anyhow::Result<RunOptions> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => env::current_exe()?.with_file_name("quorate"),
    };
    Ok(RunOptions {
        cluster: ClusterOptions {
            settles_in: SETTLES_IN,
            ..ClusterOptions::new(&program.to_string_lossy())
        },
        directory: directory.0.clone(),
        means,
        seed,
        duration: options.duration,
        steps_max: options.steps.unwrap_or(usize::MAX),
        asked_to_end: Arc::default(),
        steps_per_round: options.round,
        clients: options.clients,
        interval: Duration::from_millis(options.interval),
        watch: WATCH,
        fill: options.fill,
    })
}

/// Runs, and tells each step as it is done, until the time is up or a signal asks for the end.
fn run_until_asked(
    env: &Env,
    options: &RunOptions,
    schedule: &mut Schedule,
    report: &mut RunReport,
) -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()?;
    let begun = env.monotonic();
    let mut tell = |line: &str| {
        let at = (env.monotonic() - begun).as_secs();
        let mut out = std::io::stdout().lock();
        // Whoever reads this may have gone; the run has not.
        let _reader_gone = writeln!(out, "{:>3}:{:02} {line}", at / 60, at % 60);
    };
    runtime.block_on(async {
        let signals = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        let ask = end_when_asked(signals, options.asked_to_end.clone());
        let _until_the_end = env.spawn("signals", Box::pin(ask));
        run(options, schedule, report, &mut tell).await
    })
}

/// Once asked, the run ends after its step; twice, at once, and leaves what it has made.
async fn end_when_asked((mut interrupt, mut terminate): (Signal, Signal), asked: Arc<AtomicBool>) {
    let mut once = async || {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
        }
    };
    once().await;
    asked.store(true, Ordering::Relaxed);
    eprintln!("the run ends after this step and is judged; ask once more to end it now");
    once().await;
    eprintln!("ended; quorate-chaos --clean takes away what is left");
    process::exit(EXIT_INTERRUPTED);
}

fn finish(
    options: &Options,
    mut run: RunReport,
    done: anyhow::Result<()>,
    again: &str,
) -> anyhow::Result<()> {
    if let Err(error) = &done {
        run.failure = format!("{error:#}");
    }
    let never = run.never();
    let mut report = Report::load(&options.report)?;
    report.add(run);
    report.save(&options.report)?;
    let totals = report.totals;
    println!(
        "in all runs of {}: {} s, {} faults, {} calls judged, {} power cuts of one node and {} of all, {} attempts with unknown outcome, each resolved, {} runs failed",
        options.report.display(),
        totals.seconds,
        totals.faults,
        totals.calls,
        totals.power_cuts_of_one(),
        totals.power_cuts_of_all,
        totals.unknown_attempts,
        totals.failed
    );
    let run = report.runs.last().context("it was added")?;
    let counts = run.counts;
    println!(
        "in this run: {} relapses; of shards that lost their leader {} were measured, {} cut short, {} not measured",
        counts.relapses, counts.silences, counts.cut_short, counts.not_measured
    );
    if !never.is_empty() {
        println!("did not come up: {}", never.join(", "));
    }
    for bar in &run.missed {
        println!("missed: {bar}");
    }
    done.with_context(|| format!("the same schedule again: {again}"))?;
    verdict(options, run, &never).with_context(|| format!("the same schedule again: {again}"))
}

/// Whether a run that ended well has also tried what it was to try, and met the bars.
fn verdict(options: &Options, run: &RunReport, never: &[&str]) -> anyhow::Result<()> {
    ensure!(
        never.is_empty() || options.steps.is_some() || options.allow_missing,
        "{} kinds did not come up; a longer --duration brings them, --steps or --allow-missing permits it",
        never.len()
    );
    ensure!(run.lacked.is_empty(), "{}", run.lacked.join("; "));
    ensure!(
        run.missed.is_empty() || options.allow_slow,
        "{} bars were missed",
        run.missed.len()
    );
    Ok(())
}

fn list(means: &Means) {
    let is_terminal = std::io::stdout().is_terminal();
    for kind in Kind::ALL {
        let possible = match means.missing(kind) {
            None if is_terminal => String::new(),
            None => " (possible)".to_owned(),
            Some(why) => format!(" (not possible here: {why})"),
        };
        println!("{kind:<20} {}{possible}", kind.description());
    }
}

/// Everything that shapes a run.
fn replay_line(options: &Options, seed: u64) -> String {
    let mut flags = format!(
        "--seed {seed} --duration {}s --round {} --clients {} --interval {} --fill {}",
        options.duration.as_secs(),
        options.round,
        options.clients,
        options.interval,
        options.fill
    );
    if let Some(steps) = options.steps {
        flags += &format!(" --steps {steps}");
    }
    if let Some(kinds) = &options.kinds {
        let names: Vec<&str> = kinds.0.iter().map(|kind| kind.name()).collect();
        flags += &format!(" --kinds {}", names.join(","));
    }
    if options.alone {
        flags += " --alone";
    }
    if options.allow_missing {
        flags += " --allow-missing";
    }
    format!("make chaos CHAOS_FLAGS='{flags}'")
}

/// What is checked out here; empty where nothing is.
fn commit() -> String {
    let described = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .output();
    match described {
        Ok(told) if told.status.success() => {
            String::from_utf8_lossy(&told.stdout).trim().to_owned()
        }
        _ => String::new(),
    }
}

/// Processors and memory, as far as the system tells.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string(Path::new("/proc/meminfo")).unwrap_or_default();
    let kib = memory
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0_u64);
    format!("{cores} cores, {} GiB of memory", kib >> 20)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn options(flags: &str) -> Options {
        let flags = flags.split_whitespace();
        Options::try_parse_from(["quorate-chaos"].into_iter().chain(flags)).unwrap()
    }

    #[test]
    fn the_line_that_replays_a_run_holds_all_that_shapes_it() {
        let shaped = "--seed 7 --duration 61s --kinds kill-node,bit-flip --alone --steps 3 --round 4 \
                      --clients 5 --interval 6 --fill 8 --allow-missing";
        for flags in [shaped, ""] {
            let asked = Options {
                seed: Some(7),
                ..options(flags)
            };
            let line = replay_line(&asked, 7);
            let again = line.split('\'').nth(1).unwrap();
            assert_eq!(format!("{:?}", options(again)), format!("{asked:?}"));
        }
    }

    #[test]
    fn a_kind_that_was_asked_for_must_come_up() {
        let run = RunReport::default();
        let never = ["bit-flip"];
        assert!(verdict(&options(""), &run, &never).is_err());
        assert!(verdict(&options("--steps 3"), &run, &never).is_ok());
        assert!(verdict(&options("--allow-missing"), &run, &never).is_ok());
        assert!(verdict(&options(""), &run, &[]).is_ok());
    }

    #[test]
    fn only_missed_bars_are_forgiven_to_a_busy_machine() {
        let missed = RunReport {
            missed: vec!["slow".to_owned()],
            ..RunReport::default()
        };
        let lacked = RunReport {
            lacked: vec!["no slips".to_owned()],
            ..RunReport::default()
        };
        assert!(verdict(&options(""), &missed, &[]).is_err());
        assert!(verdict(&options("--allow-slow"), &missed, &[]).is_ok());
        assert!(verdict(&options("--allow-slow --allow-missing"), &lacked, &[]).is_err());
    }
}
