//! Stock and site sales as messages.

use quorate_proto::{
    ids::RequestId,
    v1::{self, GetStockResponse, ProductStock, SetNoticeResponse, StockResponse},
};
use tonic::Status;

use super::{position, timestamp};
use crate::{
    model::{
        Answered,
        stock::{FoundStock, SiteSale, Stock, StockChange, StockChanged},
    },
    service::errors,
};

pub(crate) fn stock_changed(
    request_id: RequestId,
    change: &StockChange,
    answered: Answered<StockChanged>,
) -> Result<StockResponse, Status> {
    let (stock, repeated_answer) = done(answered.answer)?;
    let product = match change {
        StockChange::Received(product, _)
        | StockChange::Adjusted(product, ..)
        | StockChange::Held(product, _)
        | StockChange::Stopped(product, _) => product.to_string(),
        StockChange::Notice(_) => String::new(),
    };
    // It was written; how the stock stands now, the node did not say.
    let stock = stock.ok_or_else(|| errors::outcome_unknown(Some(request_id)))?;
    Ok(StockResponse {
        stock: Some(product_stock(product, stock)),
        request_id: request_id.to_string(),
        repeated_answer,
        position: Some(position(answered.position)),
    })
}

pub(crate) fn notice_set(
    request_id: RequestId,
    answered: Answered<StockChanged>,
) -> Result<SetNoticeResponse, Status> {
    let (_, repeated_answer) = done(answered.answer)?;
    Ok(SetNoticeResponse {
        request_id: request_id.to_string(),
        repeated_answer,
        position: Some(position(answered.position)),
    })
}

fn done(changed: StockChanged) -> Result<(Option<Stock>, bool), Status> {
    match changed {
        StockChanged::Done {
            stock,
            repeated_answer,
        } => Ok((stock, repeated_answer)),
        StockChanged::SiteUnknown => Err(errors::site_unknown()),
    }
}

pub(crate) fn found_stock(answered: Answered<FoundStock>) -> Result<GetStockResponse, Status> {
    let found = answered.answer;
    let site = found.site.ok_or_else(errors::site_unknown)?;
    let products = found.products.into_iter();
    Ok(GetStockResponse {
        site_code: site.code.to_string(),
        site_name: site.name,
        site_type: site.site_type.to_string(),
        suspended: found.suspended,
        notice: found.notice,
        products: products
            .map(|(product, stock)| product_stock(product, stock))
            .collect(),
        position: Some(position(answered.position)),
    })
}

fn product_stock(product: String, stock: Stock) -> ProductStock {
    let available = stock.on_hand.saturating_sub(i64::from(stock.held));
    ProductStock {
        product,
        received: stock.received,
        adjusted: stock.adjusted,
        sold: stock.sold,
        voided: stock.voided,
        on_hand: stock.on_hand,
        held: stock.held,
        available: u64::try_from(available).unwrap_or(0),
        sales_stopped: stock.sales_stopped,
        last_received_at: stock.last_received_ms.map(timestamp),
        updated_at: Some(timestamp(stock.updated_at_ms)),
    }
}

pub(crate) fn site_sale(sale: SiteSale) -> v1::SiteSale {
    v1::SiteSale {
        request_id: sale.request_id.to_string(),
        product: sale.product,
        quantity: sale.quantity,
        sold_at: Some(timestamp(sale.sold_at_ms)),
        kind: sale.kind.into(),
        voided_at: sale.voided_at_ms.map(timestamp),
        over_by: sale.over_by,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_public_sees_is_never_less_than_nothing() {
        for (on_hand, held, available) in [(10, 3, 7), (3, 10, 0), (-4, 0, 0), (i64::MIN, 1, 0)] {
            let stock = Stock {
                on_hand,
                held,
                ..Stock::default()
            };
            let message = product_stock("kf-mask".to_owned(), stock);
            assert_eq!(message.available, available, "{on_hand} - {held}");
            assert_eq!(message.on_hand, on_hand);
        }
    }
}
