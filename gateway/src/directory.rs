//! What the gateway knows of the cluster: the newest view, and who leads which shard.
//!
//! State owned: one value, replaced as a whole, watched by those who wait for news. Laws: a view is
//! replaced only by a newer one; of several leaders of a shard the one of the highest term counts, who
//! ever reported it. Deliberately absent: how the news gets here, and whether a leader can be reached.

use std::{collections::BTreeMap, sync::Arc};

use jiff::tz::TimeZone;
use quorate_proto::{
    ids::{Epoch, NodeId, ProductId, ProgramId, RingPosition, ShardId},
    planted::{self, Bug},
    shard_map::{ShardInfo, ShardMap},
};
use tokio::sync::watch;

use crate::{
    model::Place,
    route::{self, Refused},
};

/// One version of the cluster's view.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) map: ShardMap,
    /// Every program as it stands; the first is meant where none is named.
    pub(crate) programs: Vec<Program>,
}

/// What the gateway needs to know of a program; its rules are the shards' business and only handed on.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) id: ProgramId,
    pub(crate) version: u64,
    /// By whose calendar its days begin and end.
    pub(crate) zone: TimeZone,
    /// What is rationed, at least one product; the first is meant where none is named.
    pub(crate) products: Vec<ProductId>,
    /// As it came, for operators to look at.
    pub(crate) definition: std::sync::Arc<quorate_proto::storage::ProgramDefinition>,
}

impl View {
    /// The program of that id.
    pub(crate) fn program(&self, id: &ProgramId) -> Option<&Program> {
        self.programs.iter().find(|program| program.id == *id)
    }
}

/// Who leads a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) term: u64,
    pub(crate) node: NodeId,
}

/// News from one node.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) view: Option<View>,
    pub(crate) leaders: Vec<(ShardId, Leader)>,
}

/// Where to send a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) shard: ShardId,
    pub(crate) epoch: Epoch,
    pub(crate) node: NodeId,
    /// Term of the newest leader known when the route was chosen, whether or not it is `node`.
    pub(crate) term: Option<u64>,
}

#[derive(Default)]
struct State {
    /// Grows with every change: what was seen when deciding to wait.
    revision: u64,
    view: Option<Arc<View>>,
    leaders: BTreeMap<ShardId, Leader>,
}

/// How much of the directory somebody has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Revision(u64);

/// See the module's documentation.
pub(crate) struct Directory {
    cluster_id: String,
    state: watch::Sender<State>,
}

impl Directory {
    pub(crate) fn new(cluster_id: &str) -> Directory {
        Directory {
            cluster_id: cluster_id.to_owned(),
            state: watch::Sender::default(),
        }
    }

    /// Takes in news. Returns whether anything was new.
    pub(crate) fn apply(&self, news: News) -> bool {
        if let Some(view) = &news.view
            && view.map.cluster_id() != self.cluster_id
        {
            tracing::error!(
                expected = self.cluster_id,
                found = view.map.cluster_id(),
                "a node sent the view of another cluster; ignored"
            );
            return false;
        }
        self.state.send_if_modified(|state| {
            let changed = state.apply(news);
            if changed {
                state.revision += 1;
            }
            changed
        })
    }

    /// The newest view.
    pub(crate) fn view(&self) -> Option<Arc<View>> {
        self.state.borrow().view.clone()
    }

    /// The leader of a shard, as far as anybody said.
    pub(crate) fn leader(&self, shard: ShardId) -> Option<Leader> {
        self.state.borrow().leaders.get(&shard).copied()
    }

    /// Whether a view and a leader of each of its shards, the system shard included, are known.
    pub(crate) fn is_complete(&self) -> bool {
        let state = self.state.borrow();
        state.view.as_ref().is_some_and(|view| {
            let has_leader = |shard: &ShardInfo| state.leaders.contains_key(&shard.shard);
            has_leader(view.map.system()) && view.map.shards().iter().all(has_leader)
        })
    }

    /// What has been seen up to this moment.
    pub(crate) fn revision(&self) -> Revision {
        Revision(self.state.borrow().revision)
    }

