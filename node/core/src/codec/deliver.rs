//! Deliveries, the sites' lists and audits ↔ their messages.

use bytes::Bytes;
use quorate_proto::{
    ids::{RequestId, ShardId},
    internal, storage as pb,
};

use super::{
    DecodeError, fields,
    parts::{read_sale_kind, sale_kind_number},
    records::profile_to_proto,
    stock::{site_products, stock_to_proto},
};
use crate::{
    audit::StockAudit,
    ledger::{
        DeliverStock, DeliveredRow, ListedSale, OutboxKind, OutboxRow, OverQuotaAnswer, ShownSite,
        SiteSale, SiteSalesAnswer,
    },
    limits,
};

const SOLD: u32 = 1;
const VOIDED: u32 = 2;

/// A delivery as it travels and is logged.
#[must_use]
pub fn delivery_to_proto(delivery: &DeliverStock) -> pb::DeliverStock {
    pb::DeliverStock {
        source_shard: delivery.source.get(),
        through_seq: delivery.through,
        rows: delivery.rows.iter().map(delivered_to_proto).collect(),
    }
}

/// Reads a delivery, checking its laws.
///
/// # Errors
/// Names the broken law.
pub fn delivery_from_proto(message: pb::DeliverStock) -> Result<DeliverStock, DecodeError> {
    if message.rows.len() > limits::DELIVERED_ROWS_MAX {
        let why = format!("must not be more than {}", limits::DELIVERED_ROWS_MAX);
        return Err(DecodeError::invalid("rows of a delivery", why));
    }
    let rows = message.rows.into_iter().map(delivered_from_proto);
    let rows: Vec<DeliveredRow> = rows.collect::<Result<_, _>>()?;
    if !rows.is_sorted_by(|one, next| one.seq < next.seq) {
        return Err(DecodeError::invalid(
            "rows of a delivery",
            "are out of order",
        ));
    }
    if rows
        .last()
        .is_some_and(|last| last.seq > message.through_seq)
    {
        let why = "lies in front of a row that is delivered";
        return Err(DecodeError::invalid("end of a delivery", why));
    }
    Ok(DeliverStock {
        source: ShardId(message.source_shard),
        through: message.through_seq,
        rows,
    })
}

fn delivered_to_proto(delivered: &DeliveredRow) -> pb::DeliveredRow {
    let row = &delivered.row;
    pb::DeliveredRow {
        seq: delivered.seq,
        row: Some(pb::OutboxRow {
            site_code: row.site_code.to_string(),
            program: row.program.to_string(),
            request_id: fields::request_id_bytes(row.request_id),
            quantity: row.quantity,
            kind: match row.kind {
                OutboxKind::Sold => SOLD,
                OutboxKind::Voided => VOIDED,
            },
            at_ms: row.at_ms,
            product: row.product.to_string(),
            sold_at_ms: row.sold_at_ms,
            sale_kind: sale_kind_number(row.sale_kind),
            over_by: row.over_by,
        }),
    }
}

fn delivered_from_proto(message: pb::DeliveredRow) -> Result<DeliveredRow, DecodeError> {
    let row = fields::required("outbox row", message.row)?;
    Ok(DeliveredRow {
        seq: message.seq,
        row: OutboxRow {
            site_code: fields::site_code(&row.site_code)?,
            program: fields::program_id(&row.program)?,
            request_id: fields::request_id(&row.request_id)?,
            product: fields::product_id(&row.product)?,
            quantity: row.quantity,
            kind: match row.kind {
                SOLD => OutboxKind::Sold,
                VOIDED => OutboxKind::Voided,
                _ => return Err(fields::not_known("outbox kind")),
            },
            at_ms: fields::time_ms(row.at_ms)?,
            sold_at_ms: fields::time_ms(row.sold_at_ms)?,
            sale_kind: read_sale_kind(row.sale_kind.into())?,
            over_by: row.over_by,
        },
    })
}

