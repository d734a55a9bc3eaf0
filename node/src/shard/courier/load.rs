//! What a courier has read of an outbox and not yet seen applied. Pure.
//!
//! Laws: a target is sent one delivery at a time, and the next one only once the rows of that one are known
//! to be applied or are sent again with it, so a delivery never passes over a row; rows are given up only
//! once they are known to be applied; what is done is told up to the first row that is not.

use std::collections::{BTreeMap, VecDeque};

use quorate_core::ledger::DeliveredRow;
use quorate_proto::ids::ShardId;

use crate::limits;

/// See the module.
pub(super) struct Load {
    /// Every row up to and including this one has been read.
    read_through: u64,
    lanes: BTreeMap<ShardId, Lane>,
    rows: usize,
}

/// Rows for one target, in order.
#[derive(Default)]
struct Lane {
    rows: VecDeque<DeliveredRow>,
    /// A delivery is under way, or the lane rests after one that failed.
    busy: bool,
    /// Deliveries in a row that were not applied.
    failures: u32,
}

/// The next delivery to one target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) target: ShardId,
    pub(super) through: u64,
    pub(super) rows: Vec<DeliveredRow>,
    /// Deliveries in a row that were not applied before this one.
    pub(super) failures: u32,
}

impl Load {
    /// Everything up to and including `acknowledged` has been applied.
    pub(super) fn new(acknowledged: u64) -> Self {
        Self {
            read_through: acknowledged,
            lanes: BTreeMap::new(),
            rows: 0,
        }
    }

    /// Every row up to and including this one has been read.
    pub(super) fn read_through(&self) -> u64 {
        self.read_through
    }

    /// How many rows may be read now.
    pub(super) fn room(&self) -> usize {
        limits::COURIER_ROWS_MAX.saturating_sub(self.rows)
    }

    /// Takes the next row of the outbox.
    pub(super) fn take(&mut self, row: DeliveredRow, target: ShardId) {
        assert_eq!(
            row.seq,
            self.read_through + 1,
            "an outbox is read without holes"
        );
        self.read_through = row.seq;
        self.rows += 1;
        self.lanes.entry(target).or_default().rows.push_back(row);
    }

    /// A delivery for every target that has rows and waits for none. Their lanes are busy from now on.
    pub(super) fn deliveries(&mut self) -> Vec<Next> {
        let read_through = self.read_through;
        let ready = self.lanes.iter_mut();
        ready
            .filter(|(_, lane)| !lane.busy && !lane.rows.is_empty())
            .map(|(target, lane)| {
                lane.busy = true;
                let rows = lane.rows.iter().take(limits::DELIVERED_ROWS_MAX);
                let rows: Vec<DeliveredRow> = rows.cloned().collect();
                let through = match rows.last() {
                    Some(last) if rows.len() < lane.rows.len() => last.seq,
                    // No row up to here is missing.
                    _ => read_through,
                };
                Next {
                    target: *target,
                    through,
                    rows,
                    failures: lane.failures,
                }
            })
            .collect()
    }

    /// A delivery was applied.
    pub(super) fn applied(&mut self, target: ShardId, through: u64) {
        if let Some(lane) = self.lanes.get_mut(&target) {
            while lane.rows.front().is_some_and(|row| row.seq <= through) {
                lane.rows.pop_front();
                self.rows -= 1;
            }
            lane.busy = false;
            lane.failures = 0;
        }
    }

    /// A delivery is not known to be applied. The lane rests until [`Load::rested`]; says how many deliveries
    /// in a row have failed.
    pub(super) fn failed(&mut self, target: ShardId) -> u32 {
        let lane = self.lanes.entry(target).or_default();
        lane.failures = lane.failures.saturating_add(1);
        lane.failures
    }

    /// The lane may be tried again.
    pub(super) fn rested(&mut self, target: ShardId) {
        if let Some(lane) = self.lanes.get_mut(&target) {
            lane.busy = false;
        }
    }

