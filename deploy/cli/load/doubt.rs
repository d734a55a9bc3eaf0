//! Sales whose outcome is unknown, and how it is found out: by sending them again, with their own ids.

use std::time::Duration;

use quorate_proto::ids::RequestId;

use super::{
    history::{Call, HistoryFile},
    plan::Order,
    stage::Stage,
    tally::Tally,
};
use crate::reach::Reach;

/// How long unknown outcomes are asked for after the load.
const RESOLVE_TIME_MAX: Duration = Duration::from_secs(60);

/// Between two rounds of asking.
const RESOLVE_PAUSE: Duration = Duration::from_millis(500);

/// A sale that may or may not have been recorded.
pub(super) struct Doubt {
    pub(super) client: u64,
    pub(super) site: usize,
    pub(super) request_id: RequestId,
    pub(super) order: Order,
}

/// Sends every doubtful sale again, with its own id, until its outcome is known; how many are left.
pub(super) async fn resolve(
    mut doubts: Vec<Doubt>,
    stage: &Stage,
    history: Option<&HistoryFile>,
    tally: &mut Tally,
    reach: &Reach,
) -> usize {
    let env = &reach.env;
    let give_up = env.monotonic() + RESOLVE_TIME_MAX;
    while !doubts.is_empty() && env.monotonic() < give_up {
        let mut left = Vec::new();
        for doubt in doubts {
            let terminal = stage.terminal(doubt.site, doubt.client);
            let sale = stage.sale(doubt.order);
            let start = env.monotonic();
            let answer = terminal
                .record(doubt.request_id, &sale, stage.time_limit)
                .await;
            let call = Call {
                client: doubt.client,
                person: doubt.order.person,
                quantity: doubt.order.quantity,
                request_id: Some(doubt.request_id),
                start,
                end: env.monotonic(),
            };
            if let Some(history) = history {
                history.sold(call, &answer);
            }
            match answer {
                Ok(recorded) => {
                    tally.sold(&recorded.verdict, doubt.order.quantity, None);
                    tally.resolved += 1;
                }
                Err(_) => left.push(doubt),
            }
        }
        doubts = left;
        if !doubts.is_empty() {
            env.sleep(RESOLVE_PAUSE).await;
        }
    }
    doubts.len()
}
