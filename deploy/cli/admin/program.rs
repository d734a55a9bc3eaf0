//! `quorate admin program`: rules are data, and this is where they are looked at, tried and changed.
//!
//! Programs are read into the core's own type, so that the laws and the judgement here are the cluster's.

mod apply;
mod change;
mod counts;
mod describe;
mod explain;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use quorate_core::{codec, ledger::Program};
use quorate_proto::{
    admin,
    ids::{ProgramId, RuleId},
    program,
};
use serde_json::json;

use crate::{
    config,
    exit::{EXIT_CODES_HELP, Exit, Failure},
    output::{self, Output, Style},
    reach::Reach,
    time,
};

#[derive(Debug, Subcommand)]
pub(crate) enum ProgramCommand {
    /// Check a program file without asking the cluster
    Validate(FileArgs),
    /// Put a program, or more rules of it, in force
    #[command(after_help = EXIT_CODES_HELP)]
    Apply(ApplyArgs),
    /// List the programs of the cluster
    List,
    /// Show a program with all its rules
    Show(NamedArgs),
    /// Show what applying a file would change
    Diff(FileArgs),
    /// Say what would be decided, and the clause that decides
    #[command(after_help = EXIT_CODES_HELP)]
    Explain(explain::ExplainArgs),
    /// Put the file's new rules in shadow: counted, not enforced
    Shadow(FileArgs),
    /// Bring a shadow or withdrawn rule into force
    Activate(ActivateArgs),
    /// Withdraw the newest active rule at once: the one before it is in force again
    Rollback(NamedArgs),
    /// What the shadow rules would have decided
    ShadowCounts(NamedArgs),
}

