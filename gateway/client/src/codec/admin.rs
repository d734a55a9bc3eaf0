//! What operators send and receive.

use std::fmt::Write as _;

use quorate_proto::admin;

use crate::{
    error::MalformedAnswer,
    model::{
        ClusterStatus, DenialReason, Health, NodeStatus, ProgramStatus, ReplicaDigest,
        ReplicaStatus, ShadowCounts, ShadowReport, ShardStatus, ShardVerification, Site,
        StockDifference, StockVerification, Totals, Verification,
    },
};

/// What this version cannot read is unknown to it.
fn health(number: i32) -> Health {
    match admin::Health::try_from(number) {
        Ok(admin::Health::Ok) => Health::Ok,
        Ok(admin::Health::Bad) => Health::Bad,
        Ok(admin::Health::Unknown | admin::Health::Unspecified) | Err(_) => Health::Unknown,
    }
}

pub(crate) fn status(answer: admin::GetStatusResponse) -> ClusterStatus {
    ClusterStatus {
        cluster_id: answer.cluster_id,
        view_version: answer.view_version,
        health: health(answer.health),
        nodes: answer.nodes.into_iter().map(node_status).collect(),
        shards: answer.shards.into_iter().map(shard_status).collect(),
        programs: answer.programs.into_iter().map(program_status).collect(),
    }
}

fn node_status(node: admin::NodeStatus) -> NodeStatus {
    NodeStatus {
        node_id: node.node_id,
        address: node.address,
        zone: node.zone,
        health: health(node.health),
        detail: node.detail,
        leaders: node.leaders,
        replicas: node.replicas,
        memory_bytes: node.memory_bytes,
        written_bytes: node.written_bytes,
    }
}

fn shard_status(shard: admin::ShardStatus) -> ShardStatus {
    ShardStatus {
        shard: shard.shard,
        range_first: shard.range_first,
        range_last: shard.range_last,
        epoch: shard.epoch,
        health: health(shard.health),
        detail: shard.detail,
        leader_node: (shard.leader_node != 0).then_some(shard.leader_node),
        term: shard.term,
        replicas: shard.replicas.into_iter().map(replica_status).collect(),
        outbox_pending: shard.outbox_pending,
        outbox_lag_ms: shard.outbox_lag_ms,
    }
}

fn replica_status(replica: admin::ReplicaStatus) -> ReplicaStatus {
    ReplicaStatus {
        replica_id: replica.replica_id,
        node_id: replica.node_id,
        health: health(replica.health),
        detail: replica.detail,
        applied_index: replica.applied_index,
        lag: replica.lag,
        voter: replica.voter,
    }
}

fn program_status(program: admin::ProgramStatus) -> ProgramStatus {
    ProgramStatus {
        program: program.program,
        version: program.version,
        shards_current: program.shards_current,
        shards_total: program.shards_total,
    }
}

pub(crate) fn verification(answer: admin::VerifyResponse) -> Result<Verification, MalformedAnswer> {
    Ok(Verification {
        health: health(answer.health),
        totals: totals(answer.totals)?,
        shards: answer
            .shards
            .into_iter()
            .map(shard_verification)
            .collect::<Result<_, _>>()?,
        stock: stock_verification(answer.stock.unwrap_or_default()),
    })
}

/// A gateway that says nothing of stock has not compared it: its health is then unknown.
fn stock_verification(stock: admin::StockVerification) -> StockVerification {
    let differences = stock.differences.into_iter();
    StockVerification {
        health: health(stock.health),
        detail: stock.detail,
        compared: stock.compared,
        differences: differences
            .map(|difference| StockDifference {
                site_code: difference.site_code,
                product: difference.product,
                on_hand: difference.on_hand,
                expected: difference.expected,
            })
            .collect(),
    }
}

