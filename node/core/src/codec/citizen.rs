//! Citizen records ↔ their bytes: what is read and written with every sale.

use quorate_proto::ids::{GroundId, ProductId, RuleId};

use super::{
    DecodeError, fields,
    parts::{
        put_sale_kind, read_denial_reason, read_ground, read_product, read_region, read_request_id,
        read_rule, read_sale_kind, read_site_code, read_site_type, small, text,
    },
    wire::{Fields, Value, put_bytes, put_message, put_number, put_optional_time, put_time},
};
use crate::ledger::{
    CitizenRecord, Correction, Denial, DenialReason, Sale, SaleKind, SaleSite, VoidAttempt, VoidBy,
    VoidRefusal,
};

pub(super) fn put_citizen(out: &mut Vec<u8>, record: &CitizenRecord) {
    for sale in &record.sales {
        put_message(out, 1, |out| put_sale(out, sale));
    }
    for denial in &record.denials {
        put_message(out, 2, |out| put_denial(out, denial));
    }
}

pub(super) fn read_citizen(bytes: &[u8]) -> Result<CitizenRecord, DecodeError> {
    let mut fields = Fields::new("citizen record", bytes);
    let mut record = CitizenRecord::default();
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) => record.sales.push(read_sale(bytes)?),
            (2, Value::Bytes(bytes)) => record.denials.push(read_denial(bytes)?),
            _ => return Err(fields.unknown()),
        }
    }
    if !record.sales.is_sorted_by_key(|sale| sale.recorded_at_ms)
        || !record
            .denials
            .is_sorted_by_key(|denial| denial.decided_at_ms)
    {
        return Err(DecodeError::invalid("citizen record", "is out of order"));
    }
    Ok(record)
}

fn put_sale(out: &mut Vec<u8>, sale: &Sale) {
    put_bytes(out, 1, sale.request_id.as_bytes());
    put_number(out, 2, sale.quantity.into());
    put_bytes(out, 3, sale.site.code.as_bytes());
    put_number(out, 4, sale.site.site_type.get().into());
    put_bytes(out, 5, sale.site.region.as_bytes());
    put_time(out, 6, sale.sold_at_ms);
    put_time(out, 7, sale.recorded_at_ms);
    put_sale_kind(out, 8, sale.kind);
    put_number(out, 9, sale.flags.into());
    put_bytes(out, 10, sale.rule.as_ref().map_or(&[], RuleId::as_bytes));
    put_number(out, 11, sale.remaining.into());
    put_number(out, 12, sale.limit.into());
    for attempt in &sale.void_attempts {
        put_message(out, 13, |out| put_attempt(out, attempt));
    }
    put_terms(out, 14, sale.product.as_ref(), sale.proxy_ground.as_ref());
    put_number(out, 16, sale.over_by.into());
    put_number(
        out,
        17,
        sale.irregularity.map_or(0, DenialReason::number).into(),
    );
    put_optional_time(out, 18, sale.next_eligible_ms);
}

/// What was sold and on what ground: two fields in a row, left out where nothing was said.
fn put_terms(
    out: &mut Vec<u8>,
    field: u64,
    product: Option<&ProductId>,
    ground: Option<&GroundId>,
) {
    put_bytes(out, field, product.map_or(&[], ProductId::as_bytes));
    put_bytes(out, field + 1, ground.map_or(&[], GroundId::as_bytes));
}

fn read_sale(bytes: &[u8]) -> Result<Sale, DecodeError> {
    let mut fields = Fields::new("sale", bytes);
    let (mut request_id, mut code, mut site_type, mut rule) = (None, None, None, None);
    let (mut quantity, mut remaining, mut limit, mut flags) = (0, 0, 0, 0);
    let (mut sold_at_ms, mut recorded_at_ms, mut next_eligible_ms) = (0, 0, None);
    let (mut kind, mut over_by, mut irregularity) = (SaleKind::Online, 0, None);
    let (mut product, mut proxy_ground) = (None, None);
    let (mut region, mut void_attempts) = (&[][..], Vec::new());
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) => request_id = Some(read_request_id(bytes)?),
            (2, Value::Varint(number)) => quantity = small(number)?,
            (3, Value::Bytes(bytes)) => code = Some(read_site_code(bytes)?),
            (4, Value::Varint(number)) => site_type = Some(read_site_type(number)?),
            (5, Value::Bytes(bytes)) => region = bytes,
            (6, Value::Varint(time)) => sold_at_ms = time as i64,
            (7, Value::Varint(time)) => recorded_at_ms = time as i64,
            (8, Value::Varint(number)) => kind = read_sale_kind(number)?,
            (9, Value::Varint(number)) => flags = small(number)?,
            (10, Value::Bytes(bytes)) => rule = Some(read_rule(bytes)?),
            (11, Value::Varint(number)) => remaining = small(number)?,
            (12, Value::Varint(number)) => limit = small(number)?,
            (13, Value::Bytes(bytes)) => void_attempts.push(read_attempt(bytes)?),
            (14, Value::Bytes(bytes)) => product = Some(read_product(bytes)?),
            (15, Value::Bytes(bytes)) => proxy_ground = Some(read_ground(bytes)?),
            (16, Value::Varint(number)) => over_by = small(number)?,
            (17, Value::Varint(number)) => irregularity = Some(read_denial_reason(number)?),
            (18, Value::Varint(time)) => next_eligible_ms = Some(time as i64),
            _ => return Err(fields.unknown()),
        }
    }
    Ok(Sale {
        request_id: fields::required("request id", request_id)?,
        quantity,
        site: SaleSite {
            code: fields::required("site code", code)?,
            site_type: fields::required("site type", site_type)?,
            region: read_region(region)?,
        },
        sold_at_ms,
        recorded_at_ms,
        kind,
        flags,
        rule,
        remaining,
        limit,
        next_eligible_ms,
        product,
        proxy_ground,
        over_by,
        irregularity,
        void_attempts,
    })
}

