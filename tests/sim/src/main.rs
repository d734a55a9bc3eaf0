//! Runs seeds of the simulation: one with its log, or many on every core.

#![forbid(unsafe_code)]

#[cfg(feature = "planted-bugs")]
mod mutants;
mod seeds;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

/// Runs the whole cluster in one thread on virtual time. A seed decides everything.
#[derive(Debug, Parser)]
#[command(name = "quorate-sim")]
struct Cli {
    /// One seed (`7`) or a range of seeds (`0..10000`).
    #[arg(value_parser = seeds::parse, default_value = "0..200")]
    seeds: seeds::Seeds,
    /// Tell what happens, line by line (one seed only).
    #[arg(short, long)]
    verbose: bool,
    /// Run so many seeds at once.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Plant this bug (`all`: one after the other) and run seeds until one catches it.
    #[cfg(feature = "planted-bugs")]
    #[arg(long, value_delimiter = ',')]
    mutants: Vec<String>,
    /// Write a summary here, in Markdown.
    #[arg(long)]
    summary: Option<std::path::PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    #[cfg(feature = "planted-bugs")]
    if !cli.mutants.is_empty() {
        let named = cli.mutants.iter().filter(|name| *name != "all").cloned();
        let named: Vec<String> = named.collect();
        return mutants::all(&named, cli.threads, cli.summary.as_deref());
    }
    match cli.seeds {
        seeds::Seeds::One(seed) => one(seed, cli.verbose),
        seeds::Seeds::Range(first, end) => {
            seeds::many(first, end, cli.threads, cli.summary.as_deref())
        }
    }
}

fn one(seed: u64, verbose: bool) -> ExitCode {
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
    if outcome.is_clean() {
        ExitCode::SUCCESS
    } else {
        eprintln!("replay with: make sim SEED={seed}");
        ExitCode::FAILURE
    }
}
