//! What a scripted gateway answers to a site that keeps its stock.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};
use quorate_proto::{
    ids::RequestId,
    v1::{self, stock_server::Stock},
};
use tonic::{Request, Response, Status};

use super::gateway::{Gateway, bearer, until_error};

fn changed(request_id: String, stock: v1::ProductStock) -> Response<v1::StockResponse> {
    Response::new(v1::StockResponse {
        stock: Some(v1::ProductStock {
            updated_at: Some(prost_types::Timestamp::default()),
            ..stock
        }),
        request_id,
        repeated_answer: false,
        position: Some(v1::LogPosition::default()),
    })
}

/// Changes are noted by their request ids, and answered with what they asked for.
#[tonic::async_trait]
impl Stock for Gateway {
    async fn receive_stock(
        &self,
        request: Request<v1::ReceiveStockRequest>,
    ) -> Result<Response<v1::StockResponse>, Status> {
        let sent = request.get_ref().clone();
        self.act(sent.request_id.clone(), bearer(&request)).await?;
        let stock = v1::ProductStock {
            received: sent.quantity.into(),
            product: sent.product,
            ..v1::ProductStock::default()
        };
        Ok(changed(sent.request_id, stock))
    }

    async fn adjust_stock(
        &self,
        request: Request<v1::AdjustStockRequest>,
    ) -> Result<Response<v1::StockResponse>, Status> {
        let sent = request.get_ref().clone();
        self.act(sent.request_id.clone(), bearer(&request)).await?;
        let stock = v1::ProductStock {
            adjusted: sent.delta.into(),
            product: format!("{} {}", sent.reason, sent.note),
            ..v1::ProductStock::default()
        };
        Ok(changed(sent.request_id, stock))
    }

    async fn set_held(
        &self,
        request: Request<v1::SetHeldRequest>,
    ) -> Result<Response<v1::StockResponse>, Status> {
        let sent = request.get_ref().clone();
        self.act(sent.request_id.clone(), bearer(&request)).await?;
        let stock = v1::ProductStock {
            held: sent.held,
            ..v1::ProductStock::default()
        };
        Ok(changed(sent.request_id, stock))
    }

    async fn stop_sales(
        &self,
        request: Request<v1::StopSalesRequest>,
    ) -> Result<Response<v1::StockResponse>, Status> {
        let request_id = request.get_ref().request_id.clone();
        self.act(request_id.clone(), bearer(&request)).await?;
        let stock = v1::ProductStock {
            sales_stopped: true,
            ..v1::ProductStock::default()
        };
        Ok(changed(request_id, stock))
    }

    async fn resume_sales(
        &self,
        request: Request<v1::ResumeSalesRequest>,
    ) -> Result<Response<v1::StockResponse>, Status> {
        let request_id = request.get_ref().request_id.clone();
        self.act(request_id.clone(), bearer(&request)).await?;
        Ok(changed(request_id, v1::ProductStock::default()))
    }

    async fn set_notice(
        &self,
        request: Request<v1::SetNoticeRequest>,
    ) -> Result<Response<v1::SetNoticeResponse>, Status> {
        let request_id = request.get_ref().request_id.clone();
        self.act(request_id.clone(), bearer(&request)).await?;
        Ok(Response::new(v1::SetNoticeResponse {
            request_id,
            repeated_answer: false,
            position: Some(v1::LogPosition::default()),
        }))
    }

    async fn get_stock(
        &self,
        request: Request<v1::GetStockRequest>,
    ) -> Result<Response<v1::GetStockResponse>, Status> {
        self.act("stock".to_owned(), bearer(&request)).await?;
        Ok(Response::new(v1::GetStockResponse {
            site_code: "11000001".to_owned(),
            site_type: "01".to_owned(),
            position: Some(v1::LogPosition::default()),
            ..v1::GetStockResponse::default()
        }))
    }

    type ListSiteSalesStream =
        Pin<Box<dyn Stream<Item = Result<v1::ListSiteSalesResponse, Status>> + Send>>;

    async fn list_site_sales(
        &self,
        request: Request<v1::ListSiteSalesRequest>,
    ) -> Result<Response<Self::ListSiteSalesStream>, Status> {
        let bearer = bearer(&request).map(str::to_owned);
        let gateway = self.clone();
        let pages = stream::iter(1..=2).then(move |page| {
            let (gateway, bearer) = (gateway.clone(), bearer.clone());
            async move {
                gateway
                    .act(format!("sales {page}"), bearer.as_deref())
                    .await?;
                let sale = v1::SiteSale {
                    request_id: RequestId::from_bytes([page; 16])
                        .expect("not nil")
                        .to_string(),
                    kind: v1::SaleKind::Paper.into(),
                    sold_at: Some(prost_types::Timestamp::default()),
                    ..v1::SiteSale::default()
                };
                Ok(v1::ListSiteSalesResponse { sales: vec![sale] })
            }
        });
        Ok(Response::new(Box::pin(until_error(pages))))
    }
}
