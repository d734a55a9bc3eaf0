//! Corrections and reports, as operators send and receive them.

use quorate_proto::{admin, ids::RequestId, v1};

use super::{
    admin::denial_count,
    ration::{purchases, required_time, time, voided},
};
use crate::{
    error::MalformedAnswer,
    model::{DailyCounts, OverQuotaSale, Purchase, Voided},
};

pub(crate) fn citizen_sales(
    answer: admin::ListCitizenSalesResponse,
) -> Result<Vec<Purchase>, MalformedAnswer> {
    purchases(answer.purchases)
}

pub(crate) fn corrected(
    request_id: RequestId,
    answer: admin::CorrectSaleResponse,
) -> Result<Voided, MalformedAnswer> {
    let result: v1::VoidResponse = answer.result.ok_or(MalformedAnswer("no result"))?;
    voided(request_id, result)
}

pub(crate) fn over_quota(
    page: admin::ReportOverQuotaResponse,
) -> Result<Vec<OverQuotaSale>, MalformedAnswer> {
    page.sales.into_iter().map(over_quota_sale).collect()
}

fn over_quota_sale(sale: admin::OverQuotaSale) -> Result<OverQuotaSale, MalformedAnswer> {
    Ok(OverQuotaSale {
        site_code: sale.site_code,
        site_name: sale.site_name,
        site_type: sale.site_type,
        region: sale.region,
        product: sale.product,
        sold_at: required_time(sale.sold_at)?,
        quantity: sale.quantity,
        over_by: sale.over_by,
        request_id: RequestId::parse(&sale.request_id)
            .map_err(|_| MalformedAnswer("a sale without a request id"))?,
        voided_at: sale.voided_at.map(time).transpose()?,
    })
}

pub(crate) fn daily(page: admin::ReportDailyResponse) -> Result<Vec<DailyCounts>, MalformedAnswer> {
    page.days.into_iter().map(daily_counts).collect()
}

fn daily_counts(day: admin::DailyCounts) -> Result<DailyCounts, MalformedAnswer> {
    Ok(DailyCounts {
        date: day
            .date
            .parse()
            .map_err(|_| MalformedAnswer("a day without a date"))?,
        region: day.region,
        site_type: day.site_type,
        online_sales: day.online_sales,
        online_units: day.online_units,
        paper_sales: day.paper_sales,
        paper_units: day.paper_units,
        over_quota_sales: day.over_quota_sales,
        voids: day.voids,
        voided_units: day.voided_units,
        denials: day.denials.into_iter().map(denial_count).collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_day_reads_with_its_shares() {
        let day = admin::DailyCounts {
            date: "2020-03-11".to_owned(),
            online_sales: 3,
            paper_sales: 1,
            denials: vec![admin::DenialCount {
                reason: "DENIAL_REASON_OVER_LIMIT".to_owned(),
                count: 7,
            }],
            ..admin::DailyCounts::default()
        };
        let read = daily(admin::ReportDailyResponse { days: vec![day] }).unwrap();
        assert_eq!(read[0].paper_percent(), Some(25.0));
        assert_eq!((read[0].denied(), read[0].denials["OVER_LIMIT"]), (7, 7));
        let undated = admin::DailyCounts::default();
        assert!(
            daily(admin::ReportDailyResponse {
                days: vec![undated]
            })
            .is_err()
        );
    }

    #[test]
    fn a_correction_without_a_result_is_none() {
        let id = RequestId::from_bytes([1; 16]).unwrap();
        assert!(corrected(id, admin::CorrectSaleResponse { result: None }).is_err());
    }
}
