//! Faults of clocks and disks that lose nothing that was synced: skew, slow and failing syncs, no room, no
//! power.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rand::{RngExt as _, rngs::StdRng};

use super::{END_BY_ITSELF_MAX, FROZEN_MAX, Wound, proof};
use crate::{
    grants::Led,
    kind::Kind,
    links::Party,
    shim::EIO,
    stage::{Stage, process},
};

/// How far clocks are set off: less than the sessions and the slips of a run would bear.
const SKEWS_MS: [i64; 4] = [300, 2_000, 60_000, 600_000];
/// A tenth faster or slower: no crystal is so bad.
const DRIFT_PPM: i64 = 100_000;
/// Power cuts of one step.
const CUTS: usize = 3;
/// A node that lost its power is back within this, unless something else is struck as well.
const BACK_AGAIN_MAX: Duration = Duration::from_secs(10);
/// Of the cuts that follow another, how many come while shards may still be without a leader.
const CUT_EARLY: f64 = 0.25;

pub(super) fn change_clock(
    stage: &mut Stage,
    wound: &mut Wound,
    dice: &mut StdRng,
) -> anyhow::Result<()> {
    let node = wound.first()?;
    let skew = SKEWS_MS[dice.random_range(0..SKEWS_MS.len())];
    match wound.kind {
        Kind::ClockAhead => stage.shim(node)?.set_clock(skew, 0),
        Kind::ClockBehind => stage.shim(node)?.set_clock(-skew, 0),
        _ => {
            let faster = stage.shim(node)?.set_clock(0, DRIFT_PPM);
            let other = crate::stage::pick(&Stage::nodes(), &[node], dice);
            faster.and(stage.shim(other)?.set_clock(0, -DRIFT_PPM))?;
            wound.nodes.push(other);
            Ok(())
        }
    }
}

pub(super) fn right_clock(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    for node in wound.nodes.clone() {
        let moved = wound.moved(stage, Some(node))?;
        stage.shim(node)?.set_clock(0, 0)?;
        let counted = proof::counted(wound.kind, &moved);
        let counted = counted.with_context(|| format!("node {node}"))?;
        wound.saw(format!("node {node}: {counted}"));
    }
    Ok(())
}

pub(super) fn slow_sync(
    stage: &mut Stage,
    wound: &mut Wound,
    dice: &mut StdRng,
) -> anyhow::Result<()> {
    let by = Duration::from_millis(dice.random_range(20..250));
    stage.shim(wound.first()?)?.delay_syncs(by)
}

pub(super) fn right_sync(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    let node = wound.first()?;
    stage.shim(node)?.delay_syncs(Duration::ZERO)?;
    let moved = wound.moved(stage, Some(node))?;
    wound.saw(proof::counted(wound.kind, &moved)?);
    Ok(())
}

pub(super) fn fail_sync(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    stage.shim(wound.first()?)?.fail_syncs(EIO)
}

/// A node whose sync failed must not go on: nobody can know what is on its disk.
pub(super) async fn sync_again(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    let node = wound.first()?;
    let ended = stage.ends_by_itself(node, END_BY_ITSELF_MAX).await;
    stage.shim(node)?.fail_syncs(0)?;
    let failed = proof::counted(wound.kind, &wound.moved(stage, Some(node))?)?;
    let status = ended.with_context(|| format!("node {node} goes on: {failed}"))?;
    let log = stage.log_since(node, wound.log);
    ensure!(
        log.contains("Input/output error"),
        "node {node} does not say why it ended"
    );
    wound.saw(format!(
        "{failed}, and node {node} said so and ended with {status}"
    ));
    stage.start_again(Party::Node(node))
}

pub(super) fn fill(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    let node = wound.first()?;
    let taken = stage.volume(node)?.fill()?;
    let taken = format!("the last {} MiB of its disk were taken", taken >> 20);
    wound.about.push(taken);
    Ok(())
}

pub(super) async fn unfill(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    let node = wound.first()?;
    let ended = stage.ends_by_itself(node, END_BY_ITSELF_MAX).await;
    stage.volume(node)?.unfill()?;
    let status = ended.with_context(|| format!("node {node} goes on with a full disk"))?;
    let log = stage.log_since(node, wound.log);
    ensure!(
        log.contains("No space left on device"),
        "node {node} does not say why it ended"
    );
    wound.saw(format!("node {node} said so and ended with {status}"));
    stage.start_again(Party::Node(node))
}

/// Each cut strikes whoever leads most by then.
pub(super) async fn cut_power(
    stage: &mut Stage,
    wound: &mut Wound,
    struck: &[u16],
    led: &Led,
    dice: &mut StdRng,
) -> anyhow::Result<()> {
    let (mut node, mut led) = (wound.first()?, led.clone());
    let mut struck_nodes = Vec::new();
    for left in (0..CUTS).rev() {
        wound.nodes = vec![node];
        let lost = stage.env().monotonic();
        cut(stage, &[node]).await?;
        stage.probes.leader_lost(&led, lost)?;
        struck_nodes.push(node.to_string());
        stage.volume(node)?.restore_power()?;
        if left > 0 {
            stage.start_again(Party::Node(node))?;
            stage.whole_within(BACK_AGAIN_MAX).await;
            // Now and then the next cut comes before its shards have a leader again.
            if !dice.random_bool(CUT_EARLY) {
                stage.probes.granting_within(BACK_AGAIN_MAX).await;
            }
            (node, led) = stage.busiest(struck, dice).await;
        }
    }
    wound.saw(format!("power cuts of nodes {}", struck_nodes.join(", ")));
    Ok(())
}

pub(super) async fn cut_all_power(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    wound.nodes = Stage::nodes();
    cut(stage, &Stage::nodes()).await?;
    for node in Stage::nodes() {
        stage.volume(node)?.restore_power()?;
    }
    wound.saw("all nodes lost power");
    Ok(())
}

/// Stops them all first: the cut is one instant, and nobody says anything after it. A sync that is under way when a
/// file system is cut off may return as if it had been done.
async fn cut(stage: &mut Stage, nodes: &[u16]) -> anyhow::Result<()> {
    let env = stage.env();
    for &node in nodes {
        process(&mut stage.cluster, Party::Node(node))?.freeze()?;
    }
    for &node in nodes {
        let process = process(&mut stage.cluster, Party::Node(node))?;
        process.frozen(&env, FROZEN_MAX).await?;
    }
    for &node in nodes {
        stage.volume(node)?.cut_power()?;
        stage.power_cuts += 1;
    }
    for &node in nodes {
        stage.kill(Party::Node(node))?;
    }
    Ok(())
}
