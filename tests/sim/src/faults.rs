//! What goes wrong, and how it ends.
//!
//! [`FaultKind`] is the list; whatever is added there joins every run (splits and moves will). Laws: at most
//! one disk is lost or damaged at a time, and none until the cluster has made up for the one before, because
//! that is what three replicas promise to survive; everything else may strike anything at any moment.

mod disks;
mod links;

use std::sync::Arc;
use std::time::Duration;

use quorate_link::Env;

use crate::cluster::{Cluster, Death};
use crate::coverage::Coverage;
use crate::net::Place;
use crate::plan::PlannedFault;
use crate::trace::Log;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// The process of one node is killed; its machine lives on.
    Kill,
    /// One node loses power.
    PowerCutOne,
    /// As many nodes as may fail lose power together.
    PowerCutMinority,
    /// All nodes lose power together.
    PowerCutAll,
    /// One node is stopped in an orderly way.
    Restart,
    /// All nodes are stopped and started, one after the other.
    RollingRestart,
    /// One node stands still, and then goes on as if nothing had been.
    Pause,
    /// One node is cut off from everybody.
    IsolateOne,
    /// As many nodes as may fail are together, cut off from the others.
    IsolateMinority,
    /// One node hears nobody, and is heard.
    Deaf,
    /// One node is not heard, and hears.
    Mute,
    /// Two nodes cannot reach each other; both reach the rest.
    Bridge,
    /// No gateway can reach one node.
    GatewayCut,
    /// A gateway is killed and another takes its place.
    GatewayKill,
    /// Connections break again and again.
    Flaky,
    /// Messages take many times as long.
    SlowLinks,
    /// One node's disk takes its time to sync.
    SlowSync,
    /// One node's disk fails to sync.
    FailedSync,
    /// One node's disk is full.
    DiskFull,
    /// One node comes back with an empty disk, and is replaced.
    EmptyDisk,
    /// A bit of one node's disk flips.
    BitFlip,
    /// One node's wall clock jumps.
    ClockJump,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [FaultKind; 22] = [
        FaultKind::Kill,
        FaultKind::PowerCutOne,
        FaultKind::PowerCutMinority,
        FaultKind::PowerCutAll,
        FaultKind::Restart,
        FaultKind::RollingRestart,
        FaultKind::Pause,
        FaultKind::IsolateOne,
        FaultKind::IsolateMinority,
        FaultKind::Deaf,
        FaultKind::Mute,
        FaultKind::Bridge,
        FaultKind::GatewayCut,
        FaultKind::GatewayKill,
        FaultKind::Flaky,
        FaultKind::SlowLinks,
        FaultKind::SlowSync,
        FaultKind::FailedSync,
        FaultKind::DiskFull,
        FaultKind::EmptyDisk,
        FaultKind::BitFlip,
        FaultKind::ClockJump,
    ];
}

/// Lets faults strike.
pub struct Striker {
    /// Whom.
    pub cluster: Arc<Cluster>,
    /// True time, and tasks that no fault touches.
    pub env: Env,
    /// Where they are counted.
    pub coverage: Coverage,
    /// Where they are told.
    pub log: Log,
}

impl Striker {
    /// Lets every planned fault strike in its time; returns when the last has been undone.
    pub async fn run(self: Arc<Self>, faults: Vec<PlannedFault>) {
        let began = self.env.monotonic();
        let mut struck = Vec::new();
        for fault in faults {
            let wait = (began + fault.at).saturating_sub(self.env.monotonic());
            self.env.sleep(wait).await;
            let striker = self.clone();
            let strike = async move { striker.strike(fault).await };
            struck.push(self.env.spawn("fault", strike));
        }
        for mut fault in struck {
            fault.finished().await;
        }
    }