    /// Completes once there is more than was seen at `seen`; at once if there already is.
    pub(crate) async fn changed_since(&self, seen: Revision) {
        let mut receiver = self.state.subscribe();
        // The directory owns the sender, so waiting cannot fail.
        let _ = receiver.wait_for(|state| state.revision > seen.0).await;
    }

    /// Where to send a question about `place`, after `refused` said no.
    pub(crate) fn route(
        &self,
        place: Place,
        refused: Option<Refused>,
        is_open: &dyn Fn(NodeId) -> bool,
    ) -> Option<Route> {
        let state = self.state.borrow();
        let shard = state.shard(astray(place))?;
        let leader = state.leaders.get(&shard.shard);
        let leader_node = leader.map(|leader| leader.node);
        let node = route::next_node(&shard.replicas, leader_node, refused, is_open)?;
        Some(Route {
            shard: shard.shard,
            epoch: shard.epoch,
            node,
            term: leader.map(|leader| leader.term),
        })
    }

    /// Whether since the choice of this route another node was elected to lead the shard.
    pub(crate) fn is_superseded(&self, route: &Route) -> bool {
        let leader = self.leader(route.shard);
        leader.is_some_and(|leader| leader.node != route.node && Some(leader.term) > route.term)
    }
}

/// The place itself; with that bug planted now and then one that another shard owns.
fn astray(place: Place) -> Place {
    match place {
        Place::Position(position)
            if planted::is(Bug::WrongShardWrite) && planted::unlike().is_multiple_of(32) =>
        {
            Place::Position(RingPosition(position.get() ^ 1 << 63))
        }
        place => place,
    }
}

impl State {
    fn apply(&mut self, news: News) -> bool {
        let mut changed = false;
        if let Some(view) = news.view {
            let known = self.view.as_ref().map_or(0, |known| known.map.version());
            if self.view.is_none() || view.map.version() > known {
                self.view = Some(Arc::new(view));
                changed = true;
            }
        }
        for (shard, leader) in news.leaders {
            let known = self.leaders.get(&shard);
            if known.is_none_or(|known| leader.term > known.term) {
                self.leaders.insert(shard, leader);
                changed = true;
            }
        }
        changed
    }

