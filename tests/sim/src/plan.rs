//! What one seed stands for: the cluster, its clocks and network, its load and its faults.
//!
//! Pure: the same seed gives the same plan, whatever happened before. Deliberately absent: anything that
//! depends on how the run goes; who leads, for instance, is looked up when a fault strikes.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_node::seams::Upkeep;

use crate::chance::Chance;
use crate::faults::FaultKind;
use crate::net::{Place, Weather};

/// Gateways are placed from here on; nodes below.
pub const FIRST_GATEWAY: Place = 100;

/// Friday 13 March 2020, 09:00 in Seoul: the middle of a week, so that no clock error reaches another one.
pub const START_UNIX_MS: i64 = 1_584_057_600_000;

/// Citizens that clients meet on.
pub const CITIZENS: u64 = 6;
/// Counters; a client stands at one.
pub const SITES: u64 = 4;
/// Of the program.
pub const ZONE: &str = "Asia/Seoul";
/// What the rule allows in a week.
pub const LIMIT: u32 = 100;

/// Longer than any fault keeps its victims.
const FAULT_LASTS_MAX_MS: u64 = 3_500;

/// One seed, spelled out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it comes from.
    pub seed: u64,
    /// Three or five.
    pub nodes: u64,
    /// Data shards.
    pub shards: u32,
    /// Gateways.
    pub gateways: u64,
    /// Of the network.
    pub weather: Weather,
    /// What each node's clocks do, by place.
    pub clocks: BTreeMap<Place, ClockFault>,
    /// How nodes work.
    pub upkeep: Upkeep,
    /// How clients work.
    pub load: Load,
    /// How long load and faults last, from when the cluster serves.
    pub lasts: Duration,
    /// In the order in which they strike.
    pub faults: Vec<PlannedFault>,
}

/// A clock that is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockFault {
    /// Of the wall clock, milliseconds.
    pub skew_ms: i64,
    /// Of both clocks, parts in a million.
    pub drift_ppm: i32,
}

/// How clients work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// How many.
    pub clients: u32,
    /// Between two calls of one client.
    pub pause_max: Duration,
    /// For one call, the gateway's repetitions included.
    pub call_time_max: Duration,
}

/// A fault, and when it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedFault {
    /// After the load began.
    pub at: Duration,
    /// How long until it is undone.
    pub lasts: Duration,
    /// Which.
    pub kind: FaultKind,
    /// Decides among victims.
    pub choice: u64,
}

impl Plan {
    /// What this seed stands for.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed).fork("plan");
        let nodes = if chance.one_in(4) { 5 } else { 3 };
        let shards_max = if nodes == 3 { 4 } else { 3 };
        let shards = u32::try_from(chance.between(1, shards_max)).unwrap_or(1);
        let gateways = chance.between(1, 3);
        let lasts = Duration::from_millis(chance.between(4_000, 10_000));
        let clocks = (1..=nodes)
            .chain(FIRST_GATEWAY..FIRST_GATEWAY + gateways)
            .map(|place| (place, clock(&mut chance)))
            .collect();
        Self {
            seed,
            nodes,
            shards,
            gateways,
            weather: weather(&mut chance),
            clocks,
            // So often that it matters in a short run.
            upkeep: Upkeep {
                flush_interval: Duration::from_millis(chance.between(300, 4_000)),
                flush_entries: chance.between(5, 200),
                // Three times of four not at all.
                log_keep_time: Duration::from_millis(
                    Chance::new(seed)
                        .fork("log keep")
                        .between(0, 12_000)
                        .saturating_sub(9_000),
                ),
                log_keep_entries: chance.between(0, 60),
                // From a frame a row to everything in one.
                snapshot_frame_bytes: 1 << Chance::new(seed).fork("frames").between(4, 18),
                // From seconds to all at once.
                snapshot_bytes_per_second: 1 << Chance::new(seed).fork("pace").between(15, 24),
            },
            load: Load {
                clients: u32::try_from(chance.between(2, 6)).unwrap_or(2),
                pause_max: Duration::from_millis(chance.between(40, 250)),
                call_time_max: Duration::from_millis(chance.between(600, 4_000)),
            },
            lasts,
            faults: faults(&mut chance, lasts),
        }
    }

    /// Every node.
    pub fn node_places(&self) -> impl Iterator<Item = Place> + use<> {
        1..=self.nodes
    }

    /// Every gateway.
    pub fn gateway_places(&self) -> impl Iterator<Item = Place> + use<> {
        FIRST_GATEWAY..FIRST_GATEWAY + self.gateways
    }
}

fn weather(chance: &mut Chance) -> Weather {
    let delay_min = Duration::from_micros(chance.between(50, 1_000));
    Weather {
        delay_min,
        delay_max: delay_min + Duration::from_micros(chance.between(100, 8_000)),
        late_per_mille: chance.below(30),
        late_max: Duration::from_millis(chance.between(20, 1_200)),
        repeated_per_mille: chance.below(200),
    }
}

/// Most clocks are right to a few milliseconds, some are wrong by minutes.
fn clock(chance: &mut Chance) -> ClockFault {
    let skew_ms_max: u32 = match chance.below(10) {
        0 => 120_000,
        1 | 2 => 3_000,
        _ => 10,
    };
    ClockFault {
        skew_ms: signed(chance, skew_ms_max).into(),
        drift_ppm: signed(chance, 500),
    }
}

/// A number in `[-most, most]`.
fn signed(chance: &mut Chance, most: u32) -> i32 {
    let most = most.cast_signed();
    let drawn = chance.below(2 * u64::from(most.unsigned_abs()) + 1);
    i32::try_from(drawn).unwrap_or(most) - most
}

fn faults(chance: &mut Chance, lasts: Duration) -> Vec<PlannedFault> {
    let count = chance.between(2, 8);
    let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
    // A run tries a few kinds, each perhaps more than once: faults that meet themselves find other bugs.
    let kinds: Vec<FaultKind> = (0..chance.between(1, 5))
        .map(|_| *chance.pick(&FaultKind::ALL))
        .collect();
    let mut faults: Vec<PlannedFault> = (0..count)
        .map(|_| PlannedFault {
            at: Duration::from_millis(chance.below(lasts_ms)),
            lasts: Duration::from_millis(chance.between(50, FAULT_LASTS_MAX_MS)),
            kind: *chance.pick(&kinds),
            choice: chance.u64(),
        })
        .collect();
    faults.sort_by_key(|fault| fault.at);
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan() {
        let said = |seed| format!("{:?}", Plan::new(seed));
        assert_eq!(said(7), said(7));
        assert_ne!(said(7), said(8));
    }

    #[test]
    fn the_first_seeds_have_everything() {
        let plans: Vec<Plan> = (0..200).map(Plan::new).collect();
        for kind in FaultKind::ALL {
            let planned = |plan: &Plan| plan.faults.iter().any(|fault| fault.kind == kind);
            assert!(plans.iter().any(planned), "{kind:?}");
        }
        for nodes in [3, 5] {
            assert!(plans.iter().any(|plan| plan.nodes == nodes));
        }
    }
}
