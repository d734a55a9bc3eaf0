//! Finds the cluster: asks the configured addresses for a view, first at the start, and again whenever no
//! node of the newest view can be reached (all of them may have moved).
//!
//! Deliberately absent: keeping a connection to a seed. Once the view is known, its nodes are dialled.

use futures_util::StreamExt as _;

use super::{
    Nodes,
    connection::{self, Backoff},
    dial::LinkError,
};
use crate::limits;

/// Why a seed was of no use.
#[derive(Debug, thiserror::Error)]
enum SeedError {
    #[error("cannot connect")]
    Connect(#[source] LinkError),
    #[error("it refused to send news")]
    Watch(#[source] LinkError),
    #[error("it sent no view of this cluster")]
    NoView,
}

/// Never returns.
pub(super) async fn run(nodes: &Nodes, seeds: &[String]) {
    let env = &nodes.context.env;
    let mut backoff = Backoff::new();
    let mut lost_for = 0;
    loop {
        let known = nodes.context.directory.view().is_some();
        // One interval of grace: at the start the links have not been dialled yet.
        lost_for = if nodes.any_open() { 0 } else { lost_for + 1 };
        if known && lost_for < 3 {
            env.sleep(limits::SEED_INTERVAL).await;
            continue;
        }
        if ask_all(nodes, seeds, !known).await {
            backoff.reset();
            lost_for = 0;
        } else {
            backoff.pause(env).await;
        }
    }
}

/// Asks one seed after the other until one sends a view.
async fn ask_all(nodes: &Nodes, seeds: &[String], report: bool) -> bool {
    for address in seeds {
        match ask(nodes, address).await {
            Ok(()) => return true,
            Err(error) if report => {
                let error = &error as &dyn std::error::Error;
                tracing::info!(address, error, "a seed was of no use");
            }
            Err(_) => {}
        }
    }
    false
}

/// Takes in the seed's news until it has sent a view.
async fn ask(nodes: &Nodes, address: &str) -> Result<(), SeedError> {
    let context = &nodes.context;
    let dialled = context.dial.dial(None, address).await;
    let connection = dialled.map_err(SeedError::Connect)?;
    let first_view = async {
        let mut events = connection::open_watch(context, &*connection)
            .await
            .map_err(SeedError::Watch)?;
        while let Some(event) = events.next().await {
            let event = event.map_err(SeedError::Watch)?;
            let has_view = event.view.is_some();
            connection::apply(context, event);
            if has_view && context.directory.view().is_some() {
                return Ok(());
            }
        }
        Err(SeedError::NoView)
    };
    let env = &context.env;
    let outcome = env.timeout(limits::SEED_VIEW_TIMEOUT, first_view).await;
    outcome.unwrap_or(Err(SeedError::NoView))
}
