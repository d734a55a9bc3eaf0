//! Sites, facts and sales ↔ their messages. Sales are read and stored elsewhere: here they only travel.

use bytes::Bytes;
use quorate_proto::{
    ids::{Epoch, RingPosition},
    ring::RingRange,
    storage as pb,
};

use super::{
    DecodeError,
    commands::correction_to_proto,
    counts,
    fields::{self, required},
    parts::sale_kind_number,
};
use crate::{
    ledger::{
        Coordinates, DenialReason, Device, Sale, ShardFacts, ShardTotals, SiteProfile, SiteRecord,
        VoidAttempt, VoidBy, VoidRefusal,
    },
    limits,
};

pub(super) fn sale_to_proto(sale: Sale) -> pb::Sale {
    pb::Sale {
        request_id: fields::request_id_bytes(sale.request_id),
        quantity: sale.quantity,
        site_code: sale.site.code.to_string(),
        site_type: sale.site.site_type.get().into(),
        region: sale.site.region.to_string(),
        sold_at_ms: sale.sold_at_ms,
        recorded_at_ms: sale.recorded_at_ms,
        kind: sale_kind_number(sale.kind),
        flags: sale.flags,
        rule_version: sale.rule.map_or_else(String::new, |rule| rule.to_string()),
        remaining: sale.remaining,
        limit: sale.limit,
        void_attempts: sale.void_attempts.iter().map(attempt_to_proto).collect(),
        product: fields::product_text(sale.product),
        proxy_ground: fields::ground_text(sale.proxy_ground),
        over_by: sale.over_by,
        irregularity: sale.irregularity.map_or(0, DenialReason::number),
        next_eligible_ms: sale.next_eligible_ms,
    }
}

fn attempt_to_proto(attempt: &VoidAttempt) -> pb::VoidAttempt {
    pb::VoidAttempt {
        request_id: fields::request_id_bytes(attempt.request_id),
        site_code: match &attempt.by {
            VoidBy::Site(code) => code.to_string(),
            VoidBy::Administrator(_) => String::new(),
        },
        refusal: attempt.refused.map_or(0, VoidRefusal::number),
        remaining: attempt.remaining,
        decided_at_ms: attempt.decided_at_ms,
        correction: match &attempt.by {
            VoidBy::Site(_) => None,
            VoidBy::Administrator(correction) => Some(correction_to_proto(correction)),
        },
    }
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
        suspended: site.suspended,
        notice: site.notice,
        updated_at_ms: site.updated_at_ms,
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
        suspended: message.suspended,
        notice: fields::bounded("notice", message.notice, limits::STOCK_TEXT_BYTES_MAX)?,
        updated_at_ms: fields::time_ms(message.updated_at_ms)?,
    })
}

/// A site's profile as it is stored and travels.
#[must_use]
pub fn profile_to_proto(profile: SiteProfile) -> pb::SiteProfile {
    pb::SiteProfile {
        code: profile.code.to_string(),
        name: profile.name,
        address: profile.address,
        site_type: profile.site_type.get().into(),
        latitude: profile.coordinates.map(|point| point.latitude),
        longitude: profile.coordinates.map(|point| point.longitude),
        region: profile.region.to_string(),
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
        region: fields::region(&message.region)?,
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
        outbox_trimmed_seq: facts.outbox_trimmed,
        outbox_trim_seq: facts.outbox_trim_next,
        outbox_trim_since_ms: facts.outbox_trim_since_ms,
    }
}

pub(super) fn facts_from_proto(message: &pb::ShardFacts) -> Result<ShardFacts, DecodeError> {
    let range = match message.epoch {
        0 => None,
        _ => Some(ring_range(message.range_first, message.range_last)?),
    };
    let rows = message.outbox_next_seq.checked_sub(1);
    let rows = required("next outbox sequence number", rows)?;
    let order = [
        message.outbox_trimmed_seq,
        message.outbox_trim_seq,
        message.outbox_acknowledged_seq,
        rows,
    ];
    if !order.is_sorted() {
        let why = "a row is deleted before it is acknowledged, or acknowledged before it is there";
        return Err(DecodeError::invalid("outbox sequence numbers", why));
    }
    Ok(ShardFacts {
        range,
        epoch: Epoch(message.epoch),
        clock_ms: fields::time_ms(message.clock_ms)?,
        outbox_rows: rows,
        outbox_acknowledged: message.outbox_acknowledged_seq,
        outbox_trimmed: message.outbox_trimmed_seq,
        outbox_trim_next: message.outbox_trim_seq,
        outbox_trim_since_ms: fields::time_ms(message.outbox_trim_since_ms)?,
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
        slips: totals.slips,
        units_on_slips: totals.units_on_slips,
        slips_over_quota: totals.slips_over_quota,
    }
}

fn totals_from_proto(message: &pb::ShardTotals) -> Result<ShardTotals, DecodeError> {
    Ok(ShardTotals {
        grants: message.grants,
        units_granted: message.units_granted,
        voids: message.voids,
        units_voided: message.units_voided,
        denials: counts::reasons(&message.denials)?,
        grants_retired: message.grants_retired,
        units_retired: message.units_retired,
        slips: message.slips,
        units_on_slips: message.units_on_slips,
        slips_over_quota: message.slips_over_quota,
    })
}
