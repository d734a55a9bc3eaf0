//! Keeps one connection to one node: dials, opens its streams, and begins again when one ends.
//!
//! State owned: nothing that outlives a connection. Laws: the pipeline is open exactly while the node has
//! accepted a stream of commands; when a connection ends, everything on its way is lost before the next is
//! dialled. Deliberately absent: any pause that grows without bound.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use futures_util::{
    Stream,
    future::{Either, select, try_join},
};
use quorate_link::{ChannelOptions, Env, identity::node_server_name};
use quorate_proto::{
    ids::NodeId,
    internal::{
        CommandFrame, ReplyFrame, WatchRequest, cluster_client::ClusterClient,
        shard_client::ShardClient,
    },
};
use tonic::{Status, Streaming, transport::Channel};

use super::{
    Context, decode,
    pipeline::{Generation, Pipeline},
    sites,
};
use crate::limits;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum ConnectionEnd {
    #[error("cannot connect")]
    Connect(#[source] quorate_link::ConnectError),
    #[error("the stream of commands was refused or broken")]
    Exchange(#[source] Box<Status>),
    #[error("the stream of news was refused or broken")]
    Watch(#[source] Box<Status>),
    #[error("the node ended the stream of {0}")]
    Ended(&'static str),
    #[error("the node left commands unanswered past their deadline and replies to none")]
    Stalled,
}

/// The connection to a node, while there is one; for single calls beside the streams.
#[derive(Default)]
pub(super) struct Connected(Mutex<Option<Channel>>);

impl Connected {
    pub(super) fn channel(&self) -> Option<Channel> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, channel: Option<Channel>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = channel;
    }
}

/// How every connection to a node behaves.
pub(super) fn channel_options() -> ChannelOptions {
    ChannelOptions {
        connect_timeout: limits::NODE_CONNECT_TIMEOUT,
        keepalive_interval: Some(limits::NODE_KEEPALIVE_INTERVAL),
        keepalive_timeout: limits::NODE_KEEPALIVE_TIMEOUT,
        ..ChannelOptions::default()
    }
}

/// Doubles from connection to connection, up to a bound; jittered, so that gateways that lost a node
/// together do not return together.
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) fn new() -> Backoff {
        Backoff {
            next: limits::RECONNECT_PAUSE_MIN,
        }
    }

    pub(super) async fn pause(&mut self, env: &Env) {
        let pause = self.next / 2 + env.random_up_to(self.next / 2);
        self.next = limits::RECONNECT_PAUSE_MAX.min(self.next * 2);
        env.sleep(pause).await;
    }

    pub(super) fn reset(&mut self) {
        *self = Backoff::new();
    }
}

/// Never returns; aborted when the node leaves the view.
pub(super) async fn keep(
    context: Arc<Context>,
    node: NodeId,
    address: String,
    pipeline: Arc<Pipeline>,
    connected: Arc<Connected>,
) {
    let mut backoff = Backoff::new();
    let mut reported = false;
    loop {
        let name = node_server_name(node);
        let dialled = context.tls.connect(&address, &name, channel_options());
        let end = match dialled.await {
            Ok(channel) => {
                connected.set(Some(channel.clone()));
                let end = serve(&context, node, channel, &pipeline).await;
                connected.set(None);
                // It had accepted our stream: what follows is a new story.
                if pipeline.is_open() {
                    backoff.reset();
                    reported = false;
                }
                pipeline.close();
                end
            }
            Err(error) => ConnectionEnd::Connect(error),
        };
        // Once a story: a node that stays away is not news every second.
        if !reported {
            let error = &end as &dyn std::error::Error;
            tracing::warn!(node = node.get(), address, error, "lost a node");
            reported = true;
        }
        backoff.pause(&context.env).await;
    }
}

/// Runs both streams over one connection until either ends.
async fn serve(
    context: &Context,
    node: NodeId,
    channel: Channel,
    pipeline: &Arc<Pipeline>,
) -> ConnectionEnd {
    let news = watch(context, channel.clone());
    let commands = exchange(context, node, channel.clone(), pipeline);
    let streams = pin!(try_join(news, commands));
    // The site feed comes and goes by itself: no sale waits for it.
    let sites = pin!(sites::follow(context, node, channel));
    match select(streams, sites).await {
        Either::Left((Ok((never, _)), _)) | Either::Right((never, _)) => match never {},
        Either::Left((Err(end), _)) => end,
    }
}

async fn watch(
    context: &Context,
    channel: Channel,
) -> Result<std::convert::Infallible, ConnectionEnd> {
    let broken = |status| ConnectionEnd::Watch(Box::new(status));
    let mut events = open_watch(context, channel).await.map_err(broken)?;
    loop {
        let event = events.message().await.map_err(broken)?;
        apply(context, event.ok_or(ConnectionEnd::Ended("news"))?);
    }
}

pub(super) async fn open_watch(
    context: &Context,
    channel: Channel,
) -> Result<Streaming<quorate_proto::internal::ClusterEvent>, Status> {
    let request = WatchRequest {
        cluster_id: context.cluster_id.clone(),
    };
    let mut client = ClusterClient::new(channel).max_decoding_message_size(limits::VIEW_BYTES_MAX);
    Ok(client.watch(request).await?.into_inner())
}

pub(super) fn apply(context: &Context, event: quorate_proto::internal::ClusterEvent) {
    let (news, error) = decode::news(event);
    if let Some(error) = error {
        tracing::error!(%error, "a node sent a view that breaks the laws of views; ignored");
    }
    context.directory.apply(news);
}

async fn exchange(
    context: &Context,
    node: NodeId,
    channel: Channel,
    pipeline: &Arc<Pipeline>,
) -> Result<std::convert::Infallible, ConnectionEnd> {
    let broken = |status| ConnectionEnd::Exchange(Box::new(status));
    let generation = pipeline.attach(context.env.monotonic());
    let frames = Frames {
        greeted: false,
        generation,
        pipeline: pipeline.clone(),
        env: context.env.clone(),
    };
    let mut client =
        ShardClient::new(channel).max_decoding_message_size(limits::REPLY_FRAME_BYTES_MAX);
    let replies = client.exchange(frames).await.map_err(broken)?.into_inner();
    pipeline.open(generation);
    tracing::info!(node = node.get(), "connected to a node");
    let deliver = deliver(context, generation, pipeline, replies);
    let overdue = find_overdue(context, pipeline);
    tokio::select! {
        biased;
        end = deliver => Err(end),
        end = overdue => Err(end),
    }
}

async fn deliver(
    context: &Context,
    generation: Generation,
    pipeline: &Pipeline,
    mut replies: Streaming<ReplyFrame>,
) -> ConnectionEnd {
    loop {
        match replies.message().await {
            Ok(Some(frame)) => {
                pipeline.deliver(generation, frame.replies, context.env.monotonic());
            }
            Ok(None) => return ConnectionEnd::Ended("commands"),
            Err(status) => return ConnectionEnd::Exchange(Box::new(status)),
        }
    }
}

async fn find_overdue(context: &Context, pipeline: &Pipeline) -> ConnectionEnd {
    loop {
        context.env.sleep(limits::OVERDUE_CHECK_INTERVAL).await;
        if pipeline.drop_overdue(context.env.monotonic()) {
            return ConnectionEnd::Stalled;
        }
    }
}

/// The outgoing half of the stream: each time the connection can carry more, whatever has queued by then
/// becomes one frame. No timer is in the way of the first command, and a crowd travels together.
struct Frames {
    greeted: bool,
    generation: Generation,
    pipeline: Arc<Pipeline>,
    env: Env,
}

impl Stream for Frames {
    type Item = CommandFrame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<CommandFrame>> {
        if !self.greeted {
            self.greeted = true;
            return Poll::Ready(Some(self.pipeline.greeting()));
        }
        let now = self.env.monotonic();
        self.pipeline.poll_frame(self.generation, now, cx)
    }
}
