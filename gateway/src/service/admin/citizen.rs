//! What a person bought, and the correction of a sale.
//!
//! Law: a correction names its reason, its case and the operator, and all three stay with the sale.

use std::time::Duration;

use quorate_proto::admin::{
    CorrectSaleRequest, CorrectSaleResponse, ListCitizenSalesRequest, ListCitizenSalesResponse,
};
use tonic::Status;

use crate::{
    limits,
    model::{Correct, List},
    service::{
        border::{self, Border, SealedId},
        convert, errors,
    },
};

pub(super) async fn list(
    border: &Border,
    id: Option<SealedId>,
    request: &ListCitizenSalesRequest,
    deadline: Duration,
) -> Result<ListCitizenSalesResponse, Status> {
    let person = border.person(id, &request.program)?;
    let list = List {
        beneficiary: person.beneficiary,
    };
    let place = list.beneficiary.place();
    let answered = border.dispatcher.call(place, &list, deadline).await;
    let answered = answered.map_err(|error| errors::call(error, None, border.env()))?;
    let mut sales = answered.answer;
    border.name_products(&mut sales, &list.beneficiary.program);
    Ok(ListCitizenSalesResponse {
        purchases: convert::purchases_anywhere(sales),
    })
}

pub(super) async fn correct(
    border: &Border,
    id: Option<SealedId>,
    request: CorrectSaleRequest,
    operator: &str,
    deadline: Duration,
) -> Result<CorrectSaleResponse, Status> {
    let request_id = border::request_id("request_id", &request.request_id)?;
    let sale_request_id = border::request_id("sale_request_id", &request.sale_request_id)?;
    let reason_bytes_max = limits::CORRECTION_REASON_BYTES_MAX;
    let reason = required("reason", request.reason, reason_bytes_max)?;
    let case_number = required(
        "case_number",
        request.case_number,
        limits::CASE_NUMBER_BYTES_MAX,
    )?;
    let person = border.person(id, &request.program)?;
    let correct = Correct {
        request_id,
        beneficiary: person.beneficiary,
        claims: person.claims,
        sale_request_id,
        reason,
        case_number,
        operator: operator.to_owned(),
    };

    let place = correct.beneficiary.place();
    let answered = border.dispatcher.call(place, &correct, deadline).await;
    let answered = answered.map_err(|error| errors::call(error, Some(request_id), border.env()))?;
    Ok(CorrectSaleResponse {
        result: Some(convert::voided(answered, request_id)),
    })
}

fn required(field: &str, text: String, bytes_max: usize) -> Result<String, Status> {
    border::line(field, &text, bytes_max)?;
    match text.trim().is_empty() {
        true => Err(errors::invalid(field, "is required: it stays on record")),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use quorate_proto::status::{METADATA_FIELD, metadata_of};

    use super::*;

    #[test]
    fn what_stays_on_record_is_a_line_of_text() {
        for good in ["C-2020/17", "번호 오타"] {
            assert_eq!(required("reason", good.to_owned(), 200).unwrap(), good);
        }
        for wrong in ["", "  ", "a\nb", &"x".repeat(201)] {
            let status = required("reason", wrong.to_owned(), 200).unwrap_err();
            let field = metadata_of(&status, METADATA_FIELD);
            assert_eq!(field.as_deref(), Some("reason"), "{wrong:?}");
        }
    }
}
