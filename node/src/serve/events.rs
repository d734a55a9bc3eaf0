//! Tells a subscriber of the cluster: the view and who leads, as this node knows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, unfold};
use quorate_proto::internal::{ClusterEvent, Leadership};
use tokio::sync::watch;

use crate::shard::LeaderBoard;
use crate::system::View;

/// Events for one subscriber, until the node stops.
pub(super) fn watch(
    view: watch::Receiver<Option<Arc<View>>>,
    leaders: watch::Receiver<LeaderBoard>,
) -> BoxStream<'static, ClusterEvent> {
    let watcher = Watcher {
        view,
        view_sent: 0,
        leaders,
        leaders_sent: BTreeMap::new(),
        first: true,
    };
    unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((event, watcher))
    })
    .boxed()
}

/// One subscriber: what it has been told, and what has changed since.
struct Watcher {
    view: watch::Receiver<Option<Arc<View>>>,
    view_sent: u64,
    leaders: watch::Receiver<LeaderBoard>,
    leaders_sent: LeaderBoard,
    first: bool,
}

impl Watcher {
    async fn next(&mut self) -> Option<ClusterEvent> {
        loop {
            let event = self.changes();
            if self.first || event.view.is_some() || !event.leaderships.is_empty() {
                self.first = false;
                return Some(event);
            }
            let changed = tokio::select! {
                biased;
                changed = self.view.changed() => changed,
                changed = self.leaders.changed() => changed,
            };
            changed.ok()?;
        }
    }

    fn changes(&mut self) -> ClusterEvent {
        let view = self
            .view
            .borrow_and_update()
            .as_ref()
            .filter(|view| view.map.version() > self.view_sent)
            .map(|view| view.message.clone());
        if let Some(view) = &view {
            self.view_sent = view.version;
        }
        let board = self.leaders.borrow_and_update().clone();
        let leaderships = board
            .iter()
            .filter(|(shard, leader)| self.leaders_sent.get(shard) != Some(leader))
            .map(|(shard, (term, node))| Leadership {
                shard: shard.get(),
                term: *term,
                leader_node: node.get(),
            })
            .collect();
        self.leaders_sent = board;
        ClusterEvent { view, leaderships }
    }
}
