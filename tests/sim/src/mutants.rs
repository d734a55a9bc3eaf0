//! Plants one bug after the other and shows that seeds catch it, and by which law; or replays one bug at one seed.
//!
//! Laws: a bug that no seed catches fails the run, and so does a finding without a bug: the seed that catches is run
//! again with nothing planted. A bug is planted anew for each seed, so that a seed and a bug are one run.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use quorate_proto::planted::{Bug, plant_here};
use quorate_sim::{Outcome, run};

use crate::one;
use crate::seeds::{Seeds, now};

/// Where a bug is looked for if nothing else is said.
pub(crate) const SEEDS: Seeds = Seeds::Range(0, 1_500);

/// How one bug was caught.
struct Caught {
    bug: Bug,
    /// Seeds that it takes one after the other: those before the first that catches it, and that one.
    seeds: u64,
    /// On all threads together.
    seconds: f64,
    by: Option<Outcome>,
    /// The same seed with nothing planted, if that found something as well.
    without: Option<Outcome>,
}

/// The bugs of these names; all of them if there is none but `all`.
///
/// # Errors
/// No bug is called so.
fn named(names: &[String]) -> Result<Vec<Bug>, String> {
    let names = names.iter().filter(|name| *name != "all");
    let bugs = names
        .map(|name| Bug::of_name(name).ok_or_else(|| format!("no bug is called {name:?}")))
        .collect::<Result<Vec<Bug>, _>>()?;
    match bugs.is_empty() {
        true => Ok(Bug::ALL.to_vec()),
        false => Ok(bugs),
    }
}

/// Plants the bugs of these names: at the one seed, or at one seed of the range after the other until one catches.
pub(crate) fn plant(
    names: &[String],
    seeds: Seeds,
    threads: usize,
    verbose: bool,
    summary: Option<&Path>,
) -> ExitCode {
    match (named(names), seeds) {
        (Err(error), _) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        (Ok(bugs), Seeds::One(seed)) => match bugs[..] {
            [bug] => replay(bug, seed, verbose),
            _ => {
                eprintln!("a seed is replayed with one bug: name it");
                ExitCode::FAILURE
            }
        },
        (Ok(bugs), Seeds::Range(first, end)) => hunt_all(&bugs, first, end, threads, summary),
    }
}

fn replay(bug: Bug, seed: u64, verbose: bool) -> ExitCode {
    plant_here(Some(bug));
    if one(seed, verbose).is_clean() {
        eprintln!("seed {seed} does not catch {}", bug.name());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn hunt_all(
    bugs: &[Bug],
    first: u64,
    end: u64,
    threads: usize,
    summary: Option<&Path>,
) -> ExitCode {
    let mut text = String::from(
        "| bug | seeds | seconds | law that caught it | seed |\n|---|---|---|---|---|\n",
    );
    let (mut missed, mut unclean) = (Vec::new(), Vec::new());
    for &bug in bugs {
        let caught = hunt(bug, first, end, threads);
        let line = caught.line();
        println!("{line}");
        // Writing to a string does not fail.
        let _ = writeln!(text, "{line}");
        match &caught.by {
            Some(outcome) => {
                let (bug, seed) = (bug.name(), outcome.seed);
                println!("replay with: make mutants BUG={bug} SEED={seed} TELL=1");
            }
            None => missed.push(bug.name()),
        }
        if let Some(outcome) = caught.without {
            eprintln!("with nothing planted: {outcome}");
            unclean.push(outcome.seed.to_string());
        }
    }
    if let Some(path) = summary
        && let Err(error) = std::fs::write(path, &text)
    {
        eprintln!("cannot write {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    if missed.is_empty() && unclean.is_empty() {
        return ExitCode::SUCCESS;
    }
    if !missed.is_empty() {
        eprintln!("not caught: {}", missed.join(", "));
    }
    if !unclean.is_empty() {
        let seeds = unclean.join(", ");
        eprintln!("seeds that find something without a bug: {seeds}");
    }
    ExitCode::FAILURE
}

fn hunt(bug: Bug, first: u64, end: u64, threads: usize) -> Caught {
    let began = now();
    let (next, done) = (AtomicU64::new(first), AtomicBool::new(false));
    let by: Mutex<Option<Outcome>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let outcome = run_with(Some(bug), seed);
                    if !outcome.is_clean() {
                        done.store(true, Ordering::Relaxed);
                        let mut by = by.lock().unwrap_or_else(PoisonError::into_inner);
                        // The lowest of those that were under way together: every seed below it has been run.
                        if by.as_ref().is_none_or(|known| outcome.seed < known.seed) {
                            *by = Some(outcome);
                        }
                    }
                }
            });
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    let by = by.into_inner().unwrap_or_else(PoisonError::into_inner);
    let without = by.as_ref().map(|outcome| run_with(None, outcome.seed));
    let seeds = match &by {
        Some(outcome) => outcome.seed + 1 - first,
        None => end - first,
    };
    Caught {
        bug,
        seeds,
        seconds,
        by,
        without: without.filter(|outcome| !outcome.is_clean()),
    }
}

/// One seed with this bug and no other.
fn run_with(bug: Option<Bug>, seed: u64) -> Outcome {
    plant_here(bug);
    let outcome = run(seed, None);
    plant_here(None);
    outcome
}

impl Caught {
    fn line(&self) -> String {
        let (bug, seeds, seconds) = (self.bug.name(), self.seeds, self.seconds);
        match &self.by {
            Some(outcome) => {
                let finding = outcome.findings.first();
                let law = finding.map_or_else(String::new, |finding| {
                    let detail: String = finding.detail.chars().take(110).collect();
                    format!("{}: {}", finding.law, detail.replace('|', "/"))
                });
                format!(
                    "| {bug} | {seeds} | {seconds:.1} | {law} | {} |",
                    outcome.seed
                )
            }
            None => format!("| {bug} | {seeds} | {seconds:.1} | not caught | |"),
        }
    }
}
