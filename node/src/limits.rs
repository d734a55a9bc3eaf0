//! Every bound of a node, with its reason.

use std::time::Duration;

/// Log operations waiting for the committer, of all groups. Full means that the disk is the bottleneck;
/// the groups then wait, and their queues push back on the gateways.
pub(crate) const LOG_QUEUE_OPS_MAX: usize = 4096;

/// Log operations written with one sync. Bounds the batch that one slow sync holds up.
pub(crate) const LOG_COMMIT_OPS_MAX: usize = 1024;

/// Synced writes between two in which a node writes down what others have told of their disks. It matters
/// only where a disk is put back and those who know better were restarted as well.
pub(crate) const COMMITS_PER_WITNESS: u64 = 32;

/// Recent log kept in memory per group. Followers a few seconds behind are served from here.
pub(crate) const LOG_CACHE_BYTES: usize = 4 << 20;

/// Log read at once for a follower or a restart.
pub(crate) const LOG_READ_BYTES: usize = 1 << 20;

/// Entries applied in one batch of writes.
pub(crate) const APPLY_CHUNK_ENTRIES: usize = 64;

/// Digests of checkpoints kept for those who ask: a verification uses two. With each goes the shard's account
/// of stock, about 100 bytes for each site where its citizens bought.
pub(crate) const DIGESTS_KEPT: usize = 2;

/// Digests computed at once on one node. The others wait with their view fixed: reading whole shards must
/// leave room for sales.
pub(crate) const DIGESTS_AT_ONCE: usize = 2;

/// Rows in one part of an account of stock: about 200 KiB.
pub(crate) const AUDIT_ROWS_PER_PART: usize = 2048;

/// Appends under way to one follower. Enough to cover a round trip and a sync.
pub(crate) const APPENDS_IN_FLIGHT_MAX: usize = 16;

/// How long a follower may leave an append unanswered before the session is given up.
pub(crate) const APPEND_SILENCE_MAX: Duration = Duration::from_secs(2);

/// A received snapshot is written in tables of about this size, so that memory stays bounded.
pub(crate) const SNAPSHOT_TABLE_BYTES: usize = 16 << 20;

/// A snapshot is sent in frames of about this size.
pub(crate) const SNAPSHOT_FRAME_BYTES: usize = 256 << 10;

/// A node sends snapshots no faster than this, all together, unless it is told otherwise: a lost disk is filled
/// again beside the sales, not instead of them. A third of a processor, ten gigabytes in five minutes.
pub(crate) const SNAPSHOT_BYTES_PER_SECOND: u64 = 32 << 20;

/// Frames read ahead of a slow receiver.
pub(crate) const SNAPSHOT_FRAMES_QUEUED: usize = 4;

/// A snapshot of which nothing is taken in, or nothing arrives, for this long (and no more than twice as long) is
/// given up: others wait for it. Longer than a table takes on a slow disk.
pub(crate) const SNAPSHOT_SILENCE_MAX: Duration = Duration::from_secs(30);

/// Snapshots that a node takes in at the same time; others are asked to come again. From each of the others one, at
/// their pace, would be more than its disk and memory bear in a large cluster.
pub(crate) const SNAPSHOTS_TAKEN_IN_MAX: usize = 2;

/// Once its last frame has arrived, a snapshot is installed within this. That the receiver is gone is noticed by its
/// connection long before.
pub(crate) const SNAPSHOT_INSTALL_MAX: Duration = Duration::from_secs(600);

/// A log is purged in spite of a snapshot under way after this long: a receiver that takes it in for ever must not
/// fill the disk. A hundred gigabytes at the usual pace, three at a thirtieth of it.
pub(crate) const SNAPSHOT_PURGE_HOLD: Duration = Duration::from_secs(3600);

/// Envelopes queued for one peer. Beyond this the groups wait.
pub(crate) const PEER_QUEUE: usize = 1024;

/// Envelopes sent in one frame.
pub(crate) const PEER_FRAME_ENVELOPES_MAX: usize = 256;

/// Payload of one peer frame; a frame closes once it is reached.
pub(crate) const PEER_FRAME_BYTES: usize = 1 << 20;

