//! Sessions without state: a challenge to sign, and a token that any gateway of the cluster can read.
//!
//! State owned: keys derived from the cluster's token key, one per purpose. Invariants: a token names the
//! site and device whose key signed the challenge, and nothing in a request can name another; a token of
//! another cluster or key is worth nothing. Deliberately absent: a list of sessions; a token is valid
//! until it expires, wherever it is shown. A signed challenge can be used again within its two minutes,
//! by whoever holds it, to open the same session: it travels under TLS only.

mod challenge;
mod token;

use std::sync::Arc;

use quorate_proto::ids::{DeviceId, SiteCode, SiteType};

pub(crate) use challenge::{ChallengeError, Challenger, public_key, signed_by, signed_slip};
pub(crate) use token::{TokenError, Tokens, session_of};

/// Who is calling: what a token proves, and what is known of its site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) site: SiteCode,
    pub(crate) site_type: SiteType,
    /// Province or metropolitan city of the site, as at the time of login.
    pub(crate) region: Arc<str>,
    pub(crate) device: DeviceId,
    /// Whether the site was suspended when the call came in, as far as the site feed had told. No token
    /// says this: it must hold at once, not from the next login on.
    pub(crate) is_suspended: bool,
    /// Unix milliseconds.
    pub(crate) expires_ms: i64,
}
