//! What the frames of a snapshot must be. Pure: neither the connection nor the disk is touched.
//!
//! Laws: a row is taken only from a frame that matches its checksum; keys ascend over the whole snapshot, and lie
//! in ranges of the group; the last frame says how many rows there were.

use quorate_core::codec::{self, DecodeError};
use quorate_core::keys;
use quorate_proto::ids::{ReplicaId, ShardId};
use quorate_proto::internal::{SnapshotFrame, SnapshotRow};

use super::codec::{AppliedPoint, log_id_from_proto, membership_from_proto, required_vote};
use super::snapshot_receiver::SnapshotRefused;
use super::snapshot_sender::checksum;
use super::types::Vote;
use crate::storage::{KeyRange, Row};

/// What the first frame says of the snapshot.
#[derive(Debug)]
pub(super) struct SnapshotHead {
    pub(super) shard: ShardId,
    /// For whom it is.
    pub(super) replica: ReplicaId,
    pub(super) vote: Vote,
    pub(super) point: AppliedPoint,
}

impl SnapshotHead {
    /// Reads it from the first frame.
    ///
    /// # Errors
    /// There is none, it is of another cluster, or it lacks the vote or the membership.
    pub(super) fn read(first: &SnapshotFrame, cluster_id: &str) -> Result<Self, SnapshotRefused> {
        let header = first
            .header
            .as_ref()
            .ok_or_else(|| DecodeError::missing("snapshot header"))?;
        if header.cluster_id != cluster_id {
            return Err(SnapshotRefused::ForeignCluster(header.cluster_id.clone()));
        }
        let membership = header
            .membership
            .as_ref()
            .ok_or_else(|| DecodeError::missing("snapshot membership"))?;
        Ok(Self {
            shard: ShardId::new(header.group),
            replica: ReplicaId::new(header.to_replica),
            vote: required_vote(header.vote.as_ref())?,
            point: AppliedPoint {
                log_id: header.last_log_id.as_ref().map(log_id_from_proto),
                membership: membership_from_proto(membership)?,
            },
        })
    }
}

/// The rows of a frame, if it is as it was sent. Frames are counted from 0.
///
/// # Errors
/// It does not match its checksum.
pub(super) fn undamaged(
    frame: SnapshotFrame,
    number: u64,
) -> Result<impl Iterator<Item = Row>, SnapshotRefused> {
    if checksum(&frame.rows) != frame.checksum {
        return Err(SnapshotRefused::Damaged(number));
    }
    let row = |row: SnapshotRow| (row.key.into(), row.value.into());
    Ok(frame.rows.into_iter().map(row))
}

/// Judges the rows of one snapshot, one after the other.
#[derive(Debug)]
pub(super) struct RowCheck {
    group: ShardId,
    /// Key ranges that the sender's replica owned; those of its facts alone until its facts are read.
    owned: Vec<KeyRange>,
    /// Which of them the last row was in.
    range: usize,
    last_key: Option<Vec<u8>>,
    rows_total: u64,
}

/// Where a row lies, of the key ranges of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// In that of the row before, or it is the first row.
    Same,
    /// In a later one.
    Another,
}

impl RowCheck {
    pub(super) fn new(group: ShardId) -> Self {
        Self {
            group,
            owned: keys::ranges(group, None),
            range: 0,
            last_key: None,
            rows_total: 0,
        }
    }

    /// Judges the next row.
    ///
    /// # Errors
    /// Its key is not above the one before, it is of another group, or the facts that it holds are damaged.
    pub(super) fn admit(&mut self, key: &[u8], value: &[u8]) -> Result<Range, SnapshotRefused> {
        if self.last_key.as_deref().is_some_and(|last| last >= key) {
            return Err(SnapshotRefused::Row("its keys do not ascend"));
        }
        let owns = |(first, end): &KeyRange| first.as_slice() <= key && key < end.as_slice();
        let Some(range) = self.owned.iter().position(owns) else {
            return Err(SnapshotRefused::Row("it holds a row of another group"));
        };
        if key == keys::facts(self.group) && self.group != ShardId::SYSTEM {
            // The range of the facts is the first, whatever else is owned.
            self.owned = keys::ranges(self.group, codec::decode_facts(value.to_vec())?.range());
        }
        let is_first = self.last_key.is_none();
        let lies_in = match range == self.range || is_first {
            true => Range::Same,
            false => Range::Another,
        };
        self.range = range;
        let last_key = self.last_key.get_or_insert_default();
        last_key.clear();
        last_key.extend_from_slice(key);
        self.rows_total += 1;
        Ok(lies_in)
    }

    /// Whether all rows are there, by what the frame that was read last says of their number.
    ///
    /// # Errors
    /// It says that it is the last, and rows are missing.
    pub(super) fn is_whole(&self, rows_total: Option<u64>) -> Result<bool, SnapshotRefused> {
        match rows_total {
            None => Ok(false),
            Some(total) if total == self.rows_total => Ok(true),
            Some(_) => Err(SnapshotRefused::Incomplete),
        }
    }

    /// Rows admitted so far.
    pub(super) fn rows_total(&self) -> u64 {
        self.rows_total
    }

    /// The key ranges of the group, by the rows admitted.
    pub(super) fn owned_ranges(&self) -> &[KeyRange] {
        &self.owned
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const GROUP: ShardId = ShardId::SYSTEM;

    /// A key of the group.
    fn key(last: u8) -> Vec<u8> {
        let (mut key, _) = keys::ranges(GROUP, None).remove(0);
        key.push(last);
        key
    }

    #[test]
    fn a_frame_that_was_changed_is_refused_by_its_number() {
        let row = SnapshotRow {
            key: key(1).into(),
            value: vec![2].into(),
        };
        let mut frame = SnapshotFrame {
            checksum: checksum(std::slice::from_ref(&row)),
            rows: vec![row],
            ..SnapshotFrame::default()
        };
        let rows: Vec<Row> = undamaged(frame.clone(), 0).unwrap().collect();
        assert_eq!(rows, [(key(1), vec![2])]);
        frame.rows[0].value = vec![3].into();
        let refused = undamaged(frame, 7).err().unwrap();
        assert!(matches!(refused, SnapshotRefused::Damaged(7)), "{refused}");
    }

    #[test]
    fn keys_ascend_within_the_ranges_of_the_group() {
        let mut check = RowCheck::new(GROUP);
        check.admit(&key(2), b"").unwrap();
        for wrong in [key(1), key(2), keys::facts(ShardId::new(1)), vec![0xff]] {
            assert!(check.admit(&wrong, b"").is_err(), "{wrong:?}");
        }
        assert_eq!(check.admit(&key(3), b"").unwrap(), Range::Same);
        let (outbox, _) = keys::ranges(GROUP, None).remove(1);
        assert_eq!(check.admit(&outbox, b"").unwrap(), Range::Another);
        assert_eq!(check.rows_total(), 3);
    }

    #[test]
    fn a_snapshot_is_whole_with_its_last_row() {
        let mut check = RowCheck::new(GROUP);
        check.admit(&key(1), b"").unwrap();
        assert!(!check.is_whole(None).unwrap());
        assert!(check.is_whole(Some(1)).unwrap());
        for wrong in [0, 2] {
            let refused = check.is_whole(Some(wrong)).unwrap_err();
            assert!(matches!(refused, SnapshotRefused::Incomplete), "{refused}");
        }
    }
}
