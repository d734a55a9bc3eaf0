//! What a node does for those who call it: other nodes and gateways.
//!
//! Messages in, messages out; who the caller is and what carries the bytes is the transport's business. Streams
//! end when the caller's do, or when the node stops. Deliberately absent: the wire, roles.

mod events;
mod gateway;
mod peer;
mod site_feed;

pub(crate) use site_feed::millis;

use futures_util::future::join_all;
use futures_util::stream::BoxStream;
use quorate_core::codec;
use quorate_proto::ids::{Epoch, ShardId};
use quorate_proto::internal::{
    self, ClusterEvent, CommandFrame, DeliverStockRequest, DeliverStockResponse, PeerFrame,
    ReplyFrame, SiteFrame, SnapshotFrame, SnapshotReply,
};
use quorate_proto::storage::{SystemCommand, SystemOutcome};

use crate::raft::SnapshotRefused;
use crate::running::RunningNode;
use crate::shard::{ShardDelivery, deliver_here};
use crate::system::{ProposeSystem as _, SystemError};

/// The caller took this node for one of another cluster.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is cluster {here:?}")]
pub struct ForeignCluster {
    /// The cluster of this node.
    pub here: String,
}

impl RunningNode {
    /// Whether the caller means this cluster.
    ///
    /// # Errors
    /// It means another one.
    pub(crate) fn check_cluster(&self, asked: &str) -> Result<(), ForeignCluster> {
        if asked == self.cluster_id {
            return Ok(());
        }
        Err(ForeignCluster {
            here: self.cluster_id.clone(),
        })
    }

    /// Serves one stream of Raft messages from another node.
    pub fn exchange(&self, frames: BoxStream<'static, PeerFrame>) -> BoxStream<'static, PeerFrame> {
        peer::exchange(self, frames)
    }

    /// Takes in one snapshot from another node. Durable on return.
    ///
    /// # Errors
    /// It is not installed; see [`SnapshotRefused`].
    pub async fn install_snapshot(
        &self,
        frames: BoxStream<'static, SnapshotFrame>,
    ) -> Result<SnapshotReply, SnapshotRefused> {
        peer::install_snapshot(self, frames).await
    }

    /// Serves one gateway's stream of commands and queries.
    pub fn serve_gateway(
        &self,
        frames: BoxStream<'static, CommandFrame>,
    ) -> BoxStream<'static, ReplyFrame> {
        gateway::serve(self, frames)
    }

    /// The newest view this node knows, then every newer one, and leaders as this node sees them.
    pub fn watch(&self) -> BoxStream<'static, ClusterEvent> {
        events::watch(self.views.subscribe(), self.host.leaders())
    }

    /// Every site of the shards that this node leads, then every change.
    pub fn watch_sites(&self) -> BoxStream<'static, SiteFrame> {
        site_feed::watch_sites(&self.host, &self.env)
    }

    /// Proposes to the system shard: a command that another node passed on, here or not at all.
    ///
    /// # Errors
    /// It is not known to be decided.
    pub async fn propose_system(
        &self,
        command: SystemCommand,
        forwarded: bool,
    ) -> Result<SystemOutcome, SystemError> {
        if forwarded {
            self.system.propose_here(&command).await
        } else {
            self.system.propose(command).await
        }
    }

    /// Applies rows of outboxes to shards that this node leads.
    ///
    /// # Errors
    /// They are of another cluster, and none is applied.
    pub async fn deliver_stock(
        &self,
        request: DeliverStockRequest,
    ) -> Result<DeliverStockResponse, ForeignCluster> {
        self.check_cluster(&request.cluster_id)?;
        let applied = request.deliveries.into_iter().map(|delivery| async {
            match delivery_from_proto(delivery) {
                Some(delivery) => deliver_here(&self.host, delivery, &self.env).await,
                None => false,
            }
        });
        Ok(DeliverStockResponse {
            applied: join_all(applied).await,
        })
    }
}

/// A delivery that cannot be read is not applied; its courier and this node differ in their versions.
fn delivery_from_proto(message: internal::ShardDelivery) -> Option<ShardDelivery> {
    match codec::delivery_from_proto(message.delivery.unwrap_or_default()) {
        Ok(delivery) => Some(ShardDelivery {
            shard: ShardId::new(message.shard),
            epoch: Epoch::new(message.epoch),
            delivery,
        }),
        Err(error) => {
            tracing::warn!(%error, "a delivery that cannot be read");
            None
        }
    }
}
