//! What operators call. Everything here needs the certificate of an operator and is recorded in the log
//! with the operator's name.

mod enroll;
mod import;
mod program;
mod status;
mod verify;

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::Stream;
use quorate_proto::admin::{
    EnrollDeviceRequest, EnrollDeviceResponse, GetStatusRequest, GetStatusResponse,
    ImportSitesRequest, ImportSitesResponse, PutProgramRequest, PutProgramResponse, VerifyRequest,
    VerifyResponse, admin_server::Admin,
};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Request, Response, Status, Streaming};

use super::{border::Border, deadline, errors};
use crate::directory::View;

/// See the module's documentation.
pub(crate) struct AdminService {
    pub(crate) border: Arc<Border>,
}

/// An operator's call that was let in.
struct Admitted {
    /// By the monotonic clock.
    deadline: Duration,
    _place: OwnedSemaphorePermit,
}

impl AdminService {
    fn admit<T>(&self, request: &Request<T>, what: &'static str) -> Result<Admitted, Status> {
        let (place, operator) = self.border.operator(request)?;
        let deadline = self.border.deadline(request, deadline::OPERATOR)?;
        tracing::info!(operator, what, "operator");
        Ok(Admitted {
            deadline,
            _place: place,
        })
    }
}

#[tonic::async_trait]
impl Admin for AdminService {
    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let admitted = self.admit(&request, "status")?;
        let view = view(&self.border, admitted.deadline).await?;
        let response = status::ask(&self.border, &view).await;
        Ok(Response::new(response))
    }

    type ImportSitesStream =
        Pin<Box<dyn Stream<Item = Result<ImportSitesResponse, Status>> + Send + 'static>>;

    async fn import_sites(
        &self,
        request: Request<Streaming<ImportSitesRequest>>,
    ) -> Result<Response<Self::ImportSitesStream>, Status> {
        let admitted = self.admit(&request, "import sites")?;
        let batches = request.into_inner();
        let answers = import::answers(self.border.clone(), batches, admitted);
        Ok(Response::new(Box::pin(answers)))
    }

    async fn enroll_device(
        &self,
        request: Request<EnrollDeviceRequest>,
    ) -> Result<Response<EnrollDeviceResponse>, Status> {
        let admitted = self.admit(&request, "enroll a device")?;
        let response =
            enroll::enroll(&self.border, request.into_inner(), admitted.deadline).await?;
        Ok(Response::new(response))
    }

    async fn put_program(
        &self,
        request: Request<PutProgramRequest>,
    ) -> Result<Response<PutProgramResponse>, Status> {
        let admitted = self.admit(&request, "put a program")?;
        let response = program::put(&self.border, request.into_inner(), admitted.deadline).await?;
        Ok(Response::new(response))
    }

    async fn verify(
        &self,
        request: Request<VerifyRequest>,
    ) -> Result<Response<VerifyResponse>, Status> {
        let admitted = self.admit(&request, "verify")?;
        let view = view(&self.border, admitted.deadline).await?;
        let response = verify::ask(&self.border, &view, admitted.deadline).await;
        Ok(Response::new(response))
    }

    async fn list_programs(
        &self,
        _: Request<quorate_proto::admin::ListProgramsRequest>,
    ) -> Result<Response<quorate_proto::admin::ListProgramsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_shadow_counts(
        &self,
        _: Request<quorate_proto::admin::GetShadowCountsRequest>,
    ) -> Result<Response<quorate_proto::admin::GetShadowCountsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn suspend_site(
        &self,
        _: Request<quorate_proto::admin::SuspendSiteRequest>,
    ) -> Result<Response<quorate_proto::admin::SuspendSiteResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_citizen_sales(
        &self,
        _: Request<quorate_proto::admin::ListCitizenSalesRequest>,
    ) -> Result<Response<quorate_proto::admin::ListCitizenSalesResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn correct_sale(
        &self,
        _: Request<quorate_proto::admin::CorrectSaleRequest>,
    ) -> Result<Response<quorate_proto::admin::CorrectSaleResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    type ReportOverQuotaStream = Pin<
        Box<
            dyn Stream<Item = Result<quorate_proto::admin::ReportOverQuotaResponse, Status>>
                + Send
                + 'static,
        >,
    >;

    async fn report_over_quota(
        &self,
        _: Request<quorate_proto::admin::ReportOverQuotaRequest>,
    ) -> Result<Response<Self::ReportOverQuotaStream>, Status> {
        Err(Status::unimplemented(""))
    }

    type ReportDailyStream = Pin<
        Box<
            dyn Stream<Item = Result<quorate_proto::admin::ReportDailyResponse, Status>>
                + Send
                + 'static,
        >,
    >;

    async fn report_daily(
        &self,
        _: Request<quorate_proto::admin::ReportDailyRequest>,
    ) -> Result<Response<Self::ReportDailyStream>, Status> {
        Err(Status::unimplemented(""))
    }
}

/// The newest view; waits for the first one.
async fn view(border: &Border, deadline: Duration) -> Result<Arc<View>, Status> {
    let directory = &border.dispatcher.directory;
    loop {
        let seen = directory.revision();
        if let Some(view) = directory.view() {
            return Ok(view);
        }
        let time_left = deadline.saturating_sub(border.env().monotonic());
        let news = border
            .env()
            .timeout(time_left, directory.changed_since(seen));
        if news.await.is_err() {
            return Err(errors::unavailable(border.env()));
        }
    }
}
