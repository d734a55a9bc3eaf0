//! What callers are told when there is no answer: the one way from our errors to the error table.
//!
//! Invariant: no message or metadata here holds any part of a national ID.

use std::{borrow::Cow, time::Duration};

use quorate_link::Env;
use quorate_proto::{
    ids::{RequestId, ShardId},
    status::{
        ErrorReason, METADATA_FIELD, METADATA_REQUEST_ID, reason_of, retry_after_of, to_status,
    },
};
use tonic::Status;

use crate::{
    dispatch::CallError,
    limits,
    model::Rejection,
    national_id::NationalIdError,
    retry::Failure,
    session::{ChallengeError, TokenError},
};

/// A field of the request is wrong.
pub(crate) fn wrong_field(
    reason: ErrorReason,
    field: &str,
    message: impl Into<Cow<'static, str>>,
) -> Status {
    to_status(reason, message.into(), &[(METADATA_FIELD, field)], None)
}

/// A field without a reason of its own is wrong.
pub(crate) fn invalid(field: &str, message: impl Into<Cow<'static, str>>) -> Status {
    wrong_field(ErrorReason::InvalidField, field, message)
}

/// `message` is the field that holds the ID.
pub(crate) fn citizen(message: &str, error: NationalIdError) -> Status {
    wrong_field(
        ErrorReason::InvalidCitizenId,
        &format!("{message}.{}", error.field()),
        error.to_string(),
    )
}

pub(crate) fn token(error: TokenError) -> Status {
    let reason = match error {
        TokenError::Invalid => ErrorReason::SessionInvalid,
        TokenError::Expired => ErrorReason::SessionExpired,
    };
    to_status(reason, error.to_string(), &[], None)
}

pub(crate) fn challenge(error: ChallengeError) -> Status {
    invalid("challenge", error.to_string())
}

/// A code that stands for no site.
pub(crate) fn site_unknown() -> Status {
    let message = "there is no such site";
    wrong_field(ErrorReason::UnknownSite, "site_code", message)
}

pub(crate) fn plain(reason: ErrorReason, message: &'static str) -> Status {
    to_status(reason, message, &[], None)
}

pub(crate) fn deadline_passed() -> Status {
    plain(
        ErrorReason::DeadlinePassed,
        "the deadline passed before anything was done",
    )
}

pub(crate) fn overloaded(env: &Env) -> Status {
    let message = "too many calls at once; nothing was done";
    let wait = spread(limits::RETRY_AFTER_OVERLOADED, env);
    to_status(ErrorReason::Overloaded, message, &[], Some(wait))
}

pub(crate) fn unavailable(env: &Env) -> Status {
    let message = "the shard has no reachable leader; nothing was done";
    let wait = spread(limits::RETRY_AFTER_UNAVAILABLE, env);
    to_status(ErrorReason::ShardUnavailable, message, &[], Some(wait))
}

/// Between `wait` and twice that: those who are sent away together shall not return together.
fn spread(wait: Duration, env: &Env) -> Duration {
    wait + env.random_up_to(wait)
}

/// A call that was not answered. `request_id` is that of a write that can be asked again under it.
pub(crate) fn call(error: CallError, request_id: Option<RequestId>, env: &Env) -> Status {
    match error {
        CallError::Rejected(rejection) => rejected(rejection, request_id),
        CallError::Failed(Failure::OutcomeUnknown) => outcome_unknown(request_id),
        CallError::Failed(Failure::Unavailable) => unavailable(env),
        CallError::Failed(Failure::Overloaded) => overloaded(env),
        CallError::Failed(Failure::DeadlinePassed) => deadline_passed(),
        CallError::Failed(Failure::Internal) => plain(
            ErrorReason::Internal,
            "the gateway and a node disagree; nothing was done",
        ),
    }
}

