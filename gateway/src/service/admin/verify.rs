//! Compares what every replica holds, shard by shard, at one log index.
//!
//! A checkpoint fixes the index; each replica digests its state there; equal digests mean equal state to
//! the byte. The totals that the state machine kept are held against a second count from the records.
//! A replica that does not answer is unknown, never bad. [`judge`] is pure.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt as _, future::join_all, stream};
use quorate_proto::{
    admin::{DenialCount, Health, ReplicaDigest, ShardVerification, Totals, VerifyResponse},
    ids::{NodeId, ReplicaId, ShardId},
    shard_map::ShardInfo,
    v1::DenialReason,
};

use super::status::worst;
use crate::{
    directory::View,
    limits,
    model::{Checkpoint, Place},
    nodes::{DigestReport, NodeCallError},
    service::{border::Border, errors},
};

/// What one replica said.
struct Heard {
    replica: ReplicaId,
    node: NodeId,
    digest: Result<DigestReport, NodeCallError>,
}

/// Verifies every data shard, a few at once.
pub(super) async fn ask(border: &Border, view: &View, deadline: Duration) -> VerifyResponse {
    let shards = view.map.shards();
    let verified = stream::iter(shards.iter().cloned())
        .map(|shard| ask_shard(border, shard, deadline))
        .buffered(limits::VERIFY_SHARDS_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let totals = verified.iter().filter_map(|shard| shard.totals.as_ref());
    VerifyResponse {
        health: worst(verified.iter().map(ShardVerification::health)).into(),
        totals: Some(sum(totals)),
        shards: verified,
        stock: None,
    }
}

async fn ask_shard(border: &Border, shard: ShardInfo, deadline: Duration) -> ShardVerification {
    let checkpoint = Checkpoint {
        id: border.env().random_u64(),
    };
    let place = Place::Shard(shard.shard);
    let answered = border.dispatcher.call(place, &checkpoint, deadline).await;
    let position = match answered {
        Ok(answered) => answered.position,
        Err(error) => {
            let why = errors::call(error, None, border.env());
            return ShardVerification {
                shard: shard.shard.get(),
                health: Health::Unknown.into(),
                detail: format!("no checkpoint: {}", why.message()),
                ..ShardVerification::default()
            };
        }
    };
    let time_left = deadline.saturating_sub(border.env().monotonic());
    let nodes = &border.dispatcher.nodes;
    let ask = |(replica, node): (ReplicaId, NodeId)| async move {
        let digest = nodes.digest(node, shard.shard, position.log_index, time_left);
        Heard {
            replica,
            node,
            digest: digest.await,
        }
    };
    let heard = join_all(shard.replicas.iter().copied().map(ask)).await;
    judge(shard.shard, position.log_index, heard)
}

/// Compares the replicas of one shard.
fn judge(shard: ShardId, log_index: u64, heard: Vec<Heard>) -> ShardVerification {
    let reference = most_common(&heard);
    let mut totals = None;
    let mut faults = Vec::new();
    let replicas: Vec<ReplicaDigest> = heard
        .into_iter()
        .map(
            |Heard {
                 replica,
                 node,
                 digest,
             }| {
                let (health, detail, digest) = match digest {
                    Err(error) => {
                        let health = match error.was_heard() {
                            true => Health::Bad,
                            false => Health::Unknown,
                        };
                        (health, error.to_string(), Vec::new())
                    }
                    Ok(report) if report.replica != replica => {
                        let detail = format!("the node runs replica {} instead", report.replica);
                        (Health::Bad, detail, Vec::new())
                    }
                    Ok(report) if Some(report.digest) != reference => {
                        let detail = "its state differs from the others'".to_owned();
                        (Health::Bad, detail, report.digest.to_vec())
                    }
                    Ok(report) => {
                        if totals.is_none() {
                            let counted = count(&report);
                            faults = contradictions(&counted);
                            totals = Some(counted);
                        }
                        (Health::Ok, String::new(), report.digest.to_vec())
                    }
                };
                ReplicaDigest {
                    replica_id: replica.get(),
                    node_id: node.get(),
                    health: health.into(),
                    detail,
                    digest: digest.into(),
                }
            },
        )
        .collect();
    let (health, detail) = match (
        faults.is_empty(),
        worst(replicas.iter().map(ReplicaDigest::health)),
    ) {
        (false, _) => (Health::Bad, faults.join("; ")),
        (true, Health::Bad) => (Health::Bad, "replicas differ".to_owned()),
        (true, Health::Ok) => (Health::Ok, String::new()),
        (true, health) => (health, "not every replica was heard".to_owned()),
    };
    ShardVerification {
        shard: shard.get(),
        health: health.into(),
        detail,
        log_index,
        replicas,
        totals,
    }
}

/// The digest that most replicas hold; of several, any.
fn most_common(heard: &[Heard]) -> Option<[u8; 32]> {
    let mut votes: BTreeMap<[u8; 32], usize> = BTreeMap::new();
    let fitting = heard.iter().filter_map(|heard| {
        let report = heard.digest.as_ref().ok()?;
        (report.replica == heard.replica).then_some(report.digest)
    });
    for digest in fitting {
        *votes.entry(digest).or_default() += 1;
    }
    votes
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(digest, _)| digest)
}

