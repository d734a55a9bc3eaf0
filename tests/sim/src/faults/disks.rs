//! Faults of disks.

use std::time::Duration;

use super::{FaultKind, Striker};
use crate::cluster::Death;
use crate::net::Place;
use crate::plan::PlannedFault;

/// How long the cluster may take to make up for a disk that was lost.
const REPAIR_TIME_MAX: Duration = Duration::from_secs(40);
/// Within this time a new disk has taken in its snapshots.
const SNAPSHOT_TIME: Duration = Duration::from_millis(1_500);

impl Striker {
    /// Lets a fault of a disk strike, and undoes it.
    pub(super) async fn spoil(&self, victim: Place, fault: PlannedFault) -> bool {
        match fault.kind {
            FaultKind::SlowSync => {
                let slow = Duration::from_millis(5 + fault.choice % 400);
                let disk = self.cluster.disk(victim);
                let before = disk.slowed();
                disk.slow_sync(slow);
                self.env.sleep(fault.lasts).await;
                disk.quicken(slow);
                disk.slowed() > before
            }
            FaultKind::FailedSync | FaultKind::DiskFull => self.fail(victim, fault).await,
            _ => self.lose_disk(victim, fault).await,
        }
    }

    /// Writes fail until the fault is over; the node stops, and comes back with what is on its disk.
    async fn fail(&self, victim: Place, fault: PlannedFault) -> bool {
        if !self.cluster.is_up(victim) {
            return false;
        }
        self.cluster.hold_restarts(victim, true);
        let disk = self.cluster.disk(victim);
        let before = disk.refused();
        let fail = |fails| match fault.kind {
            FaultKind::FailedSync => disk.fail_sync(fails),
            _ => disk.fill(fails),
        };
        fail(true);
        self.env.sleep(fault.lasts).await;
        fail(false);
        // What the page cache held is gone or not: nobody can tell after a sync that failed.
        if self.cluster.is_up(victim) {
            self.cluster.die(victim, Death::PowerCut).await;
        }
        self.cluster.hold_restarts(victim, false);
        self.cluster.start(victim).await;
        disk.refused() > before
    }

    /// The disk is lost, or damaged and then given up for lost; the node is replaced.
    async fn lose_disk(&self, victim: Place, fault: PlannedFault) -> bool {
        // Whoever is down or behind counts as lost as well: first the cluster must be whole.
        if !self.cluster.is_up(victim) || !self.cluster.may_spoil(victim) {
            return false;
        }
        if self.cluster.whole(Duration::from_secs(2)).await.is_err() {
            self.cluster.spoil_over();
            return false;
        }
        let stops_before = self.cluster.stops(victim);
        let is_damaged = fault.kind == FaultKind::BitFlip;
        if is_damaged {
            self.cluster.hold_restarts(victim, true);
            self.cluster.die(victim, Death::PowerCut).await;
            self.cluster.disk(victim).flip_bit(fault.choice);
            self.cluster.start(victim).await;
            self.env.sleep(fault.lasts).await;
        }
        self.cluster.die(victim, Death::PowerCut).await;
        // Damage that the node has not read does nothing.
        let took_effect = !is_damaged || self.cluster.stops(victim) > stops_before;
        self.cluster.replace_disk(victim);
        self.env.sleep(fault.lasts / 2).await;
        // An empty disk gives no cause to stop; a full one beside it does, and takes back its own.
        if is_damaged {
            self.cluster.hold_restarts(victim, false);
        }
        self.cluster.start(victim).await;
        // Power may fail while it takes in the snapshots of its replicas.
        for _ in 0..fault.choice % 4 {
            self.env.sleep(self.env.random_up_to(SNAPSHOT_TIME)).await;
            self.cluster.die(victim, Death::PowerCut).await;
            self.cluster.start(victim).await;
        }
        // Until then, or until the run heals everything, no other disk is lost.
        if self.cluster.whole(REPAIR_TIME_MAX).await.is_ok() {
            self.cluster.spoil_over();
        }
        took_effect
    }
}
