//! Every bound of the gateway, with its reason.

use std::time::Duration;

// Sessions.

/// Time a device has to sign a challenge: a slow terminal on a slow line needs seconds; a stolen
/// signature is useless after it.
pub(crate) const CHALLENGE_LIFETIME: Duration = Duration::from_secs(120);

/// Longest token that is looked at, bytes. Ours are about 300; the longest codes and regions fit twice.
pub(crate) const TOKEN_BYTES_MAX: usize = 1024;

/// Longest and shortest session that a configuration may ask for. A token cannot be withdrawn before it
/// expires; one that expires within the minute would make terminals log in all day.
pub(crate) const SESSION_LIFETIME_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// See [`SESSION_LIFETIME_MAX`].
pub(crate) const SESSION_LIFETIME_MIN: Duration = Duration::from_secs(60);

// Deadlines.

/// For calls that bring no deadline: about as long as a clerk waits before trying again.
pub(crate) const CALL_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// Longest deadline that is honoured: a call holds memory in the gateway and in a node until then.
pub(crate) const CALL_TIMEOUT_MAX: Duration = Duration::from_secs(30);

/// Operators' calls touch every shard and every replica.
pub(crate) const ADMIN_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// Longest deadline of an operator's call that is honoured.
pub(crate) const ADMIN_TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// The answer leaves this much before the caller's deadline, so that "unknown" arrives as an answer and
/// not as silence; at most a tenth of the time the caller gave. A busy machine delays a task by about this.
pub(crate) const ANSWER_MARGIN_MAX: Duration = Duration::from_millis(150);

// The public listener.

/// Largest message of a terminal, bytes. The largest honest one, a login, is below 1 KiB.
pub(crate) const TERMINAL_MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Largest message of an operator, bytes: 1,000 sites with every text at its longest.
pub(crate) const OPERATOR_MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Open connections: every terminal of the country on four gateways.
pub(crate) const CONNECTIONS_MAX: usize = 16_384;

/// Calls under way on one connection; the load generator runs 512 clients over 8 connections.
pub(crate) const STREAMS_PER_CONNECTION_MAX: u32 = 1024;

/// Terminals' calls under way in the process. Each holds some 4 KiB, so 64 MiB in all; above it a call
/// is answered `OVERLOADED` at once.
pub(crate) const CALLS_MAX: usize = 16_384;

/// Operators' calls under way in the process: people, not crowds.
pub(crate) const ADMIN_CALLS_MAX: usize = 32;

/// A peer silent for this long is asked whether it lives; terminals sit behind firewalls that forget
/// idle connections after a minute or more.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// A connection that does not answer by then is closed.
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for calls under way when the gateway stops: the longest deadline of a terminal would hold up an
/// upgrade, the default one does not.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);

/// Flow-control window of a public connection and of one call on it, bytes: calls are small, so memory
/// for 16,384 connections matters more than throughput.
pub(crate) const PUBLIC_CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// See [`PUBLIC_CONNECTION_WINDOW_BYTES`].
pub(crate) const PUBLIC_STREAM_WINDOW_BYTES: u32 = 64 << 10;

// The public API.

/// Open connections of the public listener unless configured otherwise: with the terminals' below the
/// usual limit of 20,000 open files of a process.
pub(crate) const PUBLIC_CONNECTIONS_DEFAULT: usize = 2048;
/// Most that a configuration may ask for.
pub(crate) const PUBLIC_CONNECTIONS_MAX: usize = 65_536;

/// Pause after the operating system refused to accept, so that the listener does not spin.
pub(crate) const PUBLIC_ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Time to send a request's head, waiting for it on an idle connection included: proxies keep theirs for
/// a minute, so ours end first.
pub(crate) const PUBLIC_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A peer that takes nothing of an answer for this long is gone, or means harm.
pub(crate) const PUBLIC_WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// Buffer for a request's head, bytes: an address in percent-encoding has below 1 KiB, browsers' heads
/// below 4 KiB.
pub(crate) const PUBLIC_REQUEST_BYTES_MAX: usize = 16 << 10;