fn count(report: &DigestReport) -> Totals {
    let (kept, records) = (&report.totals, &report.records);
    let denials = kept
        .denials
        .iter()
        .zip(0..)
        .filter(|(count, _)| **count > 0);
    Totals {
        grants: kept.grants,
        units_granted: kept.units_granted,
        voids: kept.voids,
        units_voided: kept.units_voided,
        denials: denials
            .map(|(count, number)| DenialCount {
                reason: DenialReason::try_from(number)
                    .unwrap_or_default()
                    .as_str_name()
                    .to_owned(),
                count: *count,
            })
            .collect(),
        citizens: records.citizens,
        sites: records.sites,
        outbox_rows: records.outbox_rows,
        grants_in_records: records.grants + kept.grants_retired,
        units_in_records: records.units + kept.units_retired,
        records_over_limit: records.records_over_limit,
    }
}

/// The laws of one shard's books that are broken, in words.
fn contradictions(totals: &Totals) -> Vec<String> {
    let mut broken = Vec::new();
    let mut equal = |what: &str, one: u64, other: u64| {
        if one != other {
            broken.push(format!("{what}: {one} is not {other}"));
        }
    };
    equal(
        "sales granted and in the records",
        totals.grants,
        totals.grants_in_records,
    );
    equal(
        "units granted and in the records",
        totals.units_granted,
        totals.units_in_records,
    );
    equal(
        "rows for sites and sales with voids",
        totals.outbox_rows,
        totals.grants + totals.voids,
    );
    equal("records over the limit", totals.records_over_limit, 0);
    broken
}

fn sum<'a>(totals: impl Iterator<Item = &'a Totals>) -> Totals {
    let mut sum = Totals::default();
    let mut denials: BTreeMap<String, u64> = BTreeMap::new();
    for totals in totals {
        sum.grants += totals.grants;
        sum.units_granted += totals.units_granted;
        sum.voids += totals.voids;
        sum.units_voided += totals.units_voided;
        sum.citizens += totals.citizens;
        sum.sites += totals.sites;
        sum.outbox_rows += totals.outbox_rows;
        sum.grants_in_records += totals.grants_in_records;
        sum.units_in_records += totals.units_in_records;
        sum.records_over_limit += totals.records_over_limit;
        for denial in &totals.denials {
            *denials.entry(denial.reason.clone()).or_default() += denial.count;
        }
    }
    sum.denials = denials
        .into_iter()
        .map(|(reason, count)| DenialCount { reason, count })
        .collect();
    sum
}

#[cfg(test)]
mod tests;
