//! A snapshot that had to wait for its turn is looked at again before it is sent.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use openraft::RaftNetworkFactory as _;
use openraft::errors::{ReplicationClosed, StreamingError};
use openraft::network::{NetSnapshot as _, RPCOption};
use quorate_link::env::Env;
use quorate_proto::ids::{NodeId, ReplicaId, ShardId};
use quorate_proto::internal::{SnapshotFrame, SnapshotReply};
use tokio::sync::Semaphore;

use super::codec::vote_to_proto;
use super::network::GroupNetwork;
use super::peer::{PeerNetwork, PeerSession, PeerUnreachable, Route};
use super::snapshot::{SnapshotData, meta_of};
use super::snapshot_lane::SnapshotLane;
use super::snapshot_sender::SnapshotSender;
use super::state_machine::ReplicaState;
use super::types::{Host, Snapshot, Vote};
use crate::storage::{Engine, LogCommitter, RocksEngine, StorageTuning, Witness};

const GROUP: ShardId = ShardId::SYSTEM;
const OTHER: Host = Host(2);

/// Takes every snapshot in, and counts them.
#[derive(Default)]
struct Peers {
    taken: AtomicUsize,
}

impl PeerNetwork for Peers {
    fn open(&self, route: Route) -> Result<PeerSession, PeerUnreachable> {
        Err(PeerUnreachable {
            node: route.node,
            detail: "only snapshots reach it".to_owned(),
        })
    }

    fn send_snapshot(
        &self,
        _node: NodeId,
        frames: BoxStream<'static, SnapshotFrame>,
    ) -> BoxFuture<'static, Result<SnapshotReply, PeerUnreachable>> {
        self.taken.fetch_add(1, Ordering::Relaxed);
        let vote = Some(vote_to_proto(&Vote::new_committed(1, 1)));
        let taken = frames.count();
        taken.map(move |_| Ok(SnapshotReply { vote })).boxed()
    }
}

#[tokio::test]
async fn a_snapshot_that_waited_for_its_turn_is_looked_at_again() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let engine = RocksEngine::open(dir.path(), StorageTuning::default()).expect("it opens");
    let engine: Arc<dyn Engine> = Arc::new(engine);
    let witness = Witness::open(&*engine, 1).expect("an empty database");
    let (queue, _committer) = LogCommitter::new(Arc::clone(&engine), witness);
    let digests = Arc::new(Semaphore::new(1));
    let state = ReplicaState::open(GROUP, engine, queue, digests, Duration::ZERO, Env::system());
    let state = Arc::new(state.expect("an empty state opens"));
    let (peers, lane) = (Arc::<Peers>::default(), SnapshotLane::new(1 << 10, 1 << 20));
    let mut network = GroupNetwork {
        group: GROUP,
        replica: ReplicaId::new(1),
        peers: Arc::clone(&peers) as _,
        snapshots: Arc::new(SnapshotSender {
            cluster_id: "test".to_owned(),
            state: Arc::clone(&state),
            peers: Arc::clone(&peers) as _,
            under_way: Arc::default(),
            lane: Arc::clone(&lane),
            env: Env::system(),
        }),
        env: Env::system(),
    };
    let mut client = network.new_client(2, &OTHER).await;
    let mut send = async || {
        let snapshot = Snapshot {
            meta: meta_of(&state.durable_point()),
            snapshot: SnapshotData::Live,
        };
        let option = RPCOption::new(Duration::from_secs(1));
        let never = pending::<ReplicationClosed>();
        let vote = Vote::new_committed(1, 1);
        client.full_snapshot(vote, snapshot, never, option).await
    };

    let of_another_group = lane.turn(OTHER.node()).await;
    let mut waits = Box::pin(send());
    assert!(
        waits.as_mut().now_or_never().is_none(),
        "it has no turn yet"
    );
    drop(of_another_group);
    let again = waits.await;
    assert!(
        matches!(again, Err(StreamingError::Network(_))),
        "what was looked at before the turn came is not sent: {again:?}"
    );
    assert_eq!(peers.taken.load(Ordering::Relaxed), 0);
    assert!(
        lane.turn(OTHER.node()).now_or_never().is_none(),
        "the turn is kept until then"
    );
    send().await.expect("it is sent at once");
    assert_eq!(peers.taken.load(Ordering::Relaxed), 1);
    assert!(
        lane.turn(OTHER.node()).now_or_never().is_some(),
        "it is over"
    );
}
