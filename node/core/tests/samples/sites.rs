//! What a site's shard keeps, and what comes to it from others.
#![allow(clippy::unwrap_used, reason = "tests")]

use quorate_core::{
    codec,
    ledger::{
        AdjustmentReason, DeliverStock, DeliveredRow, OutboxKind, OutboxRow, SaleKind, SiteSale,
        StockAdjustment, StockChange, StockChangeKind, StockJournal, StockRecord,
    },
};
use quorate_proto::ids::{DeviceId, ShardId, SiteKey};

use crate::{
    Vectors,
    common::{NINE_MS, mask, request, site},
    product,
};

pub(crate) fn site_key() -> SiteKey {
    SiteKey::of(&site(1).code)
}

pub(crate) fn stock_change(kind: StockChangeKind) -> StockChange {
    StockChange {
        request_id: request(5),
        at_ms: NINE_MS,
        device_id: Some(DeviceId::parse("till-1").unwrap()),
        kind,
    }
}

/// One change of each kind.
pub(crate) fn stock_changes() -> Vec<StockChange> {
    let adjustment = StockAdjustment {
        delta: -7,
        reason: AdjustmentReason::Other,
        note: "given to a hospital".to_owned(),
    };
    [
        StockChangeKind::Received(product(), 250),
        StockChangeKind::Adjusted(product(), adjustment),
        StockChangeKind::Held(product(), 30),
        StockChangeKind::SalesStopped(product(), true),
        StockChangeKind::Notice("from 2 pm".to_owned()),
    ]
    .map(stock_change)
    .into()
}

/// What a site's shard keeps besides its record.
pub(crate) fn site_rows() -> Vectors {
    let stock = StockRecord {
        received: 250,
        adjusted: -7,
        sold: 300,
        voided: 2,
        held: 30,
        sales_stopped: true,
        last_received_ms: Some(NINE_MS),
        updated_at_ms: NINE_MS + 1,
    };
    let sale = SiteSale {
        program: mask(),
        product: product(),
        quantity: 2,
        kind: SaleKind::Paper,
        voided_at_ms: Some(NINE_MS),
        over_by: 1,
    };
    let journal = StockJournal {
        changes: stock_changes(),
    };
    vec![
        ("stock", codec::encode_stock(&stock)),
        ("stock-journal", codec::encode_journal(&journal)),
        ("site-sale", codec::encode_site_sale(&sale)),
        ("watermark", codec::encode_watermark(258)),
    ]
}

pub(crate) fn delivery() -> DeliverStock {
    let row = OutboxRow {
        site_code: site(1).code,
        program: mask(),
        request_id: request(1),
        product: product(),
        quantity: 2,
        kind: OutboxKind::Voided,
        at_ms: NINE_MS + 1,
        sold_at_ms: NINE_MS,
        sale_kind: SaleKind::Paper,
        over_by: 1,
    };
    DeliverStock {
        source: ShardId(8),
        through: 300,
        rows: vec![DeliveredRow { seq: 258, row }],
    }
}
