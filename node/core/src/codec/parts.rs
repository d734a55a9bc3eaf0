//! Parts that the hand-written messages share, read from their wire form into types.

use quorate_proto::ids::{GroundId, ProductId, ProgramId, RequestId, RuleId, SiteCode, SiteType};

use super::{DecodeError, fields, wire::put_number};
use crate::ledger::{DenialReason, Region, SaleKind};

/// Number of [`SaleKind::Paper`]; that of [`SaleKind::Online`] is 0.
const KIND_PAPER: u64 = 1;

pub(super) fn sale_kind_number(kind: SaleKind) -> u32 {
    match kind {
        SaleKind::Online => 0,
        SaleKind::Paper => KIND_PAPER as u32,
    }
}

pub(super) fn put_sale_kind(out: &mut Vec<u8>, field: u64, kind: SaleKind) {
    put_number(out, field, sale_kind_number(kind).into());
}

pub(super) fn read_sale_kind(number: u64) -> Result<SaleKind, DecodeError> {
    match number {
        0 => Ok(SaleKind::Online),
        KIND_PAPER => Ok(SaleKind::Paper),
        _ => Err(fields::not_known("kind of sale")),
    }
}

pub(super) fn read_denial_reason(number: u64) -> Result<DenialReason, DecodeError> {
    let known = DenialReason::from_number(small(number)?);
    known.ok_or_else(|| fields::not_known("denial reason"))
}

pub(super) fn read_product(bytes: &[u8]) -> Result<ProductId, DecodeError> {
    fields::product_id(text("product id", bytes)?)
}

pub(super) fn read_ground(bytes: &[u8]) -> Result<GroundId, DecodeError> {
    fields::ground_id(text("proxy ground", bytes)?)
}

pub(super) fn small(number: u64) -> Result<u32, DecodeError> {
    u32::try_from(number).map_err(|_| DecodeError::invalid("number", "is larger than 32 bits"))
}

pub(super) fn text<'b>(what: &'static str, bytes: &'b [u8]) -> Result<&'b str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::invalid(what, "is not UTF-8"))
}

pub(super) fn read_request_id(bytes: &[u8]) -> Result<RequestId, DecodeError> {
    fields::request_id(bytes)
}

pub(super) fn read_site_code(bytes: &[u8]) -> Result<SiteCode, DecodeError> {
    fields::site_code(text("site code", bytes)?)
}

pub(super) fn read_rule(bytes: &[u8]) -> Result<RuleId, DecodeError> {
    fields::rule_id(text("rule id", bytes)?)
}

pub(super) fn read_program(bytes: &[u8]) -> Result<ProgramId, DecodeError> {
    fields::program_id(text("program id", bytes)?)
}

pub(super) fn read_region(bytes: &[u8]) -> Result<Region, DecodeError> {
    fields::region(text("region", bytes)?)
}

pub(super) fn read_site_type(number: u64) -> Result<SiteType, DecodeError> {
    fields::site_type(small(number)?)
}
