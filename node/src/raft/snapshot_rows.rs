//! The rows of one replica, read from a fixed view in portions, and none of its neighbours': groups share one
//! key space, where other groups' rows lie between the ranges of each.

use quorate_core::{View, ViewError, codec, keys, ledger};
use quorate_proto::ids::ShardId;
use quorate_proto::storage as pb;

use super::codec::{AppliedPoint, applied_from_proto};
use crate::storage::{KeyRange, Row};

/// Reads a replica's rows in key order.
pub(crate) struct RowReader<'v> {
    view: &'v (dyn View + Sync),
    /// What is still to be read, the next range last.
    left: Vec<KeyRange>,
}

impl<'v> RowReader<'v> {
    pub(crate) fn new(view: &'v (dyn View + Sync), group: ShardId) -> Result<Self, ViewError> {
        let mut left = owned_ranges(view, group)?;
        left.reverse();
        Ok(Self { view, left })
    }

    /// The next rows, about `bytes_max` of them; empty when all have been read.
    pub(crate) fn portion(&mut self, bytes_max: usize) -> Result<Vec<Row>, ViewError> {
        let mut rows: Vec<Row> = Vec::new();
        let mut bytes = 0;
        while let Some((first, end)) = self.left.pop() {
            let of_earlier_ranges = rows.len();
            let mut full = false;
            let scanned = self.view.scan(&first, &end, &mut |key, value| {
                if !rows.is_empty() && bytes >= bytes_max {
                    full = true;
                    return Err(ViewError::new("enough has been read"));
                }
                bytes += key.len() + value.len();
                rows.push((key.to_vec(), value.to_vec()));
                Ok(())
            });
            if !full {
                scanned?;
                continue;
            }
            // Where this range goes on; the last row read may be one of an earlier range.
            let next = match rows[of_earlier_ranges..].last() {
                Some((last, _)) => least_above(last),
                None => first,
            };
            self.left.push((next, end));
            break;
        }
        Ok(rows)
    }
}

fn least_above(key: &[u8]) -> Vec<u8> {
    let mut above = key.to_vec();
    above.push(0);
    above
}

/// The applied point inside a view.
pub(crate) fn point_of(view: &dyn View, group: ShardId) -> Result<AppliedPoint, ViewError> {
    match view.get(&keys::applied(group))? {
        Some(bytes) => codec::open::<pb::AppliedPoint>("applied point", &bytes)
            .and_then(|message| applied_from_proto(&message))
            .map_err(ViewError::new),
        None => Ok(AppliedPoint::default()),
    }
}

/// The key ranges of a replica, by what it knows of itself.
pub(crate) fn owned_ranges(view: &dyn View, group: ShardId) -> Result<Vec<KeyRange>, ViewError> {
    let range = if group == ShardId::SYSTEM {
        None
    } else {
        ledger::facts(view, group).map_err(ViewError::new)?.range()
    };
    Ok(keys::ranges(group, range))
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeMap;

    use quorate_core::Overlay;
    use quorate_core::ledger::{AdoptRange, Batch, Command, CommandBody};
    use quorate_proto::ids::Epoch;
    use quorate_proto::ring::{RingRange, even_split};

    use super::*;

    pub(in crate::raft) const SHARDS: u32 = 4;

    /// A few rows in every range of every group.
    pub(in crate::raft) fn neighbours() -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut rows = BTreeMap::new();
        for (shard, range) in (1..).zip(even_split(SHARDS)) {
            let group = ShardId::new(shard);
            rows.extend(facts(group, range));
            for (first, _) in keys::ranges(group, Some(range)) {
                // Above every kind that has a meaning.
                for row in 0xf0..0xf5 {
                    let key = [&first[..], &[row]].concat();
                    rows.insert(key, vec![row; usize::from(row & 7)]);
                }
            }
        }
        rows
    }

    /// Those of one group.
    pub(in crate::raft) fn rows_of(
        rows: &BTreeMap<Vec<u8>, Vec<u8>>,
        group: ShardId,
        range: RingRange,
    ) -> Vec<Row> {
        let owned = keys::ranges(group, Some(range));
        let owns = |key: &Vec<u8>| owned.iter().any(|(first, end)| (first..end).contains(&key));
        let rows = rows.clone().into_iter();
        rows.filter(|(key, _)| owns(key)).collect()
    }

    /// What a shard writes down when it gets its range.
    fn facts(group: ShardId, range: RingRange) -> impl Iterator<Item = Row> {
        let epoch = Epoch(1);
        let adopt = Command {
            epoch,
            body: CommandBody::AdoptRange(AdoptRange { range, epoch }),
        };
        let batch = Batch {
            time_ms: 0,
            commands: vec![adopt],
        };
        let nothing = BTreeMap::new();
        let mut overlay = Overlay::new(&nothing);
        ledger::apply_batch(&mut overlay, group, &batch).unwrap();
        let writes = overlay.into_writes().into_iter();
        writes.filter_map(|(key, value)| Some((key, value?)))
    }

    #[test]
    fn portions_of_any_size_are_the_replicas_rows_and_no_others() {
        let view = neighbours();
        for (shard, range) in (1..).zip(even_split(SHARDS)) {
            let group = ShardId::new(shard);
            let expected = rows_of(&view, group, range);
            for bytes_max in 0..400 {
                let mut reader = RowReader::new(&view, group).unwrap();
                let mut read = Vec::new();
                loop {
                    let portion = reader.portion(bytes_max).unwrap();
                    if portion.is_empty() {
                        break;
                    }
                    read.extend(portion);
                }
                assert_eq!(read, expected, "{group} in portions of {bytes_max} bytes");
            }
        }
    }
}
