//! Faults: brought upon a stage, and taken away again, with proof that they struck.
//!
//! Each kind has two sides. `strike` leaves a [`Wound`]; `heal` takes it away and tells what shows that the
//! fault was real: a fault without proof fails the run. Invariant: after `heal` every process runs again.

mod damage;
mod disk;
mod network;
mod process;
mod resources;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rand::rngs::StdRng;

use crate::{
    kind::Kind,
    links::Counted,
    shim::ShimCounts,
    stage::{Stage, pick},
};

/// How long a node may go on with a fault that must end it: a flush of the state comes every thirty seconds.
const END_BY_ITSELF_MAX: Duration = Duration::from_secs(60);

/// What is to be healed.
#[derive(Debug)]
pub struct Wound {
    /// Of which fault.
    pub kind: Kind,
    /// Whose processes or disks are struck.
    pub(crate) nodes: Vec<u16>,
    gateway: u16,
    links: Counted,
    shim: ShimCounts,
    log: usize,
    /// What is known already to have happened.
    proof: Vec<String>,
}

impl Wound {
    fn first(&self) -> anyhow::Result<u16> {
        self.nodes.first().copied().context("no node was struck")
    }

    fn saw(&mut self, what: impl Into<String>) {
        self.proof.push(what.into());
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
    let (node, led) = match kind {
        Kind::KillNode
        | Kind::PauseNode
        | Kind::PartitionMinority
        | Kind::PowerCut
        | Kind::ClockAhead
        | Kind::ClockBehind
        | Kind::ClockDrift => stage.busiest(struck, dice).await,
        _ => (pick(&Stage::nodes(), struck, dice), Vec::new()),
    };
    let shim = match stage.shim(node) {
        Ok(shim) => shim.counts()?,
        Err(_) => ShimCounts::default(),
    };
    let mut wound = Wound {
        kind,
        nodes: vec![node],
        gateway: 0,
        links: stage.links.tally(),
        shim,
        log: stage.log_length(node),
        proof: Vec::new(),
    };
    if !led.is_empty() {
        wound.saw(format!("node {node} led {} shards", led.len()));
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
        Kind::PartitionMinority => network::isolate(stage, wound_mut, &led),
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
        Kind::ReplaceNode => damage::replace(stage, wound_mut),
        Kind::NoFiles => resources::no_files(stage, wound_mut),
        Kind::NoMemory => resources::no_memory(stage, wound_mut),
    }
    .context(done)?;
    Ok(wound)
}

/// Takes a fault away. Returns what shows that it was there.
///
/// # Errors
/// It did not strike, or cannot be taken away.
pub async fn heal(
    stage: &mut Stage,
    mut wound: Wound,
    dice: &mut StdRng,
) -> anyhow::Result<String> {
    let (kind, nodes) = (wound.kind, wound.nodes.clone());
    let healed = match kind {
        Kind::KillNode | Kind::KillAll | Kind::RestartNode | Kind::PowerCut | Kind::PowerCutAll => {
            process::start_all(stage, &wound)
        }
        Kind::KillGateway => process::start_gateway(stage, &wound),
        Kind::PauseNode => process::resume(stage, &mut wound).await,
        Kind::StutterNode | Kind::RollingRestart => Ok(()),
        Kind::PartitionMinority
        | Kind::PartitionMajority
        | Kind::PartitionOneWay
        | Kind::PartitionGateway
        | Kind::PartitionBridge
        | Kind::SlowLinks
        | Kind::LossyLinks => network::heal(stage, &mut wound, dice),
        Kind::ClockAhead | Kind::ClockBehind | Kind::ClockDrift => {
            disk::right_clock(stage, &mut wound)
        }
        Kind::SlowSync => disk::right_sync(stage, &mut wound),
        Kind::FailingSync => disk::sync_again(stage, &mut wound).await,
        Kind::DiskFull => disk::unfill(stage, &mut wound).await,
        Kind::BitFlip | Kind::Truncation | Kind::StaleCopy | Kind::LostDatabase => {
            damage::replace(stage, &mut wound)
        }
        Kind::ReplaceNode => Ok(()),
        Kind::NoFiles => resources::files_again(stage, &mut wound),
        Kind::NoMemory => resources::memory_again(stage, &mut wound).await,
    };
    healed.with_context(|| format!("healing {kind} on nodes {nodes:?}"))?;
    ensure!(
        !wound.proof.is_empty(),
        "{kind} on nodes {nodes:?} was not exercised: nothing shows it"
    );
    Ok(wound.proof.join("; "))
}
