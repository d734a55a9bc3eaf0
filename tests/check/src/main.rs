//! `quorate-check history.jsonl`: judges a history, and says which laws were broken, by which lines, and why.

#![forbid(unsafe_code)]

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use quorate_check::{
    Report, check_on,
    generate::{self, Options},
    history::{History, HistoryError},
    limits,
};
use serde_json::json;

const EXIT_CODES: &str = "\
Exit codes:
  0  every law was kept
  1  the history cannot be read
  2  wrong usage
  6  a law was broken, or the history cannot be judged

The format of a history is described in docs/history.md.";

/// Judges what clients of a ration ledger did and saw.
#[derive(Debug, Parser)]
#[command(name = "quorate-check", version, after_help = EXIT_CODES)]
struct Args {
    /// The history, as JSON lines; `-`: standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,

    /// Threads to read and judge on
    #[arg(long, value_name = "N", default_value_t = limits::THREADS_DEFAULT as u16, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,

    /// Write a lawful history of about N calls to FILE instead
    #[arg(long, value_name = "N")]
    generate: Option<usize>,

    /// Of the generated history: the same seed makes the same calls
    #[arg(long, value_name = "N", default_value_t = 1, requires = "generate")]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.generate {
        Some(calls) => generate(&args.file, calls, args.seed),
        None => judge(&args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(
                io::stderr(),
                "quorate-check: {}: {error}",
                args.file.display()
            );
            ExitCode::from(1)
        }
    }
}

fn generate(path: &Path, calls: usize, seed: u64) -> Result<ExitCode, HistoryError> {
    let history = generate::generate(&Options::new(seed, calls));
    history.save(path)?;
    println!(
        "{} calls, seed {seed}: {}",
        history.records.len(),
        path.display()
    );
    Ok(ExitCode::SUCCESS)
}

fn judge(args: &Args) -> Result<ExitCode, HistoryError> {
    let threads = usize::from(args.threads);
    let (history, read) = timed(|| {
        if args.file.as_os_str() == "-" {
            History::read(io::stdin(), threads)
        } else {
            History::read(File::open(&args.file)?, threads)
        }
    });
    let history = history?;
    let (report, judged) = timed(|| check_on(&history, threads));
    match args.output {
        Format::Table => print_table(&report, read, judged),
        Format::Json => {
            let report = json!({
                "lawful": report.is_lawful(),
                "read_ms": read.as_millis(),
                "judge_ms": judged.as_millis(),
                "report": report,
            });
            println!("{report:#}");
        }
    }
    // The process ends: giving back a million records one by one would take longer than judging them.
    std::mem::forget(history);
    Ok(match report.is_lawful() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(6),
    })
}

fn print_table(report: &Report, read: Duration, judged: Duration) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let rows: [(&str, String); 11] = [
        ("calls", report.calls.to_string()),
        ("operations", report.operations.to_string()),
        ("citizens", report.citizens.to_string()),
        ("shards", report.shards.to_string()),
        (
            "sales granted",
            format!("{} ({} units)", report.grants, report.units_granted),
        ),
        ("sales denied", report.denials.to_string()),
        (
            "undone",
            format!("{} ({} units)", report.voids, report.units_voided),
        ),
        (
            "slips",
            format!(
                "{} ({} units), {} over quota",
                report.slips, report.units_on_slips, report.slips_over_quota
            ),
        ),
        (
            "answers lost",
            format!("{}, {} not done", report.unknown, report.not_done),
        ),
        (
            "time",
            format!(
                "{:.2} s to read, {:.2} s to judge",
                read.as_secs_f64(),
                judged.as_secs_f64()
            ),
        ),
        ("laws broken", report.violations_total.to_string()),
    ];
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    println!("{}", table.trim_fmt());
    if report.is_lawful() {
        println!("\nEvery law was kept.");
        return;
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["LAW", "LINES", "CITIZEN", "WHY"]);
    for violation in &report.violations {
        let lines: Vec<String> = violation.lines.iter().map(usize::to_string).collect();
        table.add_row([
            violation.law.name().to_owned(),
            lines.join(" "),
            violation
                .citizen
                .map_or_else(String::new, |citizen| citizen.to_string()),
            violation.why.clone(),
        ]);
    }
    println!("\n{}", table.trim_fmt());
    let hidden = report.violations_total - report.violations.len();
    if hidden > 0 {
        println!("and {hidden} more");
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let now = || {
        #[expect(
            clippy::disallowed_methods,
            reason = "how long the tool itself takes; nothing is decided by it"
        )]
        Instant::now()
    };
    let start = now();
    let done = work();
    (done, now().duration_since(start))
}
