//! The command line as a whole.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    admin::AdminCommand,
    check::CheckArgs,
    demo::DemoArgs,
    exit::EXIT_CODES_HELP,
    gateway::GatewayArgs,
    history::HistoryArgs,
    load::LoadArgs,
    node::NodeArgs,
    output::Format,
    replay::ReplayArgs,
    sell::SellArgs,
    stock::StockCommand,
    terminal::TerminalArgs,
    time::{self, Span},
    void::VoidArgs,
};

/// A ration ledger: may this person take N more of this today, here?
#[derive(Debug, Parser)]
#[command(name = "quorate", version, after_help = EXIT_CODES_HELP, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command has.
const COMMON: &str = "Common options";

#[derive(Args, Debug)]
pub(crate) struct Global {
    /// How results are printed
    #[arg(short, long, global = true, help_heading = COMMON, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,

    /// Which cluster to talk to, and as whom [default: ./quorate-demo/context.toml]
    #[arg(long, global = true, help_heading = COMMON, value_name = "FILE", env = "QUORATE_CONTEXT")]
    pub(crate) context: Option<PathBuf>,

    /// How long to wait for an answer, retries included, such as 500ms or 10s
    #[arg(long, global = true, help_heading = COMMON, value_name = "TIME", default_value = "10s", value_parser = time::parse_span)]
    pub(crate) timeout: Span,

    /// What is logged to stderr, such as `info` or `quorate_node=debug`
    #[arg(
        long,
        global = true,
        help_heading = COMMON,
        value_name = "FILTER",
        env = "QUORATE_LOG",
        hide_env_values = true
    )]
    pub(crate) log: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a whole cluster of real processes on this machine
    Demo(DemoArgs),
    /// Run one node
    Node(NodeArgs),
    /// Run one gateway
    Gateway(GatewayArgs),
    /// Ask whether a person may take some more; records nothing
    #[command(after_help = EXIT_CODES_HELP)]
    Check(CheckArgs),
    /// Record a sale, if the person may take it
    #[command(after_help = EXIT_CODES_HELP)]
    Sell(SellArgs),
    /// Sell at a counter, also without a connection; hand in paper sales
    #[command(after_help = EXIT_CODES_HELP)]
    Terminal(TerminalArgs),
    /// Undo a sale of this site, on its day
    #[command(after_help = EXIT_CODES_HELP)]
    Void(VoidArgs),
    /// List what a person bought in the last 35 days
    History(HistoryArgs),
    /// Keep the stock of this site: goods in, corrections, tickets, stop and go
    #[command(subcommand)]
    Stock(StockCommand),
    /// Run the cluster; needs an operator's certificate
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Generate load and measure
    #[command(after_help = EXIT_CODES_HELP)]
    Load(Box<LoadArgs>),
    /// Play a record of what the public saw, and compare
    #[command(after_help = EXIT_CODES_HELP)]
    Replay(ReplayArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_explanation_takes_one_program_and_a_person() {
        let person = [
            "--birth-year",
            "1987",
            "--at",
            "2020-03-09T10:00",
            "--site-type",
            "01",
        ];
        let explain = |source: &[&str]| {
            let command = ["quorate", "admin", "program", "explain"];
            Cli::try_parse_from([&command, source, &person].concat())
        };
        assert!(explain(&["--file", "kr-mask-2020.yaml"]).is_ok());
        assert!(explain(&["--program", "kr-mask-2020"]).is_ok());
        assert!(explain(&[]).is_err());
        assert!(explain(&["--file", "a.yaml", "--program", "b"]).is_err());
    }

    #[test]
    fn the_exit_codes_are_in_the_help() {
        let help = Cli::command().render_help().to_string();
        assert!(help.contains("unknown outcome"), "{help}");
    }
}
