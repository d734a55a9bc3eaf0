//! What other nodes send: Raft messages and snapshots.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use quorate_link::identity::{Role, peer_role};
use quorate_proto::internal::peer_server::Peer;
use quorate_proto::internal::{PeerFrame, SnapshotFrame, SnapshotReply};
use quorate_proto::status::{ErrorReason, to_status};
use tonic::{Request, Response, Status, Streaming};

use super::until_lost;
use crate::raft::SnapshotRefused;
use crate::running::RunningNode;

/// Serves the other nodes.
pub(super) struct PeerService {
    pub(super) node: Arc<RunningNode>,
}

impl PeerService {
    fn require_node<T>(&self, request: &Request<T>) -> Result<(), Status> {
        match peer_role(request, &self.node.cluster_id)? {
            Role::Node(_) => Ok(()),
            Role::Gateway(_) | Role::Operator(_) => Err(to_status(
                ErrorReason::RoleRequired,
                "this call needs a certificate with the role node",
                &[],
                None,
            )),
        }
    }
}

#[tonic::async_trait]
impl Peer for PeerService {
    type ExchangeStream = BoxStream<'static, Result<PeerFrame, Status>>;

    async fn exchange(
        &self,
        request: Request<Streaming<PeerFrame>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        self.require_node(&request)?;
        let replies = self.node.exchange(until_lost(request.into_inner()));
        Ok(Response::new(replies.map(Ok).boxed()))
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<SnapshotFrame>>,
    ) -> Result<Response<SnapshotReply>, Status> {
        self.require_node(&request)?;
        let frames = until_lost(request.into_inner());
        let received = self.node.install_snapshot(frames).await;
        received
            .map(Response::new)
            .map_err(|refused| snapshot_status(&refused))
    }
}

fn snapshot_status(refused: &SnapshotRefused) -> Status {
    let code = match refused {
        SnapshotRefused::Incomplete | SnapshotRefused::Damaged(_) => tonic::Code::DataLoss,
        SnapshotRefused::ForeignCluster(_)
        | SnapshotRefused::Unreadable(_)
        | SnapshotRefused::Row(_) => tonic::Code::InvalidArgument,
        SnapshotRefused::NotHere { .. } => tonic::Code::NotFound,
        SnapshotRefused::Busy => tonic::Code::ResourceExhausted,
        SnapshotRefused::Storage(_) | SnapshotRefused::Replica(_) => tonic::Code::Internal,
    };
    Status::new(code, refused.to_string())
}
