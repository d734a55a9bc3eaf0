//! How the program ends: exit codes, and the failures that lead to them.
//!
//! Law: a failure is one clear sentence that says what to do next; it is printed once, in `main`.

use std::fmt;

use quorate_client::{
    AdminError, ImportError, OpenError, Outage, ReadError, Rejection, SessionError, WriteError,
};
use quorate_proto::{ids::RequestId, status::ErrorReason};
use serde_json::json;

/// Exit codes. Scripts depend on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; for a sale or check: granted.
    Ok = 0,
    /// Something unexpected.
    Failed = 1,
    /// Wrong usage, configuration or input.
    Usage = 2,
    /// The sale or check was denied, the void refused. An answer, not an error.
    Denied = 3,
    /// It may or may not have been recorded.
    Unknown = 4,
    /// Nothing was done: the service was not reached, not able, or at its limit.
    Unavailable = 5,
    /// Replicas, or counts that must agree, differ.
    Difference = 6,
}

/// For `--help`.
pub(crate) const EXIT_CODES_HELP: &str = "\
Exit codes:
  0  done; for sell and check: granted
  1  unexpected failure
  2  wrong usage, configuration or input
  3  denied, or some slips rejected (an answer: the reason is printed)
  4  unknown outcome: repeat with the same --request-id, which is safe
  5  service unavailable or overloaded: nothing was done
  6  a verification found a difference";

/// Why the program ends without what was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// What happened, without a full stop.
    pub(crate) what: String,
    /// What to do next, without a full stop.
    pub(crate) next: Option<String>,
    /// The request in question.
    pub(crate) request_id: Option<RequestId>,
    /// The contract's name for it.
    pub(crate) reason: Option<ErrorReason>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            next: None,
            request_id: None,
            reason: None,
        }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    pub(crate) fn unexpected(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what)
    }

    pub(crate) fn next(self, next: impl Into<String>) -> Self {
        Self {
            next: Some(next.into()),
            ..self
        }
    }

    /// As `-o json` prints it.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        json!({ "error": {
            "exit_code": self.exit as u8,
            "reason": self.reason.map(ErrorReason::name),
            "message": self.what,
            "next": self.next,
            "request_id": self.request_id.map(|id| id.to_string()),
        }})
    }

    fn rejected(rejection: &Rejection) -> Self {
        let field = rejection
            .field
            .as_ref()
            .filter(|field| !rejection.message.contains(field.as_str()))
            .map_or(String::new(), |field| format!(" ({field})"));
        let failure = Self {
            reason: rejection.reason,
            ..Self::usage(format!("{}{field}", rejection.message))
        };
        match advice(rejection.reason) {
            Some(advice) => failure.next(advice),
            None => failure,
        }
    }

    fn outage(outage: &Outage) -> Self {
        let exit = match outage.reason {
            Some(ErrorReason::Internal) => Exit::Failed,
            _ => Exit::Unavailable,
        };
        let failure = Self {
            reason: outage.reason,
            ..Self::new(exit, outage.to_string())
        };
        failure.next(match (outage.reason, outage.retry_after) {
            (Some(ErrorReason::Internal), _) => "look into the gateway's log".to_owned(),
            (_, Some(delay)) => format!("try again in {:.1} s", delay.as_secs_f64()),
            (None, None) => "is the cluster running, and is this the right context?".to_owned(),
            (Some(_), None) => "try again".to_owned(),
        })
    }

    fn malformed(error: impl fmt::Display) -> Self {
        Self::unexpected(error.to_string()).next("use a client of the gateways' version")
    }
}

