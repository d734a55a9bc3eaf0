//! What a failed attempt tells about the request: pure judgement over a gRPC status.
//!
//! Law: a request counts as not done only where somebody who must know said so. Everything else may have
//! been done, and is reported so.

use std::{error::Error as _, time::Duration};

use quorate_proto::status::{self, ErrorReason};
use tonic::{Code, ConnectError, Status};

/// One failed attempt.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// What the service said, if it was the service that spoke.
    pub(crate) reason: Option<ErrorReason>,
    /// False only if it is certain that this attempt changed nothing.
    pub(crate) maybe_done: bool,
    /// Whether the same request may be sent again.
    pub(crate) retryable: bool,
    /// Whether another gateway may do better: this one could not be reached or went away.
    pub(crate) unreachable: bool,
    /// The pause that the service asked for.
    pub(crate) retry_after: Option<Duration>,
}

impl Attempt {
    pub(crate) fn judge(status: &Status) -> Self {
        if let Some(reason) = status::reason_of(status) {
            return Self {
                reason: Some(reason),
                maybe_done: maybe_done(reason),
                retryable: reason.retryable(),
                unreachable: false,
                retry_after: status::retry_after_of(status),
            };
        }
        let never_sent = never_sent(status);
        Self {
            reason: None,
            maybe_done: !never_sent && !refused_by_code(status.code()),
            retryable: never_sent || broke_off(status),
            unreachable: never_sent || broke_off(status),
            retry_after: None,
        }
    }

    /// Whether the session, not the request, is at fault.
    pub(crate) fn session_over(&self) -> bool {
        matches!(
            self.reason,
            Some(ErrorReason::SessionExpired | ErrorReason::SessionInvalid)
        )
    }
}

/// Whether a request that was answered so may nevertheless have been recorded.
const fn maybe_done(reason: ErrorReason) -> bool {
    match reason {
        ErrorReason::OutcomeUnknown | ErrorReason::Internal => true,
        ErrorReason::InvalidCitizenId
        | ErrorReason::InvalidQuantity
        | ErrorReason::InvalidRequestId
        | ErrorReason::InvalidField
        | ErrorReason::UnknownProgram
        | ErrorReason::UnknownSite
        | ErrorReason::UnknownDevice
        | ErrorReason::DeviceKeyConflict
        | ErrorReason::RequestIdConflict
        | ErrorReason::SessionMissing
        | ErrorReason::SessionExpired
        | ErrorReason::SessionInvalid
        | ErrorReason::RoleRequired
        | ErrorReason::MessageTooLarge
        | ErrorReason::DeadlinePassed
        | ErrorReason::ShardUnavailable
        | ErrorReason::Overloaded => false,
    }
}

/// Whether no connection came about, so that nothing can have been sent.
fn never_sent(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// Whether the connection was lost on the way. Such a status is made on this side and carries its cause;
/// one that a server sent carries none. A proxy in between says UNAVAILABLE.
fn broke_off(status: &Status) -> bool {
    status.source().is_some() || status.code() == Code::Unavailable
}

/// Codes by which something that is not a gateway of ours turns a call away before it acts.
const fn refused_by_code(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::NotFound
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
    )
}

#[cfg(test)]
mod tests {
    use quorate_proto::status::to_status;

    use super::*;

    #[test]
    fn what_the_service_says_is_taken_at_its_word() {
        for reason in ErrorReason::ALL.iter().copied() {
            let attempt = Attempt::judge(&to_status(reason, "", &[], Some(Duration::from_secs(1))));
            assert_eq!(attempt.reason, Some(reason));
            assert_eq!(attempt.retryable, reason.retryable(), "{reason:?}");
            assert!(!attempt.unreachable);
            assert_eq!(attempt.retry_after.is_some(), reason.retryable());
        }
        let unknown = Attempt::judge(&to_status(ErrorReason::OutcomeUnknown, "", &[], None));
        assert!(unknown.maybe_done);
        let busy = Attempt::judge(&to_status(ErrorReason::Overloaded, "", &[], None));
        assert!(!busy.maybe_done);
    }

    #[test]
    fn a_refused_connection_changed_nothing() {
        let refused = ConnectError("connection refused".into());
        let attempt = Attempt::judge(&Status::from_error(Box::new(refused)));
        assert!(!attempt.maybe_done && attempt.retryable && attempt.unreachable);
    }

    #[test]
    fn a_lost_connection_may_have_changed_anything() {
        let lost = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let attempt = Attempt::judge(&Status::from_error(Box::new(lost)));
        assert!(attempt.maybe_done && attempt.retryable && attempt.unreachable);
    }

    #[test]
    fn a_foreign_server_is_not_pressed() {
        let attempt = Attempt::judge(&Status::unimplemented("no such service"));
        assert!(!attempt.maybe_done && !attempt.retryable && !attempt.unreachable);
        let attempt = Attempt::judge(&Status::unknown("?"));
        assert!(attempt.maybe_done && !attempt.retryable);
    }
}
