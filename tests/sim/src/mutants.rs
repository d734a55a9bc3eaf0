//! Plants one bug after the other and shows that seeds catch it, and by which law.
//!
//! Laws: a bug that no seed catches within its budget fails the run, and so does a finding without a bug: the seed
//! that catches is run again with nothing planted. A bug is planted anew for each seed, so that a seed and a bug are
//! one run.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use quorate_proto::planted::{Bug, plant_here};
use quorate_sim::{Outcome, run};

use crate::seeds::now;

/// Seeds that a bug may take to be caught.
const SEEDS_MAX: u64 = 1_500;

/// How one bug was caught.
struct Caught {
    bug: Bug,
    /// Seeds that were run until then, and how long that took.
    seeds: u64,
    seconds: f64,
    by: Option<Outcome>,
    /// The same seed with nothing planted, if that found something as well.
    without: Option<Outcome>,
}

/// Plants all bugs, or those named.
pub(crate) fn all(names: &[String], threads: usize, summary: Option<&Path>) -> ExitCode {
    let mut bugs = Vec::new();
    for name in names {
        match Bug::of_name(name) {
            Some(bug) => bugs.push(bug),
            None => {
                eprintln!("no bug is called {name:?}");
                return ExitCode::FAILURE;
            }
        }
    }
    if bugs.is_empty() {
        bugs = Bug::ALL.to_vec();
    }
    let mut text = String::from(
        "| bug | seeds | seconds | law that caught it | seed |\n|---|---|---|---|---|\n",
    );
    let (mut missed, mut unclean) = (Vec::new(), Vec::new());
    for bug in bugs {
        let caught = hunt(bug, threads);
        let line = caught.line();
        println!("{line}");
        // Writing to a string does not fail.
        let _ = writeln!(text, "{line}");
        if caught.by.is_none() {
            missed.push(bug.name());
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

fn hunt(bug: Bug, threads: usize) -> Caught {
    let began = now();
    let (next, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let by: Mutex<Option<Outcome>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS_MAX {
                        return;
                    }
                    let outcome = run_with(Some(bug), seed);
                    if !outcome.is_clean() {
                        done.store(true, Ordering::Relaxed);
                        let mut by = by.lock().unwrap_or_else(PoisonError::into_inner);
                        // The first seed of those that were under way together.
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
    Caught {
        bug,
        seeds: next.into_inner().min(SEEDS_MAX),
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
