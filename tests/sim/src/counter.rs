//! A counter: calls of the harness's vocabulary as commands to a gateway, and answers as its records.
//!
//! State owned: nothing. Laws: an answer that was not heard is unknown, and never called not done. What a
//! terminal, a session and a national ID add in front of this is not simulated.

use std::time::Duration;

use quorate_check::history::{
    Call, ListReply, Position, Purchase, Reason, Refusal, Reply, SlipOutcome, SlipReply, Verdict,
    VoidReply, Window,
};
use quorate_gateway::seams::{AskError, DecidedAt, Dispatch};
use quorate_proto::ids::{CitizenKey, RequestId, SiteCode, SiteKey};
use quorate_proto::internal::{self, query, query_reply};
use quorate_proto::storage::{self, command, outcome};
use quorate_proto::v1;

/// The only program.
pub const PROGRAM: &str = "mask";

/// The key of a citizen: spread over the ring, always the same.
pub fn citizen_key(citizen: u64) -> CitizenKey {
    // The golden ratio in 64 bits: neighbours land far apart.
    let position = citizen.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut key = [0; 16];
    key[..8].copy_from_slice(&position.to_be_bytes());
    key[8..].copy_from_slice(&citizen.to_be_bytes());
    CitizenKey::new(key)
}

/// The code of a site.
pub fn site_code(site: u64) -> SiteCode {
    SiteCode::parse(&format!("S{site:03}")).expect("a letter and digits are a code")
}

/// The key of a site.
pub fn site_key(site: u64) -> SiteKey {
    SiteKey::of(&site_code(site))
}

/// One who calls, standing at a site.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    /// Where it stands.
    pub site: u64,
}

impl Counter {
    /// One call through this gateway, answered by `deadline` on the gateway's monotonic clock.
    pub async fn call(
        self,
        gateway: &Dispatch,
        citizen: u64,
        call: Call,
        deadline: Duration,
    ) -> Reply {
        let key = citizen_key(citizen);
        let position = key.position();
        match call {
            Call::Check { quantity } => {
                let body = query::Body::Check(internal::CheckQuery {
                    citizen: key.as_bytes().to_vec().into(),
                    program: PROGRAM.to_owned(),
                    quantity,
                    site: Some(self.sale_site()),
                    claims: Some(storage::Claims::default()),
                    product: String::new(),
                    proxy: None,
                });
                let answered = gateway.read(position, body, deadline).await;
                read(answered, |reply, at| match reply {
                    query_reply::Body::Check(check) => {
                        Some(Reply::Verdict(verdict(check.verdict?, false, at)?))
                    }
                    _ => None,
                })
            }
            Call::List => {
                let body = query::Body::List(internal::ListQuery {
                    citizen: key.as_bytes().to_vec().into(),
                    program: PROGRAM.to_owned(),
                });
                let answered = gateway.read(position, body, deadline).await;
                read(answered, |reply, at| match reply {
                    query_reply::Body::List(list) => Some(Reply::Listed(ListReply {
                        purchases: purchases(&list.sales)?,
                        position: place(at),
                    })),
                    _ => None,
                })
            }
            Call::Sell { .. } | Call::Void { .. } | Call::Correct { .. } | Call::Slip { .. } => {
                let body = self.command(key, call);
                let answered = gateway.write(position, body, deadline).await;
                written(answered, answer_to_write)
            }
        }
    }

    fn command(self, key: CitizenKey, call: Call) -> command::Body {
        let citizen = key.as_bytes().to_vec().into();
        let (program, claims) = (PROGRAM.to_owned(), Some(storage::Claims::default()));
        let id = |request: RequestId| request.as_bytes().to_vec().into();
        match call {
            Call::Void { request, sale } => command::Body::Void(storage::VoidSale {
                request_id: id(request),
                citizen,
                program,
                sale_request_id: id(sale),
                site_code: site_code(self.site).as_str().to_owned(),
                correction: None,
                claims,
            }),
            Call::Correct { request, sale } => command::Body::Void(storage::VoidSale {
                request_id: id(request),
                citizen,
                program,
                sale_request_id: id(sale),
                site_code: String::new(),
                correction: Some(storage::Correction {
                    case_number: "case".to_owned(),
                    reason: "sold in error".to_owned(),
                    operator: "operator".to_owned(),
                }),
                claims,
            }),
            Call::Slip {
                request,
                quantity,
                sold_ms,
            } => command::Body::RecordSlip(storage::RecordSlip {
                request_id: id(request),
                citizen,
                program,
                quantity,
                site: Some(self.sale_site()),
                claims,
                product: String::new(),
                proxy_ground: String::new(),
                sold_at_ms: sold_ms,
                device_id: "device".to_owned(),
                sequence: 1,
            }),
            Call::Sell { request, quantity } => command::Body::Record(storage::RecordSale {
                request_id: id(request),
                citizen,
                program,
                quantity,
                site: Some(self.sale_site()),
                claims,
                product: String::new(),
                proxy: None,
            }),
            Call::Check { .. } | Call::List => unreachable!("a query is no command"),
        }
    }

    fn sale_site(self) -> storage::SaleSite {
        storage::SaleSite {
            code: site_code(self.site).as_str().to_owned(),
            site_type: 1,
            region: "Seoul".to_owned(),
            suspended: false,
        }
    }
}

/// A request id that carries the time at which it was made, as version 7 UUIDs do.
pub fn request_id(unix_ms: i64, chance: u64) -> RequestId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(unix_ms.unsigned_abs() << 16).to_be_bytes());
    bytes[8..].copy_from_slice(&chance.to_be_bytes());
    bytes[6] = 0x70;
    RequestId::from_bytes(bytes).expect("it is not nil")
}