pub(super) fn site_sale_to_proto(sale: &SiteSale) -> pb::SiteSale {
    pb::SiteSale {
        program: sale.program.to_string(),
        product: sale.product.to_string(),
        quantity: sale.quantity,
        kind: sale_kind_number(sale.kind),
        voided_at_ms: sale.voided_at_ms,
        over_by: sale.over_by,
    }
}

pub(super) fn site_sale_from_proto(message: &pb::SiteSale) -> Result<SiteSale, DecodeError> {
    Ok(SiteSale {
        program: fields::program_id(&message.program)?,
        product: fields::product_id(&message.product)?,
        quantity: message.quantity,
        kind: read_sale_kind(message.kind.into())?,
        voided_at_ms: message.voided_at_ms,
        over_by: message.over_by,
    })
}

pub(super) fn stock_answer_to_proto(
    site: Option<ShownSite>,
    clock_ms: i64,
) -> internal::StockAnswer {
    let Some(site) = site else {
        return internal::StockAnswer {
            clock_ms,
            ..internal::StockAnswer::default()
        };
    };
    internal::StockAnswer {
        products: site_products(&site, |product, stock| internal::ProductStock {
            product,
            stock,
        }),
        site: Some(profile_to_proto(site.profile)),
        suspended: site.suspended,
        notice: site.notice,
        clock_ms,
    }
}

pub(super) fn site_sales_to_proto(answer: SiteSalesAnswer) -> internal::SiteSalesAnswer {
    internal::SiteSalesAnswer {
        sales: answer.sales.iter().map(listed_to_proto).collect(),
        next: answer.next.into(),
    }
}

pub(super) fn over_quota_to_proto(answer: OverQuotaAnswer) -> internal::OverQuotaAnswer {
    let sales = answer.sales.into_iter();
    internal::OverQuotaAnswer {
        sales: sales
            .map(|(site, sale)| internal::OverQuotaRow {
                site: site.map(profile_to_proto),
                sale: Some(listed_to_proto(&sale)),
            })
            .collect(),
        next: answer.next.into(),
    }
}

fn listed_to_proto(listed: &ListedSale) -> internal::SiteSaleRow {
    let id: RequestId = listed.request_id;
    internal::SiteSaleRow {
        request_id: Bytes::copy_from_slice(id.as_bytes()),
        sold_at_ms: listed.sold_at_ms,
        sale: Some(site_sale_to_proto(&listed.sale)),
    }
}

/// An audit as it travels: parts of at most `rows_max` rows each, and one part at least.
#[must_use]
pub fn audit_to_proto(audit: &StockAudit, rows_max: usize) -> Vec<internal::AuditStockResponse> {
    use internal::AuditStockResponse as Part;
    let mut parts = vec![Part {
        watermarks: audit
            .watermarks
            .iter()
            .map(|(shard, seq)| internal::SourceWatermark {
                shard: shard.get(),
                seq: *seq,
            })
            .collect(),
        clock_ms: audit.clock_ms,
        ..Part::default()
    }];
    parts.extend(audit.stock.chunks(rows_max).map(|stock| {
        Part {
            stock: stock
                .iter()
                .map(|it| internal::SiteStock {
                    site_code: it.code.map_or_else(String::new, |code| code.to_string()),
                    product: it.product.to_string(),
                    stock: Some(stock_to_proto(&it.stock)),
                    site_key: Bytes::copy_from_slice(&it.site.get()),
                })
                .collect(),
            ..Part::default()
        }
    }));
    let sold: Vec<_> = audit.sold.iter().collect();
    parts.extend(sold.chunks(rows_max).map(|sold| {
        Part {
            sold: sold
                .iter()
                .map(|((site, product), units)| internal::SoldUnits {
                    site_code: site.to_string(),
                    product: product.to_string(),
                    sold: units.sold,
                    voided: units.voided,
                })
                .collect(),
            ..Part::default()
        }
    }));
    parts.extend(audit.rows.chunks(rows_max).map(|rows| Part {
        rows: rows.iter().map(delivered_to_proto).collect(),
        ..Part::default()
    }));
    parts
}
