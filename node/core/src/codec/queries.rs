//! Queries ↔ their messages. Reading checks every bound.

use bytes::Bytes;
use quorate_proto::internal::{self, query::Body};

use super::{
    DecodeError,
    commands::{site_from_proto, site_to_proto},
    fields::{self, required},
};
use crate::{
    ledger::{
        CheckQuery, DailyQuery, DeviceQuery, ListQuery, OverQuotaQuery, Query, ShadowQuery,
        SiteSalesQuery, StockQuery,
    },
    limits,
};

/// A query as it travels.
#[must_use]
pub fn query_to_proto(query: &Query) -> internal::Query {
    let body = match query {
        Query::Check(check) => Body::Check(internal::CheckQuery {
            citizen: fields::citizen_bytes(check.citizen),
            program: check.program.to_string(),
            quantity: check.quantity.get(),
            site: Some(site_to_proto(&check.site, check.site_suspended)),
            claims: Some(fields::claims_message(check.claims)),
            product: fields::product_text(check.product),
            proxy: check.proxy.map(fields::proxy_message),
        }),
        Query::List(list) => Body::List(internal::ListQuery {
            citizen: fields::citizen_bytes(list.citizen),
            program: list.program.to_string(),
        }),
        Query::Device(device) => Body::Device(internal::DeviceQuery {
            site_code: device.site_code.to_string(),
            device_id: device.device_id.to_string(),
        }),
        Query::Daily(daily) => Body::Daily(internal::DailyQuery {
            program: daily.program.to_string(),
            first_date: daily.first_date,
            last_date: daily.last_date,
            after: Bytes::copy_from_slice(&daily.after),
            limit: daily.limit,
        }),
        Query::Shadow(shadow) => Body::Shadow(internal::ShadowQuery {
            program: shadow.program.to_string(),
        }),
        Query::Stock(stock) => Body::Stock(internal::StockQuery {
            site_code: stock.site_code.to_string(),
        }),
        Query::SiteSales(sales) => Body::SiteSales(internal::SiteSalesQuery {
            site_code: sales.site_code.to_string(),
            from_ms: sales.from_ms,
            to_ms: sales.to_ms,
            after: Bytes::copy_from_slice(&sales.after),
            limit: sales.limit,
        }),
        Query::OverQuota(over) => Body::OverQuota(internal::OverQuotaQuery {
            from_ms: over.from_ms,
            to_ms: over.to_ms,
            after: Bytes::copy_from_slice(&over.after),
            limit: over.limit,
        }),
    };
    internal::Query { body: Some(body) }
}

/// Reads a query, checking every bound.
///
/// # Errors
/// A part is missing or breaks its law.
pub fn query_from_proto(message: internal::Query) -> Result<Query, DecodeError> {
    Ok(match required("query", message.body)? {
        Body::Check(check) => {
            let (site, site_suspended) = site_from_proto(check.site)?;
            Query::Check(CheckQuery {
                citizen: fields::citizen(&check.citizen)?,
                program: fields::program_id(&check.program)?,
                product: fields::optional_product(&check.product)?,
                quantity: fields::quantity(check.quantity)?,
                site,
                site_suspended,
                claims: fields::claims(check.claims)?,
                proxy: fields::proxy(check.proxy)?,
            })
        }
        Body::List(list) => Query::List(ListQuery {
            citizen: fields::citizen(&list.citizen)?,
            program: fields::program_id(&list.program)?,
        }),
        Body::Device(device) => Query::Device(DeviceQuery {
            site_code: fields::site_code(&device.site_code)?,
            device_id: fields::device_id(&device.device_id)?,
        }),
        Body::Daily(daily) => Query::Daily(DailyQuery {
            program: fields::program_id(&daily.program)?,
            first_date: daily.first_date,
            last_date: daily.last_date,
            after: daily.after.to_vec(),
            limit: page_limit(daily.limit)?,
        }),
        Body::Shadow(shadow) => Query::Shadow(ShadowQuery {
            program: fields::program_id(&shadow.program)?,
        }),
        Body::Stock(stock) => Query::Stock(StockQuery {
            site_code: fields::site_code(&stock.site_code)?,
        }),
        Body::SiteSales(sales) => Query::SiteSales(SiteSalesQuery {
            site_code: fields::site_code(&sales.site_code)?,
            from_ms: sales.from_ms,
            to_ms: sales.to_ms,
            after: sales.after.to_vec(),
            limit: page_limit(sales.limit)?,
        }),
        Body::OverQuota(over) => Query::OverQuota(OverQuotaQuery {
            from_ms: over.from_ms,
            to_ms: over.to_ms,
            after: over.after.to_vec(),
            limit: page_limit(over.limit)?,
        }),
    })
}

/// Rows in one page.
pub(super) fn page_limit(limit: u32) -> Result<u32, DecodeError> {
    if (1..=limits::PAGE_ROWS_MAX).contains(&limit) {
        Ok(limit)
    } else {
        let why = format!("must be 1 to {}", limits::PAGE_ROWS_MAX);
        Err(DecodeError::invalid("rows in a page", why))
    }
}