type Written = Result<(outcome::Body, DecidedAt), AskError>;
type ReadAnswer = Result<(query_reply::Body, DecidedAt), AskError>;

/// What became of a write. An answer that cannot be read was decided all the same.
pub fn written(
    answered: Written,
    translate: impl FnOnce(outcome::Body, DecidedAt) -> Option<Reply>,
) -> Reply {
    match answered {
        Ok((outcome, at)) => translate(outcome, at).unwrap_or(Reply::Unknown {
            cause: "an answer of another kind".to_owned(),
        }),
        Err(error @ AskError::OutcomeUnknown) => Reply::Unknown {
            cause: error.to_string(),
        },
        Err(error) => Reply::NotDone {
            cause: error.to_string(),
        },
    }
}

fn read(
    answered: ReadAnswer,
    translate: impl FnOnce(query_reply::Body, DecidedAt) -> Option<Reply>,
) -> Reply {
    let not_done = |cause: String| Reply::NotDone { cause };
    match answered {
        Ok((reply, at)) => {
            translate(reply, at).unwrap_or_else(|| not_done("an answer of another kind".to_owned()))
        }
        Err(error) => not_done(error.to_string()),
    }
}

fn answer_to_write(outcome: outcome::Body, at: DecidedAt) -> Option<Reply> {
    Some(match outcome {
        outcome::Body::Record(record) => {
            Reply::Verdict(verdict(record.verdict?, record.repeated_answer, at)?)
        }
        outcome::Body::Void(void) => Reply::Voided(VoidReply {
            refused: match void.refusal {
                0 => None,
                number => Some(refusal(number)?),
            },
            quantity: void.quantity,
            remaining: void.remaining,
            decided_ms: void.decided_at_ms,
            repeated: void.repeated_answer,
            position: place(at),
        }),
        outcome::Body::Slip(slip) => {
            let kind = v1::SlipOutcome::try_from(i32::try_from(slip.outcome).ok()?).ok()?;
            let outcome = match kind {
                v1::SlipOutcome::Accepted => SlipOutcome::Accepted,
                v1::SlipOutcome::Duplicate => SlipOutcome::Duplicate,
                v1::SlipOutcome::OverQuotaRecorded => SlipOutcome::OverQuotaRecorded,
                v1::SlipOutcome::Rejected => {
                    return Some(Reply::NotDone {
                        cause: format!("rejected: {}", slip.rejection),
                    });
                }
                v1::SlipOutcome::Unspecified | v1::SlipOutcome::NotDecided => return None,
            };
            Reply::HandedIn(SlipReply {
                outcome,
                over_by: slip.over_by,
                remaining: slip.remaining,
                position: place(at),
            })
        }
        _ => return None,
    })
}

fn verdict(verdict: storage::Verdict, repeated: bool, at: DecidedAt) -> Option<Verdict> {
    let denied = match (verdict.granted, verdict.reason) {
        (true, 0) => None,
        (false, number) => Some(reason(number)?),
        (true, _) => return None,
    };
    // While no rule is in force there is no window.
    let window_ms = (verdict.window_end_ms != 0).then_some(Window {
        start_ms: verdict.window_start_ms,
        end_ms: verdict.window_end_ms,
    });
    Some(Verdict {
        denied,
        remaining: verdict.remaining,
        limit: verdict.limit,
        window_ms,
        decided_ms: verdict.decided_at_ms,
        purchases: purchases(&verdict.purchases)?,
        repeated,
        position: place(at),
    })
}

fn reason(number: u32) -> Option<Reason> {
    Some(
        match v1::DenialReason::try_from(i32::try_from(number).ok()?).ok()? {
            v1::DenialReason::Unspecified => return None,
            v1::DenialReason::OverLimit => Reason::OverLimit,
            v1::DenialReason::NotYourDay => Reason::NotYourDay,
            v1::DenialReason::AlreadyVisited => Reason::AlreadyVisited,
            v1::DenialReason::ProgramClosed => Reason::ProgramClosed,
            v1::DenialReason::SiteTypeNotAllowed => Reason::SiteTypeNotAllowed,
            v1::DenialReason::ProxyNotAllowed => Reason::ProxyNotAllowed,
            v1::DenialReason::QuantityTooLarge => Reason::QuantityTooLarge,
            v1::DenialReason::SiteSuspended => Reason::SiteSuspended,
        },
    )
}

fn refusal(number: u32) -> Option<Refusal> {
    Some(
        match v1::VoidRefusal::try_from(i32::try_from(number).ok()?).ok()? {
            v1::VoidRefusal::Unspecified => return None,
            v1::VoidRefusal::SaleNotFound => Refusal::SaleNotFound,
            v1::VoidRefusal::OtherSite => Refusal::OtherSite,
            v1::VoidRefusal::TooLate => Refusal::TooLate,
            v1::VoidRefusal::AlreadyVoided => Refusal::AlreadyVoided,
        },
    )
}

fn purchases(sales: &[storage::Sale]) -> Option<Vec<Purchase>> {
    let purchase = |sale: &storage::Sale| {
        Some(Purchase {
            request: RequestId::try_from(&*sale.request_id).ok()?,
            quantity: sale.quantity,
            voided: sale.void_attempts.iter().any(|void| void.refusal == 0),
        })
    };
    sales.iter().map(purchase).collect()
}

fn place(at: DecidedAt) -> Position {
    Position {
        shard: at.shard,
        term: at.term,
        index: at.index,
        ordinal: at.ordinal,
    }
}
