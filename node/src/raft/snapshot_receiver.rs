//! Receives a snapshot: frames are checked one by one, spooled, and installed only when whole.

use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use quorate_core::codec::DecodeError;
use quorate_link::env::Env;
use quorate_proto::ids::{ReplicaId, ShardId};
use quorate_proto::internal::{SnapshotFrame, SnapshotReply};

use super::codec::vote_to_proto;
use super::inbound::FindGroup;
use super::snapshot::SnapshotSpool;
use super::snapshot_frames::{SnapshotHead, undamaged};
use crate::limits;
use crate::storage::{Engine, StorageError};

/// Why a snapshot was not installed. Nothing of the replica's state was changed, unless storage failed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotRefused {
    /// The connection was lost, or rows are missing.
    #[error("the snapshot ended before its last frame")]
    Incomplete,
    /// A frame does not match its checksum.
    #[error("frame {0} of the snapshot is damaged")]
    Damaged(u64),
    /// It belongs elsewhere.
    #[error("the snapshot is of cluster {0:?}")]
    ForeignCluster(String),
    /// It is for a replica that this node does not hold.
    #[error("replica {replica} of shard {shard} is not here")]
    NotHere {
        /// Its group.
        shard: ShardId,
        /// The replica.
        replica: ReplicaId,
    },
    /// Enough others are being taken in.
    #[error("others are being taken in, try again later")]
    Busy,
    /// Its header, or what the group knows of itself, cannot be read.
    #[error("the snapshot cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
    /// A row cannot be one of this replica's.
    #[error("the snapshot's rows are wrong: {0}")]
    Row(&'static str),
    /// This node stops.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It does not follow this leader, or has stopped.
    #[error("the replica refused it: {0}")]
    Replica(String),
}

/// Takes in one snapshot. `name` must be unique among the spools of this node.
pub(crate) async fn receive_snapshot(
    mut frames: impl Stream<Item = SnapshotFrame> + Unpin,
    cluster_id: &str,
    groups: &dyn FindGroup,
    engine: Arc<dyn Engine>,
    name: String,
    env: &Env,
) -> Result<SnapshotReply, SnapshotRefused> {
    let first = next_frame(&mut frames, env).await?;
    let head = SnapshotHead::read(&first, cluster_id)?;
    let (shard, replica) = (head.shard, head.replica);
    let group = groups
        .find(shard, replica)
        .ok_or(SnapshotRefused::NotHere { shard, replica })?;

    let mut spool = SnapshotSpool::new(engine, shard, name, env.clone());
    let mut frame = first;
    let mut number = 0;
    loop {
        let rows_total = frame.rows_total;
        for (key, value) in undamaged(frame, number)? {
            spool.push(key, value).await?;
        }
        if spool.check().is_whole(rows_total)? {
            break;
        }
        frame = next_frame(&mut frames, env).await?;
        number += 1;
    }
    tracing::info!(%shard, %replica, rows = spool.check().rows_total(), "installing a snapshot");
    let vote = group
        .install_snapshot(head.vote, head.point, spool.finish().await?)
        .await
        .map_err(SnapshotRefused::Replica)?;
    Ok(SnapshotReply {
        vote: Some(vote_to_proto(&vote)),
    })
}

/// A sender that is gone without a word must not be waited for.
async fn next_frame(
    frames: &mut (impl Stream<Item = SnapshotFrame> + Unpin),
    env: &Env,
) -> Result<SnapshotFrame, SnapshotRefused> {
    let frame = env.timeout(limits::SNAPSHOT_SILENCE_MAX, frames.next());
    let frame = frame.await.ok().flatten();
    frame.ok_or(SnapshotRefused::Incomplete)
}
