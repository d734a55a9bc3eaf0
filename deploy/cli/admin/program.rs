//! `quorate admin program put FILE`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    config::{self, program::ProgramFile},
    exit::{Exit, Failure},
    output::Style,
    reach::Reach,
};

#[derive(Debug, Subcommand)]
pub(crate) enum ProgramCommand {
    /// Put a program, or more rules of it, in force
    Put(PutArgs),
}

#[derive(Args, Debug)]
pub(crate) struct PutArgs {
    /// The program, as TOML or (.json) JSON
    file: PathBuf,
}

pub(crate) async fn run(command: ProgramCommand, reach: &Reach) -> Result<Exit, Failure> {
    let ProgramCommand::Put(args) = command;
    let program = config::load::<ProgramFile>(&args.file)?.to_program()?;
    let version = reach
        .operator()?
        .put_program(&program, reach.time_limit)
        .await?;
    let result = json!({ "program": program.id.to_string(), "version": version });
    reach.output.print(&result, |painter| {
        let headline = format!("program {} has version {version}", program.id);
        format!(
            "{}\n  every shard decides by it as it arrives: see `quorate admin status`",
            painter.paint(Style::Good, &headline)
        )
    })?;
    Ok(Exit::Ok)
}
