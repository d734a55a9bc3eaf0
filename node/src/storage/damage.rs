//! Finds the damaged record of a write-ahead log, because the database says only that there is one.
//!
//! Reads RocksDB's log format: blocks of 32 KiB; a record never crosses one and has a header of checksum
//! (masked CRC-32C, 4 bytes), length (2), kind (1) and, for a reused file, log number (4). Deliberately
//! absent: repair. What was acknowledged and cannot be read is another replica's to supply.

use std::fs;
use std::path::{Path, PathBuf};

const BLOCK_BYTES: usize = 32 << 10;
const HEADER_BYTES: usize = 7;
/// Kinds of a file that was used before; their header names the log as well.
const REUSED: std::ops::RangeInclusive<u8> = 5..=8;
const REUSED_HEADER_BYTES: usize = 11;

/// The first record, over all logs of a database, whose checksum is wrong: its file and offset.
pub(super) fn find(database: &Path) -> Option<(PathBuf, usize)> {
    let entries = fs::read_dir(database).ok()?.flatten();
    let mut logs: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    logs.into_iter().find_map(|log| {
        let offset = first_damage(&fs::read(&log).ok()?)?;
        Some((log, offset))
    })
}

fn first_damage(log: &[u8]) -> Option<usize> {
    let blocks = log.chunks(BLOCK_BYTES).enumerate();
    blocks
        .filter_map(|(number, block)| Some(number * BLOCK_BYTES + damage_in(block)?))
        .next()
}

fn damage_in(block: &[u8]) -> Option<usize> {
    let mut at = 0;
    // What is left of a block and too small for a header is padding.
    while let Some([a, b, c, d, low, high, kind]) = block.get(at..at + HEADER_BYTES) {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        if *kind == 0 && length == 0 {
            // The rest was allocated and never written.
            return None;
        }
        let header = if REUSED.contains(kind) {
            REUSED_HEADER_BYTES
        } else {
            HEADER_BYTES
        };
        // The checksum covers everything from the kind on, but for the length.
        let Some(covered) = block.get(at + HEADER_BYTES - 1..at + header + length) else {
            return Some(at);
        };
        if unmasked(u32::from_le_bytes([*a, *b, *c, *d])) != crc32c::crc32c(covered) {
            return Some(at);
        }
        at += header + length;
    }
    None
}

/// RocksDB stores checksums rotated and shifted, so that a checksum of data that holds checksums is sound.
fn unmasked(stored: u32) -> u32 {
    stored.wrapping_sub(0xa282_ead8).rotate_left(15)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rocksdb::{DB, Options};

    use super::*;

    #[test]
    fn a_flipped_bit_is_found_where_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let mut options = Options::default();
        options.create_if_missing(true);
        let db = DB::open(&options, directory.path()).unwrap();
        for number in 0..2_000_u32 {
            db.put(number.to_be_bytes(), [7; 100]).unwrap();
        }
        drop(db);
        assert_eq!(find(directory.path()), None);
        let entries = fs::read_dir(directory.path()).unwrap().flatten();
        let log = entries
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "log"))
            .unwrap();
        let mut bytes = fs::read(&log).unwrap();
        let flipped = bytes.len() / 2;
        bytes[flipped] ^= 1;
        fs::write(&log, bytes).unwrap();
        let (file, offset) = find(directory.path()).unwrap();
        assert_eq!(file, log);
        assert!(
            offset <= flipped && flipped - offset < 200,
            "{offset}, {flipped}"
        );
    }
}
