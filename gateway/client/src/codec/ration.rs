//! Answers to terminals.

use jiff::Timestamp;
use quorate_proto::{
    ids::{RequestId, SiteType},
    v1,
};

use super::stock::sale_kind;
use crate::{
    error::MalformedAnswer,
    model::{
        Decision, DenialReason, Position, Purchase, Recorded, Sales, Verdict, VoidOutcome,
        VoidRefusal, Voided, Warning, Window,
    },
};

pub(crate) fn recorded(
    request_id: RequestId,
    answer: v1::RecordResponse,
) -> Result<Recorded, MalformedAnswer> {
    same_request(request_id, &answer.request_id)?;
    Ok(Recorded {
        request_id,
        repeated_answer: answer.repeated_answer,
        verdict: verdict(answer.verdict)?,
    })
}

pub(crate) fn verdict(verdict: Option<v1::Verdict>) -> Result<Verdict, MalformedAnswer> {
    let verdict = verdict.ok_or(MalformedAnswer("no verdict"))?;
    let decision = match verdict.decision() {
        v1::Decision::Granted => Decision::Granted,
        v1::Decision::Denied => Decision::Denied(denial_reason(verdict.reason())?),
        v1::Decision::Unspecified => return Err(MalformedAnswer("no decision")),
    };
    let window = match (verdict.window_start, verdict.window_end) {
        (Some(start), Some(end)) => Some(Window {
            start: time(start)?,
            end: time(end)?,
        }),
        _ => None,
    };
    Ok(Verdict {
        decision,
        remaining: verdict.remaining,
        limit: verdict.limit,
        next_eligible: verdict.next_eligible_time.map(time).transpose()?,
        window,
        decided_at: required_time(verdict.decided_at)?,
        warnings: warnings(&verdict.warnings),
        purchases: purchases(verdict.purchases)?,
        position: position(verdict.position)?,
        rule_version: verdict.rule_version,
    })
}

pub(crate) fn voided(
    request_id: RequestId,
    answer: v1::VoidResponse,
) -> Result<Voided, MalformedAnswer> {
    same_request(request_id, &answer.request_id)?;
    let outcome = match (answer.voided, answer.refusal()) {
        (true, v1::VoidRefusal::Unspecified) => VoidOutcome::Voided,
        (false, v1::VoidRefusal::SaleNotFound) => VoidOutcome::Refused(VoidRefusal::SaleNotFound),
        (false, v1::VoidRefusal::OtherSite) => VoidOutcome::Refused(VoidRefusal::OtherSite),
        (false, v1::VoidRefusal::TooLate) => VoidOutcome::Refused(VoidRefusal::TooLate),
        (false, v1::VoidRefusal::AlreadyVoided) => VoidOutcome::Refused(VoidRefusal::AlreadyVoided),
        (true, _) | (false, v1::VoidRefusal::Unspecified) => {
            return Err(MalformedAnswer("a void is either done or refused"));
        }
    };
    Ok(Voided {
        request_id,
        repeated_answer: answer.repeated_answer,
        outcome,
        quantity: answer.quantity,
        remaining: answer.remaining,
        decided_at: required_time(answer.decided_at)?,
        position: position(answer.position)?,
    })
}

pub(crate) fn sales(answer: v1::ListSalesResponse) -> Result<Sales, MalformedAnswer> {
    Ok(Sales {
        warnings: warnings(&answer.warnings),
        purchases: purchases(answer.purchases)?,
        position: position(answer.position)?,
    })
}

pub(crate) fn time(time: prost_types::Timestamp) -> Result<Timestamp, MalformedAnswer> {
    Timestamp::new(time.seconds, time.nanos).map_err(|_| MalformedAnswer("a time out of range"))
}

pub(crate) fn time_to_wire(time: Timestamp) -> prost_types::Timestamp {
    // Rounded down, so that the thousandths are never negative.
    let ms = time.as_millisecond();
    prost_types::Timestamp {
        seconds: ms.div_euclid(1000),
        nanos: (ms.rem_euclid(1000) * 1_000_000) as i32,
    }
}

pub(super) fn required_time(
    at: Option<prost_types::Timestamp>,
) -> Result<Timestamp, MalformedAnswer> {
    time(at.ok_or(MalformedAnswer("a time is missing"))?)
}

pub(super) fn same_request(sent: RequestId, answered: &str) -> Result<(), MalformedAnswer> {
    if RequestId::parse(answered) == Ok(sent) {
        Ok(())
    } else {
        Err(MalformedAnswer("it answers another request"))
    }
}

fn denial_reason(reason: v1::DenialReason) -> Result<DenialReason, MalformedAnswer> {
    irregularity(reason).ok_or(MalformedAnswer("a denial without a reason"))
}