/// A shard without which the whole answer has a hole: what is wrong, and where.
pub(crate) fn at_shard(error: CallError, shard: ShardId, env: &Env) -> Status {
    let status = call(error, None, env);
    let reason = reason_of(&status).unwrap_or(ErrorReason::Internal);
    let message = format!("shard {shard} could not be read: {}", status.message());
    to_status(reason, message, &[], retry_after_of(&status))
}

pub(crate) fn outcome_unknown(request_id: Option<RequestId>) -> Status {
    let message = match request_id {
        Some(_) => {
            "it may or may not have been recorded; send it again with the same request id to learn"
        }
        None => "it may or may not have been recorded; sending it again is safe",
    };
    with_request_id(ErrorReason::OutcomeUnknown, message, request_id)
}

fn rejected(rejection: Rejection, request_id: Option<RequestId>) -> Status {
    match rejection {
        Rejection::RequestIdConflict => with_request_id(
            ErrorReason::RequestIdConflict,
            "this request id was used before, with other content",
            request_id,
        ),
        Rejection::UnknownProgram => wrong_field(
            ErrorReason::UnknownProgram,
            "program",
            "there is no such program",
        ),
        Rejection::UnknownProduct => wrong_field(
            ErrorReason::InvalidField,
            "product",
            "there is no such product",
        ),
        Rejection::QuantityTooLarge => wrong_field(
            ErrorReason::InvalidQuantity,
            "quantity",
            "the quantity is above the largest single sale of the rule in force",
        ),
        Rejection::TooMany => wrong_field(
            ErrorReason::InvalidField,
            "site",
            "the site has as many devices or products as it may have; it can take no further one",
        ),
    }
}

fn with_request_id(
    reason: ErrorReason,
    message: &'static str,
    request_id: Option<RequestId>,
) -> Status {
    match request_id {
        Some(id) => to_status(
            reason,
            message,
            &[(METADATA_REQUEST_ID, &id.to_string())],
            None,
        ),
        None => to_status(reason, message, &[], None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use quorate_proto::status::metadata_of;

    use super::*;

    #[test]
    fn every_failure_has_its_reason_and_the_request_id_where_it_helps() {
        let env = Env::system();
        let id = RequestId::parse("0190f3a2-7c1b-7d4e-8f00-1234567890ab").unwrap();
        let failed = |failure| call(CallError::Failed(failure), Some(id), &env);
        let cases = [
            (Failure::OutcomeUnknown, ErrorReason::OutcomeUnknown, true),
            (Failure::Unavailable, ErrorReason::ShardUnavailable, false),
            (Failure::Overloaded, ErrorReason::Overloaded, false),
            (Failure::DeadlinePassed, ErrorReason::DeadlinePassed, false),
            (Failure::Internal, ErrorReason::Internal, false),
        ];
        for (failure, reason, names_request) in cases {
            let status = failed(failure);
            assert_eq!(reason_of(&status), Some(reason));
            let named = metadata_of(&status, METADATA_REQUEST_ID);
            assert_eq!(named, names_request.then(|| id.to_string()), "{failure:?}");
        }
        let conflict = CallError::Rejected(Rejection::RequestIdConflict);
        let status = call(conflict, Some(id), &env);
        assert_eq!(reason_of(&status), Some(ErrorReason::RequestIdConflict));
        assert_eq!(
            metadata_of(&status, METADATA_REQUEST_ID),
            Some(id.to_string())
        );
    }

    #[test]
    fn those_sent_away_are_told_when_to_return() {
        let env = Env::system();
        for _ in 0..100 {
            let wait = retry_after_of(&overloaded(&env)).unwrap();
            let least = limits::RETRY_AFTER_OVERLOADED;
            assert!((least..=least * 2).contains(&wait), "{wait:?}");
        }
    }

    #[test]
    fn a_wrong_id_is_named_by_field_and_fault() {
        let status = citizen("citizen", NationalIdError::KoreanLength);
        assert_eq!(reason_of(&status), Some(ErrorReason::InvalidCitizenId));
        let field = metadata_of(&status, METADATA_FIELD);
        assert_eq!(field.as_deref(), Some("citizen.number"));
    }
}
