//! Many seeds on many cores, and what they amount to.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use quorate_sim::coverage::Counts;
use quorate_sim::{Outcome, run};

/// Below so many seeds a fault that never struck is no finding: the rarest events come once in several hundred.
const COVERED_SEEDS_MIN: u64 = 2_000;
/// Where no bar can be drawn, so many seeds are a line.
const SEEDS_PER_LINE: u64 = 500;
/// Failures after which a run of many seeds ends.
const FAILURES_MAX: usize = 20;

/// What to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seeds {
    One(u64),
    /// The end is exclusive.
    Range(u64, u64),
}

/// Reads `7` or `0..10000`.
pub(crate) fn parse(text: &str) -> Result<Seeds, String> {
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| format!("{text:?} is not a seed: write 7, or 0..10000"))
    };
    match text.split_once("..") {
        None => number(text).map(Seeds::One),
        Some((first, end)) => {
            let (first, end) = (number(first)?, number(end)?);
            if first < end {
                Ok(Seeds::Range(first, end))
            } else {
                Err(format!("{text:?} holds no seed"))
            }
        }
    }
}

#[derive(Default)]
struct Sum {
    seeds: u64,
    calls: usize,
    steps: u64,
    virtual_time: Duration,
    counts: Counts,
    failures: Vec<Outcome>,
}

/// Runs every seed from `first` up to `end`, exclusive.
pub(crate) fn many(first: u64, end: u64, threads: usize, summary: Option<&Path>) -> ExitCode {
    let bar = ProgressBar::new(end - first);
    let style = ProgressStyle::with_template(
        "{elapsed_precise} [{bar:40}] {pos}/{len} seeds, {eta} left {msg}",
    );
    if let Ok(style) = style {
        bar.set_style(style);
    }
    let (next, stop) = (AtomicU64::new(first), AtomicBool::new(false));
    let sum = Mutex::new(Sum::default());
    let began = now();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let outcome = run(seed, None);
                    bar.inc(1);
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    if !outcome.is_clean() {
                        let tell = || eprintln!("{outcome}\n  replay with: make sim SEED={seed}");
                        bar.suspend(tell);
                        bar.set_message(format!("({} failed)", sum.failures.len() + 1));
                    }
                    sum.add(outcome);
                    if bar.is_hidden() && sum.seeds % SEEDS_PER_LINE == 0 {
                        let (run, failed) = (sum.seeds, sum.failures.len());
                        let seconds = began.elapsed().as_secs();
                        eprintln!(
                            "{run} of {} seeds in {seconds} s, {failed} failed",
                            end - first
                        );
                    }
                    if sum.failures.len() >= FAILURES_MAX {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let wall = began.elapsed();
    bar.finish_and_clear();
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    let text = sum.tell(first, end, wall);
    println!("{text}");
    if let Some(path) = summary
        && let Err(error) = std::fs::write(path, &text)
    {
        eprintln!("cannot write {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    let missing = sum.counts.missing();
    let covered = sum.seeds < COVERED_SEEDS_MIN || missing.is_empty();
    if !covered {
        eprintln!("never happened: {}", missing.join(", "));
    }
    if sum.failures.is_empty() && covered {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the runs take is real time; nothing in them sees it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

impl Sum {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.calls += outcome.calls;
        self.steps += outcome.steps;
        self.virtual_time += outcome.virtual_time;
        self.counts.add(&outcome.counts);
        if !outcome.is_clean() {
            self.failures.push(outcome);
        }
    }

    fn tell(&self, first: u64, end: u64, wall: Duration) -> String {
        let mut text = String::new();
        let hours = self.virtual_time.as_secs_f64() / 3600.0;
        let mut line = |what: std::fmt::Arguments<'_>| {
            let _ = writeln!(text, "{what}");
        };
        line(format_args!("# Simulation, seeds {first}..{end}\n"));
        line(format_args!("| | |\n|---|---|"));
        line(format_args!("| seeds | {} |", self.seeds));
        line(format_args!("| failed | {} |", self.failures.len()));
        line(format_args!("| wall time | {:.0} s |", wall.as_secs_f64()));
        line(format_args!("| virtual time | {hours:.1} h |"));
        line(format_args!("| calls judged | {} |", self.calls));
        line(format_args!("| steps | {} |", self.steps));
        line(format_args!("\n| happened | times |\n|---|---|"));
        for (kind, count) in &self.counts.faults {
            line(format_args!("| fault {kind:?} | {count} |"));
        }
        for (kind, count) in &self.counts.loads {
            line(format_args!("| load {kind:?} | {count} |"));
        }
        for (event, count) in &self.counts.events {
            line(format_args!("| event {event:?} | {count} |"));
        }
        for failure in &self.failures {
            line(format_args!("\n{failure}\nmake sim SEED={}", failure.seed));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_read() {
        assert_eq!(parse("7"), Ok(Seeds::One(7)));
        assert_eq!(parse("0..50"), Ok(Seeds::Range(0, 50)));
        assert!(parse("5..5").is_err() && parse("x").is_err() && parse("1..y").is_err());
    }
}
