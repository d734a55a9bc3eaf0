//! What nodes say, read into types. Pure; a node is trusted to mean well and checked all the same.

pub(crate) mod report;
pub(crate) mod stock;

use std::sync::Arc;

use bytes::Bytes;
use jiff::tz::TimeZoneDatabase;
use quorate_proto::{
    ids::{NodeId, ProductId, ProgramId, RequestId, ShardId, SiteCode, SiteType},
    internal::{self, query_reply},
    shard_map::ShardMap,
    storage::{self, command_error, outcome},
    v1::{DenialReason, SaleKind, VoidRefusal},
};

use super::pipeline::Reply;
use crate::{
    directory::{Leader, News, Program, View},
    model::{DevicePut, FoundDevice, Position, Recorded, Rejection, Sale, Site, Verdict, Voided},
    retry::Attempt,
};

/// A node's answer breaks the contract: one of the two is wrong or much older than the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadAnswer {
    /// The answer belongs to another kind of question.
    #[error("a node's answer does not belong to the question")]
    Kind,
    /// The answer lacks this part.
    #[error("a node's answer has no {0}")]
    Missing(&'static str),
    /// This part of the answer cannot be read.
    #[error("a node's answer has a wrong {0}")]
    Value(&'static str),
}

/// An answer that has not been read yet.
#[derive(Debug)]
pub(crate) enum Wire {
    /// Of a command.
    Outcome(outcome::Body),
    /// Of a query.
    Read(query_reply::Body),
}

/// What a reply amounts to.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and boxing would cost every sale an allocation"
)]
pub(crate) enum Heard {
    /// An answer.
    Answer(Wire, Position),
    /// The shard found the question itself wrong.
    Rejected(Rejection),
    /// No answer; `hint` is the node that leads, as the replying node believes.
    NotAnswered {
        attempt: Attempt,
        hint: Option<NodeId>,
    },
}

/// Sorts a reply.
pub(crate) fn heard(reply: Reply, shard: ShardId) -> Result<Heard, BadAnswer> {
    match reply {
        Reply::Write(write) => {
            let position = Position {
                shard,
                term: write.term,
                log_index: write.log_index,
                ordinal: write.ordinal,
            };
            let body = write.outcome.and_then(|outcome| outcome.body);
            match body.ok_or(BadAnswer::Missing("outcome"))? {
                outcome::Body::Error(error) => command_error(&error),
                body => Ok(Heard::Answer(Wire::Outcome(body), position)),
            }
        }
        Reply::Query(query) => {
            let position = Position {
                shard,
                term: query.term,
                log_index: query.log_index,
                ordinal: 0,
            };
            match query.body.ok_or(BadAnswer::Missing("answer"))? {
                query_reply::Body::Error(error) => command_error(&error),
                body => Ok(Heard::Answer(Wire::Read(body), position)),
            }
        }
        Reply::Refusal(refusal) => Ok(refused(&refusal)),
    }
}

fn command_error(error: &storage::CommandError) -> Result<Heard, BadAnswer> {
    use command_error::Kind;
    Ok(Heard::Rejected(match error.kind() {
        Kind::RequestIdConflict => Rejection::RequestIdConflict,
        Kind::UnknownProgram => Rejection::UnknownProgram,
        Kind::UnknownProduct => Rejection::UnknownProduct,
        Kind::QuantityTooLarge => Rejection::QuantityTooLarge,
        Kind::TooMany => Rejection::TooMany,
        Kind::WrongShard => {
            return Ok(Heard::NotAnswered {
                attempt: Attempt::WrongShard,
                hint: None,
            });
        }
        Kind::Unspecified => return Err(BadAnswer::Value("kind of error")),
    }))
}

fn refused(refusal: &internal::Refusal) -> Heard {
    use internal::refusal::Kind;
    let hint = (refusal.leader_node != 0).then_some(NodeId(refusal.leader_node));
    let attempt = match refusal.kind() {
        Kind::NotLeader => Attempt::NotLeader {
            hinted: hint.is_some(),
        },
        Kind::WrongShard => Attempt::WrongShard,
        Kind::Busy => Attempt::Busy,
        Kind::DeadlinePassed => Attempt::DeadlinePassed,
        Kind::Malformed => Attempt::Malformed,
        // A refusal of a kind we do not know says nothing about what was done.
        Kind::OutcomeUnknown | Kind::Unspecified => Attempt::OutcomeUnknown,
    };
    Heard::NotAnswered { attempt, hint }
}

pub(crate) fn recorded(record: storage::RecordOutcome) -> Result<Recorded, BadAnswer> {
    Ok(Recorded {
        verdict: verdict(record.verdict)?,
        repeated_answer: record.repeated_answer,
    })
}

pub(crate) fn verdict(verdict: Option<storage::Verdict>) -> Result<Verdict, BadAnswer> {
    let verdict = verdict.ok_or(BadAnswer::Missing("verdict"))?;
    let denied = match (verdict.granted, verdict.reason) {
        (true, 0) => None,
        (false, number) => Some(denial_reason(number)?),
        (true, _) => return Err(BadAnswer::Value("reason")),
    };
    let purchases = verdict.purchases.into_iter().map(sale);
    Ok(Verdict {
        denied,
        remaining: verdict.remaining,
        limit: verdict.limit,
        next_eligible_ms: verdict.next_eligible_ms,
        window_ms: (verdict.window_end_ms != 0)
            .then_some((verdict.window_start_ms, verdict.window_end_ms)),
        rule_version: verdict.rule_version,
        decided_at_ms: verdict.decided_at_ms,
        purchases: purchases.collect::<Result<_, _>>()?,
    })
}

