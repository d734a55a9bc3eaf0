//! openraft's network, over sessions between nodes.
//!
//! Appends are pipelined: several requests of a session are under way at once, and replies come back in
//! request order. A session that stays silent is given up here, because openraft sets no limit on it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use openraft::OptionalSend;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{
    Backoff, NetBackoff, NetSnapshot, NetStreamAppend, NetTransferLeader, NetVote, RPCOption,
    RaftNetworkFactory,
};
use openraft::raft::{
    AppendEntriesRequest, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use quorate_link::env::Env;
use quorate_proto::ids::{NodeId, ReplicaId, ShardId};
use quorate_proto::internal::{Envelope, TransferLeader, envelope};
use tokio::sync::{Semaphore, mpsc};

use super::codec::{
    append_result_from_proto, append_to_proto, log_id_to_proto, required_vote,
    vote_reply_from_proto, vote_request_to_proto, vote_to_proto,
};
use super::peer::{PeerSession, PeerUnreachable, Route, SharedNetwork};
use super::snapshot::SnapshotData;
use super::snapshot_lane::Turn;
use super::snapshot_sender::SnapshotSender;
use super::types::{Host, Snapshot, TypeConfig, Vote};
use crate::limits;

type RpcError = RPCError<TypeConfig>;

/// Makes clients for the replicas of one group.
pub(crate) struct GroupNetwork {
    pub(crate) group: ShardId,
    pub(crate) replica: ReplicaId,
    pub(crate) peers: SharedNetwork,
    pub(crate) snapshots: Arc<SnapshotSender>,
    pub(crate) env: Env,
}

impl RaftNetworkFactory<TypeConfig> for GroupNetwork {
    type Network = ReplicaClient;

    async fn new_client(&mut self, target: u64, node: &Host) -> ReplicaClient {
        ReplicaClient {
            route: Route {
                group: self.group,
                from: self.replica,
                to: ReplicaId::new(target),
                node: node.node(),
            },
            peers: Arc::clone(&self.peers),
            snapshots: Arc::clone(&self.snapshots),
            turn: None,
            env: self.env.clone(),
        }
    }
}

/// Talks to one replica.
pub(crate) struct ReplicaClient {
    route: Route,
    peers: SharedNetwork,
    snapshots: Arc<SnapshotSender>,
    /// To send a snapshot, from when it was waited for until the next attempt, which comes at once.
    turn: Option<Turn>,
    env: Env,
}

impl ReplicaClient {
    /// One request, one reply, on a session of its own.
    async fn call(
        &self,
        body: envelope::Body,
        option: &RPCOption,
    ) -> Result<envelope::Body, RpcError> {
        let mut session = self.peers.open(self.route).map_err(unreachable)?;
        let exchange = async {
            session.sender.send(body).await.map_err(unreachable)?;
            let reply = session.replies.recv().await;
            reply_body(self.route.node, reply)
        };
        match self.env.timeout(option.hard_ttl(), exchange).await {
            Ok(result) => result,
            Err(_) => Err(silent(self.route.node)),
        }
    }
}

fn unreachable(error: PeerUnreachable) -> RpcError {
    RPCError::Unreachable(Unreachable::new(&error))
}

fn silent(node: NodeId) -> RpcError {
    unreachable(PeerUnreachable {
        node,
        detail: "it does not answer".to_owned(),
    })
}

fn unexpected(node: NodeId, detail: impl ToString) -> RpcError {
    unreachable(PeerUnreachable {
        node,
        detail: detail.to_string(),
    })
}

fn reply_body(node: NodeId, reply: Option<Envelope>) -> Result<envelope::Body, RpcError> {
    match reply.and_then(|envelope| envelope.body) {
        Some(envelope::Body::Refused(refused)) => Err(unexpected(node, refused.detail)),
        Some(body) => Ok(body),
        None => Err(unexpected(node, "the connection was lost")),
    }
}

/// A pipelined append session.
struct AppendStream {
    node: NodeId,
    env: Env,
    /// Feeds requests into the session; gone when the input has ended.
    pump: Option<BoxFuture<'static, Result<(), RpcError>>>,
    replies: mpsc::Receiver<Envelope>,
    _guard: Box<dyn Send + Sync>,
    sent: Arc<AtomicU64>,
    received: u64,
    window: Arc<Semaphore>,
}

impl AppendStream {
    /// Starts with a request that is already at hand.
    fn start<S>(
        session: PeerSession,
        first: AppendEntriesRequest<TypeConfig>,
        rest: S,
        env: Env,
    ) -> Self
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        let PeerSession {
            mut sender,
            replies,
            guard,
        } = session;
        let node = sender.route.node;
        let sent = Arc::new(AtomicU64::new(0));
        let window = Arc::new(Semaphore::new(limits::APPENDS_IN_FLIGHT_MAX));
        let pump = {
            let (sent, window) = (Arc::clone(&sent), Arc::clone(&window));
            let mut input = stream::once(std::future::ready(first)).chain(rest);
            async move {
                loop {
                    let Ok(permit) = window.acquire().await else {
                        return Ok(());
                    };
                    let Some(request) = input.next().await else {
                        return Ok(());
                    };
                    permit.forget();
                    sent.fetch_add(1, Ordering::Relaxed);
                    let body = envelope::Body::Append(append_to_proto(&request));
                    sender.send(body).await.map_err(unreachable)?;
                }
            }
        };
        Self {
            node,
            env,
            pump: Some(pump.boxed()),
            replies,
            _guard: guard,
            sent,
            received: 0,
            window,
        }
    }

    fn outstanding(&self) -> bool {
        self.sent.load(Ordering::Relaxed) > self.received
    }

    /// The next reply; `None` once the input has ended and every request is answered.
    async fn next(&mut self) -> Option<Result<StreamAppendResult<TypeConfig>, RpcError>> {
        loop {
            if self.pump.is_none() && !self.outstanding() {
                return None;
            }
            match self.step().await {
                Step::PumpEnded(Ok(())) => self.pump = None,
                Step::PumpEnded(Err(error)) => return Some(Err(error)),
                Step::Reply(reply) => return Some(self.accept(reply)),
                Step::Silence if self.outstanding() => return Some(Err(silent(self.node))),
                Step::Silence => {}
            }
        }
    }

    async fn step(&mut self) -> Step {
        let silence = self.env.clock.sleep(limits::APPEND_SILENCE_MAX);
        let reply = self.replies.recv().map(Step::Reply);
        let pump = async {
            match &mut self.pump {
                Some(pump) => Step::PumpEnded(pump.await),
                None => std::future::pending().await,
            }
        };
        let replied_or_pumped = select(Box::pin(reply), Box::pin(pump)).map(into_step);
        select(Box::pin(replied_or_pumped), silence.map(|()| Step::Silence))
            .map(into_step)
            .await
    }

    fn accept(
        &mut self,
        reply: Option<Envelope>,
    ) -> Result<StreamAppendResult<TypeConfig>, RpcError> {
        let node = self.node;
        if let Some(envelope) = &reply
            && envelope.seq != self.received
            && !matches!(envelope.body, Some(envelope::Body::Refused(_)))
        {
            return Err(unexpected(node, "replies came out of order"));
        }
        match reply_body(node, reply)? {
            envelope::Body::AppendReply(reply) => {
                self.received += 1;
                self.window.add_permits(1);
                append_result_from_proto(&reply).map_err(|e| unexpected(node, e))
            }
            _ => Err(unexpected(
                node,
                "an append was answered with something else",
            )),
        }
    }
}

