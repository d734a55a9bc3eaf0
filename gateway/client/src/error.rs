//! Why a call was not answered, one enum per kind of operation.
//!
//! Law: "nothing was done" and "refused" are said only of what is known to be so (see `outcome`).
//! A denial is no error: it is an answer.

use std::{fmt, time::Duration};

use quorate_proto::{
    ids::RequestId,
    status::{self, ErrorReason},
};
use thiserror::Error;
use tonic::Status;

use crate::outcome::Attempt;

/// The service refused the request as it stands; sending it again would be refused again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Rejection {
    /// What is wrong; `None` if something refused that is not a gateway of ours.
    pub reason: Option<ErrorReason>,
    /// The same in words.
    pub message: String,
    /// The field at fault, where it is one.
    pub field: Option<String>,
}

/// No answer before the deadline.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Outage {
    /// What the service said last; `None` if no gateway was reached.
    pub reason: Option<ErrorReason>,
    /// The same in words.
    pub message: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When the service asked to be called again, after the last attempt.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.attempts == 1 { "" } else { "s" };
        write!(
            f,
            "{} (after {} attempt{plural})",
            self.message, self.attempts
        )
    }
}

/// An answer that breaks the contract: a gateway of another version, most likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the gateway's answer cannot be read: {0}")]
pub struct MalformedAnswer(pub &'static str);

/// Why no session could be opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SessionError {
    /// The device is not enrolled at this site, or its key is another one.
    #[error("login refused: {0}")]
    Rejected(Rejection),
    /// No gateway answered the login.
    #[error("login not answered: {0}")]
    Unavailable(Outage),
    /// The login was answered in a way that cannot be read.
    #[error(transparent)]
    Malformed(MalformedAnswer),
}

/// Why a check or a list was not answered. Neither changes anything.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The request itself is wrong.
    #[error(transparent)]
    Rejected(Rejection),
    /// The terminal could not log in.
    #[error(transparent)]
    Session(SessionError),
    /// No answer before the deadline.
    #[error(transparent)]
    Unavailable(Outage),
    /// Answered in a way that cannot be read.
    #[error(transparent)]
    Malformed(MalformedAnswer),
}

/// Why a sale or a void was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The request itself is wrong. Nothing was recorded.
    #[error(transparent)]
    Rejected(Rejection),
    /// The terminal could not log in. Nothing was recorded.
    #[error(transparent)]
    Session(SessionError),
    /// No answer before the deadline. Nothing was recorded.
    #[error("nothing was recorded: {0}")]
    Unavailable(Outage),
    /// It may or may not have been recorded. Sending it again with the same id is safe, and tells.
    #[error("it is unknown whether {request_id} was recorded: {cause}")]
    OutcomeUnknown {
        /// Of the request in question.
        request_id: RequestId,
        /// What went wrong last, in words.
        cause: String,
    },
}

/// Why an operator's call was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AdminError {
    /// The request itself is wrong, or the certificate is not an operator's.
    #[error(transparent)]
    Rejected(Rejection),
    /// No answer before the deadline. A change that was asked for may or may not have been made; every
    /// change can safely be asked for again.
    #[error(transparent)]
    Unavailable(Outage),
    /// Answered in a way that cannot be read.
    #[error(transparent)]
    Malformed(MalformedAnswer),
}

impl WriteError {
    /// Answered, but in a way that does not say what was done.
    pub(crate) fn unreadable(request_id: RequestId, answer: MalformedAnswer) -> Self {
        Self::OutcomeUnknown {
            request_id,
            cause: answer.to_string(),
        }
    }
}

/// How one call ended that brought no answer, over all its attempts.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) last: Attempt,
    pub(crate) message: String,
    pub(crate) field: Option<String>,
    pub(crate) attempts: u32,
    /// Whether any attempt may have been carried out.
    pub(crate) maybe_done: bool,
}

impl Failed {
    /// `gateway`: where the last attempt went.
    pub(crate) fn new(
        last: Attempt,
        status: &Status,
        gateway: &str,
        attempts: u32,
        maybe_done: bool,
    ) -> Self {
        let words = in_words(status);
        let message = match last.unreachable {
            true => format!("gateway {gateway}: {words}"),
            false => words,
        };
        Self {
            last,
            message,
            field: status::metadata_of(status, status::METADATA_FIELD),
            attempts,
            maybe_done,
        }
    }

