//! Every bound of the checker, with its reason.

/// Unknown outcomes of one citizen that a verdict may rest on. With more, nearly any answer can be explained,
/// and a run that leaves so many open proves nothing.
pub const UNKNOWN_MAX: usize = 25;

/// Dead ends remembered in the search for one citizen's order: some hundred megabytes at most. A citizen whose
/// calls overlap so much is inconclusive, and that fails the run.
pub const DEAD_ENDS_MAX: usize = 1_000_000;

/// Violations that are listed; all are counted. The first few tell, and a broken run can hold a million.
pub const VIOLATIONS_MAX: usize = 100;

/// Bytes of a file that one thread reads at a time: long enough that the hand-over costs nothing, short enough
/// that the text of a long history is never in memory whole.
pub const BLOCK_BYTES: usize = 4 << 20;

/// Blocks that were read and wait to be put in their place.
pub const BLOCKS_READ_AHEAD: usize = 8;

/// Longest line, bytes: a list of a citizen with the most sales that a record keeps is a tenth of it.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// Citizens whose judgement is one unit of work.
pub const CITIZENS_PER_TASK: usize = 1024;

/// Sales that a citizen's record holds; the ledger denies above it whatever the rule leaves.
pub const SALES_KEPT_MAX: usize = 1024;

/// Threads that a judgement takes where nothing is said.
pub const THREADS_DEFAULT: usize = 2;

/// Years of birth that a rule may name.
pub const BIRTH_YEAR_MAX: u16 = 9999;

/// Days of the longest rolling window, as in the ledger.
pub const WINDOW_DAYS_MAX: u8 = 31;
