//! The kinds of faults: what each is called, what it does to whom, what it needs of the machine, and which
//! may happen at the same time.
//!
//! The list is the place where more kinds go: splits and moves of shards, once there are any.

use std::{fmt, str::FromStr};

use anyhow::{Context as _, bail};

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// SIGKILL to the node that leads most.
    KillNode,
    /// SIGKILL to a gateway.
    KillGateway,
    /// SIGKILL to every node.
    KillAll,
    /// SIGSTOP to the node that leads most.
    PauseNode,
    /// SIGSTOP and SIGCONT in turn.
    StutterNode,
    /// SIGTERM to a node.
    RestartNode,
    /// SIGTERM to every node, one after the other.
    RollingRestart,
    /// The node that leads most and the two others do not hear each other.
    PartitionMinority,
    /// A node that leads less and the two others do not hear each other.
    PartitionFollower,
    /// No node hears any other.
    PartitionMajority,
    /// One node is not heard by the others, or does not hear them.
    PartitionOneWay,
    /// A gateway and a node do not hear each other.
    PartitionGateway,
    /// Two nodes do not hear each other; both hear the third, and it them.
    PartitionBridge,
    /// Everything between processes is late, and little fits through.
    SlowLinks,
    /// Connections are reset, or closed in one direction, again and again.
    LossyLinks,
    /// A node's clock jumps ahead.
    ClockAhead,
    /// A node's clock jumps back.
    ClockBehind,
    /// Clocks run faster and slower than they should.
    ClockDrift,
    /// Every sync of a node takes long.
    SlowSync,
    /// Every sync of a node fails.
    FailingSync,
    /// A node's disk is full.
    DiskFull,
    /// A node loses power, several times.
    PowerCut,
    /// All nodes lose power at once.
    PowerCutAll,
    /// One bit of a node's files changes.
    BitFlip,
    /// One of a node's files loses its end.
    Truncation,
    /// A node gets an old copy of its disk back.
    StaleCopy,
    /// A node's disk knows whose it is, and nothing else.
    LostDatabase,
    /// A node loses its disk and comes back empty: every group changes its members.
    ReplaceNode,
    /// A node can open no more files.
    NoFiles,
    /// A node can have no more memory.
    NoMemory,
}

/// What a kind needs of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Signals, and links laid by the test itself.
    Nothing,
    /// A C compiler and preloading, for clocks and syncs.
    Shim,
    /// Root, loop devices and ext4, for power cuts and full disks.
    Volumes,
}

