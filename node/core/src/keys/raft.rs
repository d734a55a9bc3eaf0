//! Keys of the log family: `group (4) ‖ kind (1) ‖ index (8)`, the index 0 where there is none. What concerns
//! the node itself has the group 2³² − 1.

use quorate_proto::ids::{NodeId, ShardId};

const VOTE: u8 = 0x01;
const REPLICA: u8 = 0x02;
const PURGED: u8 = 0x03;
const COMMITTED: u8 = 0x04;
const INSTALLING: u8 = 0x05;
const DISK_COMMITS: u8 = 0x06;
const HEARD_OF_DISK: u8 = 0x07;
const ENTRY: u8 = 0x10;

/// In place of a group, for what concerns the node itself. No group has this number.
const NODE: ShardId = ShardId(u32::MAX);

/// The vote of a replica.
#[must_use]
pub fn vote(shard: ShardId) -> Vec<u8> {
    key(shard, VOTE, 0)
}

/// Which replica of this group the node holds.
#[must_use]
pub fn replica(shard: ShardId) -> Vec<u8> {
    key(shard, REPLICA, 0)
}

/// The last purged log id.
#[must_use]
pub fn purged(shard: ShardId) -> Vec<u8> {
    key(shard, PURGED, 0)
}

/// The last committed log id that was noted.
#[must_use]
pub fn committed(shard: ShardId) -> Vec<u8> {
    key(shard, COMMITTED, 0)
}

/// Present while a snapshot is being put in place of the state.
#[must_use]
pub fn installing(shard: ShardId) -> Vec<u8> {
    key(shard, INSTALLING, 0)
}

/// How many synced writes this disk has seen.
#[must_use]
pub fn disk_commits() -> Vec<u8> {
    key(NODE, DISK_COMMITS, 0)
}

/// What another node has told of its disk.
#[must_use]
pub fn heard_of_disk(node: NodeId) -> Vec<u8> {
    key(NODE, HEARD_OF_DISK, node.get())
}

/// The `[first, end)` range of what all nodes have told of their disks.
#[must_use]
pub fn heard_of_disks() -> (Vec<u8>, Vec<u8>) {
    (key(NODE, HEARD_OF_DISK, 0), key(NODE, HEARD_OF_DISK + 1, 0))
}

/// One log entry.
#[must_use]
pub fn entry(shard: ShardId, index: u64) -> Vec<u8> {
    key(shard, ENTRY, index)
}

/// The `[first, end)` range of all entries of a group.
#[must_use]
pub fn entries(shard: ShardId) -> (Vec<u8>, Vec<u8>) {
    (key(shard, ENTRY, 0), key(shard, ENTRY + 1, 0))
}

/// The `[first, end)` range of everything a group keeps in the log family.
#[must_use]
pub fn group(shard: ShardId) -> (Vec<u8>, Vec<u8>) {
    (key(shard, 0, 0), key(shard, u8::MAX, 0))
}

/// What a log key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// [`vote`].
    Vote,
    /// [`replica`].
    Replica,
    /// [`purged`].
    Purged,
    /// [`committed`].
    Committed,
    /// [`installing`].
    Installing,
    /// [`disk_commits`].
    DiskCommits,
    /// [`heard_of_disk`], with the node.
    HeardOfDisk(NodeId),
    /// [`entry`], with its index.
    Entry(u64),
}

/// Reads a key back: its group and what it holds, if it is one of ours.
#[must_use]
pub fn parse(key: &[u8]) -> Option<(ShardId, LogKind)> {
    let key = <[u8; 13]>::try_from(key).ok()?;
    let [a, b, c, d, kind, index @ ..] = key;
    let index = u64::from_be_bytes(index);
    let kind = match (kind, index) {
        (VOTE, 0) => LogKind::Vote,
        (REPLICA, 0) => LogKind::Replica,
        (PURGED, 0) => LogKind::Purged,
        (COMMITTED, 0) => LogKind::Committed,
        (INSTALLING, 0) => LogKind::Installing,
        (DISK_COMMITS, 0) => LogKind::DiskCommits,
        (HEARD_OF_DISK, node) => LogKind::HeardOfDisk(NodeId::new(node)),
        (ENTRY, index) => LogKind::Entry(index),
        _ => return None,
    };
    Some((ShardId(u32::from_be_bytes([a, b, c, d])), kind))
}

fn key(shard: ShardId, kind: u8, index: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(13);
    key.extend_from_slice(&shard.get().to_be_bytes());
    key.push(kind);
    key.extend_from_slice(&index.to_be_bytes());
    key
}
