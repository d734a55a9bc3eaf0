//! What an operator looks into and sets right: suspensions, a person's sales, corrections, reports.

use std::{future::Future, time::Duration};

use futures_util::Stream;
use jiff::{Timestamp, civil::Date};
use quorate_proto::{
    admin,
    ids::{ProgramId, RequestId, SiteCode},
};
use tonic::{Status, transport::Channel};

use crate::{
    codec,
    deadline::Deadline,
    error::{AdminError, Failed, WriteError},
    model::{Correction, DailyCounts, NationalId, OverQuotaSale, Purchase, Voided},
    operator::{Operator, client},
    pages::{self, Pages},
    session::timed,
};

impl Operator {
    /// Suspends a site, so that its sales are denied, or lifts that; false if it was so already.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn suspend_site(
        &self,
        site: SiteCode,
        suspended: bool,
        time_limit: Duration,
    ) -> Result<bool, AdminError> {
        let answer = self
            .call(time_limit, |channel, left| {
                let message = admin::SuspendSiteRequest {
                    site_code: site.to_string(),
                    suspended,
                };
                let request = timed(message, left);
                async move { client(channel).suspend_site(request).await }
            })
            .await?;
        Ok(answer.changed)
    }

    /// What a person bought inside the retention time, newest first.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn citizen_sales(
        &self,
        citizen: &NationalId,
        program: ProgramId,
        time_limit: Duration,
    ) -> Result<Vec<Purchase>, AdminError> {
        let answer = self
            .call(time_limit, |channel, left| {
                let message = admin::ListCitizenSalesRequest {
                    citizen: Some(citizen.to_wire()),
                    program: program.to_string(),
                };
                let request = timed(message, left);
                async move { client(channel).list_citizen_sales(request).await }
            })
            .await?;
        codec::citizen_sales(answer).map_err(AdminError::Malformed)
    }

    /// Undoes a sale of any site, on any day inside the retention time. The caller keeps `request_id`,
    /// which is the correction's own, until it knows the outcome.
    ///
    /// # Errors
    /// See [`WriteError`]; a refusal is none.
    pub async fn correct_sale(
        &self,
        request_id: RequestId,
        correction: &Correction,
        time_limit: Duration,
    ) -> Result<Voided, WriteError> {
        let deadline = Deadline::after(self.connection().env(), time_limit);
        let answered = self.connection().call(deadline, |channel, left| {
            let message = admin::CorrectSaleRequest {
                request_id: request_id.to_string(),
                citizen: Some(correction.citizen.to_wire()),
                program: correction.program.to_string(),
                sale_request_id: correction.sale_request_id.to_string(),
                reason: correction.reason.clone(),
                case_number: correction.case_number.clone(),
            };
            let request = timed(message, left);
            async move { client(channel).correct_sale(request).await }
        });
        let answer = answered
            .await
            .map_err(|failed| failed.into_write(request_id))?;
        codec::corrected(request_id, answer.into_inner())
            .map_err(|malformed| WriteError::unreadable(request_id, malformed))
    }

    /// Paper sales that exceeded the ration, by time of sale; `to` is exclusive and both are optional.
    /// `time_limit` is for all of them.
    ///
    /// # Errors
    /// See [`AdminError`]; the stream ends with one if a shard could not be read.
    pub async fn report_over_quota(
        &self,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        time_limit: Duration,
    ) -> Result<impl Stream<Item = Result<OverQuotaSale, AdminError>> + Send + use<>, AdminError>
    {
        let message = admin::ReportOverQuotaRequest {
            from: from.map(codec::time_to_wire),
            to: to.map(codec::time_to_wire),
        };
        let ask = move |channel, left| {
            let request = timed(message, left);
            async move {
                let answer = client(channel).report_over_quota(request).await?;
                pages::open(answer.into_inner()).await
            }
        };
        self.report(time_limit, ask, codec::over_quota).await
    }

    /// Sales and refusals by local date, region and kind of site, in this order; both dates are inclusive
    /// and optional. `time_limit` is for all of them.
    ///
    /// # Errors
    /// See [`AdminError`]; the stream ends with one if a shard could not be read.
    pub async fn report_daily(
        &self,
        program: ProgramId,
        first: Option<Date>,
        last: Option<Date>,
        time_limit: Duration,
    ) -> Result<impl Stream<Item = Result<DailyCounts, AdminError>> + Send + use<>, AdminError>
    {
        let date = |date: Option<Date>| date.map_or_else(String::new, |date| date.to_string());
        let message = admin::ReportDailyRequest {
            program: program.to_string(),
            first_date: date(first),
            last_date: date(last),
        };
        let ask = move |channel, left| {
            let request = timed(message.clone(), left);
            async move {
                let answer = client(channel).report_daily(request).await?;
                pages::open(answer.into_inner()).await
            }
        };
        self.report(time_limit, ask, codec::daily).await
    }

    async fn report<Page, Row, F, Answer>(
        &self,
        time_limit: Duration,
        ask: F,
        read: fn(Page) -> Result<Vec<Row>, crate::MalformedAnswer>,
    ) -> Result<
        impl Stream<Item = Result<Row, AdminError>> + Send + use<Page, Row, F, Answer>,
        AdminError,
    >
    where
        Page: Send + 'static,
        Row: Send + 'static,
        F: FnMut(Channel, Duration) -> Answer + Send,
        Answer: Future<Output = Result<Pages<Page>, Status>> + Send,
    {
        let env = self.connection().env().clone();
        let deadline = Deadline::after(&env, time_limit);
        let opened = self.connection().call(deadline, ask).await;
        let opened = opened.map_err(Failed::into_admin)?;
        let read = move |page| read(page).map_err(AdminError::Malformed);
        Ok(pages::rows(opened, env, deadline, read, Failed::into_admin))
    }
}