/// Answers that were made and not yet taken by their readers, bytes in all; above it a request is told to
/// come back later. Forty of the longest lists, or 10,000 usual answers.
pub(crate) const PUBLIC_ANSWER_BYTES_MAX: usize = 64 << 20;

/// What the public is told to wait when the service is full, seconds.
pub(crate) const PUBLIC_RETRY_AFTER_SECONDS: u64 = 2;

/// Rows of one page of `/v1/sites`: the longest and the usual.
pub(crate) const PUBLIC_PAGE_ROWS_MAX: usize = 1000;
/// See [`PUBLIC_PAGE_ROWS_MAX`].
pub(crate) const PUBLIC_PAGE_ROWS_DEFAULT: usize = 100;

/// Farthest that `near` looks, metres: across a province, so that a village finds its nearest site.
pub(crate) const PUBLIC_RADIUS_M_MAX: f64 = 50_000.0;
/// How far it looks where nothing is said, metres.
pub(crate) const PUBLIC_RADIUS_M_DEFAULT: f64 = 5_000.0;

/// Longest address that is looked for, bytes: twice the longest in the 2020 data.
pub(crate) const PUBLIC_ADDRESS_BYTES_MAX: usize = 256;

/// Listeners to the stream of changes: each costs a connection and a task, and every change is sent to
/// each. Who serves more puts something that multiplies in front.
pub(crate) const DELTA_LISTENERS_MAX: usize = 512;

/// Changes are gathered for this long before they are sent: a site that sells five times in it is told once.
pub(crate) const DELTA_INTERVAL: Duration = Duration::from_millis(200);

/// Changes kept for listeners that come back, bytes: at 500 bytes a change some 16,000, which the morning's
/// load makes in five seconds and a quiet hour in an hour.
pub(crate) const DELTA_BUFFER_BYTES_MAX: usize = 8 << 20;

/// Changes at once that are not told one by one: listeners are told to read the list again.
pub(crate) const DELTA_BATCH_MAX: usize = 4096;

/// How often a listener hears how old the data is, also where nothing changes.
pub(crate) const DELTA_STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// Least time between two rebuildings of the indexes, as a multiple of what one takes: an import of every
/// site of a country leaves four fifths of a core to others.
pub(crate) const ATLAS_REST_FACTOR: u32 = 4;

/// Largest piece of the site feed that is read, bytes: a node cuts a snapshot well below.
pub(crate) const SITE_FRAME_BYTES_MAX: usize = 16 << 20;

/// A node that sent nothing on the site feed for this long is asked anew; it owes a sign of life a second.
pub(crate) const SITE_FEED_SILENCE_MAX: Duration = Duration::from_secs(10);

// The streams to nodes.

/// Commands queued for or under way at one node. Above it a call is answered `OVERLOADED`.
pub(crate) const IN_FLIGHT_PER_NODE_MAX: usize = 16_384;

/// Of these, those of one shard: a shard that lost its majority holds its commands until their deadlines,
/// and eight such shards leave room for the others. What one shard can carry is in flight for 50 ms, so
/// this is 40,000 a second.
pub(crate) const IN_FLIGHT_PER_SHARD_MAX: usize = 2048;

/// Commands of one frame: what 10,000 a second bring in 50 ms.
pub(crate) const FRAME_COMMANDS_MAX: usize = 512;

/// A frame is closed once it holds this many bytes; its last command may exceed it.
pub(crate) const FRAME_BYTES_TARGET: usize = 256 << 10;

/// Largest piece of news that is read, bytes: the view of 1,000 nodes and 4,000 shards.
pub(crate) const VIEW_BYTES_MAX: usize = 16 << 20;

/// Largest frame of replies that is read, bytes: a node's lists of sales are long, its frames are not.
pub(crate) const REPLY_FRAME_BYTES_MAX: usize = 16 << 20;

/// How often a stream is searched for commands whose deadline the node let pass.
pub(crate) const OVERDUE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A node owes every command an answer by its deadline. This long after it, with no reply at all in the
/// meantime, the stream is dead whatever its connection says.
pub(crate) const OVERDUE_GRACE: Duration = Duration::from_secs(2);

