//! What is stored ↔ its messages.

use bytes::Bytes;
use quorate_proto::{
    ids::{Epoch, RingPosition},
    ring::RingRange,
    storage as pb,
};

use super::{
    DecodeError,
    fields::{self, required},
};
use crate::{
    ledger::{
        CitizenRecord, Coordinates, Denial, DenialReason, Device, OutboxKind, OutboxRow, Sale,
        SaleKind, SaleSite, ShardFacts, ShardTotals, SiteProfile, SiteRecord, VoidAttempt,
        VoidRefusal,
    },
    limits,
};

/// Number of [`SaleKind::Online`].
const KIND_ONLINE: u32 = 0;

const OUTBOX_SOLD: u32 = 1;
const OUTBOX_VOIDED: u32 = 2;

pub(super) fn citizen_to_proto(record: CitizenRecord) -> pb::CitizenRecord {
    pb::CitizenRecord {
        sales: record.sales.into_iter().map(sale_to_proto).collect(),
        denials: record.denials.iter().map(denial_to_proto).collect(),
    }
}

pub(super) fn citizen_from_proto(message: pb::CitizenRecord) -> Result<CitizenRecord, DecodeError> {
    let sales = message.sales.into_iter().map(sale_from_proto);
    let denials = message.denials.iter().map(denial_from_proto);
    let record = CitizenRecord {
        sales: sales.collect::<Result<_, _>>()?,
        denials: denials.collect::<Result<_, _>>()?,
    };
    if !record.sales.is_sorted_by_key(|sale| sale.recorded_at_ms)
        || !record
            .denials
            .is_sorted_by_key(|denial| denial.decided_at_ms)
    {
        return Err(DecodeError::invalid("citizen record", "is out of order"));
    }
    Ok(record)
}

pub(super) fn sale_to_proto(sale: Sale) -> pb::Sale {
    pb::Sale {
        request_id: fields::request_id_bytes(sale.request_id),
        quantity: sale.quantity,
        site_code: sale.site.code.to_string(),
        site_type: sale.site.site_type.get().into(),
        region: sale.site.region,
        sold_at_ms: sale.sold_at_ms,
        recorded_at_ms: sale.recorded_at_ms,
        kind: match sale.kind {
            SaleKind::Online => KIND_ONLINE,
        },
        flags: sale.flags,
        rule_version: sale.rule.to_string(),
        remaining: sale.remaining,
        limit: sale.limit,
        void_attempts: sale.void_attempts.iter().map(attempt_to_proto).collect(),
    }
}

fn sale_from_proto(message: pb::Sale) -> Result<Sale, DecodeError> {
    let void_attempts = message.void_attempts.iter().map(attempt_from_proto);
    Ok(Sale {
        request_id: fields::request_id(&message.request_id)?,
        quantity: message.quantity,
        site: SaleSite {
            code: fields::site_code(&message.site_code)?,
            site_type: fields::site_type(message.site_type)?,
            region: message.region,
        },
        sold_at_ms: message.sold_at_ms,
        recorded_at_ms: message.recorded_at_ms,
        kind: match message.kind {
            KIND_ONLINE => SaleKind::Online,
            _ => return Err(DecodeError::invalid("sale kind", "is not known here")),
        },
        flags: message.flags,
        rule: fields::rule_id(&message.rule_version)?,
        remaining: message.remaining,
        limit: message.limit,
        void_attempts: void_attempts.collect::<Result<_, _>>()?,
    })
}

fn attempt_to_proto(attempt: &VoidAttempt) -> pb::VoidAttempt {
    pb::VoidAttempt {
        request_id: fields::request_id_bytes(attempt.request_id),
        site_code: attempt.site_code.to_string(),
        refusal: attempt.refused.map_or(0, VoidRefusal::number),
        remaining: attempt.remaining,
        decided_at_ms: attempt.decided_at_ms,
    }
}

