//! Receives a snapshot: frames are checked one by one, spooled, and installed only when whole.

use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use quorate_core::codec::DecodeError;
use quorate_link::env::Env;
use quorate_proto::ids::{ReplicaId, ShardId};
use quorate_proto::internal::{SnapshotFrame, SnapshotHeader, SnapshotReply};

use super::codec::{
    AppliedPoint, log_id_from_proto, membership_from_proto, required_vote, vote_to_proto,
};
use super::inbound::FindGroup;
use super::snapshot::{SnapshotSpool, SpoolError};
use super::snapshot_sender::checksum;
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
    /// The first frame cannot be read.
    #[error("the snapshot's header is wrong: {0}")]
    Header(#[from] DecodeError),
    /// A row cannot be one of this replica's.
    #[error("the snapshot's rows are wrong: {0}")]
    Row(String),
    /// This node stops.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It does not follow this leader, or has stopped.
    #[error("the replica refused it: {0}")]
    Replica(String),
}

impl From<SpoolError> for SnapshotRefused {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::Row(detail) => Self::Row(detail),
            SpoolError::Storage(error) => Self::Storage(error),
        }
    }
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
    let header = first
        .header
        .clone()
        .ok_or_else(|| DecodeError::missing("snapshot header"))?;
    if header.cluster_id != cluster_id {
        return Err(SnapshotRefused::ForeignCluster(header.cluster_id));
    }
    let shard = ShardId::new(header.group);
    let replica = ReplicaId::new(header.to_replica);
    let group = groups
        .find(shard, replica)
        .ok_or(SnapshotRefused::NotHere { shard, replica })?;
    let (vote, point) = parse_header(&header)?;

    let mut spool = SnapshotSpool::new(engine, shard, name, env.clone());
    let mut frame = first;
    let mut number = 0;
    loop {
        if checksum(&frame.rows) != frame.checksum {
            return Err(SnapshotRefused::Damaged(number));
        }
        for row in frame.rows {
            spool.push(row.key.into(), row.value.into()).await?;
        }
        if let Some(rows_total) = frame.rows_total {
            if rows_total != spool.rows_total() {
                return Err(SnapshotRefused::Incomplete);
            }
            break;
        }
        frame = next_frame(&mut frames, env).await?;
        number += 1;
    }
    tracing::info!(%shard, %replica, rows = spool.rows_total(), "installing a snapshot");
    let vote = group
        .install_snapshot(vote, point, spool.finish().await?)
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

fn parse_header(
    header: &SnapshotHeader,
) -> Result<(super::types::Vote, AppliedPoint), DecodeError> {
    let vote = required_vote(header.vote.as_ref())?;
    let membership = header
        .membership
        .as_ref()
        .ok_or_else(|| DecodeError::missing("snapshot membership"))?;
    let point = AppliedPoint {
        log_id: header.last_log_id.as_ref().map(log_id_from_proto),
        membership: membership_from_proto(membership)?,
    };
    Ok((vote, point))
}