pub(super) fn irregularity(reason: v1::DenialReason) -> Option<DenialReason> {
    Some(match reason {
        v1::DenialReason::OverLimit => DenialReason::OverLimit,
        v1::DenialReason::NotYourDay => DenialReason::NotYourDay,
        v1::DenialReason::AlreadyVisited => DenialReason::AlreadyVisited,
        v1::DenialReason::ProgramClosed => DenialReason::ProgramClosed,
        v1::DenialReason::SiteTypeNotAllowed => DenialReason::SiteTypeNotAllowed,
        v1::DenialReason::ProxyNotAllowed => DenialReason::ProxyNotAllowed,
        v1::DenialReason::QuantityTooLarge => DenialReason::QuantityTooLarge,
        v1::DenialReason::SiteSuspended => DenialReason::SiteSuspended,
        v1::DenialReason::Unspecified => return None,
    })
}

pub(super) fn position(position: Option<v1::LogPosition>) -> Result<Position, MalformedAnswer> {
    let position = position.ok_or(MalformedAnswer("no log position"))?;
    Ok(Position {
        shard: position.shard,
        term: position.term,
        log_index: position.log_index,
        ordinal: position.ordinal,
    })
}

/// A warning that this version does not know is left out: it never changes the decision.
pub(super) fn warnings(warnings: &[i32]) -> Vec<Warning> {
    let known = |number: &i32| match v1::Warning::try_from(*number) {
        Ok(v1::Warning::IdChecksumMismatch) => Some(Warning::IdChecksumMismatch),
        Ok(v1::Warning::Unspecified) | Err(_) => None,
    };
    warnings.iter().filter_map(known).collect()
}

pub(super) fn purchases(purchases: Vec<v1::Purchase>) -> Result<Vec<Purchase>, MalformedAnswer> {
    purchases.into_iter().map(purchase).collect()
}

fn purchase(purchase: v1::Purchase) -> Result<Purchase, MalformedAnswer> {
    Ok(Purchase {
        request_id: RequestId::parse(&purchase.request_id)
            .map_err(|_| MalformedAnswer("a purchase without a request id"))?,
        quantity: purchase.quantity,
        sold_at: required_time(purchase.sold_at)?,
        site_type: SiteType::parse(&purchase.site_type)
            .map_err(|_| MalformedAnswer("a purchase without a site type"))?,
        kind: sale_kind(purchase.kind())?,
        irregularity: irregularity(purchase.irregularity()),
        region: purchase.region,
        voided_at: purchase.voided_at.map(time).transpose()?,
        own_site: purchase.own_site,
        product: purchase.product,
        rule_version: purchase.rule_version,
        over_by: purchase.over_by,
        proxy_ground: purchase.proxy_ground,
        void_case_number: purchase.void_case_number,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn denied() -> v1::Verdict {
        v1::Verdict {
            decision: v1::Decision::Denied.into(),
            reason: v1::DenialReason::OverLimit.into(),
            limit: 2,
            decided_at: Some(prost_types::Timestamp {
                seconds: 1_583_712_000,
                nanos: 0,
            }),
            position: Some(v1::LogPosition::default()),
            warnings: vec![1, 999],
            ..v1::Verdict::default()
        }
    }

    #[test]
    fn a_denial_reads_with_its_reason() {
        let verdict = verdict(Some(denied())).unwrap();
        assert_eq!(verdict.decision, Decision::Denied(DenialReason::OverLimit));
        assert_eq!(verdict.decided_at.to_string(), "2020-03-09T00:00:00Z");
        assert_eq!(verdict.window, None);
        assert_eq!(verdict.warnings, [Warning::IdChecksumMismatch]);
    }

    #[test]
    fn what_breaks_the_contract_is_no_verdict() {
        assert!(verdict(None).is_err());
        let without_reason = v1::Verdict {
            reason: 0,
            ..denied()
        };
        assert!(verdict(Some(without_reason)).is_err());
        let unknown_reason = v1::Verdict {
            reason: 99,
            ..denied()
        };
        assert!(verdict(Some(unknown_reason)).is_err());
        let without_time = v1::Verdict {
            decided_at: None,
            ..denied()
        };
        assert!(verdict(Some(without_time)).is_err());
    }

    #[test]
    fn an_answer_to_another_request_is_refused() {
        let sent = RequestId::from_bytes([1; 16]).unwrap();
        let other = RequestId::from_bytes([2; 16]).unwrap();
        let answer = v1::RecordResponse {
            verdict: Some(denied()),
            request_id: other.to_string(),
            repeated_answer: false,
        };
        assert!(recorded(sent, answer.clone()).is_err());
        assert!(recorded(other, answer).is_ok());
    }

    #[test]
    fn a_void_is_done_or_refused() {
        let id = RequestId::from_bytes([1; 16]).unwrap();
        let answer = |voided, refusal: v1::VoidRefusal| v1::VoidResponse {
            voided,
            refusal: refusal.into(),
            request_id: id.to_string(),
            decided_at: Some(prost_types::Timestamp::default()),
            position: Some(v1::LogPosition::default()),
            ..v1::VoidResponse::default()
        };
        assert!(voided(id, answer(true, v1::VoidRefusal::Unspecified)).is_ok());
        assert!(voided(id, answer(false, v1::VoidRefusal::TooLate)).is_ok());
        assert!(voided(id, answer(true, v1::VoidRefusal::TooLate)).is_err());
        assert!(voided(id, answer(false, v1::VoidRefusal::Unspecified)).is_err());
    }
}