enum Step {
    PumpEnded(Result<(), RpcError>),
    Reply(Option<Envelope>),
    Silence,
}

fn into_step<A, B>(either: Either<(Step, A), (Step, B)>) -> Step {
    match either {
        Either::Left((step, _)) | Either::Right((step, _)) => step,
    }
}

/// A session that is opened when there is something to send, or under way, or over.
enum Appends<S> {
    Idle(S),
    Open(Box<AppendStream>),
    Over,
}

impl NetStreamAppend<TypeConfig> for ReplicaClient {
    /// Takes the first request before it opens a session: openraft waits out its backoff in that request,
    /// and a failure before it would be retried at once, for ever.
    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> BoxFuture<
        's,
        Result<BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>, RpcError>,
    >
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        let (peers, route, env) = (Arc::clone(&self.peers), self.route, self.env.clone());
        let replies = stream::unfold(Appends::Idle(input), move |state| {
            let (peers, env) = (Arc::clone(&peers), env.clone());
            async move {
                let mut appends = match state {
                    Appends::Idle(mut input) => {
                        let first = input.next().await?;
                        match peers.open(route) {
                            Ok(session) => {
                                Box::new(AppendStream::start(session, first, input, env))
                            }
                            Err(error) => return Some((Err(unreachable(error)), Appends::Over)),
                        }
                    }
                    Appends::Open(appends) => appends,
                    Appends::Over => return None,
                };
                let item = appends.next().await?;
                let next = match item {
                    Ok(Ok(_)) => Appends::Open(appends),
                    _ => Appends::Over,
                };
                Some((item, next))
            }
        });
        std::future::ready(Ok(replies.boxed())).boxed()
    }
}