fn attempt_from_proto(message: &pb::VoidAttempt) -> Result<VoidAttempt, DecodeError> {
    Ok(VoidAttempt {
        request_id: fields::request_id(&message.request_id)?,
        site_code: fields::site_code(&message.site_code)?,
        refused: match message.refusal {
            0 => None,
            number => Some(
                VoidRefusal::from_number(number)
                    .ok_or_else(|| DecodeError::invalid("void refusal", "is not known here"))?,
            ),
        },
        remaining: message.remaining,
        decided_at_ms: message.decided_at_ms,
    })
}

fn denial_to_proto(denial: &Denial) -> pb::Denial {
    pb::Denial {
        request_id: fields::request_id_bytes(denial.request_id),
        quantity: denial.quantity,
        site_code: denial.site_code.to_string(),
        reason: denial.reason.number(),
        remaining: denial.remaining,
        limit: denial.limit,
        next_eligible_ms: denial.next_eligible_ms,
        decided_at_ms: denial.decided_at_ms,
        rule_version: denial
            .rule
            .map_or_else(String::new, |rule| rule.to_string()),
    }
}

fn denial_from_proto(message: &pb::Denial) -> Result<Denial, DecodeError> {
    Ok(Denial {
        request_id: fields::request_id(&message.request_id)?,
        quantity: message.quantity,
        site_code: fields::site_code(&message.site_code)?,
        reason: DenialReason::from_number(message.reason)
            .ok_or_else(|| DecodeError::invalid("denial reason", "is not known here"))?,
        remaining: message.remaining,
        limit: message.limit,
        next_eligible_ms: message.next_eligible_ms,
        decided_at_ms: message.decided_at_ms,
        rule: match message.rule_version.as_str() {
            "" => None,
            id => Some(fields::rule_id(id)?),
        },
    })
}

pub(super) fn site_to_proto(site: SiteRecord) -> pb::SiteRecord {
    let devices = site.devices.iter().map(|device| pb::Device {
        device_id: device.device_id.to_string(),
        public_key: Bytes::copy_from_slice(&device.public_key),
        enrolled_at_ms: device.enrolled_at_ms,
    });
    pb::SiteRecord {
        devices: devices.collect(),
        profile: Some(profile_to_proto(site.profile)),
    }
}

pub(super) fn site_from_proto(message: pb::SiteRecord) -> Result<SiteRecord, DecodeError> {
    let devices = message.devices.iter().map(|device| {
        Ok(Device {
            device_id: fields::device_id(&device.device_id)?,
            public_key: fields::public_key(&device.public_key)?,
            enrolled_at_ms: device.enrolled_at_ms,
        })
    });
    Ok(SiteRecord {
        devices: devices.collect::<Result<_, _>>()?,
        profile: profile_from_proto(required("site profile", message.profile)?)?,
    })
}

pub(super) fn profile_to_proto(profile: SiteProfile) -> pb::SiteProfile {
    pb::SiteProfile {
        code: profile.code.to_string(),
        name: profile.name,
        address: profile.address,
        site_type: profile.site_type.get().into(),
        latitude: profile.coordinates.map(|point| point.latitude),
        longitude: profile.coordinates.map(|point| point.longitude),
        region: profile.region,
    }
}

pub(super) fn profile_from_proto(message: pb::SiteProfile) -> Result<SiteProfile, DecodeError> {
    let coordinates = match (message.latitude, message.longitude) {
        (None, None) => None,
        (Some(latitude), Some(longitude))
            if (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude) =>
        {
            Some(Coordinates {
                latitude,
                longitude,
            })
        }
        _ => {
            let why = "must be both given, in WGS 84 degrees, or both left out";
            return Err(DecodeError::invalid("latitude and longitude", why));
        }
    };
    Ok(SiteProfile {
        code: fields::site_code(&message.code)?,
        name: fields::bounded("site name", message.name, limits::SITE_TEXT_BYTES_MAX)?,
        address: fields::bounded("site address", message.address, limits::SITE_TEXT_BYTES_MAX)?,
        site_type: fields::site_type(message.site_type)?,
        coordinates,
        region: fields::region(message.region)?,
    })
}

