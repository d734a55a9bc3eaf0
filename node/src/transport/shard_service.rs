//! What gateways send: many commands and queries a frame.
//!
//! A gateway's outstanding commands are counted; beyond the bound its stream is not read, so that no
//! reply ever lacks room and no gateway can fill the node's memory.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use prost::Message as _;
use quorate_core::codec;
use quorate_link::env::Env;
use quorate_link::identity::{Role, peer_role};
use quorate_proto::ids::ShardId;
use quorate_proto::internal::shard_server::Shard;
use quorate_proto::internal::{CommandFrame, ReplyFrame, ShardCommand, refusal, shard_command};
use quorate_proto::status::{ErrorReason, to_status};
use tokio::sync::{Semaphore, mpsc};
use tonic::{Request, Response, Status, Streaming};

use super::frames::coalesce;
use crate::limits;
use crate::shard::{self, Host, Question, ReplyTo};

/// Serves the gateways.
pub(super) struct ShardService {
    pub(super) cluster_id: String,
    pub(super) host: Arc<Host>,
    pub(super) env: Env,
}

#[tonic::async_trait]
impl Shard for ShardService {
    type ExchangeStream = BoxStream<'static, Result<ReplyFrame, Status>>;

    async fn exchange(
        &self,
        request: Request<Streaming<CommandFrame>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        if !matches!(peer_role(&request, &self.cluster_id)?, Role::Gateway(_)) {
            return Err(to_status(
                ErrorReason::RoleRequired,
                "this call needs a certificate with the role gateway",
                &[],
                None,
            ));
        }
        let mut frames = request.into_inner();
        let (replies, queue) = mpsc::channel(limits::GATEWAY_REPLIES_QUEUED);
        let outstanding = Arc::new(Semaphore::new(limits::GATEWAY_REPLIES_QUEUED));
        let host = Arc::clone(&self.host);
        let env = self.env.clone();
        let cluster_id = self.cluster_id.clone();
        self.env.spawn("gateway stream", async move {
            while let Some(Ok(frame)) = frames.next().await {
                if frame.cluster_id != cluster_id {
                    return;
                }
                let received = env.monotonic();
                for command in frame.commands {
                    let Ok(permit) = Arc::clone(&outstanding).acquire_owned().await else {
                        return;
                    };
                    let reply = ReplyTo::new(command.correlation, replies.clone(), permit);
                    dispatch(&host, command, reply, received);
                }
            }
        });
        let frames = coalesce(
            queue,
            limits::REPLY_FRAME_MAX,
            limits::PEER_FRAME_BYTES,
            |(reply, _)| reply.encoded_len(),
            |queued| {
                Ok(ReplyFrame {
                    replies: queued.into_iter().map(|(reply, _)| reply).collect(),
                })
            },
        );
        Ok(Response::new(frames.boxed()))
    }
}

fn dispatch(host: &Host, command: ShardCommand, reply: ReplyTo, received: Duration) {
    let Some(desk) = host.desk(ShardId::new(command.shard)) else {
        reply.refuse(refusal::Kind::WrongShard, None);
        return;
    };
    let deadline = received + Duration::from_millis(u64::from(command.time_left_ms));
    match command.body {
        Some(shard_command::Body::Write(write)) => {
            let bytes = write.encoded_len();
            match codec::command_from_proto(write) {
                Ok(command) => desk.submit(shard::Request {
                    command,
                    bytes,
                    deadline,
                    reply,
                }),
                Err(error) => reply.malformed(error),
            }
        }
        Some(shard_command::Body::Query(query)) => match codec::query_from_proto(query) {
            Ok(query) => desk.ask(Question {
                query,
                deadline,
                reply,
            }),
            Err(error) => reply.malformed(error),
        },
        None => reply.malformed("the command is empty"),
    }
}
