//! Compares what every replica holds, shard by shard, at one log index.
//!
//! A checkpoint fixes the index; each replica digests its state there; equal digests mean equal state to
//! the byte. The totals that the state machine kept are held against a second count from the records.
//! A replica that does not answer is unknown, never bad. [`judge`] is pure.
//!
//! Every shard gets two checkpoints, all first ones before all second ones: the stock of the sites is taken
//! at the first, what the citizens bought at the second (see [`stock`]). Digests are compared at the second.

mod stock;

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt as _, future::join_all, stream};
use quorate_proto::{
    admin::{
        DenialCount, Health, ReplicaDigest, ShardVerification, StockVerification, Totals,
        VerifyResponse,
    },
    ids::{NodeId, ReplicaId, ShardId},
    shard_map::ShardInfo,
    v1::DenialReason,
};

use self::stock::Comparison;
use super::status::worst;
use crate::{
    directory::View,
    limits,
    model::{Checkpoint, Place},
    nodes::{AuditRow, DigestReport, NodeCallError},
    service::{border::Border, errors},
};

/// What one replica said.
struct Heard {
    replica: ReplicaId,
    node: NodeId,
    digest: Result<DigestReport, NodeCallError>,
}

/// The log index of a shard's checkpoint, or why there is none.
type Fixed = Result<u64, String>;

/// A shard and its two checkpoints.
struct Marked {
    shard: ShardInfo,
    sites: Fixed,
    citizens: Fixed,
}

/// Verifies every data shard, a few at once.
pub(super) async fn ask(border: &Border, view: &View, deadline: Duration) -> VerifyResponse {
    let shards = view.map.shards();
    let sites = fix_all(border, shards, deadline).await;
    let citizens = fix_all(border, shards, deadline).await;
    let marked: Vec<Marked> = shards
        .iter()
        .zip(sites.into_iter().zip(citizens))
        .map(|(shard, (sites, citizens))| Marked {
            shard: shard.clone(),
            sites,
            citizens,
        })
        .collect();
    let stock = compare_stock(border, view, &marked, deadline).await;
    let verified = stream::iter(marked)
        .map(|marked| ask_shard(border, marked.shard, marked.citizens, deadline))
        .buffered(limits::VERIFY_SHARDS_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let totals = verified.iter().filter_map(|shard| shard.totals.as_ref());
    let healths = verified.iter().map(ShardVerification::health);
    VerifyResponse {
        health: worst(healths.chain([stock.health()])).into(),
        totals: Some(sum(totals)),
        shards: verified,
        stock: Some(stock),
    }
}

/// A checkpoint in every shard, at about the same time.
async fn fix_all(border: &Border, shards: &[ShardInfo], deadline: Duration) -> Vec<Fixed> {
    let fix = |shard: ShardId| async move {
        let checkpoint = Checkpoint {
            id: border.env().random_u64(),
        };
        let place = Place::Shard(shard);
        let answered = border.dispatcher.call(place, &checkpoint, deadline).await;
        answered
            .map(|answered| answered.position.log_index)
            .map_err(|error| {
                let why = errors::call(error, None, border.env());
                format!("no checkpoint: {}", why.message())
            })
    };
    join_all(shards.iter().map(|info| fix(info.shard))).await
}

/// Both sides of the stock identity, shard after shard: one shard's account is in memory at a time.
async fn compare_stock(
    border: &Border,
    view: &View,
    marked: &[Marked],
    deadline: Duration,
) -> StockVerification {
    let mut comparison = Comparison::default();
    for Marked { shard, sites, .. } in marked {
        match account(border, shard, sites, deadline).await {
            Ok(rows) => rows
                .into_iter()
                .for_each(|row| comparison.take_site_side(shard.shard, row)),
            Err(why) => comparison.silent(shard.shard, &why),
        }
    }
    let owner = |position| view.map.shard_at(position).map(|info| info.shard);
    for Marked {
        shard, citizens, ..
    } in marked
    {
        match account(border, shard, citizens, deadline).await {
            Ok(rows) => rows
                .into_iter()
                .for_each(|row| comparison.take_citizen_side(shard.shard, row, owner)),
            Err(why) => comparison.silent(shard.shard, &why),
        }
    }
    comparison.judge()
}

/// A shard's account of stock, from the first of its replicas that gives it whole.
async fn account(
    border: &Border,
    shard: &ShardInfo,
    fixed: &Fixed,
    deadline: Duration,
) -> Result<Vec<AuditRow>, String> {
    let log_index = fixed.clone()?;
    let mut why = "no replica".to_owned();
    for (_, node) in &shard.replicas {
        let time_left = deadline.saturating_sub(border.env().monotonic());
        let mut rows = Vec::new();
        let mut take = |row| rows.push(row);
        let nodes = &border.dispatcher.nodes;
        let heard = nodes
            .audit(*node, shard.shard, log_index, time_left, &mut take)
            .await;
        match heard {
            Ok(()) => return Ok(rows),
            Err(error) => why = format!("node {node}: {error}"),
        }
    }
    Err(why)
}

async fn ask_shard(
    border: &Border,
    shard: ShardInfo,
    fixed: Fixed,
    deadline: Duration,
) -> ShardVerification {
    let log_index = match fixed {
        Ok(log_index) => log_index,
        Err(detail) => {
            return ShardVerification {
                shard: shard.shard.get(),
                health: Health::Unknown.into(),
                detail,
                ..ShardVerification::default()
            };
        }
    };
    let time_left = deadline.saturating_sub(border.env().monotonic());
    let nodes = &border.dispatcher.nodes;
    let ask = |(replica, node): (ReplicaId, NodeId)| async move {
        let digest = nodes.digest(node, shard.shard, log_index, time_left);
        Heard {
            replica,
            node,
            digest: digest.await,
        }
    };
    let heard = join_all(shard.replicas.iter().copied().map(ask)).await;
    judge(shard.shard, log_index, heard)
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
        slips: kept.slips,
        units_on_slips: kept.units_on_slips,
        slips_over_quota: kept.slips_over_quota,
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
        "sales granted or on slips, and in the records",
        totals.grants + totals.slips,
        totals.grants_in_records,
    );
    equal(
        "units granted or on slips, and in the records",
        totals.units_granted + totals.units_on_slips,
        totals.units_in_records,
    );
    equal(
        "rows for sites and sales with voids",
        totals.outbox_rows,
        totals.grants + totals.slips + totals.voids,
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
        sum.slips += totals.slips;
        sum.units_on_slips += totals.units_on_slips;
        sum.slips_over_quota += totals.slips_over_quota;
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
