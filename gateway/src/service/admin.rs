//! What operators call. Everything here needs the certificate of an operator and is recorded in the log
//! with the operator's name.

mod citizen;
mod enroll;
pub(crate) mod import;
mod program;
mod report;
mod status;
mod suspend;
mod verify;

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::Stream;
use quorate_proto::admin::{
    CorrectSaleRequest, CorrectSaleResponse, EnrollDeviceRequest, EnrollDeviceResponse,
    GetShadowCountsRequest, GetShadowCountsResponse, GetStatusRequest, GetStatusResponse,
    ImportSitesRequest, ImportSitesResponse, ListCitizenSalesRequest, ListCitizenSalesResponse,
    ListProgramsRequest, ListProgramsResponse, PutProgramRequest, PutProgramResponse,
    ReportDailyRequest, ReportDailyResponse, ReportOverQuotaRequest, ReportOverQuotaResponse,
    SuspendSiteRequest, SuspendSiteResponse, VerifyRequest, VerifyResponse, admin_server::Admin,
};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Request, Response, Status, Streaming};

use report::Report;

use super::{
    border::{Border, SealedId},
    deadline,
};

/// See the module's documentation.
pub(crate) struct AdminService {
    pub(crate) border: Arc<Border>,
}

/// An operator's call that was let in.
struct Admitted {
    /// Name in the caller's certificate.
    operator: String,
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
            operator,
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
        let view = self.border.view(admitted.deadline).await?;
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
        let view = self.border.view(admitted.deadline).await?;
        let response = verify::ask(&self.border, &view, admitted.deadline).await;
        Ok(Response::new(response))
    }

    async fn list_programs(
        &self,
        request: Request<ListProgramsRequest>,
    ) -> Result<Response<ListProgramsResponse>, Status> {
        let admitted = self.admit(&request, "list programs")?;
        let view = self.border.view(admitted.deadline).await?;
        Ok(Response::new(program::list(&view)))
    }

    async fn get_shadow_counts(
        &self,
        request: Request<GetShadowCountsRequest>,
    ) -> Result<Response<GetShadowCountsResponse>, Status> {
        let admitted = self.admit(&request, "count what shadow rules would decide")?;
        let view = self.border.view(admitted.deadline).await?;
        let request = request.get_ref();
        let response =
            program::shadow_counts(&self.border, &view, request, admitted.deadline).await?;
        Ok(Response::new(response))
    }

    async fn suspend_site(
        &self,
        request: Request<SuspendSiteRequest>,
    ) -> Result<Response<SuspendSiteResponse>, Status> {
        let admitted = self.admit(&request, "suspend a site or lift it")?;
        let response =
            suspend::suspend(&self.border, request.into_inner(), admitted.deadline).await?;
        Ok(Response::new(response))
    }

    async fn list_citizen_sales(
        &self,
        mut request: Request<ListCitizenSalesRequest>,
    ) -> Result<Response<ListCitizenSalesResponse>, Status> {
        let id = SealedId::take(&mut request.get_mut().citizen);
        let admitted = self.admit(&request, "list a person's sales")?;
        let response =
            citizen::list(&self.border, id, request.get_ref(), admitted.deadline).await?;
        Ok(Response::new(response))
    }

    async fn correct_sale(
        &self,
        mut request: Request<CorrectSaleRequest>,
    ) -> Result<Response<CorrectSaleResponse>, Status> {
        let id = SealedId::take(&mut request.get_mut().citizen);
        let Admitted {
            operator,
            deadline,
            _place,
        } = self.admit(&request, "correct a sale")?;
        let request = request.into_inner();
        let response = citizen::correct(&self.border, id, request, &operator, deadline).await?;
        Ok(Response::new(response))
    }

    type ReportOverQuotaStream =
        Pin<Box<dyn Stream<Item = Result<ReportOverQuotaResponse, Status>> + Send + 'static>>;

    async fn report_over_quota(
        &self,
        request: Request<ReportOverQuotaRequest>,
    ) -> Result<Response<Self::ReportOverQuotaStream>, Status> {
        let admitted = self.admit(&request, "report sales beyond the ration")?;
        let span = report::Span::read(request.get_ref())?;
        let view = self.border.view(admitted.deadline).await?;
        let report = Report::new(self.border.clone(), admitted, &view);
        Ok(Response::new(Box::pin(report::over_quota(report, span))))
    }

    type ReportDailyStream =
        Pin<Box<dyn Stream<Item = Result<ReportDailyResponse, Status>> + Send + 'static>>;

    async fn report_daily(
        &self,
        request: Request<ReportDailyRequest>,
    ) -> Result<Response<Self::ReportDailyStream>, Status> {
        let admitted = self.admit(&request, "report days")?;
        let view = self.border.view(admitted.deadline).await?;
        let days = report::Days::read(request.get_ref(), &view)?;
        let report = Report::new(self.border.clone(), admitted, &view);
        Ok(Response::new(Box::pin(report::daily(report, days))))
    }
}
