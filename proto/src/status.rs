//! The error table: every reason for which a call is not answered, its gRPC code, and whether trying the
//! same call again can help.
//!
//! Invariant: an error on the wire carries exactly one `ErrorInfo` of domain [`DOMAIN`] and at most one
//! `RetryInfo`. A denial is an answer and never comes here. Messages and metadata never hold a national ID.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// `ErrorInfo.domain` of every error of this product.
pub const DOMAIN: &str = "quorate.v1";

/// Metadata key: the field of the request that is at fault.
pub const METADATA_FIELD: &str = "field";

/// Metadata key: the request id whose outcome is in question.
pub const METADATA_REQUEST_ID: &str = "request_id";

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $code:ident, $retry:literal;)*) => {
        /// Why a call was not answered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorReason {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorReason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// `ErrorInfo.reason`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The gRPC code that goes with it.
            #[must_use]
            pub const fn code(self) -> Code {
                match self {
                    $(Self::$variant => Code::$code,)*
                }
            }

            /// Whether the same call, unchanged and with the same request id, may be sent again with hope
            /// of another outcome.
            #[must_use]
            pub const fn retryable(self) -> bool {
                match self {
                    $(Self::$variant => $retry,)*
                }
            }

            /// The reason of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

// The table: reason, name, gRPC code, retryable.
reasons! {
    /// The national ID is malformed. The number is never echoed.
    InvalidCitizenId = "INVALID_CITIZEN_ID", InvalidArgument, false;
    /// The quantity is 0, or above the rule's largest single sale.
    InvalidQuantity = "INVALID_QUANTITY", InvalidArgument, false;
    /// The request id is missing, nil, or not a UUID.
    InvalidRequestId = "INVALID_REQUEST_ID", InvalidArgument, false;
    /// Another field is wrong; metadata `field` names it.
    InvalidField = "INVALID_FIELD", InvalidArgument, false;
    /// No program of that id.
    UnknownProgram = "UNKNOWN_PROGRAM", InvalidArgument, false;
    /// No site of that code.
    UnknownSite = "UNKNOWN_SITE", NotFound, false;
    /// No such device at that site, or its signature is wrong: on purpose not told apart.
    UnknownDevice = "UNKNOWN_DEVICE", Unauthenticated, false;
    /// The device is enrolled with another key.
    DeviceKeyConflict = "DEVICE_KEY_CONFLICT", AlreadyExists, false;
    /// The request id was used before, with other content.
    RequestIdConflict = "REQUEST_ID_CONFLICT", AlreadyExists, false;
    /// The call carries no session token.
    SessionMissing = "SESSION_MISSING", Unauthenticated, false;
    /// The session token has run out: log in again.
    SessionExpired = "SESSION_EXPIRED", Unauthenticated, false;
    /// The session token is not one of ours.
    SessionInvalid = "SESSION_INVALID", Unauthenticated, false;
    /// The peer's certificate does not carry the role that the call needs.
    RoleRequired = "ROLE_REQUIRED", PermissionDenied, false;
    /// The message is larger than this service reads.
    MessageTooLarge = "MESSAGE_TOO_LARGE", ResourceExhausted, false;
    /// The deadline passed before anything was done.
    DeadlinePassed = "DEADLINE_PASSED", DeadlineExceeded, true;
    /// It may or may not have been recorded. Metadata `request_id` names the request; sending it again
    /// with the same id is safe and tells.
    OutcomeUnknown = "OUTCOME_UNKNOWN", DeadlineExceeded, true;
    /// The shard has no reachable leader. Nothing was done.
    ShardUnavailable = "SHARD_UNAVAILABLE", Unavailable, true;
    /// The service is at its limit. Nothing was done; `RetryInfo` says when to come back.
    Overloaded = "OVERLOADED", ResourceExhausted, true;
    /// A fault of the service itself.
    Internal = "INTERNAL", Internal, false;
}

/// The error as it goes on the wire.
///
/// `metadata` must not hold anything secret; `retry_after` is left out where [`ErrorReason::retryable`] is
/// false, because a client would then wait for nothing.
#[must_use]
pub fn to_status(
    reason: ErrorReason,
    message: impl Into<String>,
    metadata: &[(&str, &str)],
    retry_after: Option<Duration>,
) -> Status {
    let metadata: HashMap<String, String> = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let mut details = ErrorDetails::with_error_info(reason.name(), DOMAIN, metadata);
    if let Some(delay) = retry_after.filter(|_| reason.retryable()) {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(reason.code(), message, details)
}

/// The reason that an error carries, if it is one of ours.
#[must_use]
pub fn reason_of(status: &Status) -> Option<ErrorReason> {
    let info = status.get_details_error_info()?;
    (info.domain == DOMAIN)
        .then(|| ErrorReason::from_name(&info.reason))
        .flatten()
}

/// How long the service asks the caller to wait.
#[must_use]
pub fn retry_after_of(status: &Status) -> Option<Duration> {
    status.get_details_retry_info()?.retry_delay
}

/// One metadata value of an error of ours.
#[must_use]
pub fn metadata_of(status: &Status, key: &str) -> Option<String> {
    let mut info = status.get_details_error_info()?;
    (info.domain == DOMAIN)
        .then(|| info.metadata.remove(key))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_wire() {
        for reason in ErrorReason::ALL.iter().copied() {
            let delay = Duration::from_millis(250);
            let metadata = [(METADATA_FIELD, "quantity")];
            let status = to_status(reason, "said in words", &metadata, Some(delay));
            assert_eq!(status.code(), reason.code());
            assert_eq!(status.message(), "said in words");
            assert_eq!(reason_of(&status), Some(reason));
            assert_eq!(
                metadata_of(&status, METADATA_FIELD).as_deref(),
                Some("quantity")
            );
            assert_eq!(metadata_of(&status, METADATA_REQUEST_ID), None);
            assert_eq!(retry_after_of(&status), reason.retryable().then_some(delay));

            let details = status.get_error_details_vec();
            assert_eq!(details.len(), if reason.retryable() { 2 } else { 1 });
        }
    }

    #[test]
    fn names_are_unique_and_spelled_alike() {
        let mut names: Vec<_> = ErrorReason::ALL
            .iter()
            .map(|reason| reason.name())
            .collect();
        for name in &names {
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
            );
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorReason::ALL.len());
    }

    #[test]
    fn a_foreign_error_has_no_reason() {
        assert_eq!(reason_of(&Status::unavailable("a proxy said so")), None);
        let foreign = ErrorDetails::with_error_info("OVERLOADED", "example.com", HashMap::new());
        let status = Status::with_error_details(Code::Unavailable, "", foreign);
        assert_eq!(reason_of(&status), None);
    }
}
