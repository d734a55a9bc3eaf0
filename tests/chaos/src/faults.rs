//! Faults: brought upon a stage, and taken away again, with proof that they struck.
//!
//! Each kind has two sides. `strike` leaves a [`Wound`]; `heal` takes it away and tells what shows that the
//! fault was real: a fault without proof fails the run. What shows only once the cluster is whole again, `after_whole`
//! tells. Invariant: after `heal` every process runs again.

mod damage;
mod disk;
mod files;
mod network;
mod process;
mod proof;
mod resources;
mod table;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, ensure};
use rand::{RngExt as _, rngs::StdRng};

use crate::{
    grants::Led,
    kind::Kind,
    links::Counted,
    replicas::Replicas,
    shim::ShimCounts,
    stage::{Stage, pick},
};
use proof::Moved;

/// How long a node may go on with a fault that must end it: a flush of the state comes every thirty seconds.
const END_BY_ITSELF_MAX: Duration = Duration::from_secs(60);
/// So long a node that is frozen may take to stand still: a slow sync is waited for.
const FROZEN_MAX: Duration = Duration::from_secs(10);
/// Of the power cuts beside a node that is being replaced, how many begin with that node.
const CUT_WHILE_REFILLED: f64 = 0.5;

/// What is to be healed.
#[derive(Debug)]
pub struct Wound {
    /// Of which fault.
    pub kind: Kind,
    /// Whose processes or disks are struck.
    pub(crate) nodes: Vec<u16>,
    gateway: Option<u16>,
    links: Counted,
    /// By node; none where nothing is preloaded.
    shims: BTreeMap<u16, ShimCounts>,
    /// How much the first node had printed, bytes.
    log: u64,
    /// Monotonic: when it was over, where that was before it is healed.
    over: Option<Duration>,
    /// Whose disk was taken away.
    emptied: Option<u16>,
    /// What is known of whom it strikes, which shows nothing.
    about: Vec<String>,
    /// What is known already to have happened.
    proof: Vec<String>,
}

/// What a healed fault was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healed {
    /// What shows that it struck.
    pub proof: String,
    /// Monotonic: when it was over.
    pub ended: Duration,
}

impl Wound {
    fn first(&self) -> anyhow::Result<u16> {
        self.nodes.first().copied().context("no node was struck")
    }

    fn saw(&mut self, what: impl Into<String>) {
        self.proof.push(what.into());
    }

    /// What the counters of the links and of one node have counted since the strike.
    fn moved(&self, stage: &Stage, node: Option<u16>) -> anyhow::Result<Moved> {
        let shim = match node {
            Some(node) => {
                let before = self.shims.get(&node).copied().unwrap_or_default();
                stage.shim(node)?.counts()?.since(before)
            }
            None => ShimCounts::default(),
        };
        let links = stage.links.tally().since(self.links);
        Ok(Moved { links, shim })
    }

    /// What shows that it struck: what is known only of whom it was to strike does not.
    ///
    /// # Errors
    /// Nothing.
    fn shown(&self) -> anyhow::Result<String> {
        let (kind, nodes) = (self.kind, &self.nodes);
        ensure!(
            !self.proof.is_empty(),
            "{kind} on nodes {nodes:?} was not exercised: nothing shows it"
        );
        let said: Vec<&str> = self
            .about
            .iter()
            .chain(&self.proof)
            .map(String::as_str)
            .collect();
        Ok(said.join("; "))
    }
}

/// Brings a fault upon the stage. `struck` are the nodes that others have struck.
///
/// # Errors
/// It could not be brought about.
pub async fn strike(
    stage: &mut Stage,
    kind: Kind,
    struck: &[u16],
    dice: &mut StdRng,
) -> anyhow::Result<Wound> {
    if struck.is_empty() {
        stage.refilled = None;
    }
    let (node, led) = target(stage, kind, struck, dice).await;
    let mut shims = BTreeMap::new();
    for node in Stage::nodes() {
        if let Ok(shim) = stage.shim(node) {
            shims.insert(node, shim.counts()?);
        }
    }
    let mut wound = Wound {
        kind,
        nodes: vec![node],
        gateway: None,
        links: stage.links.tally(),
        shims,
        log: stage.log_length(node),
        over: None,
        emptied: None,
        about: Vec::new(),
        proof: Vec::new(),
    };
    if !led.shards.is_empty() {
        let led = format!("node {node} led {} shards", led.shards.len());
        wound.about.push(led);
    }
    let (wound_mut, done) = (&mut wound, format!("{kind} on node {node}"));
    match kind {
        Kind::KillNode => process::kill(stage, wound_mut, &led),
        Kind::KillGateway => process::kill_gateway(stage, wound_mut, dice),
        Kind::KillAll => process::kill_all(stage, wound_mut),
        Kind::PauseNode => process::pause(stage, wound_mut, &led),
        Kind::StutterNode => process::stutter(stage, wound_mut, dice).await,
        Kind::RestartNode => process::ask_to_end(stage, wound_mut).await,
        Kind::RollingRestart => process::rolling_restart(stage, wound_mut).await,
        Kind::PartitionMinority | Kind::PartitionFollower => {
            network::isolate(stage, wound_mut, &led)
        }
        Kind::PartitionMajority
        | Kind::PartitionOneWay
        | Kind::PartitionGateway
        | Kind::PartitionBridge
        | Kind::SlowLinks
        | Kind::LossyLinks => network::strike(stage, wound_mut, dice),
        Kind::ClockAhead | Kind::ClockBehind | Kind::ClockDrift => {
            disk::change_clock(stage, wound_mut, dice)
        }
        Kind::SlowSync => disk::slow_sync(stage, wound_mut, dice),
        Kind::FailingSync => disk::fail_sync(stage, wound_mut),
        Kind::DiskFull => disk::fill(stage, wound_mut),
        Kind::PowerCut => disk::cut_power(stage, wound_mut, struck, &led, dice).await,
        Kind::PowerCutAll => disk::cut_all_power(stage, wound_mut).await,
        Kind::BitFlip | Kind::Truncation => damage::change_files(stage, wound_mut, dice).await,
        Kind::StaleCopy => damage::put_old_copy_back(stage, wound_mut).await,
        Kind::LostDatabase => damage::lose_database(stage, wound_mut).await,
        Kind::ReplaceNode => {
            stage.refilled = Some(node);
            damage::replace(stage, wound_mut)
        }
        Kind::NoFiles => resources::no_files(stage, wound_mut),
        Kind::NoMemory => resources::no_memory(stage, wound_mut),
    }
    .context(done)?;
    Ok(wound)
}