/// Whom a kind strikes; kinds that strike the same cannot be told apart and are not mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strikes {
    /// One node's process.
    Node,
    /// One node's disk, which is lost.
    Disk,
    /// All nodes' processes.
    Fleet,
    /// A gateway's process.
    Gateway,
    /// What lies between processes.
    Links,
    /// Clocks.
    Clocks,
    /// How fast a disk is.
    Pace,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::KillNode,
        Self::KillGateway,
        Self::KillAll,
        Self::PauseNode,
        Self::StutterNode,
        Self::RestartNode,
        Self::RollingRestart,
        Self::PartitionMinority,
        Self::PartitionFollower,
        Self::PartitionMajority,
        Self::PartitionOneWay,
        Self::PartitionGateway,
        Self::PartitionBridge,
        Self::SlowLinks,
        Self::LossyLinks,
        Self::ClockAhead,
        Self::ClockBehind,
        Self::ClockDrift,
        Self::SlowSync,
        Self::FailingSync,
        Self::DiskFull,
        Self::PowerCut,
        Self::PowerCutAll,
        Self::BitFlip,
        Self::Truncation,
        Self::StaleCopy,
        Self::LostDatabase,
        Self::ReplaceNode,
        Self::NoFiles,
        Self::NoMemory,
    ];

    /// As on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillNode => "kill-node",
            Self::KillGateway => "kill-gateway",
            Self::KillAll => "kill-all",
            Self::PauseNode => "pause-node",
            Self::StutterNode => "stutter-node",
            Self::RestartNode => "restart-node",
            Self::RollingRestart => "rolling-restart",
            Self::PartitionMinority => "partition-minority",
            Self::PartitionFollower => "partition-follower",
            Self::PartitionMajority => "partition-majority",
            Self::PartitionOneWay => "partition-one-way",
            Self::PartitionGateway => "partition-gateway",
            Self::PartitionBridge => "partition-bridge",
            Self::SlowLinks => "slow-links",
            Self::LossyLinks => "lossy-links",
            Self::ClockAhead => "clock-ahead",
            Self::ClockBehind => "clock-behind",
            Self::ClockDrift => "clock-drift",
            Self::SlowSync => "slow-sync",
            Self::FailingSync => "failing-sync",
            Self::DiskFull => "disk-full",
            Self::PowerCut => "power-cut",
            Self::PowerCutAll => "power-cut-all",
            Self::BitFlip => "bit-flip",
            Self::Truncation => "truncation",
            Self::StaleCopy => "stale-copy",
            Self::LostDatabase => "lost-database",
            Self::ReplaceNode => "replace-node",
            Self::NoFiles => "no-files",
            Self::NoMemory => "no-memory",
        }
    }

    /// What happens, in a line.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::KillNode => "SIGKILL to the node that leads most",
            Self::KillGateway => "SIGKILL to a gateway",
            Self::KillAll => "SIGKILL to every node",
            Self::PauseNode => "SIGSTOP to the node that leads most",
            Self::StutterNode => "SIGSTOP and SIGCONT to a node, in turn",
            Self::RestartNode => "SIGTERM to a node, and started again",
            Self::RollingRestart => "SIGTERM to every node, one after the other",
            Self::PartitionMinority => {
                "the node that leads most and the others do not hear each other; gateways reach all"
            }
            Self::PartitionFollower => {
                "a node that leads less and the others do not hear each other; gateways reach all"
            }
            Self::PartitionMajority => "no node hears any other; gateways reach all",
            Self::PartitionOneWay => {
                "a node is not heard by the others, or does not hear them; gateways reach all"
            }
            Self::PartitionGateway => "a gateway and a node do not hear each other",
            Self::PartitionBridge => "two nodes do not hear each other; the third hears both",
            Self::SlowLinks => "everything between processes is late, and little fits through",
            Self::LossyLinks => "connections are reset or closed in one direction, again and again",
            Self::ClockAhead => "a node's clock jumps ahead by seconds or minutes",
            Self::ClockBehind => "a node's clock jumps back by seconds or minutes",
            Self::ClockDrift => "clocks run up to a tenth faster and slower, the steady one too",
            Self::SlowSync => "every sync of a node takes up to a quarter of a second more",
            Self::FailingSync => "every sync of a node fails with EIO",
            Self::DiskFull => "a node's disk has no room left",
            Self::PowerCut => "a node loses power three times; what was not synced is gone",
            Self::PowerCutAll => "all nodes lose power at once",
            Self::BitFlip => "one bit of a node's files changes",
            Self::Truncation => "one of a node's files loses its end",
            Self::StaleCopy => "a node gets an old copy of its disk back",
            Self::LostDatabase => "a node's disk knows whose it is, and nothing else",
            Self::ReplaceNode => {
                "a node loses its disk and is replaced: every group changes members"
            }
            Self::NoFiles => "a node can open no more files",
            Self::NoMemory => "a node can have no more memory",
        }
    }

    /// What it needs of the machine.
    #[must_use]
    pub const fn needs(self) -> Needs {
        match self {
            Self::ClockAhead
            | Self::ClockBehind
            | Self::ClockDrift
            | Self::SlowSync
            | Self::FailingSync => Needs::Shim,
            Self::DiskFull | Self::PowerCut | Self::PowerCutAll => Needs::Volumes,
            _ => Needs::Nothing,
        }
    }

    const fn strikes(self) -> Strikes {
        match self {
            Self::KillNode
            | Self::PauseNode
            | Self::StutterNode
            | Self::RestartNode
            | Self::FailingSync
            | Self::DiskFull
            | Self::PowerCut
            | Self::NoFiles
            | Self::NoMemory => Strikes::Node,
            Self::BitFlip
            | Self::Truncation
            | Self::StaleCopy
            | Self::LostDatabase
            | Self::ReplaceNode => Strikes::Disk,
            Self::KillAll | Self::RollingRestart | Self::PowerCutAll => Strikes::Fleet,
            Self::KillGateway => Strikes::Gateway,
            Self::PartitionMinority
            | Self::PartitionFollower
            | Self::PartitionMajority
            | Self::PartitionOneWay
            | Self::PartitionGateway
            | Self::PartitionBridge
            | Self::SlowLinks
            | Self::LossyLinks => Strikes::Links,
            Self::ClockAhead | Self::ClockBehind | Self::ClockDrift => Strikes::Clocks,
            Self::SlowSync => Strikes::Pace,
        }
    }

    /// Whether a step may have both. Two nodes may be down at once; what strikes all nodes leaves none to strike
    /// otherwise. Of three disks one may be lost while nothing else is: what was synced is on the two others, and a
    /// node that is dead beside it brings its own back. A damaged disk needs a node that finds the damage, with
    /// the others at hand.
    #[must_use]
    pub fn mixes_with(self, other: Self) -> bool {
        use Strikes::{Clocks, Disk, Fleet, Gateway, Links, Node, Pace};
        match (self.strikes(), other.strikes()) {
            (Node, Node) => self != other,
            (Node, Fleet) | (Fleet, Node | Fleet) | (Disk, Disk) => false,
            (Node | Fleet, Disk) => other == Self::ReplaceNode,
            (Disk, Node | Fleet) => self == Self::ReplaceNode,
            // It takes the others to know that a disk is older than it was.
            (Disk, Links) | (Links, Disk) => {
                !self.is_told_by_others() && !other.is_told_by_others()
            }
            (Links, Links) | (Clocks, Clocks) | (Pace, Pace) | (Gateway, Gateway) => false,
            _ => true,
        }
    }

    const fn is_told_by_others(self) -> bool {
        matches!(
            self,
            Self::StaleCopy | Self::LostDatabase | Self::Truncation
        )
    }

    /// Whether the leader is dead at once: the case for which a time is promised.
    #[must_use]
    pub const fn leader_dies(self) -> bool {
        matches!(self, Self::KillNode | Self::PowerCut)
    }

    /// How often it comes up for each time that another does. Power cuts are what promises are about; members
    /// change while anything else goes on.
    #[must_use]
    pub const fn weight(self) -> usize {
        match self {
            Self::PowerCut => 3,
            Self::KillNode | Self::PowerCutAll | Self::ReplaceNode => 2,
            _ => 1,
        }
    }

    /// Of a hundred steps that begin with it, how many have another kind as well.
    #[must_use]
    pub const fn mixed_of_100(self) -> u32 {
        match self {
            Self::ReplaceNode => 85,
            _ => 40,
        }
    }

    /// When it is healed, among the kinds of its step: the smallest first. What ends a process by itself needs the
    /// others to be reached, so links come first; unless nobody is left to use them before processes are back.
    /// Clocks and disks are right again last. Whoever was started meanwhile began with all that.
    #[must_use]
    pub(crate) fn heals_at(self, step: &[Self]) -> u8 {
        let nobody_is_left =
            |kind: &Self| matches!(kind.strikes(), Strikes::Fleet | Strikes::Gateway);
        match self.strikes() {
            Strikes::Links if step.iter().any(nobody_is_left) => HEALS_LAST,
            Strikes::Links => 0,
            Strikes::Node | Strikes::Disk | Strikes::Fleet | Strikes::Gateway => 1,
            Strikes::Clocks | Strikes::Pace => HEALS_LAST,
        }
    }
}

