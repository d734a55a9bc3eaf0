//! What other nodes send: Raft messages and snapshots.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use prost::Message as _;
use quorate_link::env::Env;
use quorate_link::identity::{Role, peer_role};
use quorate_proto::internal::peer_server::Peer;
use quorate_proto::internal::{Envelope, PeerFrame, SnapshotFrame, SnapshotReply};
use quorate_proto::status::{ErrorReason, to_status};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::frames::coalesce;
use crate::limits;
use crate::raft::{FindGroup, Inbound, SnapshotRefused, receive_snapshot};
use crate::storage::Engine;

/// Serves the other nodes.
pub(super) struct PeerService {
    pub(super) cluster_id: String,
    pub(super) this: u64,
    pub(super) groups: Arc<dyn FindGroup>,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) snapshot_dir: PathBuf,
    pub(super) snapshots_received: AtomicU64,
    pub(super) env: Env,
}

impl PeerService {
    fn require_node<T>(&self, request: &Request<T>) -> Result<(), Status> {
        match peer_role(request, &self.cluster_id)? {
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
        let mut frames = request.into_inner();
        let (replies, queue) = mpsc::channel(limits::PEER_QUEUE);
        let mut inbound = Inbound::new(Arc::clone(&self.groups), self.env.clone(), replies);
        let cluster_id = self.cluster_id.clone();
        self.env.spawn("peer stream", async move {
            while let Some(Ok(frame)) = frames.next().await {
                if frame.cluster_id != cluster_id {
                    return;
                }
                for envelope in frame.envelopes {
                    inbound.accept(envelope).await;
                }
            }
        });
        let (cluster_id, from_node) = (self.cluster_id.clone(), self.this);
        let frames = coalesce(
            queue,
            limits::PEER_FRAME_ENVELOPES_MAX,
            limits::PEER_FRAME_BYTES,
            Envelope::encoded_len,
            move |envelopes| {
                Ok(PeerFrame {
                    cluster_id: cluster_id.clone(),
                    from_node,
                    envelopes,
                })
            },
        );
        Ok(Response::new(frames.boxed()))
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<SnapshotFrame>>,
    ) -> Result<Response<SnapshotReply>, Status> {
        self.require_node(&request)?;
        let frames = request
            .into_inner()
            .take_while(|frame| std::future::ready(frame.is_ok()))
            .filter_map(|frame| std::future::ready(frame.ok()));
        let number = self.snapshots_received.fetch_add(1, Ordering::Relaxed);
        let received = receive_snapshot(
            Box::pin(frames),
            &self.cluster_id,
            &*self.groups,
            Arc::clone(&self.engine),
            &self.snapshot_dir,
            format!("incoming-{number}"),
        )
        .await;
        received.map(Response::new).map_err(|refused| {
            tracing::warn!(%refused, "a snapshot was not installed");
            snapshot_status(&refused)
        })
    }
}

fn snapshot_status(refused: &SnapshotRefused) -> Status {
    let code = match refused {
        SnapshotRefused::Incomplete | SnapshotRefused::Damaged(_) => tonic::Code::DataLoss,
        SnapshotRefused::ForeignCluster(_) | SnapshotRefused::Header(_) => {
            tonic::Code::InvalidArgument
        }
        SnapshotRefused::NotHere { .. } => tonic::Code::NotFound,
        SnapshotRefused::Storage(_) | SnapshotRefused::Spool(_) | SnapshotRefused::Replica(_) => {
            tonic::Code::Internal
        }
    };
    Status::new(code, refused.to_string())
}
