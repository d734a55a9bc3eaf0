//! `quorate admin`: what an operator does.

mod correct;
mod device;
mod history;
mod program;
mod report;
mod sites;
mod status;
mod verify;

use clap::Subcommand;

use crate::{
    exit::{EXIT_CODES_HELP, Exit, Failure},
    reach::Reach,
};

pub(crate) use program::run_offline as run_program_offline;
pub(crate) use report::parse_date;
pub(crate) use sites::read as read_sites;
pub(crate) use verify::VERIFY_TIME_MIN;

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Nodes, shards, leaders, replicas and their lag, right now
    Status,
    /// Sales sites
    #[command(subcommand)]
    Sites(sites::SitesCommand),
    /// Devices at sites
    #[command(subcommand)]
    Device(device::DeviceCommand),
    /// Ration programs and their rules
    #[command(subcommand)]
    Program(program::ProgramCommand),
    /// List what a person bought in the last 35 days
    History(history::AdminHistoryArgs),
    /// Undo a sale of any site, with reason and case number; it stays on record
    #[command(after_help = EXIT_CODES_HELP)]
    Correct(correct::CorrectArgs),
    /// What was sold and refused, and what was sold beyond the ration
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// Compare what all replicas hold, and count every grant again
    #[command(after_help = EXIT_CODES_HELP)]
    Verify,
}

pub(crate) async fn run(command: AdminCommand, reach: &Reach) -> Result<Exit, Failure> {
    match command {
        AdminCommand::Status => status::run(reach).await,
        AdminCommand::Sites(command) => sites::run(command, reach).await,
        AdminCommand::Device(command) => device::run(command, reach).await,
        AdminCommand::Program(command) => program::run(command, reach).await,
        AdminCommand::History(args) => history::run(args, reach).await,
        AdminCommand::Correct(args) => correct::run(args, reach).await,
        AdminCommand::Report(command) => report::run(command, reach).await,
        AdminCommand::Verify => verify::run(reach).await,
    }
}
