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
use quorate_proto::ids::ShardId;
use quorate_proto::internal::{CommandFrame, ReplyFrame, ShardCommand, refusal, shard_command};
use tokio::sync::{Semaphore, mpsc};

use crate::limits;
use crate::links::coalesce;
use crate::running::RunningNode;
use crate::shard::{self, Host, Question, ReplyTo};

/// Serves one stream. One of another cluster ends at its first frame.
pub(super) fn serve(
    node: &RunningNode,
    mut frames: BoxStream<'static, CommandFrame>,
) -> BoxStream<'static, ReplyFrame> {
    let (replies, queue) = mpsc::channel(limits::GATEWAY_REPLIES_QUEUED);
    let outstanding = Arc::new(Semaphore::new(limits::GATEWAY_REPLIES_QUEUED));
    let host = Arc::clone(&node.host);
    let env = node.env.clone();
    let cluster_id = node.cluster_id.clone();
    node.env.spawn("gateway stream", async move {
        while let Some(frame) = frames.next().await {
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
    coalesce(
        queue,
        limits::REPLY_FRAME_MAX,
        limits::PEER_FRAME_BYTES,
        |(reply, _)| reply.encoded_len(),
        |queued| ReplyFrame {
            replies: queued.into_iter().map(|(reply, _)| reply).collect(),
        },
    )
    .boxed()
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
