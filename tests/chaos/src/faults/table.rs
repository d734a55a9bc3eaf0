//! As much of a table file's format as it takes to say whose rows are in it and where they end: a flipped bit among
//! rows must be noticed when all of them are read; one behind them, in filters or in descriptions, need not be.
//!
//! A table holds its rows first, then blocks that describe them. The block of properties is never compressed; its keys
//! are sorted, and each leaves out what it shares with the one before.

use std::{fs::File, os::unix::fs::FileExt as _, path::Path};

/// Properties lie among the last bytes.
const TAIL_BYTES: u64 = 64 << 10;

/// What a table says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Name of the column family.
    pub(super) family: String,
    /// Length of the rows, which come first.
    pub(super) rows_bytes: u64,
    /// Marks that a whole range of rows is deleted: nobody need read those.
    pub(super) ranges_deleted: u64,
}

impl Table {
    /// Reads what a file says of itself; `None` if it cannot be made out.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        let tail_bytes = length.min(TAIL_BYTES);
        let mut tail = vec![0; usize::try_from(tail_bytes).ok()?];
        let from = length - tail_bytes;
        file.read_exact_at(&mut tail, from).ok()?;
        Self::of(&tail)
    }

    fn of(tail: &[u8]) -> Option<Self> {
        let family = property(tail, b"rocksdb.column.family.name")?;
        Some(Self {
            family: String::from_utf8(family.to_vec()).ok()?,
            rows_bytes: number(property(tail, b"rocksdb.data.size")?)?,
            ranges_deleted: number(property(tail, b"rocksdb.num.range-deletions")?)?,
        })
    }
}

/// The value of a property. An entry is the length that its key shares with the one before, the length of the rest, the
/// length of the value, the rest of the key, the value.
fn property<'a>(block: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    // Three letters could be anything.
    for rest in (4..=name.len()).rev() {
        let lengths = [name.len() - rest, rest].map(|length| length as u8);
        let key = &name[name.len() - rest..];
        let is_entry = |entry: &[u8]| entry[..2] == lengths && entry[3..] == *key;
        if let Some(at) = block.windows(3 + rest).position(is_entry) {
            let from = at + 3 + rest;
            return block.get(from..from + usize::from(block[at + 2]));
        }
    }
    None
}

/// Seven bits a byte, the lowest first; the last byte has its highest bit clear.
fn number(bytes: &[u8]) -> Option<u64> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// As RocksDB writes them: sorted, each without what it shares with the one before.
    fn block(properties: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut block, mut before) = (vec![0; 1_000], "");
        for (name, value) in properties {
            let same = name.bytes().zip(before.bytes()).take_while(|(a, b)| a == b);
            let shared = same.count();
            let lengths = [shared, name.len() - shared, value.len()];
            block.extend(lengths.map(|length| length as u8));
            block.extend(&name.as_bytes()[shared..]);
            block.extend(*value);
            before = name;
        }
        block.extend([0; 60]);
        block
    }

    #[test]
    fn a_table_says_whose_rows_it_holds_and_where_they_end() {
        let properties = [
            ("rocksdb.column.family.id", &[2][..]),
            ("rocksdb.column.family.name", b"state"),
            ("rocksdb.comparator", b"leveldb.BytewiseComparator"),
            ("rocksdb.creating.session.identity", b"X"),
            ("rocksdb.data.size", &[0xac, 0x02]),
            ("rocksdb.num.entries", &[9]),
            ("rocksdb.num.range-deletions", &[0]),
        ];
        let table = Table::of(&block(&properties)).unwrap();
        let expected = Table {
            family: "state".to_owned(),
            rows_bytes: 300,
            ranges_deleted: 0,
        };
        assert_eq!(table, expected);
        assert_eq!(Table::of(&block(&properties[..4])), None);
        assert_eq!(Table::of(b"no table"), None);
    }
}