/// See [`Kind::heals_at`].
pub(crate) const HEALS_LAST: u8 = 2;

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        let named = Self::ALL.into_iter().find(|kind| kind.name() == name);
        named.with_context(|| format!("{name:?} is no kind of fault; --list names them"))
    }
}

/// Reads `a,b,c`.
///
/// # Errors
/// A name is no kind, or there is none.
pub fn parse_list(list: &str) -> anyhow::Result<Vec<Kind>> {
    let kinds: Vec<Kind> = list.split(',').map(str::parse).collect::<Result<_, _>>()?;
    if kinds.is_empty() {
        bail!("no kinds were named");
    }
    Ok(kinds)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_is_listed_once_and_named_for_itself() {
        let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse::<Kind>().unwrap(), kind);
        }
        assert!(parse_list("kill-node,earthquake").is_err());
    }

    #[test]
    fn mixing_is_mutual_and_leaves_no_kind_alone() {
        for a in Kind::ALL {
            assert!(!a.mixes_with(a), "{a} with itself");
            for b in Kind::ALL {
                assert_eq!(a.mixes_with(b), b.mixes_with(a), "{a} and {b}");
            }
            let partners = Kind::ALL.iter().filter(|b| a.mixes_with(**b)).count();
            assert!(partners >= 5, "{a} mixes with {partners} kinds only");
        }
        assert!(!Kind::KillAll.mixes_with(Kind::PauseNode));
        assert!(!Kind::KillAll.mixes_with(Kind::PowerCutAll));
    }

    #[test]
    fn one_disk_is_lost_at_a_time() {
        let lost: Vec<Kind> = Kind::ALL
            .into_iter()
            .filter(|kind| kind.strikes() == Strikes::Disk)
            .collect();
        assert_eq!(lost.len(), 5);
        for a in &lost {
            assert!(lost.iter().all(|b| !a.mixes_with(*b)), "{a}");
        }
        assert!(!Kind::BitFlip.mixes_with(Kind::KillNode));
        assert!(!Kind::LostDatabase.mixes_with(Kind::PowerCutAll));
    }

    #[test]
    fn a_node_is_replaced_while_anything_happens_to_the_others() {
        for kind in Kind::ALL {
            if matches!(kind.strikes(), Strikes::Node | Strikes::Fleet) {
                assert!(Kind::ReplaceNode.mixes_with(kind), "{kind}");
                // In the order of their strikes: whoever was struck by both is started once.
                let step = [Kind::ReplaceNode, kind];
                assert_eq!(kind.heals_at(&step), Kind::ReplaceNode.heals_at(&step));
            }
        }
    }
}
