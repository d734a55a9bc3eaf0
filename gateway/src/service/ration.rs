//! Check, record, void, list.

use std::sync::Arc;

use quorate_proto::v1::{
    CheckRequest, CheckResponse, ListSalesRequest, ListSalesResponse, Proxy, RecordRequest,
    RecordResponse, VoidRequest, VoidResponse, ration_server::Ration,
};
use tonic::{Request, Response, Status};

use super::{
    border::{self, Border, SealedId},
    convert, deadline, errors,
};
use crate::model::{Check, List, Record, Void};

/// See the module's documentation.
pub(crate) struct RationService {
    pub(crate) border: Arc<Border>,
}

#[tonic::async_trait]
impl Ration for RationService {
    async fn check(
        &self,
        mut request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let id = SealedId::take(&mut request.get_mut().citizen);
        let buyer = take_buyer(&mut request.get_mut().proxy);
        let border = &*self.border;
        let _place = border.place()?;
        let deadline = border.deadline(&request, deadline::TERMINAL)?;
        let session = border.session(&request)?;
        let request = request.into_inner();
        let person = border.person(id, &request.program)?;
        let proxy = border.proxy(ground(&request.proxy), buyer)?;
        let quantity = request.quantity;
        let purchase = border.purchase(&person, &request.product, quantity, proxy, session)?;
        let check = Check { purchase };

        let place = check.purchase.beneficiary.place();
        let answered = border.dispatcher.call(place, &check, deadline).await;
        let answered = answered.map_err(|error| errors::call(error, None, border.env()))?;
        let (mut verdict, at) = (answered.answer, answered.position);
        border.name_products(&mut verdict.purchases, &check.purchase.beneficiary.program);
        let verdict = convert::verdict(verdict, at, &check.purchase.session, &person.warnings);
        Ok(Response::new(CheckResponse {
            verdict: Some(verdict),
        }))
    }

    async fn record(
        &self,
        mut request: Request<RecordRequest>,
    ) -> Result<Response<RecordResponse>, Status> {
        let id = SealedId::take(&mut request.get_mut().citizen);
        let buyer = take_buyer(&mut request.get_mut().proxy);
        let border = &*self.border;
        let _place = border.place()?;
        let deadline = border.deadline(&request, deadline::TERMINAL)?;
        let session = border.session(&request)?;
        let request = request.into_inner();
        let request_id = border::request_id("request_id", &request.request_id)?;
        let person = border.person(id, &request.program)?;
        let proxy = border.proxy(ground(&request.proxy), buyer)?;
        let quantity = request.quantity;
        let purchase = border.purchase(&person, &request.product, quantity, proxy, session)?;
        let record = Record {
            request_id,
            purchase,
        };

        let place = record.purchase.beneficiary.place();
        let answered = border.dispatcher.call(place, &record, deadline).await;
        let mut answered =
            answered.map_err(|error| errors::call(error, Some(request_id), border.env()))?;
        let purchases = &mut answered.answer.verdict.purchases;
        border.name_products(purchases, &record.purchase.beneficiary.program);
        let (session, warnings) = (&record.purchase.session, &person.warnings);
        let response = convert::recorded(answered, request_id, session, warnings);
        Ok(Response::new(response))
    }

    async fn void(
        &self,
        mut request: Request<VoidRequest>,
    ) -> Result<Response<VoidResponse>, Status> {
        let id = SealedId::take(&mut request.get_mut().citizen);
        let border = &*self.border;
        let _place = border.place()?;
        let deadline = border.deadline(&request, deadline::TERMINAL)?;
        let session = border.session(&request)?;
        let request = request.into_inner();
        let request_id = border::request_id("request_id", &request.request_id)?;
        let sale_request_id = border::request_id("sale_request_id", &request.sale_request_id)?;
        let person = border.person(id, &request.program)?;
        let void = Void {
            request_id,
            beneficiary: person.beneficiary,
            claims: person.claims,
            sale_request_id,
            site: session.site,
        };

        let place = void.beneficiary.place();
        let answered = border.dispatcher.call(place, &void, deadline).await;
        let answered =
            answered.map_err(|error| errors::call(error, Some(request_id), border.env()))?;
        Ok(Response::new(convert::voided(answered, request_id)))
    }

    async fn list_sales(
        &self,
        mut request: Request<ListSalesRequest>,
    ) -> Result<Response<ListSalesResponse>, Status> {
        let id = SealedId::take(&mut request.get_mut().citizen);
        let border = &*self.border;
        let _place = border.place()?;
        let deadline = border.deadline(&request, deadline::TERMINAL)?;
        let session = border.session(&request)?;
        let person = border.person(id, &request.get_ref().program)?;
        let list = List {
            beneficiary: person.beneficiary,
        };

        let place = list.beneficiary.place();
        let answered = border.dispatcher.call(place, &list, deadline).await;
        let mut answered = answered.map_err(|error| errors::call(error, None, border.env()))?;
        border.name_products(&mut answered.answer, &list.beneficiary.program);
        Ok(Response::new(ListSalesResponse {
            purchases: convert::purchases(answered.answer, &session),
            position: Some(convert::position(answered.position)),
            warnings: person.warnings.into_iter().map(i32::from).collect(),
        }))
    }
}

/// The buyer's ID, out of its message.
fn take_buyer(proxy: &mut Option<Proxy>) -> Option<SealedId> {
    SealedId::take(&mut proxy.as_mut()?.buyer)
}

fn ground(proxy: &Option<Proxy>) -> Option<&str> {
    proxy.as_ref().map(|proxy| proxy.ground.as_str())
}