    /// Every row up to and including this one is known to be applied.
    pub(super) fn done_through(&self) -> u64 {
        let first_rows = self.lanes.values().filter_map(|lane| lane.rows.front());
        let first = first_rows.map(|row| row.seq).min();
        first.map_or(self.read_through, |first| first - 1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use quorate_core::ledger::{OutboxKind, OutboxRow, SaleKind};
    use quorate_proto::ids::{ProductId, ProgramId, RequestId, SiteCode};

    use super::*;

    fn row(seq: u64) -> DeliveredRow {
        DeliveredRow {
            seq,
            row: OutboxRow {
                site_code: SiteCode::parse("P-1").unwrap(),
                program: ProgramId::parse("mask").unwrap(),
                request_id: RequestId::from_bytes([1; 16]).unwrap(),
                product: ProductId::parse("mask").unwrap(),
                quantity: 1,
                kind: OutboxKind::Sold,
                at_ms: 0,
                sold_at_ms: 0,
                sale_kind: SaleKind::Online,
                over_by: 0,
            },
        }
    }

    fn take(load: &mut Load, rows: impl IntoIterator<Item = (u64, u32)>) {
        for (seq, target) in rows {
            load.take(row(seq), ShardId(target));
        }
    }

    fn seqs(next: &Next) -> (u32, u64, Vec<u64>) {
        let rows = next.rows.iter().map(|row| row.seq).collect();
        (next.target.get(), next.through, rows)
    }

    #[test]
    fn a_stuck_target_holds_up_the_acknowledgement_and_no_other_target() {
        let mut load = Load::new(10);
        assert_eq!(load.done_through(), 10);
        assert!(load.deliveries().is_empty());
        take(&mut load, [(11, 1), (12, 2), (13, 1)]);
        let first: Vec<_> = load.deliveries().iter().map(seqs).collect();
        assert_eq!(first, [(1, 13, vec![11, 13]), (2, 13, vec![12])]);
        assert!(load.deliveries().is_empty(), "both are under way");

        load.applied(ShardId(1), 13);
        assert_eq!(load.done_through(), 11, "row 12 is not applied");
        take(&mut load, [(14, 2), (15, 1)]);
        let second: Vec<_> = load.deliveries().iter().map(seqs).collect();
        assert_eq!(second, [(1, 15, vec![15])]);
        load.applied(ShardId(1), 15);
        assert_eq!(load.done_through(), 11);

        assert_eq!(load.failed(ShardId(2)), 1);
        assert!(load.deliveries().is_empty(), "it rests");
        load.rested(ShardId(2));
        let again = load.deliveries();
        assert_eq!(
            seqs(&again[0]),
            (2, 15, vec![12, 14]),
            "the same rows and the next"
        );
        assert_eq!(again[0].failures, 1);
        load.applied(ShardId(2), 15);
        assert_eq!((load.done_through(), load.rows), (15, 0));
    }

    #[test]
    fn a_delivery_that_does_not_take_every_row_ends_at_its_last() {
        let mut load = Load::new(0);
        let rows = limits::DELIVERED_ROWS_MAX as u64 + 7;
        take(&mut load, (1..=rows).map(|seq| (seq, 1)));
        let next = load.deliveries();
        let full = limits::DELIVERED_ROWS_MAX as u64;
        assert_eq!((next[0].through, next[0].rows.len() as u64), (full, full));
        load.applied(ShardId(1), full);
        assert_eq!(load.done_through(), full);
        let rest = load.deliveries();
        assert_eq!((rest[0].through, rest[0].rows.len()), (rows, 7));
    }

    #[test]
    fn the_rows_in_memory_are_bounded() {
        let mut load = Load::new(0);
        let max = limits::COURIER_ROWS_MAX as u64;
        take(&mut load, (1..=max).map(|seq| (seq, 1)));
        assert_eq!(load.room(), 0);
        load.deliveries();
        load.applied(ShardId(1), 5);
        assert_eq!(load.room(), 5);
    }
}