    fn shard(&self, place: Place) -> Option<&ShardInfo> {
        let map = &self.view.as_ref()?.map;
        match place {
            Place::Position(position) => map.shard_at(position),
            Place::Shard(shard) => map.shard(shard),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use futures_util::FutureExt as _;
    use quorate_proto::{
        ring::even_split,
        storage::{ClusterView, NodeRecord, ReplicaPlacement, ShardRecord},
    };

    use super::*;

    /// A view of three nodes, the system shard and `shards` data shards, on all nodes each.
    pub(crate) fn view(version: u64, cluster_id: &str, shards: u32) -> View {
        let replicas: Vec<_> = (1..=3)
            .map(|node| ReplicaPlacement {
                replica: node,
                node,
            })
            .collect();
        let record = |shard: u32, first: u64, last: u64| ShardRecord {
            shard,
            range_first: first,
            range_last: last,
            epoch: u64::from(shard != 0),
            replicas: replicas.clone(),
            next_replica_id: 4,
            forming_replica: 0,
        };
        let data = even_split(shards)
            .into_iter()
            .zip(1..)
            .map(|(range, shard)| record(shard, range.first().get(), range.last().get()));
        let view = ClusterView {
            version,
            cluster_id: cluster_id.to_owned(),
            nodes: (1..=3)
                .map(|node_id| NodeRecord {
                    node_id,
                    incarnation: 1,
                    address: format!("127.0.0.1:{node_id}"),
                    zone: String::new(),
                })
                .collect(),
            shards: std::iter::once(record(0, 0, 0)).chain(data).collect(),
            ..ClusterView::default()
        };
        View {
            map: ShardMap::new(&view).unwrap(),
            programs: Vec::new(),
        }
    }

    fn leader(shard: u32, term: u64, node: u64) -> (ShardId, Leader) {
        let node = NodeId(node);
        (ShardId(shard), Leader { term, node })
    }

    fn news(view: Option<View>, leaders: Vec<(ShardId, Leader)>) -> News {
        News { view, leaders }
    }

    #[test]
    fn only_newer_views_and_higher_terms_count() {
        let directory = Directory::new("demo");
        assert!(directory.apply(news(Some(view(3, "demo", 2)), vec![leader(1, 5, 1)])));
        assert!(!directory.apply(news(Some(view(3, "demo", 4)), vec![leader(1, 5, 2)])));
        assert!(!directory.apply(news(Some(view(2, "demo", 4)), vec![leader(1, 4, 2)])));
        assert_eq!(directory.view().unwrap().map.shards().len(), 2);
        assert_eq!(directory.leader(ShardId(1)).unwrap().node, NodeId(1));
        assert!(directory.apply(news(None, vec![leader(1, 6, 2)])));
        assert_eq!(directory.leader(ShardId(1)).unwrap().node, NodeId(2));
        assert!(directory.apply(news(Some(view(4, "demo", 4)), vec![])));
        assert_eq!(directory.view().unwrap().map.shards().len(), 4);
    }

    #[test]
    fn another_clusters_news_are_ignored() {
        let directory = Directory::new("demo");
        assert!(!directory.apply(news(Some(view(3, "other", 2)), vec![leader(1, 5, 1)])));
        assert!(directory.view().is_none());
        assert!(directory.leader(ShardId(1)).is_none());
    }

    #[test]
    fn it_is_complete_when_every_shard_has_had_a_leader() {
        let directory = Directory::new("demo");
        directory.apply(news(None, vec![leader(0, 1, 1), leader(1, 1, 1)]));
        assert!(!directory.is_complete());
        directory.apply(news(Some(view(1, "demo", 2)), vec![]));
        assert!(!directory.is_complete());
        directory.apply(news(None, vec![leader(2, 1, 3)]));
        assert!(directory.is_complete());
    }

    #[test]
    fn a_question_goes_to_the_leader_of_its_place() {
        let directory = Directory::new("demo");
        let at = |position| Place::Position(RingPosition(position));
        let open = |_| true;
        assert_eq!(directory.route(at(0), None, &open), None);
        directory.apply(news(
            Some(view(1, "demo", 2)),
            vec![leader(1, 1, 3), leader(2, 1, 2), leader(0, 1, 1)],
        ));
        let node_of = |place| directory.route(place, None, &open).unwrap().node;
        assert_eq!(node_of(at(0)), NodeId(3));
        assert_eq!(node_of(at(u64::MAX)), NodeId(2));
        assert_eq!(node_of(Place::Shard(ShardId::SYSTEM)), NodeId(1));
        assert_eq!(directory.route(Place::Shard(ShardId(9)), None, &open), None);
        let route = directory.route(at(0), None, &open).unwrap();
        assert_eq!((route.shard, route.epoch), (ShardId(1), Epoch(1)));

        // A hint to node 1, ahead of the news, does not look superseded by the old leader.
        let refused = Refused {
            by: NodeId(3),
            hint: Some(NodeId(1)),
        };
        let hinted = directory.route(at(0), Some(refused), &open).unwrap();
        assert_eq!(hinted.node, NodeId(1));
        assert!(!directory.is_superseded(&route) && !directory.is_superseded(&hinted));
        directory.apply(news(None, vec![leader(1, 2, 1)]));
        assert!(directory.is_superseded(&route) && !directory.is_superseded(&hinted));
    }

    #[test]
    fn news_between_looking_and_waiting_are_not_missed() {
        let directory = Directory::new("demo");
        let seen = directory.revision();
        assert!(directory.changed_since(seen).now_or_never().is_none());
        directory.apply(news(None, vec![leader(1, 1, 1)]));
        assert!(directory.changed_since(seen).now_or_never().is_some());
        assert!(
            directory
                .changed_since(directory.revision())
                .now_or_never()
                .is_none()
        );
    }
}
