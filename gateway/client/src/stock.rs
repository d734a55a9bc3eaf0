//! What a counter does with its stock: goods in, corrections, tickets, stop and go, a notice, a look, and
//! the day's own sales.
//!
//! As for sales: the caller keeps a change's `request_id` until it knows the outcome, and may send it again.

use std::time::Duration;

use futures_util::Stream;
use jiff::civil::Date;
use quorate_proto::{
    ids::{ProductId, RequestId},
    v1::{self, stock_client::StockClient},
};
use tonic::{Response, transport::Channel};

use crate::{
    codec,
    deadline::Deadline,
    error::{Failed, ReadError, WriteError},
    model::{Adjustment, NoticeSet, SiteSale, SiteStock, StockChanged},
    pages,
    session::Session,
    terminal::{CallError, Terminal, authorized},
};

impl Terminal {
    /// Goods came in: 1 to 1,000,000 units. `product`: `None` for the first product of the first program,
    /// here and below.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn receive_stock(
        &self,
        request_id: RequestId,
        product: Option<ProductId>,
        quantity: u32,
        time_limit: Duration,
    ) -> Result<StockChanged, WriteError> {
        let attempt = |channel: Channel, session: &Session, left: Duration| {
            let message = v1::ReceiveStockRequest {
                request_id: request_id.to_string(),
                product: codec::product_to_wire(product),
                quantity,
            };
            let request = authorized(message, session, left);
            async move { StockClient::new(channel).receive_stock(request).await }
        };
        self.write(request_id, time_limit, attempt, codec::stock_changed)
            .await
    }

    /// Corrects the count.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn adjust_stock(
        &self,
        request_id: RequestId,
        adjustment: &Adjustment,
        time_limit: Duration,
    ) -> Result<StockChanged, WriteError> {
        let attempt = |channel: Channel, session: &Session, left: Duration| {
            let message = v1::AdjustStockRequest {
                request_id: request_id.to_string(),
                product: codec::product_to_wire(adjustment.product),
                delta: adjustment.delta,
                reason: codec::reason_to_wire(adjustment.reason),
                note: adjustment.note.clone(),
            };
            let request = authorized(message, session, left);
            async move { StockClient::new(channel).adjust_stock(request).await }
        };
        self.write(request_id, time_limit, attempt, codec::stock_changed)
            .await
    }

    /// Says how many units the number tickets take that were handed out.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn hold_stock(
        &self,
        request_id: RequestId,
        product: Option<ProductId>,
        held: u32,
        time_limit: Duration,
    ) -> Result<StockChanged, WriteError> {
        let attempt = |channel: Channel, session: &Session, left: Duration| {
            let message = v1::SetHeldRequest {
                request_id: request_id.to_string(),
                product: codec::product_to_wire(product),
                held,
            };
            let request = authorized(message, session, left);
            async move { StockClient::new(channel).set_held(request).await }
        };
        self.write(request_id, time_limit, attempt, codec::stock_changed)
            .await
    }

    /// Stops the site's sale: the public sees it at once.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn stop_sales(
        &self,
        request_id: RequestId,
        product: Option<ProductId>,
        time_limit: Duration,
    ) -> Result<StockChanged, WriteError> {
        let attempt = |channel: Channel, session: &Session, left: Duration| {
            let message = v1::StopSalesRequest {
                request_id: request_id.to_string(),
                product: codec::product_to_wire(product),
            };
            let request = authorized(message, session, left);
            async move { StockClient::new(channel).stop_sales(request).await }
        };
        self.write(request_id, time_limit, attempt, codec::stock_changed)
            .await
    }

    /// Sells again.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn resume_sales(
        &self,
        request_id: RequestId,
        product: Option<ProductId>,
        time_limit: Duration,
    ) -> Result<StockChanged, WriteError> {
        let attempt = |channel: Channel, session: &Session, left: Duration| {
            let message = v1::ResumeSalesRequest {
                request_id: request_id.to_string(),
                product: codec::product_to_wire(product),
            };
            let request = authorized(message, session, left);
            async move { StockClient::new(channel).resume_sales(request).await }
        };
        self.write(request_id, time_limit, attempt, codec::stock_changed)
            .await
    }

    /// Tells the public something, at most 200 bytes; an empty text takes it away.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn set_notice(
        &self,
        request_id: RequestId,
        notice: &str,
        time_limit: Duration,
    ) -> Result<NoticeSet, WriteError> {
        let attempt = |channel: Channel, session: &Session, left: Duration| {
            let message = v1::SetNoticeRequest {
                request_id: request_id.to_string(),
                notice: notice.to_owned(),
            };
            let request = authorized(message, session, left);
            async move { StockClient::new(channel).set_notice(request).await }
        };
        self.write(request_id, time_limit, attempt, codec::notice_set)
            .await
    }

    /// The site and its stock, as it is now.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn stock(&self, time_limit: Duration) -> Result<SiteStock, ReadError> {
        let answer = self
            .call(time_limit, &mut false, |channel, session, left| {
                let request = authorized(v1::GetStockRequest {}, session, left);
                async move { StockClient::new(channel).get_stock(request).await }
            })
            .await
            .map_err(CallError::into_read)?;
        codec::site_stock(answer).map_err(ReadError::Malformed)
    }

    /// The site's own sales of a day, oldest first. `date`: today or yesterday in the first program's time
    /// zone; `None`: today. `time_limit` is for all of them.
    ///
    /// # Errors
    /// See [`ReadError`]; the stream ends with one if it breaks off.
    pub async fn site_sales(
        &self,
        date: Option<Date>,
        time_limit: Duration,
    ) -> Result<impl Stream<Item = Result<SiteSale, ReadError>> + Send + use<>, ReadError> {
        let env = self.connection().env().clone();
        let deadline = Deadline::after(&env, time_limit);
        let opened = self
            .call(time_limit, &mut false, |channel, session, left| {
                let message = v1::ListSiteSalesRequest {
                    date: date.map_or_else(String::new, |date| date.to_string()),
                };
                let request = authorized(message, session, left);
                async move {
                    let answer = StockClient::new(channel).list_site_sales(request).await?;
                    pages::open(answer.into_inner()).await.map(Response::new)
                }
            })
            .await
            .map_err(CallError::into_read)?;
        let read = |page| codec::site_sales(page).map_err(ReadError::Malformed);
        Ok(pages::rows(opened, env, deadline, read, Failed::into_read))
    }
}
