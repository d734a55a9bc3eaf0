//! Faults of processes: killed, paused, restarted.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rand::{RngExt as _, rngs::StdRng};

use super::{FROZEN_MAX, Wound};
use crate::{
    grants::Led,
    links::Party,
    stage::{GATEWAYS, Stage, process},
};

/// A node that was restarted gracefully is whole within this, unless something else is struck as well.
const WHOLE_AGAIN_MAX: Duration = Duration::from_secs(15);

pub(super) fn kill(stage: &mut Stage, wound: &mut Wound, led: &Led) -> anyhow::Result<()> {
    let (node, lost) = (wound.first()?, stage.env().monotonic());
    stage.kill(Party::Node(node))?;
    stage.probes.leader_lost(led, lost)?;
    wound.saw(format!("node {node} was killed"));
    Ok(())
}

pub(super) fn kill_all(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    wound.nodes = Stage::nodes();
    for node in Stage::nodes() {
        stage.kill(Party::Node(node))?;
    }
    wound.saw("all nodes were killed");
    Ok(())
}

pub(super) fn start_all(stage: &mut Stage, wound: &Wound) -> anyhow::Result<()> {
    for &node in &wound.nodes {
        stage.start_unless_started(Party::Node(node))?;
    }
    Ok(())
}

pub(super) fn kill_gateway(
    stage: &mut Stage,
    wound: &mut Wound,
    dice: &mut StdRng,
) -> anyhow::Result<()> {
    wound.nodes.clear();
    let gateway = dice.random_range(1..=GATEWAYS);
    wound.gateway = Some(gateway);
    stage.kill(Party::Gateway(gateway))?;
    wound.saw(format!("gateway {gateway} was killed"));
    Ok(())
}

pub(super) fn start_gateway(stage: &mut Stage, wound: &Wound) -> anyhow::Result<()> {
    let gateway = wound.gateway.context("no gateway was struck")?;
    stage.start_again(Party::Gateway(gateway))
}

pub(super) fn pause(stage: &mut Stage, wound: &mut Wound, led: &Led) -> anyhow::Result<()> {
    let (node, lost) = (wound.first()?, stage.env().monotonic());
    process(&mut stage.cluster, Party::Node(node))?.freeze()?;
    stage.probes.leader_lost(led, lost)
}

pub(super) fn resume(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    let node = wound.first()?;
    let process = process(&mut stage.cluster, Party::Node(node))?;
    ensure!(process.is_frozen()?, "node {node} was not stopped");
    process.thaw()?;
    wound.saw(format!("node {node} was stopped"));
    Ok(())
}

/// Away for a moment, back for a moment: too short for some elections, too long for others.
pub(super) async fn stutter(
    stage: &mut Stage,
    wound: &mut Wound,
    dice: &mut StdRng,
) -> anyhow::Result<()> {
    let (node, env) = (wound.first()?, stage.env());
    let times = dice.random_range(4..10);
    for _ in 0..times {
        let process = process(&mut stage.cluster, Party::Node(node))?;
        process.freeze()?;
        env.sleep(Duration::from_millis(dice.random_range(100..1500)))
            .await;
        process.frozen(&env, FROZEN_MAX).await?;
        process.thaw()?;
        wound.over = Some(env.monotonic());
        env.sleep(Duration::from_millis(dice.random_range(50..600)))
            .await;
    }
    wound.saw(format!("node {node} was stopped {times} times"));
    Ok(())
}

pub(super) async fn ask_to_end(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    let node = wound.first()?;
    let status = stage.ask_to_end(Party::Node(node)).await?;
    ensure!(
        status.success(),
        "node {node}, asked to end, ended with {status}"
    );
    wound.saw(format!("node {node} ended when asked"));
    Ok(())
}

pub(super) async fn rolling_restart(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    wound.nodes = Stage::nodes();
    for node in Stage::nodes() {
        let status = stage.ask_to_end(Party::Node(node)).await?;
        ensure!(
            status.success(),
            "node {node}, asked to end, ended with {status}"
        );
        stage.start_again(Party::Node(node))?;
        wound.over = Some(stage.env().monotonic());
        stage.whole_within(WHOLE_AGAIN_MAX).await;
    }
    wound.saw("every node was restarted in turn");
    Ok(())
}
