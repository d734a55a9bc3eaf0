//! The nodes as the gateway reaches them: one connection each, and on it one stream of commands, one of
//! news, one of sites, and an operator's occasional call.
//!
//! State owned: a link to every node of the newest view. Invariants: a node of the view has exactly one
//! link, dialled at the address that the view gives; a node that left the view has none, and commands on
//! their way to it are lost at once. Deliberately absent: which node to ask (`route`), and when to ask
//! again (`retry`). `grpc` is the one place that speaks gRPC to nodes.

pub(crate) mod audit;
pub(crate) mod calls;
mod codec;
mod connection;
pub(crate) mod decode;
pub(crate) mod dial;
mod grpc;
pub(crate) mod pipeline;
mod seeds;
pub(crate) mod sites;
mod slip;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use quorate_link::{Env, TaskHandle};
use quorate_proto::ids::NodeId;

pub(crate) use audit::{AuditRow, Moved, StockPlace};
pub(crate) use calls::{DigestReport, NodeReport, ReplicaReport};
pub(crate) use codec::Operation;
pub(crate) use dial::{NodeCallError, SystemError};
pub(crate) use grpc::GrpcDial;

use crate::{
    directory::{Directory, View},
    public::Snapshot,
};
use connection::Connected;
use dial::{Dial, NodeConnection};
use pipeline::Pipeline;

/// What every connection needs.
pub(crate) struct Context {
    pub(crate) cluster_id: String,
    pub(crate) directory: Arc<Directory>,
    /// What the site feeds fill.
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) env: Env,
}

/// One node: its pipeline, its connection while there is one, and the task that keeps it.
struct Link {
    address: String,
    pipeline: Arc<Pipeline>,
    /// For single calls.
    connected: Arc<Connected>,
    keeper: TaskHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
        self.pipeline.close();
    }
}

/// See the module's documentation.
pub(crate) struct Nodes {
    context: Arc<Context>,
    links: RwLock<BTreeMap<NodeId, Link>>,
}

impl Nodes {
    pub(crate) fn new(context: Context) -> Arc<Nodes> {
        Arc::new(Nodes {
            context: Arc::new(context),
            links: RwLock::default(),
        })
    }

    /// Keeps the links in step with the view, and asks `seeds` (`host:port`) for a view while no node of
    /// it can be reached. Never returns.
    pub(crate) async fn run(self: Arc<Nodes>, seeds: Vec<String>) {
        let seeds = seeds::run(&self, &seeds);
        let follow = self.follow_view();
        tokio::select! {
            biased;
            () = follow => {}
            () = seeds => {}
        }
    }

    /// The way to a node of the view.
    pub(crate) fn pipeline(&self, node: NodeId) -> Option<Arc<Pipeline>> {
        Some(self.links().get(&node)?.pipeline.clone())
    }

    /// Whether commands to this node would be taken now.
    pub(crate) fn is_open(&self, node: NodeId) -> bool {
        self.links()
            .get(&node)
            .is_some_and(|link| link.pipeline.is_open())
    }

    /// Drops every link: whatever is on its way is lost.
    pub(crate) fn close(&self) {
        let links =
            std::mem::take(&mut *self.links.write().unwrap_or_else(PoisonError::into_inner));
        drop(links);
    }

    fn any_open(&self) -> bool {
        self.links().values().any(|link| link.pipeline.is_open())
    }

    /// The connection to a node, while there is one.
    fn connection(&self, node: NodeId) -> Option<Arc<dyn NodeConnection>> {
        self.links().get(&node)?.connected.connection()
    }

    fn links(&self) -> RwLockReadGuard<'_, BTreeMap<NodeId, Link>> {
        // No code panics while it holds the lock, so the table is whole.
        self.links.read().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow_view(&self) {
        let directory = &self.context.directory;
        loop {
            let seen = directory.revision();
            if let Some(view) = directory.view() {
                self.follow(&view);
            }
            directory.changed_since(seen).await;
        }
    }

    fn follow(&self, view: &View) {
        let is_current = |node: NodeId, link: &Link| {
            let info = view.map.node(node);
            info.is_some_and(|info| info.address == link.address)
        };
        let up_to_date = {
            let links = self.links();
            links.len() == view.map.nodes().len()
                && links.iter().all(|(node, link)| is_current(*node, link))
        };
        if up_to_date {
            return;
        }
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        links.retain(|node, link| is_current(*node, link));
        for info in view.map.nodes() {
            links
                .entry(info.id)
                .or_insert_with(|| self.link(info.id, &info.address));
        }
    }

    fn link(&self, node: NodeId, address: &str) -> Link {
        let pipeline = Arc::new(Pipeline::new(&self.context.cluster_id));
        let connected = Arc::new(Connected::default());
        let keep = connection::keep(
            self.context.clone(),
            node,
            address.to_owned(),
            pipeline.clone(),
            connected.clone(),
        );
        Link {
            address: address.to_owned(),
            pipeline,
            connected,
            keeper: self.context.env.spawn("node-link", keep),
        }
    }
}