    async fn strike(&self, fault: PlannedFault) {
        let victim = self.victim(fault.choice);
        self.log
            .say(format_args!("fault: {:?} node {victim}", fault.kind));
        let took_effect = match fault.kind {
            FaultKind::Kill => self.lose(&[victim], Death::Killed, fault.lasts).await,
            FaultKind::PowerCutOne => self.lose(&[victim], Death::PowerCut, fault.lasts).await,
            FaultKind::PowerCutMinority => {
                let few = self.minority(victim);
                self.lose(&few, Death::PowerCut, fault.lasts).await
            }
            FaultKind::PowerCutAll => {
                let all: Vec<Place> = self.cluster.plan().node_places().collect();
                self.lose(&all, Death::PowerCut, fault.lasts).await
            }
            FaultKind::Restart => self.lose(&[victim], Death::Stopped, fault.lasts).await,
            FaultKind::RollingRestart => self.rolling_restart(fault.lasts).await,
            FaultKind::Pause => self.pause(victim, fault.lasts).await,
            FaultKind::IsolateOne
            | FaultKind::IsolateMinority
            | FaultKind::Deaf
            | FaultKind::Mute
            | FaultKind::Bridge
            | FaultKind::GatewayCut
            | FaultKind::Flaky
            | FaultKind::SlowLinks => self.disturb(victim, fault).await,
            FaultKind::GatewayKill => self.kill_gateway(fault).await,
            FaultKind::SlowSync
            | FaultKind::FailedSync
            | FaultKind::DiskFull
            | FaultKind::EmptyDisk
            | FaultKind::BitFlip => self.spoil(victim, fault).await,
            FaultKind::ClockJump => {
                let jump_ms = i64::try_from(fault.choice % 240_000).unwrap_or_default() - 120_000;
                self.jump_clock(victim, jump_ms, fault.lasts).await
            }
        };
        if took_effect {
            self.coverage.fault(fault.kind);
        }
        self.log.say(format_args!(
            "over: {:?} node {victim}{}",
            fault.kind,
            if took_effect { "" } else { " (without effect)" }
        ));
    }

    /// A node; half of the time one that leads something.
    fn victim(&self, choice: u64) -> Place {
        let nodes: Vec<Place> = self.cluster.plan().node_places().collect();
        let count = nodes.len() as u64;
        let any = nodes[usize::try_from(choice / 2 % count).unwrap_or_default()];
        if choice.is_multiple_of(2) {
            return any;
        }
        let leaders = self.cluster.leaders();
        match leaders.len() as u64 {
            0 => any,
            count => leaders[usize::try_from(choice / 2 % count).unwrap_or_default()],
        }
    }

    /// As many nodes as may fail, this one among them.
    fn minority(&self, first: Place) -> Vec<Place> {
        let nodes = self.cluster.plan().nodes;
        let count = (nodes - 1) / 2;
        (0..count)
            .map(|step| (first - 1 + step) % nodes + 1)
            .collect()
    }

    /// Nodes die together and come back one by one.
    async fn lose(&self, nodes: &[Place], death: Death, lasts: Duration) -> bool {
        let mut dead = Vec::new();
        for node in nodes {
            if self.cluster.die(*node, death).await {
                dead.push(*node);
            }
        }
        self.env.sleep(lasts).await;
        for node in &dead {
            self.cluster.start(*node).await;
        }
        !dead.is_empty()
    }

    async fn rolling_restart(&self, lasts: Duration) -> bool {
        let mut all = true;
        for node in self.cluster.plan().node_places() {
            let few = lasts / 8;
            all &= self.lose(&[node], Death::Stopped, few).await;
            self.env.sleep(lasts / 4).await;
        }
        all
    }

    async fn pause(&self, node: Place, lasts: Duration) -> bool {
        if !self.cluster.pause(node) {
            return false;
        }
        self.env.sleep(lasts).await;
        self.cluster.resume(node);
        true
    }

    /// Nobody sets the clock right again; whether anybody has read it meanwhile.
    async fn jump_clock(&self, node: Place, by_ms: i64, lasts: Duration) -> bool {
        let before = self.cluster.clock_reads(node);
        self.cluster.jump_clock(node, by_ms);
        self.env.sleep(lasts).await;
        by_ms != 0 && self.cluster.clock_reads(node) > before
    }

    async fn kill_gateway(&self, fault: PlannedFault) -> bool {
        let gateways: Vec<Place> = self.cluster.plan().gateway_places().collect();
        let count = gateways.len() as u64;
        let gateway = gateways[usize::try_from(fault.choice % count).unwrap_or_default()];
        if !self.cluster.kill_gateway(gateway) {
            return false;
        }
        self.env
            .sleep(fault.lasts.min(Duration::from_millis(500)))
            .await;
        self.cluster.start_gateway(gateway);
        true
    }
}
