//! A site's own stock: goods in, corrections, tickets, stop and go, a notice, what is there, the day's
//! sales.
//!
//! Laws: the site is that of the session; a change is decided and kept by the site's shard, and its
//! request id repeats its answer; "today" is the shard's day, not the gateway's, which may run on another
//! clock.

mod read;

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, stream::try_unfold};
use quorate_proto::{
    ids::RequestId,
    v1::{
        AdjustStockRequest, GetStockRequest, GetStockResponse, ListSiteSalesRequest,
        ListSiteSalesResponse, ReceiveStockRequest, ResumeSalesRequest, SetHeldRequest,
        SetNoticeRequest, SetNoticeResponse, StockResponse, StopSalesRequest, stock_server::Stock,
    },
};
use tonic::{Request, Response, Status};

use super::{
    border::{self, Border},
    convert, deadline, errors,
};
use crate::{
    directory::View,
    limits,
    model::{
        Answered,
        stock::{ChangeStock, FindStock, FoundStock, ListSiteSales, StockChange, StockChanged},
    },
    session::Session,
};

/// See the module's documentation.
pub(crate) struct StockService {
    pub(crate) border: Arc<Border>,
}

/// A change that was made, now or when it was first asked for.
struct Changed {
    request_id: RequestId,
    change: StockChange,
    answered: Answered<StockChanged>,
}

impl StockService {
    /// Reads, sends, and hears of one change. `read` gets the request and the view its product is looked
    /// up in.
    async fn change<T>(
        &self,
        request: Request<T>,
        read: impl FnOnce(T, &View) -> Result<(RequestId, StockChange), Status>,
    ) -> Result<Changed, Status> {
        let border = &*self.border;
        let _place = border.place()?;
        let deadline = border.deadline(&request, deadline::TERMINAL)?;
        let session = border.session(&request)?;
        let view = border.view(deadline).await?;
        let (request_id, change) = read(request.into_inner(), &view)?;
        let change = ChangeStock {
            request_id,
            site: session.site,
            device: session.device,
            change,
        };
        let answered = border
            .dispatcher
            .call(change.place(), &change, deadline)
            .await;
        let answered =
            answered.map_err(|error| errors::call(error, Some(request_id), border.env()))?;
        Ok(Changed {
            request_id,
            change: change.change,
            answered,
        })
    }

    async fn change_product<T>(
        &self,
        request: Request<T>,
        read: impl FnOnce(T, &View) -> Result<(RequestId, StockChange), Status>,
    ) -> Result<Response<StockResponse>, Status> {
        let changed = self.change(request, read).await?;
        convert::stock_changed(changed.request_id, &changed.change, changed.answered)
            .map(Response::new)
    }
}

/// The session's own site, as its shard knows it now.
async fn find(
    border: &Border,
    session: &Session,
    deadline: Duration,
) -> Result<Answered<FoundStock>, Status> {
    let find = FindStock { site: session.site };
    let answered = border.dispatcher.call(find.place(), &find, deadline).await;
    answered.map_err(|error| errors::call(error, None, border.env()))
}

#[tonic::async_trait]
impl Stock for StockService {
    async fn receive_stock(
        &self,
        request: Request<ReceiveStockRequest>,
    ) -> Result<Response<StockResponse>, Status> {
        self.change_product(request, read::received).await
    }

    async fn adjust_stock(
        &self,
        request: Request<AdjustStockRequest>,
    ) -> Result<Response<StockResponse>, Status> {
        self.change_product(request, read::adjusted).await
    }

    async fn set_held(
        &self,
        request: Request<SetHeldRequest>,
    ) -> Result<Response<StockResponse>, Status> {
        self.change_product(request, read::held).await
    }

    async fn stop_sales(
        &self,
        request: Request<StopSalesRequest>,
    ) -> Result<Response<StockResponse>, Status> {
        let read =
            |StopSalesRequest {
                 request_id,
                 product,
             },
             view: &View| { read::stopped(&request_id, &product, true, view) };
        self.change_product(request, read).await
    }

    async fn resume_sales(
        &self,
        request: Request<ResumeSalesRequest>,
    ) -> Result<Response<StockResponse>, Status> {
        let read =
            |ResumeSalesRequest {
                 request_id,
                 product,
             },
             view: &View| { read::stopped(&request_id, &product, false, view) };
        self.change_product(request, read).await
    }

    async fn set_notice(
        &self,
        request: Request<SetNoticeRequest>,
    ) -> Result<Response<SetNoticeResponse>, Status> {
        let changed = self
            .change(request, |message, _| read::notice(message))
            .await?;
        convert::notice_set(changed.request_id, changed.answered).map(Response::new)
    }

    async fn get_stock(
        &self,
        request: Request<GetStockRequest>,
    ) -> Result<Response<GetStockResponse>, Status> {
        let border = &*self.border;
        let _place = border.place()?;
        let deadline = border.deadline(&request, deadline::TERMINAL)?;
        let session = border.session(&request)?;
        let found = find(border, &session, deadline).await?;
        convert::found_stock(found).map(Response::new)
    }

    type ListSiteSalesStream =
        Pin<Box<dyn Stream<Item = Result<ListSiteSalesResponse, Status>> + Send + 'static>>;

    async fn list_site_sales(
        &self,
        request: Request<ListSiteSalesRequest>,
    ) -> Result<Response<Self::ListSiteSalesStream>, Status> {
        let border = self.border.clone();
        let place = border.stream_place()?;
        let deadline = border.deadline(&request, deadline::TERMINAL)?;
        let session = border.session(&request)?;
        let view = border.view(deadline).await?;
        let zone = &border::first_program(&view)?.zone;
        let found = find(&border, &session, deadline).await?.answer;
        if found.site.is_none() {
            return Err(errors::site_unknown());
        }
        let (from_ms, to_ms) = read::day(&request.get_ref().date, zone, found.clock_ms)?;
        let first = ListSiteSales {
            site: session.site,
            from_ms,
            to_ms,
            after: bytes::Bytes::new(),
            limit: limits::PAGE_ROWS,
        };

        let start = (border, place, Some(first));
        let pages = try_unfold(start, move |(border, place, list)| async move {
            let Some(list) = list else {
                return Ok(None);
            };
            let answered = border.dispatcher.call(list.place(), &list, deadline).await;
            let answered = answered.map_err(|error| errors::call(error, None, border.env()))?;
            let page = answered.answer;
            let next = (!page.next.is_empty()).then(|| ListSiteSales {
                after: page.next,
                ..list
            });
            let response = ListSiteSalesResponse {
                sales: page.rows.into_iter().map(convert::site_sale).collect(),
            };
            Ok(Some((response, (border, place, next))))
        });
        Ok(Response::new(Box::pin(pages)))
    }
}
