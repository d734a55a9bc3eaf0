//! Single fields, read into types that carry their proof.

use std::num::NonZeroU32;

use bytes::Bytes;
use quorate_proto::{
    ids::{
        CitizenKey, DeviceId, GroundId, ProductId, ProgramId, RequestId, RuleId, SiteCode, SiteType,
    },
    storage as pb,
};

use super::DecodeError;
use crate::{
    ledger::{Claims, Proxy, Region},
    limits,
};

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

pub(super) fn product_id(text: &str) -> Result<ProductId, DecodeError> {
    ProductId::parse(text).map_err(|why| DecodeError::invalid("product id", why))
}

/// Empty: none is named.
pub(super) fn optional_product(text: &str) -> Result<Option<ProductId>, DecodeError> {
    (!text.is_empty()).then(|| product_id(text)).transpose()
}

pub(super) fn product_text(product: Option<ProductId>) -> String {
    product.map_or_else(String::new, |product| product.to_string())
}

pub(super) fn ground_id(text: &str) -> Result<GroundId, DecodeError> {
    GroundId::parse(text).map_err(|why| DecodeError::invalid("proxy ground", why))
}

pub(super) fn optional_ground(text: &str) -> Result<Option<GroundId>, DecodeError> {
    (!text.is_empty()).then(|| ground_id(text)).transpose()
}

pub(super) fn ground_text(ground: Option<GroundId>) -> String {
    ground.map_or_else(String::new, |ground| ground.to_string())
}

/// Absent: the ID says nothing.
pub(super) fn claims(message: Option<pb::Claims>) -> Result<Claims, DecodeError> {
    let message = message.unwrap_or_default();
    let id_digit = match message.id_digit {
        None => None,
        Some(digit @ 0..=9) => Some(digit as u8),
        Some(_) => return Err(DecodeError::invalid("ID digit", "must be 0 to 9")),
    };
    Ok(Claims {
        birth_year: year(message.birth_year)?,
        id_digit,
    })
}

pub(super) fn claims_message(claims: Claims) -> pb::Claims {
    pb::Claims {
        birth_year: claims.birth_year.map_or(0, u32::from),
        id_digit: claims.id_digit.map(u32::from),
    }
}

pub(super) fn proxy(message: Option<pb::Proxy>) -> Result<Option<Proxy>, DecodeError> {
    let Some(message) = message else {
        return Ok(None);
    };
    Ok(Some(Proxy {
        ground: ground_id(&message.ground)?,
        buyer: match message.buyer {
            None => None,
            buyer => Some(claims(buyer)?),
        },
    }))
}

pub(super) fn proxy_message(proxy: Proxy) -> pb::Proxy {
    pb::Proxy {
        ground: proxy.ground.to_string(),
        buyer: proxy.buyer.map(claims_message),
    }
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

/// A year of birth; 0: none.
pub(super) fn year(year: u32) -> Result<Option<u16>, DecodeError> {
    match u16::try_from(year) {
        Ok(0) => Ok(None),
        Ok(year) => Ok(Some(year)),
        Err(_) => Err(DecodeError::invalid(
            "birth year",
            "must be a calendar year",
        )),
    }
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

/// A value that a newer program may have written.
pub(super) fn not_known(what: &'static str) -> DecodeError {
    DecodeError::invalid(what, "is not known here")
}

/// A text of 1 to `bytes_max` bytes in one line.
pub(super) fn line(
    what: &'static str,
    text: String,
    bytes_max: usize,
) -> Result<String, DecodeError> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(DecodeError::invalid(what, "must be one line of text"));
    }
    bounded(what, text, bytes_max)
}

fn too_long(what: &'static str, bytes_max: usize) -> DecodeError {
    DecodeError::invalid(what, format!("must not be longer than {bytes_max} bytes"))
}
