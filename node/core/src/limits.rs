//! Every bound of the core, with its reason.

/// One day, milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How long a sale, denial or void is remembered after it was recorded, milliseconds. A repeated request
/// repeats its answer for this long. 35 days are five calendar weeks: longer than any window, and longer
/// than a terminal may stay offline.
pub const RETENTION_MS: i64 = 35 * DAY_MS;

/// Longest window of any rule, local days: a month. It must end before a sale in it is forgotten.
pub const WINDOW_DAYS_MAX: u8 = 31;

/// Longest window of any rule, milliseconds: [`WINDOW_DAYS_MAX`] in which clocks are set back.
pub const WINDOW_MS_MAX: i64 = (WINDOW_DAYS_MAX as i64 + 1) * DAY_MS;

/// How far ahead the next possible sale is looked for, milliseconds: longer than any window and than the
/// time between two rule versions; somebody who cannot buy for two months is told no date.
pub const ELIGIBLE_MS_MAX: i64 = 60 * DAY_MS;

/// How far ahead of the shard's clock a slip may say it was sold, milliseconds: what a device's clock may
/// be wrong by before its slips are refused.
pub const SLIP_AHEAD_MS_MAX: i64 = 5 * 60 * 1000;

/// How long before its instant a change of a program must be proposed, milliseconds: several times what it
/// takes to reach every shard, a failover included.
pub const PROGRAM_LEAD_MS: i64 = 30 * 1000;

/// Local days for which sales and refusals stay counted by day: a year, with the same weeks of the year
/// before still to compare.
pub const DAY_COUNTS_KEPT_DAYS: i64 = 400;

/// Rows in one page of an answer: about 100 KiB.
pub const PAGE_ROWS_MAX: u32 = 500;

/// Latest time that a command may carry, Unix milliseconds: the year 9000, well inside the calendar's
/// range, so that a window's end is always inside too.
pub const TIME_MS_MAX: i64 = 221_845_392_000_000;

/// Denials kept in one record; the oldest is dropped. A repeated request whose denial was dropped is
/// decided anew. Nobody is denied this often in five weeks but by a program gone wild, and the record must
/// stay small enough to be read and written with every sale.
pub const DENIALS_KEPT_MAX: usize = 64;

/// Sales inside the retention time that one record holds, voided ones included; above it every sale is
/// denied as over the limit. Selling and voiding in a loop would otherwise grow the record for ever. Slips
/// are recorded all the same: each is a signed fact that happened at a counter, and refusing to write it
/// down would lose it.
pub const SALES_KEPT_MAX: usize = 1024;

/// Attempts to void one sale that are kept; the oldest refused one is dropped. Its repeat is decided anew,
/// to the same refusal, because a refusal never turns; only the use of its id for something else is then
/// no longer noticed.
pub const VOID_ATTEMPTS_KEPT_MAX: usize = 8;

/// Rule versions of one program: a change every working day for three months. All of them are read with
/// each batch.
pub const RULES_MAX: usize = 64;

/// Products of one program: sizes and kinds; every site keeps stock of each.
pub const PRODUCTS_MAX: usize = 32;

/// Holidays of one program: several years of them.
pub const HOLIDAYS_MAX: usize = 366;

/// Limits by birth year in one rule.
pub const BIRTH_YEAR_LIMITS_MAX: usize = 16;

/// Grounds for proxies in one rule: the longest list of 2020 had nine.
pub const PROXIES_MAX: usize = 32;

/// Longest name of a product or note to a proxy ground, bytes. Programs travel whole with the view.
pub const LABEL_BYTES_MAX: usize = 160;

/// Longest case number of a correction, bytes.
pub const CASE_NUMBER_BYTES_MAX: usize = 64;

/// Longest reason of a correction, and longest name of its operator, bytes. Both stay in the record.
pub const CORRECTION_TEXT_BYTES_MAX: usize = 200;

/// Units a rule may allow in one window. Keeps every sum over a record far inside 64 bits.
pub const RULE_LIMIT_MAX: u32 = 1_000_000;

/// Programs in one cluster view, which travels whole.
pub const PROGRAMS_MAX: usize = 256;

/// Commands in one batch: bounds the time that one entry holds up the ones behind it.
pub const BATCH_COMMANDS_MAX: usize = 4096;

/// Sites in one command: about 300 KiB.
pub const SITES_PER_COMMAND_MAX: usize = 1000;

/// Longest name or postal address of a site, bytes: several times the longest of the 2020 list.
pub const SITE_TEXT_BYTES_MAX: usize = 512;

/// Longest region name, bytes. It is stored with every sale.
pub const REGION_BYTES_MAX: usize = 64;

/// Longest time zone name, bytes; the longest of the IANA database has 32.
pub const TIME_ZONE_BYTES_MAX: usize = 64;

/// Data shards a cluster may start with; beyond that it grows by splitting.
pub const SHARDS_MAX: u32 = 4096;

/// Replicas of a shard: any one may be lost.
pub const REPLICAS: usize = 3;

/// Nodes in one cluster view.
pub const NODES_MAX: usize = 1024;

/// Longest address or zone of a node, bytes: a full DNS name and a port.
pub const NODE_TEXT_BYTES_MAX: usize = 264;

/// Devices at one site: a department store of pharmacies. The record is read with every login.
pub const SITE_DEVICES_MAX: usize = 1000;

/// Products of one site: every product of every program that a country may run at once.
pub const SITE_PRODUCTS_MAX: usize = 64;

/// Units in one change of stock: a thousand times what a site gets in a day. Sums then stay far inside 63
/// bits.
pub const STOCK_QUANTITY_MAX: u32 = 1_000_000;

/// Changes of one site that are kept to know their repeats; the oldest is dropped. Thirty a day for the
/// whole retention time: a clerk makes a few a day. The row is read and written with each change.
pub const STOCK_CHANGES_KEPT_MAX: usize = 1024;

/// How long a sale stays in its site's list, milliseconds: today and yesterday, also where a day has 25 hours.
pub const SITE_SALES_KEPT_MS: i64 = 2 * DAY_MS + 2 * 60 * 60 * 1000;

/// Sales dropped from a site's list at once, at most once an hour: several times what a busy site sells in one.
pub const LISTED_DROPPED_MAX: usize = 1024;

/// Listed sales read for one question: a few milliseconds of the shard's time.
pub const LISTED_SCANNED_MAX: usize = 4096;

/// Rows in one delivery from another shard's outbox. At about 120 bytes a row well below the size of a log
/// entry.
pub const DELIVERED_ROWS_MAX: usize = 512;

/// How long an outbox row stays after it is known to have reached its site, milliseconds: a verification
/// compares the sites first and the outboxes later.
pub const OUTBOX_KEPT_MS: i64 = 60 * 1000;

/// Outbox rows deleted by one command: at ten commands a second, three times the rows of the busiest shard.
pub const OUTBOX_TRIMMED_MAX: u64 = 1024;

/// Longest public notice of a site, or note of an adjustment, bytes.
pub const STOCK_TEXT_BYTES_MAX: usize = 200;

const _: () = assert!(
    RETENTION_MS > WINDOW_MS_MAX,
    "a sale must be remembered for as long as it can count"
);
const _: () = assert!(
    VOID_ATTEMPTS_KEPT_MAX >= 2,
    "the attempt that voided is kept beside at least one refused one"
);
