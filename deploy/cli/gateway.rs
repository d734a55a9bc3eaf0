//! `quorate gateway`: runs one gateway until it is asked to end.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::Args;
use quorate_gateway::{GatewayError, Listening};
use quorate_link::Env;
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    config::{
        self,
        gateway::{GatewayFile, RoleName},
    },
    exit::{Exit, Failure},
    output::{Output, Style},
    process,
};

#[derive(Args, Debug)]
pub(crate) struct GatewayArgs {
    /// The gateway's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Whom it serves, whatever the configuration says
    #[arg(long, value_enum)]
    role: Option<RoleName>,

    /// End when this process ends, which must be the one that started this one
    #[arg(long, value_name = "PID", hide = true)]
    parent: Option<u32>,
}

pub(crate) async fn run(args: GatewayArgs, output: Output, env: Env) -> Result<Exit, Failure> {
    process::end_with_parent(args.parent)?;
    let config = config::load::<GatewayFile>(&args.config)?.to_config(args.role)?;
    let name = config.name.clone();
    let shutdown = process::asked_to_end()?;
    let (ready, is_ready) = oneshot::channel::<Listening>();
    let announcement = async {
        // Not told if the gateway ends first, which says why itself.
        let Ok(listening) = is_ready.await else {
            return Ok(());
        };
        let address = |address: Option<SocketAddr>| address.map(|address| address.to_string());
        let (listen, public) = (address(listening.terminals), address(listening.public));
        let line = json!({
            "ready": "gateway",
            "name": name,
            "listen": listen,
            "public": public,
            "pid": std::process::id(),
        });
        output.print(&line, |painter| {
            let places = [listen.as_deref(), public.as_deref()];
            let places: Vec<_> = places.into_iter().flatten().collect();
            let text = format!("gateway {name} is ready on {}", places.join(" and "));
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
