//! The one way a node dies of itself: the first failure that makes going on unsafe.
//!
//! Invariant: after a storage error nothing is acknowledged any more; the process ends and says why.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// Why the node cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    action: &'static str,
    detail: String,
}

impl Cause {
    pub(crate) fn new(action: &'static str, detail: impl ToString) -> Self {
        Self {
            action,
            detail: detail.to_string(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.action, self.detail)
    }
}

/// Raises and awaits the failure of a node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Failure {
    cause: Arc<watch::Sender<Option<Cause>>>,
}

impl Failure {
    pub(crate) fn new() -> Self {
        Self {
            cause: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Stops the node. The first cause is kept.
    pub(crate) fn raise(&self, cause: impl Into<Cause>) {
        let cause = cause.into();
        self.cause.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                tracing::error!(%cause, "this node stops");
                *known = Some(cause);
            }
            first
        });
    }

    /// The cause, if the node has failed.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.cause.borrow().clone()
    }

    /// Waits for a failure.
    pub(crate) async fn raised(&self) -> Cause {
        let mut cause = self.cause.subscribe();
        let raised = cause.wait_for(Option::is_some).await;
        match raised.as_deref() {
            Ok(Some(cause)) => cause.clone(),
            _ => unreachable!("the sender lives as long as this handle"),
        }
    }
}