/// Which node a kind strikes first, and what it leads where that matters.
async fn target(stage: &Stage, kind: Kind, struck: &[u16], dice: &mut StdRng) -> (u16, Led) {
    match (kind, stage.refilled) {
        (Kind::PowerCut, Some(refilled)) if dice.random_bool(CUT_WHILE_REFILLED) => {
            (refilled, stage.led(refilled).await)
        }
        (
            Kind::KillNode
            | Kind::PauseNode
            | Kind::PartitionMinority
            | Kind::PowerCut
            | Kind::ClockAhead
            | Kind::ClockBehind
            | Kind::ClockDrift,
            _,
        ) => stage.busiest(struck, dice).await,
        (Kind::PartitionFollower, _) => {
            let (busiest, _) = stage.busiest(struck, dice).await;
            let node = pick(&Stage::nodes(), &[struck, &[busiest]].concat(), dice);
            (node, stage.led(node).await)
        }
        _ => (pick(&Stage::nodes(), struck, dice), Led::default()),
    }
}

/// Takes a fault away.
///
/// # Errors
/// It did not strike, or cannot be taken away.
pub async fn heal(
    stage: &mut Stage,
    wound: &mut Wound,
    dice: &mut StdRng,
) -> anyhow::Result<Healed> {
    let (kind, nodes) = (wound.kind, wound.nodes.clone());
    let healed = match kind {
        Kind::KillNode | Kind::KillAll | Kind::RestartNode | Kind::PowerCut | Kind::PowerCutAll => {
            process::start_all(stage, wound)
        }
        Kind::KillGateway => process::start_gateway(stage, wound),
        Kind::PauseNode => process::resume(stage, wound),
        Kind::StutterNode | Kind::RollingRestart | Kind::ReplaceNode => Ok(()),
        Kind::PartitionMinority
        | Kind::PartitionFollower
        | Kind::PartitionMajority
        | Kind::PartitionOneWay
        | Kind::PartitionGateway
        | Kind::PartitionBridge
        | Kind::SlowLinks
        | Kind::LossyLinks => network::heal(stage, wound, dice),
        Kind::ClockAhead | Kind::ClockBehind | Kind::ClockDrift => disk::right_clock(stage, wound),
        Kind::SlowSync => disk::right_sync(stage, wound),
        Kind::FailingSync => disk::sync_again(stage, wound).await,
        Kind::DiskFull => disk::unfill(stage, wound).await,
        Kind::BitFlip | Kind::Truncation | Kind::StaleCopy | Kind::LostDatabase => {
            damage::replace(stage, wound)
        }
        Kind::NoFiles => resources::files_again(stage, wound),
        Kind::NoMemory => resources::memory_again(stage, wound).await,
    };
    healed.with_context(|| format!("healing {kind} on nodes {nodes:?}"))?;
    Ok(Healed {
        proof: wound.shown()?,
        ended: wound.over.unwrap_or_else(|| stage.env().monotonic()),
    })
}

/// What shows of a healed fault once the cluster is whole: every replica of a node that lost its disk is a new one.
///
/// # Errors
/// One is not, or nobody can say.
pub async fn after_whole(stage: &mut Stage, wound: &Wound) -> anyhow::Result<Option<String>> {
    let Some(node) = wound.emptied else {
        return Ok(None);
    };
    let replicas = Replicas::of(&stage.cluster.await_whole().await?);
    let new = replicas.all_new_on(node, &stage.replicas)?;
    stage.replicas = replicas;
    Ok(Some(format!("all {new} replicas of node {node} are new")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn whom_a_fault_was_to_strike_does_not_show_that_it_did() {
        let mut wound = Wound {
            kind: Kind::KillNode,
            nodes: vec![2],
            gateway: None,
            links: Counted::default(),
            shims: BTreeMap::new(),
            log: 0,
            over: None,
            emptied: None,
            about: vec!["node 2 led 5 shards".to_owned()],
            proof: Vec::new(),
        };
        assert!(wound.shown().is_err());
        wound.saw("node 2 was killed");
        assert_eq!(
            wound.shown().unwrap(),
            "node 2 led 5 shards; node 2 was killed"
        );
    }
}
