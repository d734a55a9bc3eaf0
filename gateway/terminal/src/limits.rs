//! Every bound of the counter, with its reason.

use std::time::Duration;

/// How long a gateway is waited for before a sale is made on paper: an election takes about a second and
/// a half, and a customer stands there.
pub const ONLINE_PATIENCE: Duration = Duration::from_secs(4);

/// The same after a sale that found no gateway: long enough to notice that one is back.
pub const ONLINE_PATIENCE_IN_OUTAGE: Duration = Duration::from_millis(800);

/// Slips of one stream. A stream that breaks costs at most so many repetitions.
pub const HAND_IN_BATCH: usize = 256;

/// Silence after which a stream of slips is given up. A gateway answers each within 5 s.
pub const HAND_IN_PATIENCE: Duration = Duration::from_secs(10);

/// Pause before slips are handed in again after nothing came of it: the first, and the longest after
/// doubling. All counters of a country do this at once when an outage ends.
pub const HAND_IN_PAUSE_MIN: Duration = Duration::from_secs(1);
/// See [`HAND_IN_PAUSE_MIN`].
pub const HAND_IN_PAUSE_MAX: Duration = Duration::from_secs(60);

/// A journal with nothing left to hand in is written anew once it is longer than this, bytes: about 700
/// slips, the worst day of one counter.
pub const COMPACT_ABOVE_BYTES: u64 = 256 << 10;

/// Slips that a journal written anew still shows.
pub const SETTLED_KEPT: usize = 100;

/// Largest record of a journal, bytes: a slip has about 400. A longer length is damage.
pub const RECORD_BYTES_MAX: usize = 16 << 10;

const _: () = assert!(
    ONLINE_PATIENCE_IN_OUTAGE.as_millis() < ONLINE_PATIENCE.as_millis(),
    "an outage makes a counter quicker"
);
