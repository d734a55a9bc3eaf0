//! Citizen records and outbox rows ↔ their bytes: what is read and written with every sale.

use quorate_proto::ids::{ProgramId, RequestId, RuleId, SiteCode, SiteType};

use super::{
    DecodeError, fields,
    wire::{Fields, Value, put_bytes, put_message, put_number, put_optional_time, put_time},
};
use crate::ledger::{
    CitizenRecord, Denial, DenialReason, OutboxKind, OutboxRow, Region, Sale, SaleKind, SaleSite,
    VoidAttempt, VoidRefusal,
};

/// Number of [`SaleKind::Online`].
const KIND_ONLINE: u64 = 0;

const OUTBOX_SOLD: u64 = 1;
const OUTBOX_VOIDED: u64 = 2;

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
    match sale.kind {
        SaleKind::Online => put_number(out, 8, KIND_ONLINE),
    }
    put_number(out, 9, sale.flags.into());
    put_bytes(out, 10, sale.rule.as_bytes());
    put_number(out, 11, sale.remaining.into());
    put_number(out, 12, sale.limit.into());
    for attempt in &sale.void_attempts {
        put_message(out, 13, |out| put_attempt(out, attempt));
    }
}

fn read_sale(bytes: &[u8]) -> Result<Sale, DecodeError> {
    let mut fields = Fields::new("sale", bytes);
    let (mut request_id, mut code, mut site_type, mut rule) = (None, None, None, None);
    let (mut quantity, mut remaining, mut limit, mut flags) = (0, 0, 0, 0);
    let (mut sold_at_ms, mut recorded_at_ms) = (0, 0);
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
            (9, Value::Varint(number)) => flags = small(number)?,
            (10, Value::Bytes(bytes)) => rule = Some(read_rule(bytes)?),
            (11, Value::Varint(number)) => remaining = small(number)?,
            (12, Value::Varint(number)) => limit = small(number)?,
            (13, Value::Bytes(bytes)) => void_attempts.push(read_attempt(bytes)?),
            // Field 8, the kind, is only written for kinds that this program does not know.
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
        kind: SaleKind::Online,
        flags,
        rule: fields::required("rule version", rule)?,
        remaining,
        limit,
        void_attempts,
    })
}

fn put_attempt(out: &mut Vec<u8>, attempt: &VoidAttempt) {
    put_bytes(out, 1, attempt.request_id.as_bytes());
    put_bytes(out, 2, attempt.site_code.as_bytes());
    put_number(
        out,
        3,
        attempt.refused.map_or(0, VoidRefusal::number).into(),
    );
    put_number(out, 4, attempt.remaining.into());
    put_time(out, 5, attempt.decided_at_ms);
}

fn read_attempt(bytes: &[u8]) -> Result<VoidAttempt, DecodeError> {
    let mut fields = Fields::new("void attempt", bytes);
    let (mut request_id, mut site_code, mut refused) = (None, None, None);
    let (mut remaining, mut decided_at_ms) = (0, 0);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) => request_id = Some(read_request_id(bytes)?),
            (2, Value::Bytes(bytes)) => site_code = Some(read_site_code(bytes)?),
            (3, Value::Varint(number)) => {
                let refusal = VoidRefusal::from_number(small(number)?);
                refused = Some(refusal.ok_or_else(|| not_known("void refusal"))?);
            }
            (4, Value::Varint(number)) => remaining = small(number)?,
            (5, Value::Varint(time)) => decided_at_ms = time as i64,
            _ => return Err(fields.unknown()),
        }
    }
    Ok(VoidAttempt {
        request_id: fields::required("request id", request_id)?,
        site_code: fields::required("site code", site_code)?,
        refused,
        remaining,
        decided_at_ms,
    })
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
}