/// Largest message between nodes: a frame may overshoot by one append.
pub(crate) const PEER_MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Replies queued for one session.
pub(crate) const SESSION_REPLIES: usize = APPENDS_IN_FLIGHT_MAX + 2;

/// Commands waiting in one shard. At 10,000 commands a second this is a fifth of a second.
pub(crate) const SHARD_QUEUE_COMMANDS: usize = 2048;

/// Commands in one log entry.
pub(crate) const BATCH_COMMANDS_MAX: usize = 512;

/// Encoded size of one log entry. Well below [`PEER_FRAME_BYTES`].
pub(crate) const BATCH_BYTES_MAX: usize = 256 << 10;

/// Entries of one shard that are proposed and not yet applied. Two keep the disk and the network busy at
/// once; more would only make batches smaller.
pub(crate) const BATCHES_IN_FLIGHT_MAX: usize = 2;

/// Queries answered at one linearizable point.
pub(crate) const QUERY_BATCH_MAX: usize = 512;

/// How long a leader may need to prove that it still leads.
pub(crate) const LINEARIZE_TIMEOUT: Duration = Duration::from_secs(2);

/// Commands of one gateway under way, and so replies queued for it. As many as a gateway keeps under way at
/// one node: shards without a majority must not stop the stream that serves the others.
pub(crate) const GATEWAY_REPLIES_QUEUED: usize = 16_384;

/// Replies sent in one frame.
pub(crate) const REPLY_FRAME_MAX: usize = 512;

/// Largest message of a gateway.
pub(crate) const GATEWAY_MESSAGE_BYTES_MAX: usize = 8 << 20;

/// The state is flushed at least this often, so that a restart replays little.
pub(crate) const FLUSH_INTERVAL: Duration = Duration::from_secs(30);

/// The state is flushed once this many entries have been applied since the last flush.
pub(crate) const FLUSH_ENTRIES: u64 = 20_000;

/// How often the flusher looks.
pub(crate) const FLUSH_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// What is durable is kept in the log at least so long: a follower that was away for less, as while its node was
/// started again, needs no snapshot. Busy shards have hundreds of entries a second.
pub(crate) const LOG_KEEP_TIME: Duration = Duration::from_secs(60);

/// But no more entries than about this, of a few kilobytes each on a busy shard.
pub(crate) const LOG_KEEP_ENTRIES_MAX: u64 = 50_000;

/// Entries kept behind that, however old they are: shards at rest have few.
pub(crate) const LOG_KEEP_ENTRIES: u64 = 2_000;

/// How often wanted and actual placement are compared.
pub(crate) const RECONCILE_INTERVAL: Duration = Duration::from_millis(500);

/// The same after a step that did not get through: a new leader may need a moment.
pub(crate) const RECONCILE_RETRY: Duration = Duration::from_millis(30);

/// A new replica may be this many entries behind when it is made a voter.
pub(crate) const PROMOTION_LAG_MAX: u64 = 64;

/// First and longest pause between attempts to reach a node.
pub(crate) const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(50);
pub(crate) const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long a connection attempt to a node may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a node without a replica of the system shard listens to one that has one before it asks the next:
/// one that is cut off looks like one that has no news.
pub(crate) const VIEW_FOLLOWED_MAX: Duration = Duration::from_secs(30);

/// The same for a node that has none either: long enough to hear its view.
pub(crate) const VIEW_GLANCE_MAX: Duration = Duration::from_secs(2);

/// How long a digest may take.
pub(crate) const DIGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a proposal to the system shard may take.
pub(crate) const SYSTEM_PROPOSAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Time between heartbeats of a leader.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(120);

/// A follower trusts a silent leader for `ELECTION_MAX`, then waits for a time drawn from this range before
/// it stands for election: 1.05 to 1.3 s in all, eight heartbeats at least. Short enough for every shard to
/// grant again within 2 s, long enough that a busy two-core machine starts no election by itself.
pub(crate) const ELECTION_MIN: Duration = Duration::from_millis(400);
pub(crate) const ELECTION_MAX: Duration = Duration::from_millis(650);

