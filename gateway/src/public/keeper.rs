//! What goes on beside the requests: the snapshot follows the programs, its indexes follow the sites, and
//! listeners hear what has changed.

use std::sync::Arc;

use futures_util::future::join;

use super::{app::App, snapshot::Change, v1};
use crate::limits;

/// Never ends by itself.
pub(super) async fn keep(app: Arc<App>) {
    join(follow_programs(&app), follow_sites(&app)).await;
}

async fn follow_programs(app: &App) {
    loop {
        let seen = app.directory.revision();
        if let Some(shown) = app.shown() {
            app.snapshot.show(shown);
        }
        app.directory.changed_since(seen).await;
    }
}

async fn follow_sites(app: &App) {
    let env = &app.env;
    let mut refresh_at = env.monotonic();
    loop {
        if !app.snapshot.is_outdated() {
            app.snapshot.changed().await;
        }
        // What else changes meanwhile is told with it.
        env.sleep(limits::DELTA_INTERVAL).await;
        let started = env.monotonic();
        if app.snapshot.is_outdated() && started >= refresh_at {
            app.snapshot.refresh();
            let ended = env.monotonic();
            refresh_at = ended + (ended - started) * limits::ATLAS_REST_FACTOR;
        }
        tell(app);
    }
}

fn tell(app: &App) {
    let changes = app.snapshot.take_changes();
    if changes.is_empty() {
        return;
    }
    if changes.len() > limits::DELTA_BATCH_MAX {
        app.deltas.reset();
        return;
    }
    let shown = app.snapshot.shown();
    app.deltas
        .publish(changes.iter().map(|change| match change {
            Change::Site(site) => ("site", v1::rows::to_json(site, &shown)),
            Change::Gone(code) => ("gone", v1::rows::gone(code)),
        }));
}
