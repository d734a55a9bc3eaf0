//! `quorate terminal`: a counter that goes on selling when no gateway answers, and hands its slips in later.

mod hand_in;
mod open;
mod screen;
mod sell;
mod slips;
mod upload;

use clap::{Args, Subcommand};
use quorate_proto::ids::GroundId;

use crate::{
    exit::{Exit, Failure},
    process,
    reach::Reach,
};

/// Grounds on which somebody may buy for another, in the programs that come with this program.
const GROUNDS: &str = "age,family,disabled,long-term-care,pregnant,veteran,inpatient,nursing-home";

#[derive(Args, Debug)]
pub(crate) struct TerminalArgs {
    /// Without one: the counter's screen
    #[command(subcommand)]
    command: Option<TerminalCommand>,

    /// The language of the screen [default: that of LANG]
    #[arg(long, value_enum)]
    lang: Option<screen::Lang>,

    /// The grounds of proxy purchases that the screen offers
    #[arg(long, value_name = "GROUND,…", value_delimiter = ',', default_value = GROUNDS)]
    grounds: Vec<GroundId>,
}

impl TerminalArgs {
    /// Whether the whole terminal is drawn on, so that nothing else may write to it.
    pub(crate) const fn draws(&self) -> bool {
        self.command.is_none()
    }
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
        None => {
            let locale = process::locale();
            let lang = args
                .lang
                .unwrap_or_else(|| screen::Lang::of_locale(locale.as_deref()));
            screen::run(lang, args.grounds, reach).await
        }
        Some(TerminalCommand::Sell(args)) => sell::run(args, reach).await,
        Some(TerminalCommand::Slips) => slips::run(reach),
        Some(TerminalCommand::HandIn) => hand_in::run(reach).await,
        Some(TerminalCommand::Upload(args)) => upload::run(args, reach).await,
    }
}
