//! Runs seeds of the simulation: one with its log, or many on every core.

#![forbid(unsafe_code)]

#[cfg(feature = "planted-bugs")]
mod mutants;
mod seeds;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use quorate_sim::Outcome;
use seeds::Seeds;

/// Run if nothing else is said.
const SEEDS: Seeds = Seeds::Range(0, 200);

/// Runs the whole cluster in one thread on virtual time. A seed decides everything.
#[derive(Debug, Parser)]
#[command(name = "quorate-sim")]
struct Cli {
    /// One seed (`7`) or a range of seeds (`0..10000`) [default: 0..200, with --mutants 0..1500].
    #[arg(value_parser = seeds::parse)]
    seeds: Option<Seeds>,
    /// Tell what happens, line by line (one seed only).
    #[arg(short, long)]
    verbose: bool,
    /// Run so many seeds at once.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Plant this bug (`all`: one after the other) and run seeds until one catches it; or that one seed.
    #[cfg(feature = "planted-bugs")]
    #[arg(long, value_delimiter = ',')]
    mutants: Vec<String>,
    /// Write a summary here, in Markdown.
    #[arg(long)]
    summary: Option<std::path::PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let summary = cli.summary.as_deref();
    #[cfg(feature = "planted-bugs")]
    if !cli.mutants.is_empty() {
        let seeds = cli.seeds.unwrap_or(mutants::SEEDS);
        return mutants::plant(&cli.mutants, seeds, cli.threads, cli.verbose, summary);
    }
    match cli.seeds.unwrap_or(SEEDS) {
        Seeds::One(seed) => {
            if one(seed, cli.verbose).is_clean() {
                return ExitCode::SUCCESS;
            }
            eprintln!("replay with: make sim SEED={seed}");
            ExitCode::FAILURE
        }
        Seeds::Range(first, end) => seeds::many(first, end, cli.threads, summary),
    }
}

/// Runs a seed and prints how it came out.
fn one(seed: u64, verbose: bool) -> Outcome {
    let tell: Option<quorate_sim::Tell> = verbose.then(|| {
        let tell = |line: &str| println!("{line}");
        Arc::new(tell) as quorate_sim::Tell
    });
    if verbose {
        #[expect(
            clippy::disallowed_methods,
            reason = "what is logged changes nothing in the run"
        )]
        let said = std::env::var("RUST_LOG");
        let said = said.as_deref().unwrap_or("warn,quorate=info");
        let filter = tracing_subscriber::EnvFilter::new(said);
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .without_time()
            .init();
    }
    let outcome = quorate_sim::run(seed, tell);
    println!("{outcome}");
    outcome
}
