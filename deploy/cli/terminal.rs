//! `quorate terminal`: a counter that goes on selling when no gateway answers, and hands its slips in later.

mod hand_in;
mod open;
mod paper_list;
mod sell;
mod slips;
mod upload;

use clap::{Args, Subcommand};

use crate::{
    exit::{Exit, Failure},
    reach::Reach,
};

#[derive(Args, Debug)]
pub(crate) struct TerminalArgs {
    #[command(subcommand)]
    command: TerminalCommand,
}

#[derive(Debug, Subcommand)]
enum TerminalCommand {
    /// Sell: online if a gateway answers, on paper if none does
    Sell(sell::SellArgs),
    /// List the slips of this counter and what became of them
    Slips,
    /// Hand in the slips that wait
    HandIn,
    /// Hand in a list of sales that was kept on paper and typed in as a CSV file
    Upload(upload::UploadArgs),
}

pub(crate) async fn run(args: TerminalArgs, reach: &Reach) -> Result<Exit, Failure> {
    match args.command {
        TerminalCommand::Sell(args) => sell::run(args, reach).await,
        TerminalCommand::Slips => slips::run(reach),
        TerminalCommand::HandIn => hand_in::run(reach).await,
        TerminalCommand::Upload(args) => upload::run(args, reach).await,
    }
}