fn read_denial(bytes: &[u8]) -> Result<Denial, DecodeError> {
    let mut fields = Fields::new("denial", bytes);
    let (mut request_id, mut site_code, mut reason) = (None, None, None);
    let (mut quantity, mut remaining, mut limit) = (0, 0, 0);
    let (mut next_eligible_ms, mut decided_at_ms, mut rule) = (None, 0, None);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) => request_id = Some(read_request_id(bytes)?),
            (2, Value::Varint(number)) => quantity = small(number)?,
            (3, Value::Bytes(bytes)) => site_code = Some(read_site_code(bytes)?),
            (4, Value::Varint(number)) => {
                let known = DenialReason::from_number(small(number)?);
                reason = Some(known.ok_or_else(|| not_known("denial reason"))?);
            }
            (5, Value::Varint(number)) => remaining = small(number)?,
            (6, Value::Varint(number)) => limit = small(number)?,
            (7, Value::Varint(time)) => next_eligible_ms = Some(time as i64),
            (8, Value::Varint(time)) => decided_at_ms = time as i64,
            (9, Value::Bytes(bytes)) => rule = Some(read_rule(bytes)?),
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
    })
}

pub(super) fn put_outbox(out: &mut Vec<u8>, row: &OutboxRow) {
    put_bytes(out, 1, row.site_code.as_bytes());
    put_bytes(out, 2, row.program.as_bytes());
    put_bytes(out, 3, row.request_id.as_bytes());
    put_number(out, 4, row.quantity.into());
    let kind = match row.kind {
        OutboxKind::Sold => OUTBOX_SOLD,
        OutboxKind::Voided => OUTBOX_VOIDED,
    };
    put_number(out, 5, kind);
    put_time(out, 6, row.at_ms);
}

pub(super) fn read_outbox(bytes: &[u8]) -> Result<OutboxRow, DecodeError> {
    let mut fields = Fields::new("outbox row", bytes);
    let (mut site_code, mut program, mut request_id, mut kind) = (None, None, None, None);
    let (mut quantity, mut at_ms) = (0, 0);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) => site_code = Some(read_site_code(bytes)?),
            (2, Value::Bytes(bytes)) => program = Some(read_program(bytes)?),
            (3, Value::Bytes(bytes)) => request_id = Some(read_request_id(bytes)?),
            (4, Value::Varint(number)) => quantity = small(number)?,
            (5, Value::Varint(OUTBOX_SOLD)) => kind = Some(OutboxKind::Sold),
            (5, Value::Varint(OUTBOX_VOIDED)) => kind = Some(OutboxKind::Voided),
            (6, Value::Varint(time)) => at_ms = time as i64,
            _ => return Err(fields.unknown()),
        }
    }
    Ok(OutboxRow {
        site_code: fields::required("site code", site_code)?,
        program: fields::required("program id", program)?,
        request_id: fields::required("request id", request_id)?,
        quantity,
        kind: fields::required("outbox kind", kind)?,
        at_ms,
    })
}

fn small(number: u64) -> Result<u32, DecodeError> {
    u32::try_from(number).map_err(|_| DecodeError::invalid("number", "is larger than 32 bits"))
}

fn text<'b>(what: &'static str, bytes: &'b [u8]) -> Result<&'b str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::invalid(what, "is not UTF-8"))
}

fn read_request_id(bytes: &[u8]) -> Result<RequestId, DecodeError> {
    fields::request_id(bytes)
}

fn read_site_code(bytes: &[u8]) -> Result<SiteCode, DecodeError> {
    fields::site_code(text("site code", bytes)?)
}

fn read_rule(bytes: &[u8]) -> Result<RuleId, DecodeError> {
    fields::rule_id(text("rule id", bytes)?)
}

fn read_program(bytes: &[u8]) -> Result<ProgramId, DecodeError> {
    fields::program_id(text("program id", bytes)?)
}

fn read_region(bytes: &[u8]) -> Result<Region, DecodeError> {
    fields::region(text("region", bytes)?)
}

fn read_site_type(number: u64) -> Result<SiteType, DecodeError> {
    fields::site_type(small(number)?)
}

fn not_known(what: &'static str) -> DecodeError {
    DecodeError::invalid(what, "is not known here")
}

#[cfg(test)]
mod tests;
