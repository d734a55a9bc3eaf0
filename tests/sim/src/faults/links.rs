//! Faults between places.

use std::time::Duration;

use super::{FaultKind, Striker};
use crate::net::{Direction, Place};
use crate::plan::PlannedFault;

impl Striker {
    /// Lets a fault of the network strike, and undoes it.
    pub(super) async fn disturb(&self, victim: Place, fault: PlannedFault) -> bool {
        match fault.kind {
            FaultKind::Flaky => self.flaky(victim, fault.lasts).await,
            FaultKind::SlowLinks => self.slow(victim, fault).await,
            _ => self.cut(&self.directions(victim, fault), fault.lasts).await,
        }
    }

    /// Which directions a kind cuts.
    fn directions(&self, victim: Place, fault: PlannedFault) -> Vec<Direction> {
        let plan = self.cluster.plan();
        let nodes: Vec<Place> = plan.node_places().collect();
        let everybody: Vec<Place> = plan.node_places().chain(plan.gateway_places()).collect();
        // Sometimes gateways still reach whoever is cut off from the other nodes: the stale leader's case.
        let others = if fault.choice.is_multiple_of(3) {
            &nodes
        } else {
            &everybody
        };
        let beside = |inside: &[Place], outside: &[Place]| -> Vec<Direction> {
            let pairs = inside.iter().flat_map(|one| {
                let away = outside.iter().filter(|other| !inside.contains(other));
                away.map(|other| (*one, *other)).collect::<Vec<_>>()
            });
            pairs.collect()
        };
        let both = |pairs: Vec<Direction>| -> Vec<Direction> {
            pairs
                .into_iter()
                .flat_map(|(one, other)| [(one, other), (other, one)])
                .collect()
        };
        match fault.kind {
            FaultKind::IsolateOne => both(beside(&[victim], others)),
            FaultKind::IsolateMinority => both(beside(&self.minority(victim), others)),
            FaultKind::Mute => beside(&[victim], others),
            FaultKind::Deaf => beside(&[victim], others)
                .into_iter()
                .map(|(one, other)| (other, one))
                .collect(),
            FaultKind::GatewayCut => {
                let gateways: Vec<Place> = plan.gateway_places().collect();
                both(beside(&[victim], &gateways))
            }
            _ => {
                let next = victim % plan.nodes + 1;
                both(vec![(victim, next)])
            }
        }
    }

    async fn cut(&self, directions: &[Direction], lasts: Duration) -> bool {
        let network = self.cluster.network();
        let before = network.hindered(directions);
        for (from, to) in directions {
            network.cut(*from, *to);
        }
        self.env.sleep(lasts).await;
        for (from, to) in directions {
            network.mend(*from, *to);
        }
        network.hindered(directions) > before
    }

    async fn flaky(&self, victim: Place, lasts: Duration) -> bool {
        let (plan, network) = (self.cluster.plan(), self.cluster.network());
        let end = self.env.monotonic() + lasts;
        let mut broken = 0;
        while self.env.monotonic() < end {
            for other in plan.node_places().chain(plan.gateway_places()) {
                if other != victim {
                    broken += network.break_connections(victim, other);
                }
            }
            let pause = self.env.random_up_to(Duration::from_millis(400));
            self.env.sleep(pause).await;
        }
        broken > 0
    }

    async fn slow(&self, victim: Place, fault: PlannedFault) -> bool {
        let (plan, network) = (self.cluster.plan(), self.cluster.network());
        let factor = 2 + u32::try_from(fault.choice % 30).unwrap_or_default();
        let others = plan.node_places().filter(|other| *other != victim);
        let directions: Vec<Direction> = others
            .flat_map(|other| [(victim, other), (other, victim)])
            .collect();
        let before = network.hindered(&directions);
        for (from, to) in &directions {
            network.slow(*from, *to, factor);
        }
        self.env.sleep(fault.lasts).await;
        for (from, to) in &directions {
            network.quicken(*from, *to, factor);
        }
        network.hindered(&directions) > before
    }
}
