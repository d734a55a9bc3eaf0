//! What a site has and changes ↔ its messages.

use bytes::Bytes;
use quorate_proto::{
    ids::ProductId,
    internal,
    storage::{self as pb, stock_change::Change},
};

use super::{
    DecodeError,
    fields::{self, required},
    records::profile_to_proto,
};
use crate::{
    ledger::{
        AdjustmentReason, ChangeStock, ShownSite, StockAdjustment, StockChange, StockChangeKind,
        StockJournal, StockRecord,
    },
    limits,
};

/// The stock of one product as it is stored and travels.
#[must_use]
pub fn stock_to_proto(stock: &StockRecord) -> pb::StockRecord {
    pb::StockRecord {
        received: stock.received,
        adjusted: stock.adjusted,
        sold: stock.sold,
        voided: stock.voided,
        on_hand: stock.on_hand(),
        held: stock.held,
        sales_stopped: stock.sales_stopped,
        last_received_ms: stock.last_received_ms,
        updated_at_ms: stock.updated_at_ms,
    }
}

/// Reads the stock of one product. On hand must be the sum that it is.
///
/// # Errors
/// It is not.
pub fn stock_from_proto(message: pb::StockRecord) -> Result<StockRecord, DecodeError> {
    let stock = StockRecord {
        received: message.received,
        adjusted: message.adjusted,
        sold: message.sold,
        voided: message.voided,
        held: message.held,
        sales_stopped: message.sales_stopped,
        last_received_ms: message.last_received_ms,
        updated_at_ms: message.updated_at_ms,
    };
    if stock.on_hand_if_any() != Some(message.on_hand) {
        let why = "is not received + adjusted - sold + voided";
        return Err(DecodeError::invalid("on hand", why));
    }
    Ok(stock)
}

/// A site and its stock as it travels to whoever follows sites.
#[must_use]
pub fn site_state_to_proto(site: ShownSite) -> internal::SiteState {
    internal::SiteState {
        products: site_products(&site, |product, stock| internal::SiteProduct {
            product,
            stock,
        }),
        profile: Some(profile_to_proto(site.profile)),
        suspended: site.suspended,
        notice: site.notice,
        updated_at_ms: site.updated_at_ms,
    }
}

/// The products of a site, each as the message that `make` makes of it.
pub(super) fn site_products<M>(
    site: &ShownSite,
    make: impl Fn(String, Option<pb::StockRecord>) -> M,
) -> Vec<M> {
    let products = site.products.iter();
    products
        .map(|(product, stock)| make(product.to_string(), Some(stock_to_proto(stock))))
        .collect()
}

pub(super) fn journal_to_proto(journal: &StockJournal) -> pb::StockJournal {
    pb::StockJournal {
        changes: journal.changes.iter().map(change_to_proto).collect(),
    }
}

pub(super) fn journal_from_proto(message: pb::StockJournal) -> Result<StockJournal, DecodeError> {
    let changes = message.changes.into_iter().map(change_from_proto);
    let changes: Vec<_> = changes.collect::<Result<_, _>>()?;
    if !changes.is_sorted_by_key(|change| change.at_ms) {
        return Err(DecodeError::invalid("stock changes", "are out of order"));
    }
    Ok(StockJournal { changes })
}

pub(super) fn command_to_proto(command: &ChangeStock) -> pb::ChangeStock {
    pb::ChangeStock {
        site_code: command.site_code.to_string(),
        change: Some(change_to_proto(&command.change)),
    }
}

pub(super) fn command_from_proto(message: pb::ChangeStock) -> Result<ChangeStock, DecodeError> {
    Ok(ChangeStock {
        site_code: fields::site_code(&message.site_code)?,
        change: change_from_proto(required("stock change", message.change)?)?,
    })
}

fn change_to_proto(change: &StockChange) -> pb::StockChange {
    let product = change.kind.product();
    pb::StockChange {
        request_id: Bytes::copy_from_slice(change.request_id.as_bytes()),
        product: product.map_or_else(String::new, |product| product.to_string()),
        change: Some(match &change.kind {
            StockChangeKind::Received(_, quantity) => Change::Received(*quantity),
            StockChangeKind::Adjusted(_, adjustment) => Change::Adjusted(pb::StockAdjustment {
                delta: adjustment.delta,
                reason: adjustment.reason.number(),
                note: adjustment.note.clone(),
            }),
            StockChangeKind::Held(_, held) => Change::Held(*held),
            StockChangeKind::SalesStopped(_, stopped) => Change::SalesStopped(*stopped),
            StockChangeKind::Notice(notice) => Change::Notice(notice.clone()),
        }),
        at_ms: change.at_ms,
        device_id: change
            .device_id
            .map_or_else(String::new, |device| device.to_string()),
    }
}

fn change_from_proto(message: pb::StockChange) -> Result<StockChange, DecodeError> {
    let product = || product(&message.product);
    let kind = match required("stock change", message.change)? {
        Change::Received(0) => {
            return Err(DecodeError::invalid("quantity", "must be 1 or more"));
        }
        Change::Received(quantity) => StockChangeKind::Received(product()?, units(quantity)?),
        Change::Adjusted(adjustment) => {
            StockChangeKind::Adjusted(product()?, adjustment_from_proto(adjustment)?)
        }
        Change::Held(held) => StockChangeKind::Held(product()?, units(held)?),
        Change::SalesStopped(stopped) => StockChangeKind::SalesStopped(product()?, stopped),
        Change::Notice(notice) => {
            let notice = fields::bounded("notice", notice, limits::STOCK_TEXT_BYTES_MAX)?;
            StockChangeKind::Notice(notice)
        }
    };
    let device_id = match message.device_id.as_str() {
        "" => None,
        text => Some(fields::device_id(text)?),
    };
    Ok(StockChange {
        request_id: fields::request_id(&message.request_id)?,
        at_ms: fields::time_ms(message.at_ms)?,
        device_id,
        kind,
    })
}

fn adjustment_from_proto(message: pb::StockAdjustment) -> Result<StockAdjustment, DecodeError> {
    if message.delta == 0 {
        return Err(DecodeError::invalid("delta", "must not be 0"));
    }
    units(message.delta.unsigned_abs())?;
    let reason = AdjustmentReason::from_number(message.reason);
    Ok(StockAdjustment {
        delta: message.delta,
        reason: reason.ok_or_else(|| DecodeError::invalid("reason", "is not known here"))?,
        note: fields::bounded("note", message.note, limits::STOCK_TEXT_BYTES_MAX)?,
    })
}

fn units(units: u32) -> Result<u32, DecodeError> {
    if units <= limits::STOCK_QUANTITY_MAX {
        Ok(units)
    } else {
        let why = format!("must not be more than {}", limits::STOCK_QUANTITY_MAX);
        Err(DecodeError::invalid("quantity", why))
    }
}

fn product(text: &str) -> Result<ProductId, DecodeError> {
    ProductId::parse(text).map_err(|why| DecodeError::invalid("product", why))
}