/// Times kept of rows of one outbox that are not acknowledged, by which their age is told. Beyond it every
/// two become one: an outbox that is stuck for days costs no more.
pub(crate) const OUTBOX_MARKS_MAX: usize = 4096;

/// Outbox rows are gathered for this long before they are carried: a busy morning then costs each pair of
/// shards six log entries a second. With the log writes on both sides and the feed to the gateways it stays
/// far below the two seconds in which the public shall see a sale.
pub(crate) const COURIER_PAUSE: Duration = Duration::from_millis(150);

/// Outbox rows that one courier holds in memory: two megabytes. Beyond it nothing is read until the slowest
/// target has taken its rows.
pub(crate) const COURIER_ROWS_MAX: usize = 8192;

/// Rows in one delivery.
pub(crate) const DELIVERED_ROWS_MAX: usize = quorate_core::limits::DELIVERED_ROWS_MAX;

/// At least the encoded size of one delivered row: three texts of 32 bytes, an id and numbers.
pub(crate) const DELIVERED_ROW_BYTES: usize = 192;

/// How long a target may take to apply a delivery.
pub(crate) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(2);

/// First and longest rest after a delivery that was not applied: a new leader is there after two seconds.
pub(crate) const DELIVERY_PAUSE_MIN: Duration = Duration::from_millis(50);
pub(crate) const DELIVERY_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Deliveries waiting for one node, of all shards here.
pub(crate) const DELIVERIES_QUEUED: usize = 1024;

/// Deliveries in one call: at most the [`PEER_MESSAGE_BYTES_MAX`] of a message, and usually a few kilobytes.
pub(crate) const DELIVERIES_PER_CALL: usize = 64;

/// Calls to one node under way: a shard that is stuck there keeps one of them for [`DELIVERY_TIMEOUT`].
pub(crate) const DELIVERY_CALLS_MAX: usize = 16;

/// When nothing has been sold for this long, acknowledged rows are deleted: a little more than they are kept.
pub(crate) const OUTBOX_TRIM_INTERVAL: Duration = Duration::from_secs(61);

/// Upper bounds of the classes in which ages of acknowledged rows are counted, seconds.
pub(crate) const OUTBOX_LAG_BUCKETS: [f64; 12] = [
    0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 15.0, 60.0,
];

/// Collectors of metrics connected at once, and how long each may be: a few ask every few seconds.
pub(crate) const METRICS_CONNECTIONS_MAX: usize = 8;
pub(crate) const METRICS_CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);

/// Changes of sites are gathered for this long before a gateway is told: a busy site changes with every sale.
pub(crate) const SITE_FEED_PAUSE: Duration = Duration::from_millis(100);

/// A gateway hears of each shard at least this often, so that it can tell old data from quiet sites.
pub(crate) const SITE_FEED_HEARTBEAT: Duration = Duration::from_millis(800);

/// Sites in one frame: about 150 KiB. Bounds also how long reading them holds up the applier.
pub(crate) const SITES_PER_FRAME: usize = 256;

/// Frames waiting for one gateway, of all shards. Beyond it sites are told less often.
pub(crate) const SITE_FRAMES_QUEUED: usize = 16;

const _: () = assert!(
    3 * HEARTBEAT.as_millis() < ELECTION_MIN.as_millis(),
    "a lost heartbeat must not start an election"
);
const _: () = assert!(ELECTION_MIN.as_millis() < ELECTION_MAX.as_millis());
const _: () = assert!(
    (DELIVERED_ROWS_MAX + 1) * DELIVERED_ROW_BYTES <= BATCH_BYTES_MAX,
    "a delivery must fit a log entry"
);
const _: () = assert!(
    DELIVERIES_PER_CALL * DELIVERED_ROWS_MAX * DELIVERED_ROW_BYTES <= PEER_MESSAGE_BYTES_MAX
);
const _: () = assert!(BATCH_BYTES_MAX <= PEER_FRAME_BYTES);
const _: () = assert!(PEER_FRAME_BYTES + 4 * LOG_READ_BYTES <= PEER_MESSAGE_BYTES_MAX);
const _: () = assert!(LOG_COMMIT_OPS_MAX <= LOG_QUEUE_OPS_MAX);
