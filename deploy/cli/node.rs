//! `quorate node`: runs one node until it is asked to end.

use std::path::PathBuf;

use clap::Args;
use quorate_link::Env;
use quorate_node::NodeError;
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    config::{self, node::NodeFile},
    exit::{Exit, Failure},
    output::{Output, Style},
    process,
};

#[derive(Args, Debug)]
pub(crate) struct NodeArgs {
    /// The node's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Form a new cluster with the other initial nodes; on the very first start only. Without it, a node
    /// with an empty disk joins as a replacement for one that lost it
    #[arg(long)]
    bootstrap: bool,

    /// End when this process ends, which must be the one that started this one
    #[arg(long, value_name = "PID", hide = true)]
    parent: Option<u32>,
}

pub(crate) async fn run(args: NodeArgs, output: Output, env: Env) -> Result<Exit, Failure> {
    process::end_with_parent(args.parent)?;
    let config = config::load::<NodeFile>(&args.config)?.to_config(args.bootstrap)?;
    let (node_id, listen) = (config.node_id, config.listen);
    let shutdown = process::asked_to_end()?;
    let (ready, is_ready) = oneshot::channel();
    let announcement = async {
        // Not told if the node ends first, which says why itself.
        let Ok(()) = is_ready.await else {
            return Ok(());
        };
        let line = json!({
            "ready": "node",
            "node_id": node_id.get(),
            "listen": listen.to_string(),
            "pid": std::process::id(),
        });
        output.print(&line, |painter| {
            let text = format!("node {node_id} is ready on {listen}");
            painter.paint(Style::Good, &text)
        })
    };
    let (ended, announced) = tokio::join!(
        quorate_node::run(config, env, ready, shutdown),
        announcement
    );
    ended?;
    announced?;
    Ok(Exit::Ok)
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        let text = error.to_string();
        match error {
            NodeError::Config(_) => Self::usage(text).next("correct the cluster's configuration"),
            NodeError::Tls(_) => Self::usage(text).next("check the files under [tls]"),
            NodeError::Listen { .. } => {
                Self::usage(text).next("choose another address, or stop what uses it")
            }
            NodeError::Disk(_) => Self::usage(text).next("check data_dir"),
            NodeError::Storage { .. } => Self::unexpected(text).next(
                "the other nodes go on; to replace this one's data, move the directory away and start again",
            ),
            NodeError::Serve(_) | NodeError::Failed(_) => Self::unexpected(text),
        }
    }
}
