//! Suspends a site, or lifts its suspension.

use std::time::Duration;

use quorate_proto::admin::{SuspendSiteRequest, SuspendSiteResponse};
use tonic::Status;

use crate::{
    model::stock::{SiteSuspended, SuspendSite},
    service::{
        border::{self, Border},
        errors,
    },
};

pub(super) async fn suspend(
    border: &Border,
    request: SuspendSiteRequest,
    deadline: Duration,
) -> Result<SuspendSiteResponse, Status> {
    let suspend = SuspendSite {
        site: border::site_code("site_code", &request.site_code)?,
        suspended: request.suspended,
    };
    let answered = border
        .dispatcher
        .call(suspend.place(), &suspend, deadline)
        .await;
    let answered = answered.map_err(|error| errors::call(error, None, border.env()))?;
    match answered.answer {
        SiteSuspended::Changed => Ok(SuspendSiteResponse { changed: true }),
        SiteSuspended::Unchanged => Ok(SuspendSiteResponse { changed: false }),
        SiteSuspended::SiteUnknown => Err(errors::site_unknown()),
    }
}
