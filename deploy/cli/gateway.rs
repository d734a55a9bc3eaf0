//! `quorate gateway`: runs one gateway until it is asked to end.

use std::path::{Path, PathBuf};

use clap::Args;
use quorate_gateway::GatewayError;
use quorate_link::Env;
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    config::{self, gateway::GatewayFile},
    exit::{Exit, Failure},
    output::{Output, Style},
    process,
};

#[derive(Args, Debug)]
pub(crate) struct GatewayArgs {
    /// The gateway's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// End when this process ends, which must be the one that started this one
    #[arg(long, value_name = "PID", hide = true)]
    parent: Option<u32>,
}

pub(crate) async fn run(args: GatewayArgs, output: Output, env: Env) -> Result<Exit, Failure> {
    process::end_with_parent(args.parent)?;
    let config = config::load::<GatewayFile>(&args.config)?.to_config()?;
    let name = config.name.clone();
    let shutdown = process::asked_to_end()?;
    let (ready, is_ready) = oneshot::channel::<std::net::SocketAddr>();
    let announcement = async {
        // Not told if the gateway ends first, which says why itself.
        let Ok(listen) = is_ready.await else {
            return Ok(());
        };
        let line = json!({
            "ready": "gateway",
            "name": name,
            "listen": listen.to_string(),
            "pid": std::process::id(),
        });
        output.print(&line, |painter| {
            let text = format!("gateway {name} is ready on {listen}");
            painter.paint(Style::Good, &text)
        })
    };
    let (ended, announced) = tokio::join!(
        quorate_gateway::run(config, env, ready, shutdown),
        announcement
    );
    ended.map_err(|error| explain(error, &args.config))?;
    announced?;
    Ok(Exit::Ok)
}

fn explain(error: GatewayError, config: &Path) -> Failure {
    let text = error.to_string();
    match error {
        GatewayError::Config { .. } => Failure::usage(format!("{}: {text}", config.display())),
        GatewayError::Tls(source) => {
            Failure::usage(format!("{text}: {source}")).next("check the files under [tls]")
        }
        GatewayError::Listen { source, .. } => Failure::usage(format!("{text}: {source}"))
            .next("choose another address, or stop what uses it"),
        GatewayError::Serve(source) => Failure::unexpected(format!("{text}: {source}")),
    }
}
