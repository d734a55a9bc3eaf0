//! Single fields, read into types that carry their proof.

use std::num::NonZeroU32;

use bytes::Bytes;
use quorate_proto::ids::{CitizenKey, DeviceId, ProgramId, RequestId, RuleId, SiteCode, SiteType};

use super::DecodeError;
use crate::{ledger::Region, limits};

pub(super) fn required<T>(what: &'static str, field: Option<T>) -> Result<T, DecodeError> {
    field.ok_or(DecodeError::Missing { what })
}

pub(super) fn request_id(bytes: &[u8]) -> Result<RequestId, DecodeError> {
    RequestId::try_from(bytes).map_err(|why| DecodeError::invalid("request id", why))
}

pub(super) fn request_id_bytes(id: RequestId) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

pub(super) fn citizen(bytes: &Bytes) -> Result<CitizenKey, DecodeError> {
    CitizenKey::try_from(&bytes[..]).map_err(|why| DecodeError::invalid("citizen key", why))
}

pub(super) fn citizen_bytes(key: CitizenKey) -> Bytes {
    Bytes::copy_from_slice(key.as_bytes())
}

pub(super) fn program_id(text: &str) -> Result<ProgramId, DecodeError> {
    ProgramId::parse(text).map_err(|why| DecodeError::invalid("program id", why))
}

pub(super) fn rule_id(text: &str) -> Result<RuleId, DecodeError> {
    RuleId::parse(text).map_err(|why| DecodeError::invalid("rule id", why))
}

pub(super) fn site_code(text: &str) -> Result<SiteCode, DecodeError> {
    SiteCode::parse(text).map_err(|why| DecodeError::invalid("site code", why))
}

pub(super) fn device_id(text: &str) -> Result<DeviceId, DecodeError> {
    DeviceId::parse(text).map_err(|why| DecodeError::invalid("device id", why))
}

pub(super) fn site_type(number: u32) -> Result<SiteType, DecodeError> {
    SiteType::try_from(number).map_err(|why| DecodeError::invalid("site type", why))
}

pub(super) fn public_key(bytes: &Bytes) -> Result<[u8; 32], DecodeError> {
    <[u8; 32]>::try_from(&bytes[..])
        .map_err(|_| DecodeError::invalid("public key", "an Ed25519 public key has 32 bytes"))
}

pub(super) fn quantity(units: u32) -> Result<NonZeroU32, DecodeError> {
    NonZeroU32::new(units).ok_or_else(|| DecodeError::invalid("quantity", "must be 1 or more"))
}

pub(super) fn birth_year(year: u32) -> Result<u16, DecodeError> {
    u16::try_from(year).map_err(|_| DecodeError::invalid("birth year", "must be a calendar year"))
}

pub(super) fn time_ms(time_ms: i64) -> Result<i64, DecodeError> {
    if (0..=limits::TIME_MS_MAX).contains(&time_ms) {
        Ok(time_ms)
    } else {
        Err(DecodeError::invalid("time", "lies outside the calendar"))
    }
}

pub(super) fn region(text: &str) -> Result<Region, DecodeError> {
    Region::new(text).ok_or_else(|| too_long("region", limits::REGION_BYTES_MAX))
}

pub(super) fn bounded(
    what: &'static str,
    text: String,
    bytes_max: usize,
) -> Result<String, DecodeError> {
    if text.len() <= bytes_max {
        Ok(text)
    } else {
        Err(too_long(what, bytes_max))
    }
}

fn too_long(what: &'static str, bytes_max: usize) -> DecodeError {
    DecodeError::invalid(what, format!("must not be longer than {bytes_max} bytes"))
}