impl NetVote<TypeConfig> for ReplicaClient {
    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let body = envelope::Body::Vote(vote_request_to_proto(&rpc));
        self.vote_call(body, &option).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let body = envelope::Body::PreVote(vote_request_to_proto(&rpc));
        self.vote_call(body, &option).await
    }
}

impl ReplicaClient {
    async fn vote_call(
        &self,
        body: envelope::Body,
        option: &RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let node = self.route.node;
        match self.call(body, option).await? {
            envelope::Body::VoteReply(reply) => {
                vote_reply_from_proto(&reply).map_err(|e| unexpected(node, e))
            }
            _ => Err(unexpected(node, "a vote was answered with something else")),
        }
    }
}

impl NetTransferLeader<TypeConfig> for ReplicaClient {
    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let node = self.route.node;
        let body = envelope::Body::TransferLeader(TransferLeader {
            from_leader: Some(vote_to_proto(request.from_leader())),
            to_replica: *request.to_node_id(),
            last_log_id: request.last_log_id().map(log_id_to_proto),
        });
        match self.call(body, &option).await? {
            envelope::Body::TransferLeaderReply(reply) if reply.accepted => Ok(Ok(())),
            envelope::Body::TransferLeaderReply(reply) => Err(unexpected(node, reply.detail)),
            _ => Err(unexpected(
                node,
                "a transfer was answered with something else",
            )),
        }
    }
}

/// openraft has read where a snapshot stands before it calls, and goes on from there after it. A log may be purged
/// beyond that while the turn is waited for, and the receiver would need another snapshot, and so on for ever.
#[derive(Debug, thiserror::Error)]
#[error("the turn to send has come only now; the snapshot must be looked at again")]
struct TurnCame;

impl NetSnapshot<TypeConfig> for ReplicaClient {
    type SnapshotData = SnapshotData;

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        _snapshot: Snapshot<SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let mut cancel = Box::pin(cancel);
        let turn = match self.turn.take() {
            Some(turn) => turn,
            None => {
                let turn = self.snapshots.lane.turn(self.route.node);
                match select(cancel.as_mut(), Box::pin(turn)).await {
                    Either::Left((closed, _)) => return Err(StreamingError::Closed(closed)),
                    Either::Right((turn, _)) if turn.was_waited_for => {
                        self.turn = Some(turn);
                        return Err(StreamingError::Network(NetworkError::new(&TurnCame)));
                    }
                    Either::Right((turn, _)) => turn,
                }
            }
        };
        let send = self.snapshots.send(self.route, vote, turn);
        match select(cancel, Box::pin(send)).await {
            Either::Left((closed, _)) => Err(StreamingError::Closed(closed)),
            Either::Right((Ok(reply), _)) => required_vote(reply.vote.as_ref())
                .map(SnapshotResponse::new)
                .map_err(|e| StreamingError::Unreachable(Unreachable::new(&e))),
            Either::Right((Err(error), _)) => {
                Err(StreamingError::Unreachable(Unreachable::new(&error)))
            }
        }
    }
}

impl NetBackoff<TypeConfig> for ReplicaClient {
    fn backoff(&self) -> Option<Backoff> {
        None
    }
}
