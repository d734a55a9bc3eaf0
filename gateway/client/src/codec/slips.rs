//! Slips' answers, and the key they are sealed to.

use quorate_link::SealingKey;
use quorate_proto::{ids::RequestId, v1};

use super::ration;
use crate::{
    error::MalformedAnswer,
    model::{SlipAnswer, SlipOutcome, SlipRejection},
};

/// `None`: the gateway published none, or one that is not a key.
pub(crate) fn sealing_key(key: Option<&v1::SealingKey>) -> Option<SealingKey> {
    let public = <[u8; 32]>::try_from(&*key?.public_key).ok()?;
    Some(SealingKey::from_public(public))
}

pub(crate) fn slip_answer(answer: &v1::UploadSlipsResponse) -> Result<SlipAnswer, MalformedAnswer> {
    let outcome = match (answer.outcome(), answer.rejection()) {
        (v1::SlipOutcome::Accepted, v1::SlipRejection::Unspecified) => SlipOutcome::Accepted,
        (v1::SlipOutcome::Duplicate, v1::SlipRejection::Unspecified) => SlipOutcome::Duplicate,
        (v1::SlipOutcome::OverQuotaRecorded, v1::SlipRejection::Unspecified) => {
            SlipOutcome::OverQuotaRecorded
        }
        (v1::SlipOutcome::NotDecided, v1::SlipRejection::Unspecified) => SlipOutcome::NotDecided,
        (v1::SlipOutcome::Rejected, rejection) => {
            SlipOutcome::Rejected(self::rejection(rejection)?)
        }
        _ => return Err(MalformedAnswer("a slip without a clear outcome")),
    };
    Ok(SlipAnswer {
        request_id: RequestId::parse(&answer.request_id)
            .map_err(|_| MalformedAnswer("a slip's answer without a request id"))?,
        sequence: answer.sequence,
        outcome,
        irregularity: ration::irregularity(answer.irregularity()),
        over_by: answer.over_by,
        remaining: answer.remaining,
        detail: answer.detail.clone(),
        warnings: ration::warnings(&answer.warnings),
        position: ration::position(answer.position).ok(),
    })
}

fn rejection(rejection: v1::SlipRejection) -> Result<SlipRejection, MalformedAnswer> {
    Ok(match rejection {
        v1::SlipRejection::TooOld => SlipRejection::TooOld,
        v1::SlipRejection::InTheFuture => SlipRejection::InTheFuture,
        v1::SlipRejection::ForeignDevice => SlipRejection::ForeignDevice,
        v1::SlipRejection::BadSignature => SlipRejection::BadSignature,
        v1::SlipRejection::UnreadableId => SlipRejection::UnreadableId,
        v1::SlipRejection::InvalidId => SlipRejection::InvalidId,
        v1::SlipRejection::UnknownProgram => SlipRejection::UnknownProgram,
        v1::SlipRejection::UnknownProduct => SlipRejection::UnknownProduct,
        v1::SlipRejection::InvalidQuantity => SlipRejection::InvalidQuantity,
        v1::SlipRejection::RequestIdConflict => SlipRejection::RequestIdConflict,
        v1::SlipRejection::Malformed => SlipRejection::Malformed,
        v1::SlipRejection::Unspecified => {
            return Err(MalformedAnswer("a rejected slip without a reason"));
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn answer(outcome: v1::SlipOutcome, rejection: v1::SlipRejection) -> v1::UploadSlipsResponse {
        v1::UploadSlipsResponse {
            sequence: 3,
            request_id: "0190f3a2-7c1b-7d4e-8f00-1234567890ab".to_owned(),
            outcome: outcome.into(),
            rejection: rejection.into(),
            irregularity: v1::DenialReason::NotYourDay.into(),
            ..v1::UploadSlipsResponse::default()
        }
    }

    #[test]
    fn an_answer_is_clear_or_refused() {
        let read = |outcome, rejection| slip_answer(&answer(outcome, rejection));
        let rejected = read(v1::SlipOutcome::Rejected, v1::SlipRejection::TooOld).unwrap();
        assert_eq!(
            rejected.outcome,
            SlipOutcome::Rejected(SlipRejection::TooOld)
        );
        assert!(rejected.irregularity.is_some());
        assert!(read(v1::SlipOutcome::Accepted, v1::SlipRejection::Unspecified).is_ok());
        assert!(read(v1::SlipOutcome::Accepted, v1::SlipRejection::TooOld).is_err());
        assert!(read(v1::SlipOutcome::Rejected, v1::SlipRejection::Unspecified).is_err());
        assert!(read(v1::SlipOutcome::Unspecified, v1::SlipRejection::Unspecified).is_err());
    }
}
