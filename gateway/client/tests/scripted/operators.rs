//! What a scripted gateway answers to operators.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use quorate_proto::{
    admin::{self, admin_server::Admin},
    ids::RequestId,
    v1,
};
use tonic::{Request, Response, Status, Streaming};

use super::gateway::{Gateway, until_error};

/// Batches are noted by the code of their first site.
#[tonic::async_trait]
impl Admin for Gateway {
    type ImportSitesStream =
        Pin<Box<dyn Stream<Item = Result<admin::ImportSitesResponse, Status>> + Send>>;

    async fn import_sites(
        &self,
        request: Request<Streaming<admin::ImportSitesRequest>>,
    ) -> Result<Response<Self::ImportSitesStream>, Status> {
        let gateway = self.clone();
        let answers = request.into_inner().then(move |batch| {
            let gateway = gateway.clone();
            async move {
                let sites = batch?.sites;
                gateway.act(sites[0].code.clone(), None).await?;
                Ok(admin::ImportSitesResponse {
                    added: sites.len() as u32,
                    ..admin::ImportSitesResponse::default()
                })
            }
        });
        Ok(Response::new(Box::pin(until_error(answers))))
    }

    async fn get_status(
        &self,
        _: Request<admin::GetStatusRequest>,
    ) -> Result<Response<admin::GetStatusResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn enroll_device(
        &self,
        _: Request<admin::EnrollDeviceRequest>,
    ) -> Result<Response<admin::EnrollDeviceResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn put_program(
        &self,
        _: Request<admin::PutProgramRequest>,
    ) -> Result<Response<admin::PutProgramResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn list_programs(
        &self,
        _: Request<admin::ListProgramsRequest>,
    ) -> Result<Response<admin::ListProgramsResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn get_shadow_counts(
        &self,
        _: Request<admin::GetShadowCountsRequest>,
    ) -> Result<Response<admin::GetShadowCountsResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn suspend_site(
        &self,
        request: Request<admin::SuspendSiteRequest>,
    ) -> Result<Response<admin::SuspendSiteResponse>, Status> {
        let changed = request.get_ref().suspended;
        self.act(request.into_inner().site_code, None).await?;
        Ok(Response::new(admin::SuspendSiteResponse { changed }))
    }

    async fn list_citizen_sales(
        &self,
        _: Request<admin::ListCitizenSalesRequest>,
    ) -> Result<Response<admin::ListCitizenSalesResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn correct_sale(
        &self,
        request: Request<admin::CorrectSaleRequest>,
    ) -> Result<Response<admin::CorrectSaleResponse>, Status> {
        let request_id = request.into_inner().request_id;
        self.act(request_id.clone(), None).await?;
        let result = v1::VoidResponse {
            voided: true,
            quantity: 2,
            decided_at: Some(prost_types::Timestamp::default()),
            position: Some(v1::LogPosition::default()),
            request_id,
            ..v1::VoidResponse::default()
        };
        Ok(Response::new(admin::CorrectSaleResponse {
            result: Some(result),
        }))
    }

    type ReportOverQuotaStream =
        Pin<Box<dyn Stream<Item = Result<admin::ReportOverQuotaResponse, Status>> + Send>>;

    async fn report_over_quota(
        &self,
        _: Request<admin::ReportOverQuotaRequest>,
    ) -> Result<Response<Self::ReportOverQuotaStream>, Status> {
        let pages = self.pages("over quota", |page| {
            let request_id = RequestId::from_bytes([page; 16]).expect("not nil");
            let sale = admin::OverQuotaSale {
                over_by: page.into(),
                sold_at: Some(prost_types::Timestamp::default()),
                request_id: request_id.to_string(),
                ..admin::OverQuotaSale::default()
            };
            admin::ReportOverQuotaResponse { sales: vec![sale] }
        });
        Ok(Response::new(Box::pin(pages)))
    }

    type ReportDailyStream =
        Pin<Box<dyn Stream<Item = Result<admin::ReportDailyResponse, Status>> + Send>>;

    async fn report_daily(
        &self,
        _: Request<admin::ReportDailyRequest>,
    ) -> Result<Response<Self::ReportDailyStream>, Status> {
        let pages = self.pages("day", |page| {
            let day = admin::DailyCounts {
                date: format!("2020-03-{:02}", 8 + page),
                ..admin::DailyCounts::default()
            };
            admin::ReportDailyResponse { days: vec![day] }
        });
        Ok(Response::new(Box::pin(pages)))
    }

    async fn verify(
        &self,
        _: Request<admin::VerifyRequest>,
    ) -> Result<Response<admin::VerifyResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }
}