#[derive(Args, Debug)]
pub(crate) struct FileArgs {
    /// The program, as YAML
    file: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct NamedArgs {
    /// The program's id
    program: ProgramId,
}

#[derive(Args, Debug)]
pub(crate) struct ApplyArgs {
    /// The program, as YAML
    file: PathBuf,
    /// Change decisions at once, shard by shard
    #[arg(long)]
    now: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ActivateArgs {
    /// The program's id
    program: ProgramId,
    /// The rule version
    rule: RuleId,
    /// From this instant on, as 2020-06-18T00:00+09:00; left out: the rule's own
    #[arg(long, value_parser = time::parse_instant)]
    at: Option<Timestamp>,
    /// Change decisions at once, shard by shard
    #[arg(long)]
    now: bool,
}

impl ProgramCommand {
    /// Whether no cluster is asked.
    pub(crate) fn is_offline(&self) -> bool {
        match self {
            Self::Validate(_) => true,
            Self::Explain(args) => args.is_offline(),
            Self::Apply(_)
            | Self::List
            | Self::Show(_)
            | Self::Diff(_)
            | Self::Shadow(_)
            | Self::Activate(_)
            | Self::Rollback(_)
            | Self::ShadowCounts(_) => false,
        }
    }
}

/// Runs what asks no cluster.
pub(crate) fn run_offline(command: ProgramCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        ProgramCommand::Validate(args) => validate(&args.file, output),
        ProgramCommand::Explain(args) => {
            let program = args.program_in_file()?;
            explain::run(&args, &program, output)
        }
        _ => Err(Failure::usage("this command needs a cluster")),
    }
}

pub(crate) async fn run(command: ProgramCommand, reach: &Reach) -> Result<Exit, Failure> {
    match command {
        ProgramCommand::Validate(args) => validate(&args.file, reach.output),
        ProgramCommand::Apply(args) => {
            let program = config::program::load(&args.file)?;
            apply::apply(&program, 0, args.now, reach).await
        }
        ProgramCommand::List => list(reach).await,
        ProgramCommand::Show(args) => show(&stored(reach, args.program).await?, reach.output),
        ProgramCommand::Diff(args) => diff(&args.file, reach).await,
        ProgramCommand::Explain(args) => {
            let program = match &args.program {
                Some(id) => stored(reach, *id).await?,
                None => args.program_in_file()?,
            };
            explain::run(&args, &program, reach.output)
        }
        ProgramCommand::Shadow(args) => {
            let wanted = config::program::load(&args.file)?;
            let current = stored(reach, wanted.id()).await?;
            let changed = change::with_shadows(&current, &wanted)?;
            apply::apply(&changed, current.version(), false, reach).await
        }
        ProgramCommand::Activate(args) => {
            let current = stored(reach, args.program).await?;
            let at_ms = args.at.map(Timestamp::as_millisecond);
            let changed = change::activated(&current, args.rule, at_ms)?;
            apply::apply(&changed, current.version(), args.now, reach).await
        }
        ProgramCommand::Rollback(args) => {
            let current = stored(reach, args.program).await?;
            let changed = change::rolled_back(&current)?;
            apply::apply(&changed, current.version(), true, reach).await
        }
        ProgramCommand::ShadowCounts(args) => counts::run(&args.program, reach).await,
    }
}

/// The program as its message.
fn message(program: &Program) -> admin::Program {
    program::from_definition(&codec::program_to_proto(program))
}

fn read(message: admin::Program) -> Result<Program, Failure> {
    let version = message.version;
    let program = program::to_definition(message).map_err(|error| error.to_string());
    let program = program.and_then(|mut definition| {
        definition.version = version;
        codec::program_from_proto(definition).map_err(|error| error.to_string())
    });
    program.map_err(|error| {
        Failure::unexpected(format!("the cluster's program cannot be read: {error}"))
            .next("use a quorate of the gateway's version")
    })
}

/// Every program of the cluster.
async fn programs(reach: &Reach) -> Result<Vec<Program>, Failure> {
    let listed = reach.operator()?.list_programs(reach.time_limit).await?;
    listed.into_iter().map(read).collect()
}

async fn stored(reach: &Reach, id: ProgramId) -> Result<Program, Failure> {
    let mut all = programs(reach).await?.into_iter();
    all.find(|program| program.id() == id).ok_or_else(|| {
        Failure::usage(format!("there is no program {id}"))
            .next("list them with `quorate admin program list`, or apply a file")
    })
}

fn validate(file: &Path, output: Output) -> Result<Exit, Failure> {
    let program = config::program::load(file)?;
    let rules = program.rules().len();
    let result = json!({ "program": program.id().to_string(), "rules": rules, "valid": true });
    output.print(&result, |painter| {
        let headline = format!("{} is valid: {rules} rules", program.id());
        painter.paint(Style::Good, &headline)
    })?;
    Ok(Exit::Ok)
}

async fn list(reach: &Reach) -> Result<Exit, Failure> {
    let programs = programs(reach).await?;
    let result: Vec<_> = programs.iter().map(describe::summary).collect();
    reach.output.print(&result, |_| {
        let rows = programs.iter().map(|program| {
            let newest = program.rules().last();
            [
                program.id().to_string(),
                program.version().to_string(),
                program.time_zone().to_owned(),
                program.rules().len().to_string(),
                newest.map_or_else(String::new, |rule| rule.id.to_string()),
            ]
        });
        output::table(
            ["program", "version", "time zone", "rules", "newest rule"],
            &[1, 3],
            rows,
        )
    })?;
    Ok(Exit::Ok)
}

fn show(program: &Program, output: Output) -> Result<Exit, Failure> {
    output.print(&describe::json(program), |painter| {
        let sections = describe::sections(program);
        let texts = sections.iter().map(|section| {
            let facts = section.facts.iter();
            let facts = output::facts(facts.map(|(name, value)| (*name, value.clone())));
            format!("{}\n{facts}", painter.paint(Style::Strong, &section.name))
        });
        texts.collect::<Vec<_>>().join("\n\n")
    })?;
    Ok(Exit::Ok)
}

async fn diff(file: &Path, reach: &Reach) -> Result<Exit, Failure> {
    let wanted = config::program::load(file)?;
    let all = programs(reach).await?;
    let current = all.iter().find(|program| program.id() == wanted.id());
    let lines = describe::differences(current, &wanted);
    let result = json!({ "program": wanted.id().to_string(), "changes": lines });
    reach.output.print(&result, |painter| {
        if lines.is_empty() {
            return format!("{}: nothing would change", wanted.id());
        }
        let painted = lines.iter().map(|line| match line.chars().next() {
            Some('+') => painter.paint(Style::Good, line),
            Some('-') => painter.paint(Style::Bad, line),
            _ => painter.paint(Style::Doubtful, line),
        });
        painted.collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::Ok)
}