    /// The deadline passed while nothing was under way or the last attempt hung.
    pub(crate) fn late(attempts: u32, maybe_done: bool) -> Self {
        Self {
            last: Attempt {
                reason: None,
                maybe_done,
                retryable: true,
                unreachable: false,
                retry_after: None,
            },
            message: "no answer before the deadline".to_owned(),
            field: None,
            attempts,
            maybe_done,
        }
    }

    fn into_outage(self) -> Outage {
        Outage {
            reason: self.last.reason,
            message: self.message,
            attempts: self.attempts,
            retry_after: self.last.retry_after,
        }
    }

    fn split(self) -> Result<Rejection, Outage> {
        let internal = self.last.reason == Some(ErrorReason::Internal);
        if self.last.retryable || self.last.maybe_done || internal {
            return Err(self.into_outage());
        }
        Ok(Rejection {
            reason: self.last.reason,
            message: self.message,
            field: self.field,
        })
    }

    pub(crate) fn into_session(self) -> SessionError {
        match self.split() {
            Ok(rejection) => SessionError::Rejected(rejection),
            Err(outage) => SessionError::Unavailable(outage),
        }
    }

    pub(crate) fn into_read(self) -> ReadError {
        match self.split() {
            Ok(rejection) => ReadError::Rejected(rejection),
            Err(outage) => ReadError::Unavailable(outage),
        }
    }

    pub(crate) fn into_write(self, request_id: RequestId) -> WriteError {
        // The id names other content: this request was not recorded by any attempt, nor ever will be.
        let conflict = self.last.reason == Some(ErrorReason::RequestIdConflict);
        if self.maybe_done && !conflict {
            return WriteError::OutcomeUnknown {
                request_id,
                cause: self.into_outage().to_string(),
            };
        }
        match self.split() {
            Ok(rejection) => WriteError::Rejected(rejection),
            Err(outage) => WriteError::Unavailable(outage),
        }
    }

    pub(crate) fn into_admin(self) -> AdminError {
        match self.split() {
            Ok(rejection) => AdminError::Rejected(rejection),
            Err(outage) => AdminError::Unavailable(outage),
        }
    }
}

/// The message of a status; where it was made on this side, with the causes that say more.
fn in_words(status: &Status) -> String {
    let mut words = status.message().to_owned();
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        let more = error.to_string();
        // What the library says of everything that it carries.
        let says_nothing = more.is_empty() || more == "transport error";
        if !says_nothing && !words.contains(&more) {
            if !words.is_empty() {
                words.push_str(": ");
            }
            words.push_str(&more);
        }
        source = error.source();
    }
    if words.is_empty() {
        words = status.code().description().to_owned();
    }
    words
}

#[cfg(test)]
mod tests {
    use quorate_proto::status::to_status;

    use super::*;

    fn failed(reason: ErrorReason, maybe_done: bool) -> Failed {
        let status = to_status(reason, "in words", &[], None);
        let last = Attempt::judge(&status);
        let maybe_done = maybe_done || last.maybe_done;
        Failed::new(last, &status, "127.0.0.1:1", 2, maybe_done)
    }

    fn request_id() -> RequestId {
        RequestId::from_bytes([7; 16]).expect("not nil")
    }

    #[test]
    fn a_doubt_from_an_earlier_attempt_stays() {
        for reason in [ErrorReason::ShardUnavailable, ErrorReason::SessionExpired] {
            let error = failed(reason, true).into_write(request_id());
            assert!(
                matches!(error, WriteError::OutcomeUnknown { request_id: id, .. } if id == request_id())
            );
        }
    }

    #[test]
    fn a_conflict_settles_every_doubt() {
        let error = failed(ErrorReason::RequestIdConflict, true).into_write(request_id());
        assert!(matches!(error, WriteError::Rejected(_)));
    }

    #[test]
    fn without_doubt_nothing_was_recorded() {
        let error = failed(ErrorReason::ShardUnavailable, false).into_write(request_id());
        assert!(matches!(error, WriteError::Unavailable(ref outage) if outage.attempts == 2));
        let error = failed(ErrorReason::InvalidQuantity, false).into_write(request_id());
        assert!(matches!(error, WriteError::Rejected(_)));
    }

    #[test]
    fn a_fault_inside_the_service_is_not_the_callers() {
        let error = failed(ErrorReason::Internal, false).into_write(request_id());
        assert!(matches!(error, WriteError::OutcomeUnknown { .. }));
        let error = failed(ErrorReason::Internal, false).into_read();
        assert!(matches!(error, ReadError::Unavailable(_)));
    }
}
