//! What gateways send: many commands and queries a frame.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use quorate_link::identity::{Role, peer_role};
use quorate_proto::internal::shard_server::Shard;
use quorate_proto::internal::{CommandFrame, ReplyFrame};
use quorate_proto::status::{ErrorReason, to_status};
use tonic::{Request, Response, Status, Streaming};

use super::until_lost;
use crate::running::RunningNode;

/// Serves the gateways.
pub(super) struct ShardService {
    pub(super) node: Arc<RunningNode>,
}

#[tonic::async_trait]
impl Shard for ShardService {
    type ExchangeStream = BoxStream<'static, Result<ReplyFrame, Status>>;

    async fn exchange(
        &self,
        request: Request<Streaming<CommandFrame>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        if !matches!(
            peer_role(&request, &self.node.cluster_id)?,
            Role::Gateway(_)
        ) {
            return Err(to_status(
                ErrorReason::RoleRequired,
                "this call needs a certificate with the role gateway",
                &[],
                None,
            ));
        }
        let replies = self.node.serve_gateway(until_lost(request.into_inner()));
        Ok(Response::new(replies.map(Ok).boxed()))
    }
}