fn denial_reason(number: u32) -> Result<DenialReason, BadAnswer> {
    let reason = i32::try_from(number).ok().and_then(|n| n.try_into().ok());
    match reason {
        Some(DenialReason::Unspecified) | None => Err(BadAnswer::Value("reason")),
        Some(reason) => Ok(reason),
    }
}

pub(crate) fn voided(void: storage::VoidOutcome) -> Result<Voided, BadAnswer> {
    let refusal = match void.refusal {
        0 => None,
        number => Some(
            i32::try_from(number)
                .ok()
                .and_then(|n| VoidRefusal::try_from(n).ok())
                .ok_or(BadAnswer::Value("refusal"))?,
        ),
    };
    Ok(Voided {
        refusal,
        quantity: void.quantity,
        remaining: void.remaining,
        decided_at_ms: void.decided_at_ms,
        repeated_answer: void.repeated_answer,
    })
}

pub(crate) fn sale(sale: storage::Sale) -> Result<Sale, BadAnswer> {
    let void = sale.void_attempts.iter().find(|void| void.refusal == 0);
    Ok(Sale {
        request_id: RequestId::try_from(&*sale.request_id)
            .map_err(|_| BadAnswer::Value("request id"))?,
        quantity: sale.quantity,
        sold_at_ms: sale.sold_at_ms,
        site_code: sale.site_code,
        site_type: site_type(sale.site_type)?,
        region: sale.region,
        voided_at_ms: void.map(|void| void.decided_at_ms),
        void_case_number: void
            .and_then(|void| void.correction.as_ref())
            .map_or_else(String::new, |correction| correction.case_number.clone()),
        kind: sale_kind(sale.kind)?,
        product: sale.product,
        rule_version: sale.rule_version,
        over_by: sale.over_by,
        irregularity: match sale.irregularity {
            0 => None,
            number => Some(denial_reason(number)?),
        },
        proxy_ground: sale.proxy_ground,
    })
}

fn sale_kind(number: u32) -> Result<SaleKind, BadAnswer> {
    match number {
        0 => Ok(SaleKind::Online),
        1 => Ok(SaleKind::Paper),
        _ => Err(BadAnswer::Value("kind of sale")),
    }
}

fn site_type(number: u32) -> Result<SiteType, BadAnswer> {
    SiteType::try_from(number).map_err(|_| BadAnswer::Value("site type"))
}

pub(crate) fn found_device(device: internal::DeviceAnswer) -> Result<FoundDevice, BadAnswer> {
    let public_key: Bytes = device.public_key;
    Ok(FoundDevice {
        site: device.site.map(site).transpose()?,
        public_key: (!public_key.is_empty()).then_some(public_key),
    })
}

fn site(site: storage::SiteProfile) -> Result<Site, BadAnswer> {
    Ok(Site {
        code: SiteCode::parse(&site.code).map_err(|_| BadAnswer::Value("site code"))?,
        name: site.name,
        address: site.address,
        site_type: site_type(site.site_type)?,
        location: site.latitude.zip(site.longitude),
        region: site.region.into(),
    })
}

pub(crate) fn device_put(put: storage::PutDeviceOutcome) -> DevicePut {
    if put.site_unknown {
        DevicePut::SiteUnknown
    } else if put.key_conflict {
        DevicePut::KeyConflict
    } else if put.already_enrolled {
        DevicePut::AlreadyEnrolled
    } else {
        DevicePut::Enrolled
    }
}

/// News of the cluster. A view that breaks a law of views is left out, with the law as the error.
pub(crate) fn news(
    event: internal::ClusterEvent,
) -> (News, Option<quorate_proto::shard_map::ShardMapError>) {
    let leaders = event
        .leaderships
        .iter()
        // No leader is known to that node: no news to us.
        .filter(|leadership| leadership.leader_node != 0)
        .map(|leadership| {
            let leader = Leader {
                term: leadership.term,
                node: NodeId(leadership.leader_node),
            };
            (ShardId(leadership.shard), leader)
        })
        .collect();
    let (view, error) = match event.view.map(|view| read_view(&view)).transpose() {
        Ok(view) => (view, None),
        Err(error) => (None, Some(error)),
    };
    (News { view, leaders }, error)
}

fn read_view(view: &storage::ClusterView) -> Result<View, quorate_proto::shard_map::ShardMapError> {
    Ok(View {
        map: ShardMap::new(view)?,
        programs: view.programs.iter().filter_map(program).collect(),
    })
}

/// `None`: it breaks a law that the system shard keeps, and so cannot be.
fn program(definition: &storage::ProgramDefinition) -> Option<Program> {
    let id = ProgramId::parse(&definition.id).ok()?;
    let mut products: Vec<ProductId> = definition
        .products
        .iter()
        .map(|product| ProductId::parse(&product.id).ok())
        .collect::<Option<_>>()?;
    if products.is_empty() {
        products.push(id.into());
    }
    Some(Program {
        id,
        version: definition.version,
        zone: TimeZoneDatabase::bundled()
            .get(&definition.time_zone)
            .ok()?,
        products,
        definition: Arc::new(definition.clone()),
    })
}

#[cfg(test)]
mod tests;
