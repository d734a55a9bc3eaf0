//! `quorate`: the one program. Runs nodes and gateways, and is what clerks, operators and testers type.
//!
//! Everything that is read from outside (arguments, environment, files, signals, clocks, chance) is read
//! in this crate and handed on. One file per subcommand; [`exit`] says how the program ends.

#![forbid(unsafe_code)]

mod admin;
mod check;
mod citizen;
mod cli;
mod config;
mod demo;
mod exit;
mod gateway;
mod history;
mod load;
mod node;
mod output;
#[cfg(feature = "planted-bugs")]
mod planted;
mod process;
mod progress;
mod reach;
mod replay;
mod rows;
mod sale;
mod sell;
mod show;
mod stock;
mod terminal;
mod time;
mod void;

use std::process::ExitCode;

use clap::Parser as _;
use quorate_link::Env;

use cli::{Cli, Command};
use exit::{Exit, Failure};
use output::Output;
use reach::Reach;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.global.output, process::plain_output());
    let ready = process::log_to_stderr(&cli);
    #[cfg(feature = "planted-bugs")]
    let ready = ready.and_then(|()| planted::plant());
    let ended = ready
        .and_then(|()| process::runtime(&cli.command))
        .and_then(|runtime| runtime.block_on(run(cli, output)));
    let exit = ended.unwrap_or_else(|failure| {
        output.complain(&failure);
        failure.exit
    });
    ExitCode::from(exit as u8)
}

async fn run(cli: Cli, output: Output) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    let env = Env::system();
    let reach = || Reach::new(&global, output, env.clone());
    match command {
        Command::Demo(args) => demo::run(args, output, env).await,
        Command::Node(args) => node::run(args, output, env).await,
        Command::Gateway(args) => gateway::run(args, output, env).await,
        Command::Check(args) => check::run(args, &reach()?).await,
        Command::Sell(args) => sell::run(args, &reach()?).await,
        Command::Terminal(args) => terminal::run(args, &reach()?).await,
        Command::Void(args) => void::run(args, &reach()?).await,
        Command::History(args) => history::run(args, &reach()?).await,
        Command::Stock(command) => stock::run(command, &reach()?).await,
        Command::Admin(admin::AdminCommand::Program(command)) if command.is_offline() => {
            admin::run_program_offline(command, output)
        }
        Command::Admin(command) => admin::run(command, &reach()?).await,
        Command::Load(args) => load::run(*args, &reach()?).await,
        Command::Replay(args) => replay::run(args, &global, output, env.clone()).await,
    }
}
