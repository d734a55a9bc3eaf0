//! Outbox rows ↔ their bytes: one is written with every sale.

use super::{
    DecodeError, fields,
    parts::{
        put_sale_kind, read_product, read_program, read_request_id, read_sale_kind, read_site_code,
        small,
    },
    wire::{Fields, Value, put_bytes, put_number, put_time},
};
use crate::ledger::{OutboxKind, OutboxRow, SaleKind};

const OUTBOX_SOLD: u64 = 1;
const OUTBOX_VOIDED: u64 = 2;

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
    put_bytes(out, 7, row.product.as_bytes());
    put_time(out, 8, row.sold_at_ms);
    put_sale_kind(out, 9, row.sale_kind);
    put_number(out, 10, row.over_by.into());
}

pub(super) fn read_outbox(bytes: &[u8]) -> Result<OutboxRow, DecodeError> {
    let mut fields = Fields::new("outbox row", bytes);
    let (mut site_code, mut program, mut request_id, mut kind) = (None, None, None, None);
    let (mut quantity, mut at_ms, mut over_by) = (0, 0, 0);
    let (mut product, mut sold_at_ms, mut sale_kind) = (None, 0, SaleKind::Online);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) => site_code = Some(read_site_code(bytes)?),
            (2, Value::Bytes(bytes)) => program = Some(read_program(bytes)?),
            (3, Value::Bytes(bytes)) => request_id = Some(read_request_id(bytes)?),
            (4, Value::Varint(number)) => quantity = small(number)?,
            (5, Value::Varint(OUTBOX_SOLD)) => kind = Some(OutboxKind::Sold),
            (5, Value::Varint(OUTBOX_VOIDED)) => kind = Some(OutboxKind::Voided),
            (6, Value::Varint(time)) => at_ms = time as i64,
            (7, Value::Bytes(bytes)) => product = Some(read_product(bytes)?),
            (8, Value::Varint(time)) => sold_at_ms = time as i64,
            (9, Value::Varint(number)) => sale_kind = read_sale_kind(number)?,
            (10, Value::Varint(number)) => over_by = small(number)?,
            _ => return Err(fields.unknown()),
        }
    }
    Ok(OutboxRow {
        site_code: fields::required("site code", site_code)?,
        program: fields::required("program id", program)?,
        request_id: fields::required("request id", request_id)?,
        quantity,
        product: fields::required("product", product)?,
        kind: fields::required("outbox kind", kind)?,
        at_ms,
        sold_at_ms,
        sale_kind,
        over_by,
    })
}
