//! From what a client of the service is told to what a history keeps.

use quorate_client::{
    ReadError, WriteError,
    model::{self, Decision, SlipAnswer, VoidOutcome},
};

use crate::history::{
    ListReply, Position, Purchase, Reason, Refusal, Reply, SlipOutcome, SlipReply, Verdict,
    VoidReply, Window,
};

/// The reply to a check.
#[must_use]
pub fn checked(answer: Result<model::Verdict, ReadError>) -> Reply {
    match answer {
        Ok(answer) => Reply::Verdict(verdict(&answer, false)),
        Err(error) => Reply::NotDone {
            cause: error.to_string(),
        },
    }
}

/// The reply to a sale.
#[must_use]
pub fn recorded(answer: Result<model::Recorded, WriteError>) -> Reply {
    match answer {
        Ok(answer) => Reply::Verdict(verdict(&answer.verdict, answer.repeated_answer)),
        Err(error) => not_answered(&error),
    }
}

/// The reply to a void.
#[must_use]
pub fn voided(answer: Result<model::Voided, WriteError>) -> Reply {
    match answer {
        Ok(answer) => Reply::Voided(VoidReply {
            refused: match answer.outcome {
                VoidOutcome::Voided => None,
                VoidOutcome::Refused(why) => Some(refusal(why)),
            },
            quantity: answer.quantity,
            remaining: answer.remaining,
            decided_ms: answer.decided_at.as_millisecond(),
            repeated: answer.repeated_answer,
            position: position(answer.position),
        }),
        Err(error) => not_answered(&error),
    }
}

/// The reply to a slip: its answer, if there was one, and how the stream ended.
#[must_use]
pub fn handed_in(answer: Option<SlipAnswer>, ended: Result<(), ReadError>) -> Reply {
    let unknown = |cause: String| Reply::Unknown { cause };
    let Some(answer) = answer else {
        let why = ended.err().map(|error| error.to_string());
        return unknown(why.unwrap_or_default());
    };
    let outcome = match answer.outcome {
        model::SlipOutcome::Accepted => SlipOutcome::Accepted,
        model::SlipOutcome::Duplicate => SlipOutcome::Duplicate,
        model::SlipOutcome::OverQuotaRecorded => SlipOutcome::OverQuotaRecorded,
        model::SlipOutcome::Rejected(reason) => {
            return Reply::NotDone {
                cause: reason.to_string(),
            };
        }
        model::SlipOutcome::NotDecided => return unknown(answer.detail),
    };
    match answer.position {
        Some(at) => Reply::HandedIn(SlipReply {
            outcome,
            over_by: answer.over_by,
            remaining: answer.remaining,
            position: position(at),
        }),
        None => unknown("an answer without its position".to_owned()),
    }
}

/// The reply to a list.
#[must_use]
pub fn listed(answer: Result<model::Sales, ReadError>) -> Reply {
    match answer {
        Ok(answer) => Reply::Listed(ListReply {
            purchases: answer.purchases.iter().map(purchase).collect(),
            position: position(answer.position),
        }),
        Err(error) => Reply::NotDone {
            cause: error.to_string(),
        },
    }
}

fn not_answered(error: &WriteError) -> Reply {
    let cause = error.to_string();
    match error {
        WriteError::OutcomeUnknown { .. } => Reply::Unknown { cause },
        WriteError::Rejected(_) | WriteError::Session(_) | WriteError::Unavailable(_) => {
            Reply::NotDone { cause }
        }
    }
}

fn verdict(answer: &model::Verdict, repeated: bool) -> Verdict {
    Verdict {
        denied: match answer.decision {
            Decision::Granted => None,
            Decision::Denied(why) => Some(reason(why)),
        },
        remaining: answer.remaining,
        limit: answer.limit,
        window_ms: answer.window.map(|window| Window {
            start_ms: window.start.as_millisecond(),
            end_ms: window.end.as_millisecond(),
        }),
        decided_ms: answer.decided_at.as_millisecond(),
        purchases: answer.purchases.iter().map(purchase).collect(),
        repeated,
        position: position(answer.position),
    }
}

fn purchase(purchase: &model::Purchase) -> Purchase {
    Purchase {
        request: purchase.request_id,
        quantity: purchase.quantity,
        voided: purchase.voided_at.is_some(),
    }
}

const fn position(position: model::Position) -> Position {
    Position {
        shard: position.shard,
        term: position.term,
        index: position.log_index,
        ordinal: position.ordinal,
    }
}

const fn reason(reason: model::DenialReason) -> Reason {
    match reason {
        model::DenialReason::OverLimit => Reason::OverLimit,
        model::DenialReason::NotYourDay => Reason::NotYourDay,
        model::DenialReason::AlreadyVisited => Reason::AlreadyVisited,
        model::DenialReason::ProgramClosed => Reason::ProgramClosed,
        model::DenialReason::SiteTypeNotAllowed => Reason::SiteTypeNotAllowed,
        model::DenialReason::ProxyNotAllowed => Reason::ProxyNotAllowed,
        model::DenialReason::QuantityTooLarge => Reason::QuantityTooLarge,
        model::DenialReason::SiteSuspended => Reason::SiteSuspended,
    }
}

const fn refusal(refusal: model::VoidRefusal) -> Refusal {
    match refusal {
        model::VoidRefusal::SaleNotFound => Refusal::SaleNotFound,
        model::VoidRefusal::OtherSite => Refusal::OtherSite,
        model::VoidRefusal::TooLate => Refusal::TooLate,
        model::VoidRefusal::AlreadyVoided => Refusal::AlreadyVoided,
    }
}