fn advice(reason: Option<ErrorReason>) -> Option<&'static str> {
    match reason? {
        ErrorReason::InvalidCitizenId => Some("read the card again"),
        ErrorReason::UnknownProgram => {
            Some("`quorate admin status` lists the programs; choose one with --program")
        }
        ErrorReason::UnknownSite => Some("import it with `quorate admin sites import`"),
        ErrorReason::UnknownDevice => {
            Some("enrol this device with `quorate admin device enroll`, or choose another context")
        }
        ErrorReason::DeviceKeyConflict => Some("give the device another name"),
        ErrorReason::RequestIdConflict => {
            Some("use another --request-id: this one names another request")
        }
        ErrorReason::RoleRequired => Some("the context needs a certificate of the role `operator`"),
        ErrorReason::SessionMissing | ErrorReason::SessionExpired | ErrorReason::SessionInvalid => {
            Some("do all gateways have the same token key and the right time?")
        }
        ErrorReason::InvalidQuantity
        | ErrorReason::InvalidRequestId
        | ErrorReason::InvalidField
        | ErrorReason::MessageTooLarge
        | ErrorReason::DeadlinePassed
        | ErrorReason::OutcomeUnknown
        | ErrorReason::ShardUnavailable
        | ErrorReason::Overloaded
        | ErrorReason::Internal => None,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.next {
            Some(next) => write!(f, "{}; {next}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match &error {
            SessionError::Rejected(rejection) => Self {
                what: error.to_string(),
                ..Self::rejected(rejection)
            },
            SessionError::Unavailable(outage) => Self {
                what: error.to_string(),
                ..Self::outage(outage)
            },
            SessionError::Malformed(malformed) => Self::malformed(malformed),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Rejected(rejection) => Self::rejected(&rejection),
            ReadError::Session(error) => error.into(),
            ReadError::Unavailable(outage) => Self::outage(&outage),
            ReadError::Malformed(malformed) => Self::malformed(malformed),
        }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match &error {
            WriteError::Rejected(rejection) => Self::rejected(rejection),
            WriteError::Session(session) => session.clone().into(),
            WriteError::Unavailable(outage) => Self {
                what: error.to_string(),
                ..Self::outage(outage)
            },
            WriteError::OutcomeUnknown { request_id, .. } => Self {
                request_id: Some(*request_id),
                reason: Some(ErrorReason::OutcomeUnknown),
                ..Self::new(Exit::Unknown, error.to_string())
            }
            .next(format!(
                "repeat the same command with --request-id {request_id}: it is recorded once at most"
            )),
        }
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Rejected(rejection) => Self::rejected(&rejection),
            AdminError::Unavailable(outage) => Self::outage(&outage),
            AdminError::Malformed(malformed) => Self::malformed(malformed),
        }
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        let sites_done = error.sites_done;
        let refused = matches!(error.source, AdminError::Rejected(_));
        let cause = Self::from(error.source);
        let what = format!(
            "the import stopped after {sites_done} sites: {}",
            cause.what
        );
        let failure = Self { what, ..cause };
        match refused {
            true => failure,
            false => failure.next("run the import again: what is there already stays"),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::usage(error.to_string()).next("check `gateways` and the certificates of the context")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn outage(reason: Option<ErrorReason>) -> Outage {
        Outage {
            reason,
            message: "no leader".to_owned(),
            attempts: 3,
            retry_after: None,
        }
    }

    fn rejection(reason: ErrorReason) -> Rejection {
        Rejection {
            reason: Some(reason),
            message: "that is wrong".to_owned(),
            field: Some("quantity".to_owned()),
        }
    }

    #[test]
    fn every_error_has_its_exit_code() {
        let request_id = RequestId::from_bytes([1; 16]).unwrap();
        let unknown = WriteError::OutcomeUnknown {
            request_id,
            cause: String::new(),
        };
        let wrong = rejection(ErrorReason::InvalidQuantity);
        let cases: [(Failure, Exit); 8] = [
            (WriteError::Rejected(wrong.clone()).into(), Exit::Usage),
            (unknown.into(), Exit::Unknown),
            (
                WriteError::Unavailable(outage(Some(ErrorReason::Overloaded))).into(),
                Exit::Unavailable,
            ),
            (
                WriteError::Session(SessionError::Unavailable(outage(None))).into(),
                Exit::Unavailable,
            ),
            (
                ReadError::Unavailable(outage(Some(ErrorReason::Internal))).into(),
                Exit::Failed,
            ),
            (ReadError::Rejected(wrong.clone()).into(), Exit::Usage),
            (AdminError::Rejected(wrong).into(), Exit::Usage),
            (
                AdminError::Unavailable(outage(None)).into(),
                Exit::Unavailable,
            ),
        ];
        for (failure, exit) in cases {
            assert_eq!(failure.exit, exit, "{failure}");
        }
    }

    #[test]
    fn an_unknown_outcome_says_how_to_find_out() {
        let request_id = RequestId::from_bytes([1; 16]).unwrap();
        let failure = Failure::from(WriteError::OutcomeUnknown {
            request_id,
            cause: "connection lost".to_owned(),
        });
        let id = request_id.to_string();
        assert!(failure.to_string().contains(&format!("--request-id {id}")));
        assert_eq!(failure.to_json()["error"]["request_id"], id);
        assert_eq!(failure.to_json()["error"]["exit_code"], 4);
    }

    #[test]
    fn a_rejection_names_its_field_once() {
        let failure = Failure::from(ReadError::Rejected(rejection(ErrorReason::InvalidField)));
        assert_eq!(failure.to_string(), "that is wrong (quantity)");
        let named = Rejection {
            message: "quantity must be 1 or more".to_owned(),
            ..rejection(ErrorReason::InvalidQuantity)
        };
        let failure = Failure::from(ReadError::Rejected(named));
        assert_eq!(failure.to_string(), "quantity must be 1 or more");
    }
}
