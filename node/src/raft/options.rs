//! How every group is configured.

use std::sync::Arc;
use std::time::Duration;

use openraft::{Config, SnapshotPolicy};
use quorate_proto::ids::ShardId;

use crate::limits;

/// The configuration of one group. Snapshots are never taken by count: the flusher decides.
pub(super) fn raft_config(cluster_id: &str, shard: ShardId, log_keep_entries: u64) -> Arc<Config> {
    let config = Config {
        cluster_name: format!("{cluster_id}/{shard}"),
        heartbeat_interval: millis(limits::HEARTBEAT),
        election_timeout_min: millis(limits::ELECTION_MIN),
        election_timeout_max: millis(limits::ELECTION_MAX),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: log_keep_entries,
        install_snapshot_timeout: millis(limits::SNAPSHOT_PURGE_HOLD),
        // Entries are batches already: a few make a full frame.
        max_payload_entries: 32,
        api_channel_size: Some(256),
        broadcast_submitted_on_append: Some(true),
        enable_pre_vote: Some(true),
        quorum_loss_probe_interval: Some(2 * millis(limits::ELECTION_MAX)),
        // A restarted leader must be elected again: its state may be older than what it acknowledged.
        enable_leader_restore: Some(false),
        allow_log_reversion: Some(false),
        backoff: "100ms 200ms ...500ms".to_owned(),
        ..Config::default()
    };
    Arc::new(
        config
            .validate()
            .expect("the limits satisfy openraft's own checks"),
    )
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