fn put_attempt(out: &mut Vec<u8>, attempt: &VoidAttempt) {
    put_bytes(out, 1, attempt.request_id.as_bytes());
    if let VoidBy::Site(code) = &attempt.by {
        put_bytes(out, 2, code.as_bytes());
    }
    put_number(
        out,
        3,
        attempt.refused.map_or(0, VoidRefusal::number).into(),
    );
    put_number(out, 4, attempt.remaining.into());
    put_time(out, 5, attempt.decided_at_ms);
    if let VoidBy::Administrator(correction) = &attempt.by {
        put_message(out, 6, |out| {
            put_bytes(out, 1, correction.case_number.as_bytes());
            put_bytes(out, 2, correction.reason.as_bytes());
            put_bytes(out, 3, correction.operator.as_bytes());
        });
    }
}

fn read_attempt(bytes: &[u8]) -> Result<VoidAttempt, DecodeError> {
    let mut fields = Fields::new("void attempt", bytes);
    let (mut request_id, mut site_code, mut correction) = (None, None, None);
    let (mut refused, mut remaining, mut decided_at_ms) = (None, 0, 0);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) => request_id = Some(read_request_id(bytes)?),
            (2, Value::Bytes(bytes)) => site_code = Some(read_site_code(bytes)?),
            (3, Value::Varint(number)) => {
                let refusal = VoidRefusal::from_number(small(number)?);
                refused = Some(refusal.ok_or_else(|| fields::not_known("void refusal"))?);
            }
            (4, Value::Varint(number)) => remaining = small(number)?,
            (5, Value::Varint(time)) => decided_at_ms = time as i64,
            (6, Value::Bytes(bytes)) => correction = Some(read_correction(bytes)?),
            _ => return Err(fields.unknown()),
        }
    }
    Ok(VoidAttempt {
        request_id: fields::required("request id", request_id)?,
        by: match (site_code, correction) {
            (Some(code), None) => VoidBy::Site(code),
            (None, Some(correction)) => VoidBy::Administrator(correction),
            _ => return Err(DecodeError::missing("who undid the sale")),
        },
        refused,
        remaining,
        decided_at_ms,
    })
}

fn read_correction(bytes: &[u8]) -> Result<Correction, DecodeError> {
    let mut fields = Fields::new("correction", bytes);
    let mut correction = Correction {
        case_number: String::new(),
        reason: String::new(),
        operator: String::new(),
    };
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) => correction.case_number = text("case number", bytes)?.into(),
            (2, Value::Bytes(bytes)) => correction.reason = text("reason", bytes)?.into(),
            (3, Value::Bytes(bytes)) => correction.operator = text("operator", bytes)?.into(),
            _ => return Err(fields.unknown()),
        }
    }
    Ok(correction)
}

fn put_denial(out: &mut Vec<u8>, denial: &Denial) {
    put_bytes(out, 1, denial.request_id.as_bytes());
    put_number(out, 2, denial.quantity.into());
    put_bytes(out, 3, denial.site_code.as_bytes());
    put_number(out, 4, denial.reason.number().into());
    put_number(out, 5, denial.remaining.into());
    put_number(out, 6, denial.limit.into());
    put_optional_time(out, 7, denial.next_eligible_ms);
    put_time(out, 8, denial.decided_at_ms);
    put_bytes(out, 9, denial.rule.as_ref().map_or(&[], RuleId::as_bytes));
    put_terms(
        out,
        10,
        denial.product.as_ref(),
        denial.proxy_ground.as_ref(),
    );
}

fn read_denial(bytes: &[u8]) -> Result<Denial, DecodeError> {
    let mut fields = Fields::new("denial", bytes);
    let (mut request_id, mut site_code, mut reason) = (None, None, None);
    let (mut quantity, mut remaining, mut limit) = (0, 0, 0);
    let (mut next_eligible_ms, mut decided_at_ms, mut rule) = (None, 0, None);
    let (mut product, mut proxy_ground) = (None, None);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) => request_id = Some(read_request_id(bytes)?),
            (2, Value::Varint(number)) => quantity = small(number)?,
            (3, Value::Bytes(bytes)) => site_code = Some(read_site_code(bytes)?),
            (4, Value::Varint(number)) => reason = Some(read_denial_reason(number)?),
            (5, Value::Varint(number)) => remaining = small(number)?,
            (6, Value::Varint(number)) => limit = small(number)?,
            (7, Value::Varint(time)) => next_eligible_ms = Some(time as i64),
            (8, Value::Varint(time)) => decided_at_ms = time as i64,
            (9, Value::Bytes(bytes)) => rule = Some(read_rule(bytes)?),
            (10, Value::Bytes(bytes)) => product = Some(read_product(bytes)?),
            (11, Value::Bytes(bytes)) => proxy_ground = Some(read_ground(bytes)?),
            _ => return Err(fields.unknown()),
        }
    }
    Ok(Denial {
        request_id: fields::required("request id", request_id)?,
        quantity,
        site_code: fields::required("site code", site_code)?,
        reason: fields::required("denial reason", reason)?,
        remaining,
        limit,
        next_eligible_ms,
        decided_at_ms,
        rule,
        product,
        proxy_ground,
    })
}

#[cfg(test)]
mod tests;
