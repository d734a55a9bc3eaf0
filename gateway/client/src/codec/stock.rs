//! Stock, as terminals send and receive it.

use quorate_proto::{
    ids::{ProductId, RequestId, SiteType},
    v1,
};

use super::ration::{position, required_time, same_request, time};
use crate::{
    error::MalformedAnswer,
    model::{
        AdjustmentReason, NoticeSet, ProductStock, SaleKind, SiteSale, SiteStock, StockChanged,
    },
};

pub(crate) fn product_to_wire(product: Option<ProductId>) -> String {
    product.map_or_else(String::new, |product| product.to_string())
}

pub(crate) fn reason_to_wire(reason: AdjustmentReason) -> i32 {
    match reason {
        AdjustmentReason::Counted => v1::AdjustmentReason::Counted,
        AdjustmentReason::Damaged => v1::AdjustmentReason::Damaged,
        AdjustmentReason::Returned => v1::AdjustmentReason::Returned,
        AdjustmentReason::Transferred => v1::AdjustmentReason::Transferred,
        AdjustmentReason::Other => v1::AdjustmentReason::Other,
    }
    .into()
}

pub(crate) fn stock_changed(
    request_id: RequestId,
    answer: v1::StockResponse,
) -> Result<StockChanged, MalformedAnswer> {
    same_request(request_id, &answer.request_id)?;
    let stock = answer.stock.ok_or(MalformedAnswer("no stock"))?;
    Ok(StockChanged {
        request_id,
        repeated_answer: answer.repeated_answer,
        stock: product_stock(stock)?,
        position: position(answer.position)?,
    })
}

pub(crate) fn notice_set(
    request_id: RequestId,
    answer: v1::SetNoticeResponse,
) -> Result<NoticeSet, MalformedAnswer> {
    same_request(request_id, &answer.request_id)?;
    Ok(NoticeSet {
        request_id,
        repeated_answer: answer.repeated_answer,
        position: position(answer.position)?,
    })
}

pub(crate) fn site_stock(answer: v1::GetStockResponse) -> Result<SiteStock, MalformedAnswer> {
    Ok(SiteStock {
        site_type: SiteType::parse(&answer.site_type)
            .map_err(|_| MalformedAnswer("a site without a type"))?,
        site_code: answer.site_code,
        site_name: answer.site_name,
        suspended: answer.suspended,
        notice: answer.notice,
        products: answer
            .products
            .into_iter()
            .map(product_stock)
            .collect::<Result<_, _>>()?,
        position: position(answer.position)?,
    })
}

fn product_stock(stock: v1::ProductStock) -> Result<ProductStock, MalformedAnswer> {
    Ok(ProductStock {
        product: stock.product,
        received: stock.received,
        adjusted: stock.adjusted,
        sold: stock.sold,
        voided: stock.voided,
        on_hand: stock.on_hand,
        held: stock.held,
        available: stock.available,
        sales_stopped: stock.sales_stopped,
        last_received_at: stock.last_received_at.map(time).transpose()?,
        updated_at: required_time(stock.updated_at)?,
    })
}

pub(crate) fn site_sales(
    page: v1::ListSiteSalesResponse,
) -> Result<Vec<SiteSale>, MalformedAnswer> {
    page.sales.into_iter().map(site_sale).collect()
}

fn site_sale(sale: v1::SiteSale) -> Result<SiteSale, MalformedAnswer> {
    Ok(SiteSale {
        request_id: RequestId::parse(&sale.request_id)
            .map_err(|_| MalformedAnswer("a sale without a request id"))?,
        kind: sale_kind(sale.kind())?,
        product: sale.product,
        quantity: sale.quantity,
        sold_at: required_time(sale.sold_at)?,
        voided_at: sale.voided_at.map(time).transpose()?,
        over_by: sale.over_by,
    })
}

pub(super) fn sale_kind(kind: v1::SaleKind) -> Result<SaleKind, MalformedAnswer> {
    match kind {
        v1::SaleKind::Online => Ok(SaleKind::Online),
        v1::SaleKind::Paper => Ok(SaleKind::Paper),
        v1::SaleKind::Unspecified => Err(MalformedAnswer("a sale of no kind")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn answer(id: RequestId) -> v1::StockResponse {
        v1::StockResponse {
            stock: Some(v1::ProductStock {
                product: "kf-mask".to_owned(),
                received: 250,
                adjusted: -2,
                sold: 10,
                on_hand: 238,
                held: 40,
                available: 198,
                updated_at: Some(prost_types::Timestamp::default()),
                ..v1::ProductStock::default()
            }),
            request_id: id.to_string(),
            repeated_answer: true,
            position: Some(v1::LogPosition::default()),
        }
    }

    #[test]
    fn a_change_reads_with_the_stock_it_left() {
        let id = RequestId::from_bytes([1; 16]).unwrap();
        let changed = stock_changed(id, answer(id)).unwrap();
        assert!(changed.repeated_answer);
        assert_eq!((changed.stock.on_hand, changed.stock.available), (238, 198));
        assert_eq!(changed.stock.last_received_at, None);
    }

    #[test]
    fn what_breaks_the_contract_is_no_answer() {
        let id = RequestId::from_bytes([1; 16]).unwrap();
        let other = RequestId::from_bytes([2; 16]).unwrap();
        assert!(stock_changed(other, answer(id)).is_err());
        let without_stock = v1::StockResponse {
            stock: None,
            ..answer(id)
        };
        assert!(stock_changed(id, without_stock).is_err());
        assert!(site_stock(v1::GetStockResponse::default()).is_err());
        let page = v1::ListSiteSalesResponse {
            sales: vec![v1::SiteSale::default()],
        };
        assert!(site_sales(page).is_err());
    }
}