pub(super) fn outbox_to_proto(row: &OutboxRow) -> pb::OutboxRow {
    pb::OutboxRow {
        site_code: row.site_code.to_string(),
        program: row.program.to_string(),
        request_id: fields::request_id_bytes(row.request_id),
        quantity: row.quantity,
        kind: match row.kind {
            OutboxKind::Sold => OUTBOX_SOLD,
            OutboxKind::Voided => OUTBOX_VOIDED,
        },
        at_ms: row.at_ms,
    }
}

pub(super) fn outbox_from_proto(message: &pb::OutboxRow) -> Result<OutboxRow, DecodeError> {
    Ok(OutboxRow {
        site_code: fields::site_code(&message.site_code)?,
        program: fields::program_id(&message.program)?,
        request_id: fields::request_id(&message.request_id)?,
        quantity: message.quantity,
        kind: match message.kind {
            OUTBOX_SOLD => OutboxKind::Sold,
            OUTBOX_VOIDED => OutboxKind::Voided,
            _ => return Err(DecodeError::invalid("outbox kind", "is not known here")),
        },
        at_ms: message.at_ms,
    })
}

pub(super) fn facts_to_proto(facts: &ShardFacts) -> pb::ShardFacts {
    pb::ShardFacts {
        range_first: facts.range.map_or(0, |range| range.first().get()),
        range_last: facts.range.map_or(0, |range| range.last().get()),
        epoch: facts.epoch.get(),
        clock_ms: facts.clock_ms,
        outbox_next_seq: facts.outbox_rows + 1,
        outbox_acknowledged_seq: facts.outbox_acknowledged,
        totals: Some(totals_to_proto(&facts.totals)),
    }
}

pub(super) fn facts_from_proto(message: &pb::ShardFacts) -> Result<ShardFacts, DecodeError> {
    let range = match message.epoch {
        0 => None,
        _ => Some(ring_range(message.range_first, message.range_last)?),
    };
    let rows = message.outbox_next_seq.checked_sub(1);
    Ok(ShardFacts {
        range,
        epoch: Epoch(message.epoch),
        clock_ms: fields::time_ms(message.clock_ms)?,
        outbox_rows: required("next outbox sequence number", rows)?,
        outbox_acknowledged: message.outbox_acknowledged_seq,
        totals: totals_from_proto(required("totals", message.totals.as_ref())?)?,
    })
}

pub(super) fn ring_range(first: u64, last: u64) -> Result<RingRange, DecodeError> {
    RingRange::new(RingPosition(first), RingPosition(last))
        .ok_or_else(|| DecodeError::invalid("ring range", "ends before it starts"))
}

/// Totals as they are stored and reported.
#[must_use]
pub fn totals_to_proto(totals: &ShardTotals) -> pb::ShardTotals {
    pb::ShardTotals {
        grants: totals.grants,
        units_granted: totals.units_granted,
        voids: totals.voids,
        units_voided: totals.units_voided,
        denials: totals.denials.to_vec(),
        grants_retired: totals.grants_retired,
        units_retired: totals.units_retired,
    }
}

fn totals_from_proto(message: &pb::ShardTotals) -> Result<ShardTotals, DecodeError> {
    let mut totals = ShardTotals {
        grants: message.grants,
        units_granted: message.units_granted,
        voids: message.voids,
        units_voided: message.units_voided,
        grants_retired: message.grants_retired,
        units_retired: message.units_retired,
        ..ShardTotals::default()
    };
    if message.denials.len() > totals.denials.len() {
        return Err(DecodeError::invalid(
            "denials",
            "count a reason that is not known here",
        ));
    }
    totals.denials[..message.denials.len()].copy_from_slice(&message.denials);
    Ok(totals)
}