/// A connection to a node: TCP and TLS together.
pub(crate) const NODE_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A node that has sent nothing for this long is pinged.
pub(crate) const NODE_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
/// A node that leaves a ping unanswered for this long is given up. Longer than a busy machine stalls: giving
/// up loses everything on its way. A paused leader is left earlier, when another is elected.
pub(crate) const NODE_KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Pause before a node is dialled again: the first, and the longest after doubling.
pub(crate) const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(50);
/// See [`RECONNECT_PAUSE_MIN`].
pub(crate) const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long a seed may take to send the cluster's view before the next one is asked.
pub(crate) const SEED_VIEW_TIMEOUT: Duration = Duration::from_secs(3);

/// How often the seeds are considered again while no node of the view can be reached.
pub(crate) const SEED_INTERVAL: Duration = Duration::from_secs(1);

// Attempts.

/// A node hears what is left of a call's time in whole milliseconds: with less than one, nothing is asked any more.
/// Who pauses for a share of what is left would never come to its end otherwise.
pub(crate) const TIME_LEFT_MIN: Duration = Duration::from_millis(1);

/// While a reply is awaited, how often to look whether the shard's leader is elsewhere by now.
pub(crate) const RECONSIDER_INTERVAL: Duration = Duration::from_millis(200);

/// Pause before another attempt while a shard has no leader: the first, and the longest after doubling.
/// News of a leader ends it early.
pub(crate) const NO_LEADER_PAUSE_MIN: Duration = Duration::from_millis(20);
/// See [`NO_LEADER_PAUSE_MIN`].
pub(crate) const NO_LEADER_PAUSE_MAX: Duration = Duration::from_millis(400);

/// Hints followed at once during one call. An election settles within one or two; nodes that name each
/// other in a circle are asked at the pace of [`NO_LEADER_PAUSE_MIN`].
pub(crate) const HINTS_FOLLOWED_MAX: u32 = 3;

/// Attempts at a shard whose queue is full: one that meets a full queue three times within a tenth of a
/// second belongs to a crowd, and waiting here would hide the crowd from its clients.
pub(crate) const BUSY_ATTEMPTS_MAX: u32 = 3;
/// Pause after the first full queue; doubled after the second.
pub(crate) const BUSY_PAUSE: Duration = Duration::from_millis(25);

/// What a client is told to wait, at least, when a shard has no leader: an election takes about that.
pub(crate) const RETRY_AFTER_UNAVAILABLE: Duration = Duration::from_millis(500);
/// What a client is told to wait, at least, when the service is full. Twice that at most: a crowd that is
/// told one moment returns as a crowd.
pub(crate) const RETRY_AFTER_OVERLOADED: Duration = Duration::from_millis(500);

// Slips.

/// Streams of slips at once: after an outage every counter hands in at the same time, one stream each, and
/// most of them wait for their turn.
pub(crate) const SLIP_STREAMS_MAX: usize = 8192;

/// Slips of one stream under way: enough to hide the way to a shard, few enough that a list of thousands
/// leaves room for others.
pub(crate) const SLIPS_AT_ONCE: usize = 16;

/// Slips under way in the process. They come late by nature and shall never fill a shard's queue before
/// the people who stand at a counter now.
pub(crate) const SLIPS_UNDER_WAY_MAX: usize = 512;

/// Time in which a slip is decided, or answered as not decided: several elections. What cannot be decided by
/// then is handed in again, and holds one of [`SLIPS_AT_ONCE`] until then.
pub(crate) const SLIP_TIMEOUT: Duration = Duration::from_secs(5);

/// Devices of its site that a stream remembers: more than stand at any counter.
pub(crate) const SLIP_DEVICES_MAX: usize = 64;

// Operators' calls.

/// Sites of one import batch, by contract.
pub(crate) const IMPORT_BATCH_SITES_MAX: usize = 1000;

/// Sites of one command: about 64 KiB, so that an import never fills an entry of the log.
pub(crate) const PUT_SITES_MAX: usize = 256;

