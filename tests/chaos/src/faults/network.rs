//! Faults of what lies between processes.

use std::time::Duration;

use rand::{RngExt as _, rngs::StdRng};

use super::{Wound, proof};
use crate::{
    grants::Led,
    kind::Kind,
    links::{Party, Quality},
    stage::{GATEWAYS, Stage, pick},
};

const CUT: Quality = Quality {
    cut: true,
    delay: Duration::ZERO,
    jitter: Duration::ZERO,
    bytes_per_second: None,
    breaks: 0,
};

fn others(node: u16) -> impl Iterator<Item = Party> {
    let nodes = Stage::nodes().into_iter();
    nodes.filter(move |other| *other != node).map(Party::Node)
}

/// A node and the others do not hear each other. Gateways still reach all of them.
pub(super) fn isolate(stage: &mut Stage, wound: &mut Wound, led: &Led) -> anyhow::Result<()> {
    let (node, lost) = (wound.first()?, stage.env().monotonic());
    wound.nodes.clear();
    for other in others(node) {
        stage.links.set_both(Party::Node(node), other, CUT);
    }
    stage.probes.leader_lost(led, lost)
}

pub(super) fn strike(
    stage: &mut Stage,
    wound: &mut Wound,
    dice: &mut StdRng,
) -> anyhow::Result<()> {
    let node = wound.first()?;
    // Its process is not struck.
    wound.nodes.clear();
    let links = &stage.links;
    match wound.kind {
        Kind::PartitionMajority => {
            for one in Stage::nodes() {
                for other in others(one) {
                    links.set(Party::Node(one), other, CUT);
                }
            }
        }
        Kind::PartitionOneWay => {
            let is_mute = dice.random_bool(0.5);
            for other in others(node) {
                if is_mute {
                    links.set(Party::Node(node), other, CUT);
                } else {
                    links.set(other, Party::Node(node), CUT);
                }
            }
        }
        Kind::PartitionGateway => {
            let gateway = Party::Gateway(dice.random_range(1..=GATEWAYS));
            links.set_both(gateway, Party::Node(node), CUT);
        }
        Kind::PartitionBridge => {
            let other = pick(&Stage::nodes(), &[node], dice);
            links.set_both(Party::Node(node), Party::Node(other), CUT);
        }
        Kind::SlowLinks => everywhere(
            stage,
            Quality {
                delay: Duration::from_millis(dice.random_range(5..60)),
                jitter: Duration::from_millis(dice.random_range(0..40)),
                bytes_per_second: Some(dice.random_range(1_000_000..5_000_000)),
                ..Quality::default()
            },
        ),
        _ => everywhere(
            stage,
            Quality {
                breaks: dice.random_range(1..6),
                ..Quality::default()
            },
        ),
    }
    Ok(())
}

fn everywhere(stage: &Stage, quality: Quality) {
    for node in Stage::nodes() {
        let gateways = (1..=GATEWAYS).map(Party::Gateway);
        for other in others(node).chain(gateways) {
            stage.links.set_both(Party::Node(node), other, quality);
        }
    }
}

/// Connections that were cut go on where they were, or, as often, turn out to be gone.
pub(super) fn heal(stage: &mut Stage, wound: &mut Wound, dice: &mut StdRng) -> anyhow::Result<()> {
    let moved = wound.moved(stage, None)?;
    stage.links.heal();
    if dice.random_bool(0.5) {
        stage.links.break_all();
    }
    wound.saw(proof::counted(wound.kind, &moved)?);
    Ok(())
}
