//! Printing of messages that hold a national ID: the scheme is shown, the number never.

use std::fmt;

use crate::v1::CitizenId;

impl fmt::Debug for CitizenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CitizenId")
            .field("scheme", &self.scheme)
            .field("number", &"<redacted>")
            .finish()
    }
}
