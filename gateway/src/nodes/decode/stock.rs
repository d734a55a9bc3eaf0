//! What nodes say of stock.

use quorate_proto::{ids::RequestId, internal, storage, v1::SaleKind};

use super::{BadAnswer, sale_kind, site};
use crate::model::stock::{FoundStock, Page, SiteSale, SiteSuspended, Stock, StockChanged};

pub(crate) fn stock_changed(outcome: storage::StockOutcome) -> StockChanged {
    match outcome.site_unknown {
        true => StockChanged::SiteUnknown,
        false => StockChanged::Done {
            stock: outcome.stock.map(stock),
            repeated_answer: outcome.repeated_answer,
        },
    }
}

pub(crate) fn site_suspended(outcome: &storage::StockOutcome) -> SiteSuspended {
    match (outcome.site_unknown, outcome.repeated_answer) {
        (true, _) => SiteSuspended::SiteUnknown,
        (false, true) => SiteSuspended::Unchanged,
        (false, false) => SiteSuspended::Changed,
    }
}

pub(crate) fn found_stock(answer: internal::StockAnswer) -> Result<FoundStock, BadAnswer> {
    let products = answer.products.into_iter().map(|product| {
        let kept = product.stock.ok_or(BadAnswer::Missing("stock"))?;
        Ok((product.product, stock(kept)))
    });
    Ok(FoundStock {
        site: answer.site.map(site).transpose()?,
        suspended: answer.suspended,
        notice: answer.notice,
        products: products.collect::<Result<_, _>>()?,
        clock_ms: answer.clock_ms,
    })
}

fn stock(stock: storage::StockRecord) -> Stock {
    Stock {
        received: stock.received,
        adjusted: stock.adjusted,
        sold: stock.sold,
        voided: stock.voided,
        on_hand: stock.on_hand,
        held: stock.held,
        sales_stopped: stock.sales_stopped,
        last_received_ms: stock.last_received_ms,
        updated_at_ms: stock.updated_at_ms,
    }
}

pub(crate) fn site_sales(answer: internal::SiteSalesAnswer) -> Result<Page<SiteSale>, BadAnswer> {
    let rows = answer.sales.into_iter().map(site_sale);
    Ok(Page {
        rows: rows.collect::<Result<_, _>>()?,
        next: answer.next,
    })
}

pub(super) fn site_sale(row: internal::SiteSaleRow) -> Result<SiteSale, BadAnswer> {
    let sale = row.sale.ok_or(BadAnswer::Missing("sale"))?;
    let kind: SaleKind = sale_kind(sale.kind)?;
    Ok(SiteSale {
        request_id: RequestId::try_from(&*row.request_id)
            .map_err(|_| BadAnswer::Value("request id"))?,
        sold_at_ms: row.sold_at_ms,
        product: sale.product,
        quantity: sale.quantity,
        kind,
        voided_at_ms: sale.voided_at_ms,
        over_by: sale.over_by,
    })
}
