//! What can go wrong below the rules. Every variant stops the replica: a rule's refusal is an answer.

use thiserror::Error;

use crate::{codec::DecodeError, keys, view::ViewError};

/// Applying or reading failed. Retrying cannot help; whoever sees one stops the node. The message says
/// everything: there is no source behind it to print.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CoreError {
    /// The state could not be read.
    #[error("the state could not be read: {0}")]
    View(ViewError),
    /// A stored value is not what was written.
    #[error("the {} is damaged: {fault}", keys::describe(key))]
    Damaged {
        /// Key of the value.
        key: Vec<u8>,
        /// What is wrong with it.
        fault: DecodeError,
    },
    /// A committed command cannot be read.
    #[error("a committed command cannot be read: {0}")]
    Command(DecodeError),
    /// A time lies outside what the calendar covers.
    #[error("{time_ms} ms lies outside the calendar's range")]
    Time {
        /// Unix milliseconds.
        time_ms: i64,
    },
    /// The stored facts contradict each other.
    #[error("the state breaks a law: {0}")]
    Law(String),
}

impl From<ViewError> for CoreError {
    fn from(error: ViewError) -> Self {
        Self::View(error)
    }
}

impl From<DecodeError> for CoreError {
    fn from(error: DecodeError) -> Self {
        Self::Command(error)
    }
}
