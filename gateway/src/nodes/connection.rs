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
    Stream, StreamExt as _,
    future::{Either, select, try_join},
};
use quorate_link::Env;
use quorate_proto::{
    ids::NodeId,
    internal::{ClusterEvent, CommandFrame, ReplyFrame, WatchRequest},
};

use super::{
    Context, decode,
    dial::{Incoming, LinkError, NodeConnection},
    pipeline::{Generation, Pipeline},
    sites,
};
use crate::limits;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum ConnectionEnd {
    #[error("cannot connect")]
    Connect(#[source] LinkError),
    #[error("the stream of commands was refused or broken")]
    Exchange(#[source] LinkError),
    #[error("the stream of news was refused or broken")]
    Watch(#[source] LinkError),
    #[error("the node ended the stream of {0}")]
    Ended(&'static str),
    #[error("the node left commands unanswered past their deadline and replies to none")]
    Stalled,
}

/// The connection to a node, while there is one; for single calls beside the streams.
#[derive(Default)]
pub(super) struct Connected(Mutex<Option<Arc<dyn NodeConnection>>>);

impl Connected {
    pub(super) fn connection(&self) -> Option<Arc<dyn NodeConnection>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, connection: Option<Arc<dyn NodeConnection>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = connection;
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
        let end = match context.dial.dial(Some(node), &address).await {
            Ok(connection) => {
                connected.set(Some(connection.clone()));
                let end = serve(&context, node, &*connection, &pipeline).await;
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
    connection: &dyn NodeConnection,
    pipeline: &Arc<Pipeline>,
) -> ConnectionEnd {
    let news = watch(context, connection);
    let commands = exchange(context, node, connection, pipeline);
    let streams = pin!(try_join(news, commands));
    // The site feed comes and goes by itself: no sale waits for it.
    let sites = pin!(sites::follow(context, node, connection));
    match select(streams, sites).await {
        Either::Left((Ok((never, _)), _)) | Either::Right((never, _)) => match never {},
        Either::Left((Err(end), _)) => end,
    }
}

async fn watch(
    context: &Context,
    connection: &dyn NodeConnection,
) -> Result<std::convert::Infallible, ConnectionEnd> {
    let opened = open_watch(context, connection).await;
    let mut events = opened.map_err(ConnectionEnd::Watch)?;
    loop {
        let event = events.next().await.ok_or(ConnectionEnd::Ended("news"))?;
        apply(context, event.map_err(ConnectionEnd::Watch)?);
    }
}

pub(super) async fn open_watch(
    context: &Context,
    connection: &dyn NodeConnection,
) -> Result<Incoming<ClusterEvent>, LinkError> {
    let request = WatchRequest {
        cluster_id: context.cluster_id.clone(),
    };
    connection.watch(request).await
}

pub(super) fn apply(context: &Context, event: ClusterEvent) {
    let (news, error) = decode::news(event);
    if let Some(error) = error {
        tracing::error!(%error, "a node sent a view that breaks the laws of views; ignored");
    }
    context.directory.apply(news);
}

async fn exchange(
    context: &Context,
    node: NodeId,
    connection: &dyn NodeConnection,
    pipeline: &Arc<Pipeline>,
) -> Result<std::convert::Infallible, ConnectionEnd> {
    let generation = pipeline.attach(context.env.monotonic());
    let frames = Frames {
        greeted: false,
        generation,
        pipeline: pipeline.clone(),
        env: context.env.clone(),
    };
    let accepted = connection.exchange(frames.boxed()).await;
    let replies = accepted.map_err(ConnectionEnd::Exchange)?;
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
    mut replies: Incoming<ReplyFrame>,
) -> ConnectionEnd {
    loop {
        match replies.next().await {
            Some(Ok(frame)) => {
                pipeline.deliver(generation, frame.replies, context.env.monotonic());
            }
            None => return ConnectionEnd::Ended("commands"),
            Some(Err(error)) => return ConnectionEnd::Exchange(error),
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