/// Longest texts of a site, bytes: the longest Korean address in the 2020 data has 132.
pub(crate) const SITE_NAME_BYTES_MAX: usize = 256;
/// See [`SITE_NAME_BYTES_MAX`].
pub(crate) const SITE_ADDRESS_BYTES_MAX: usize = 512;
/// Also part of every sale, so shorter.
pub(crate) const SITE_REGION_BYTES_MAX: usize = 64;

/// Units of one change of a site's stock, by contract: more is a slip of the finger.
pub(crate) const STOCK_CHANGE_UNITS_MAX: u32 = 1_000_000;

/// Longest note and notice of a site, bytes, by contract: a line on a small screen.
pub(crate) const STOCK_TEXT_BYTES_MAX: usize = 200;

/// Longest reason and case number of a correction, bytes, by contract: both stay with the sale.
pub(crate) const CORRECTION_REASON_BYTES_MAX: usize = 200;
/// See [`CORRECTION_REASON_BYTES_MAX`].
pub(crate) const CASE_NUMBER_BYTES_MAX: usize = 64;

/// Rows of one page of a list, and of one message of a stream, by contract: the longest rows, with a
/// site's whole profile, stay below 1 MiB.
pub(crate) const PAGE_ROWS: u32 = 500;

/// Shards asked at once for a report: reading pages shall not be felt by those who sell.
pub(crate) const REPORT_SHARDS_AT_ONCE: usize = 8;

/// Rows of counts that a report by days holds while it merges the shards, some 200 bytes each.
pub(crate) const DAY_ROWS_HELD: usize = 16_384;
/// Fewest rows of one of its pages, however many shards there are.
pub(crate) const DAY_PAGE_ROWS_MIN: usize = 16;

/// Rule versions of one program: a change every working day for three months.
pub(crate) const PROGRAM_RULES_MAX: usize = 64;

/// How long one node may take to report its status before it counts as not heard.
pub(crate) const NODE_STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// How long one replica may take to reach a checkpoint and digest its state: a million citizens are
/// read in about a second.
pub(crate) const DIGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Shards verified at once: digests read whole shards, and sales go on meanwhile.
pub(crate) const VERIFY_SHARDS_AT_ONCE: usize = 4;

const _: () = {
    assert!(
        TERMINAL_MESSAGE_BYTES_MAX <= OPERATOR_MESSAGE_BYTES_MAX,
        "operators send more than terminals"
    );
    assert!(
        CALLS_MAX <= IN_FLIGHT_PER_NODE_MAX,
        "one node can lead every shard, so it must be able to hold every call"
    );
    assert!(
        4 * SLIPS_UNDER_WAY_MAX <= IN_FLIGHT_PER_SHARD_MAX,
        "slips leave the most of a shard's queue to those who wait at a counter"
    );
    assert!(
        2 * IN_FLIGHT_PER_SHARD_MAX <= IN_FLIGHT_PER_NODE_MAX,
        "one shard must leave room for others"
    );
    assert!(
        IMPORT_BATCH_SITES_MAX
            * (SITE_NAME_BYTES_MAX + SITE_ADDRESS_BYTES_MAX + SITE_REGION_BYTES_MAX + 128)
            <= OPERATOR_MESSAGE_BYTES_MAX,
        "the largest batch fits into a message"
    );
    assert!(
        DAY_PAGE_ROWS_MIN <= PAGE_ROWS as usize,
        "a page has a smallest and a largest size"
    );
    assert!(
        DRAIN_TIMEOUT.as_secs() >= CALL_TIMEOUT_DEFAULT.as_secs(),
        "calls with the default deadline end before the drain does"
    );
};

/// Differences of stock that are listed: enough to see what they have in common.
pub(crate) const STOCK_DIFFERENCES_SHOWN: usize = 100;

/// How far apart the two sides of the stock identity may be taken, milliseconds of the shards' time. Outbox
/// rows stay for 60 s after they reached their sites; the rest is for clocks that differ.
pub(crate) const STOCK_SIDES_APART_MS_MAX: i64 = 50_000;