fn shard_verification(
    shard: admin::ShardVerification,
) -> Result<ShardVerification, MalformedAnswer> {
    let health = health(shard.health);
    Ok(ShardVerification {
        shard: shard.shard,
        health,
        detail: shard.detail,
        log_index: shard.log_index,
        replicas: shard.replicas.into_iter().map(replica_digest).collect(),
        // A shard that nobody could ask has no totals.
        totals: match (shard.totals, health) {
            (None, Health::Unknown) => Totals::default(),
            (shard_totals, _) => totals(shard_totals)?,
        },
    })
}

fn replica_digest(replica: admin::ReplicaDigest) -> ReplicaDigest {
    let mut digest = String::with_capacity(2 * replica.digest.len());
    for byte in &replica.digest {
        write!(digest, "{byte:02x}").expect("writing to a string cannot fail");
    }
    ReplicaDigest {
        replica_id: replica.replica_id,
        node_id: replica.node_id,
        health: health(replica.health),
        detail: replica.detail,
        digest,
    }
}

fn totals(totals: Option<admin::Totals>) -> Result<Totals, MalformedAnswer> {
    let totals = totals.ok_or(MalformedAnswer("totals are missing"))?;
    Ok(Totals {
        grants: totals.grants,
        units_granted: totals.units_granted,
        voids: totals.voids,
        units_voided: totals.units_voided,
        denials: totals.denials.into_iter().map(denial_count).collect(),
        citizens: totals.citizens,
        sites: totals.sites,
        outbox_rows: totals.outbox_rows,
        grants_in_records: totals.grants_in_records,
        units_in_records: totals.units_in_records,
        records_over_limit: totals.records_over_limit,
        slips: totals.slips,
        units_on_slips: totals.units_on_slips,
        slips_over_quota: totals.slips_over_quota,
    })
}

/// A reason that this version does not know keeps the name it came with.
pub(super) fn denial_count(denial: admin::DenialCount) -> (String, u64) {
    let name = match DenialReason::from_name(&denial.reason) {
        Some(reason) => reason.name().to_owned(),
        None => denial.reason,
    };
    (name, denial.count)
}

pub(crate) fn shadow_counts(answer: admin::GetShadowCountsResponse) -> ShadowReport {
    let rules = answer.rules.into_iter().map(|rule| ShadowCounts {
        rule: rule.rule,
        evaluated: rule.evaluated,
        would_deny: rule.would_deny.into_iter().map(denial_count).collect(),
        would_grant: rule.would_grant,
    });
    ShadowReport {
        rules: rules.collect(),
        shards_counted: answer.shards_counted,
        shards_total: answer.shards_total,
    }
}

pub(crate) fn site_to_wire(site: &Site) -> admin::Site {
    admin::Site {
        code: site.code.to_string(),
        name: site.name.clone(),
        address: site.address.clone(),
        site_type: site.site_type.to_string(),
        latitude: site.coordinates.map(|(latitude, _)| latitude),
        longitude: site.coordinates.map(|(_, longitude)| longitude),
        region: site.region.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn health_that_cannot_be_read_is_unknown() {
        assert_eq!(health(1), Health::Ok);
        assert_eq!(health(2), Health::Bad);
        for number in [0, 3, 77, -1] {
            assert_eq!(health(number), Health::Unknown);
        }
    }

    #[test]
    fn only_a_shard_that_was_not_heard_may_lack_totals() {
        let shard = |number| admin::ShardVerification {
            health: number,
            ..admin::ShardVerification::default()
        };
        assert!(shard_verification(shard(admin::Health::Unknown.into())).is_ok());
        assert!(shard_verification(shard(admin::Health::Ok.into())).is_err());
    }

    #[test]
    fn digests_print_as_hex() {
        let replica = admin::ReplicaDigest {
            digest: vec![0x0f, 0xa0].into(),
            ..admin::ReplicaDigest::default()
        };
        assert_eq!(replica_digest(replica).digest, "0fa0");
    }
}
