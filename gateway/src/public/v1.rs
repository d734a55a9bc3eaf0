//! Our own API: `/v1`. Strict where the frozen one forgives: a wrong parameter is named.
//!
//! Laws: times are RFC 3339 with the program's own offset; numbers are JSON numbers; every answer says how
//! old it may be; a page is never longer than its bound.

pub(crate) mod deltas;
mod formats;
mod query;
pub(super) mod rows;
pub(super) mod site;
pub(super) mod sites;
pub(super) mod status;

use http::StatusCode;
use serde::Serialize;

use super::answer::{Answer, PROBLEM};
use query::Fault;

/// What went wrong (RFC 9457).
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Problem<'a> {
    /// Always `about:blank`: the status says it all.
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    /// What is wrong and what to do.
    detail: &'a str,
    /// The parameter that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
}

pub(super) fn problem(status: StatusCode, detail: &str, parameter: Option<&str>) -> Answer {
    let problem = Problem {
        kind: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
        parameter,
    };
    let body = serde_json::to_vec(&problem).expect("texts are JSON");
    Answer::new(status, PROBLEM, body)
}

/// Reads a question for sites, and forgets it: for [`crate::decoders`].
pub(crate) fn read(query: &str, accept: &str) {
    let _ = query::SitesQuery::parse(Some(query), Some(accept));
    let _ = query::Pairs::new(Some(query)).finish(&[]);
}

pub(super) fn not_found() -> Answer {
    let detail = "nothing is here; /v1/openapi.json lists what there is";
    problem(StatusCode::NOT_FOUND, detail, None)
}

/// Too much is under way.
pub(super) fn throttled() -> Answer {
    let detail = "too many answers are under way; try again in a few seconds";
    problem(StatusCode::TOO_MANY_REQUESTS, detail, None).retry_later()
}

impl Fault {
    pub(super) fn answer(&self) -> Answer {
        problem(StatusCode::BAD_REQUEST, &self.detail, Some(&self.parameter))
    }
}

/// Why there is no answer of the usual kind.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A parameter is wrong.
    Fault(Fault),
    /// Too many listen already.
    TooManyListeners,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal::Fault(fault)
    }
}

impl Refusal {
    pub(super) fn answer(&self) -> Answer {
        match self {
            Refusal::Fault(fault) => fault.answer(),
            Refusal::TooManyListeners => {
                let detail = "too many listen already; poll /v1/sites, or try again later";
                problem(StatusCode::SERVICE_UNAVAILABLE, detail, None).retry_later()
            }
        }
    }
}

#[cfg(test)]
mod tests;
