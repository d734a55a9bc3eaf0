//! The session token: PASETO v4.local, encrypted and authenticated under a key of the whole cluster.
//!
//! The claims travel encrypted; the implicit assertion binds the token to the cluster id without adding
//! to its length. Opening one costs about 4 µs, so opened tokens are not remembered. The nonce of a sealed
//! token is drawn by the library itself; nothing decided here depends on it. Invariant: what [`Tokens::verify`] returns was sealed by a gateway of this cluster and
//! has not expired by the injected clock.

use jiff::Timestamp;
use pasetors::{
    Local,
    keys::SymmetricKey,
    token::UntrustedToken,
    version4::{LocalToken, V4},
};
use quorate_proto::ids::{DeviceId, SiteCode, SiteType};
use serde::{Deserialize, Serialize};

use super::Session;
use crate::{limits, mac};

/// Seals and opens tokens.
pub(crate) struct Tokens {
    key: SymmetricKey<V4>,
    assertion: String,
}

/// Why a token opens no door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// Damaged, made up, or sealed by another cluster.
    #[error("the session token is not valid here; open a session")]
    Invalid,
    /// It was valid once.
    #[error("the session has expired; open a new one")]
    Expired,
}

/// The sealed content. Names are those that PASETO registers where it has one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims<'a> {
    /// The site's code.
    sub: &'a str,
    /// The device.
    dev: &'a str,
    /// The site's type, as a number.
    typ: u32,
    /// The site's region.
    reg: std::borrow::Cow<'a, str>,
    iat: Timestamp,
    exp: Timestamp,
}

impl Tokens {
    /// Derives the key. `None` only if the library refuses a key of 32 bytes.
    pub(crate) fn new(token_key: &[u8; 32], cluster_id: &str) -> Option<Tokens> {
        let key = mac::derive(token_key, "quorate session token v1");
        Some(Tokens {
            key: SymmetricKey::from(&*key).ok()?,
            assertion: format!("quorate-session-v1:{cluster_id}"),
        })
    }

    /// Seals a session. `None` if a time is beyond the calendar or the library has no randomness.
    pub(crate) fn seal(&self, session: &Session, now_ms: i64) -> Option<String> {
        let claims = Claims {
            sub: session.site.as_str(),
            dev: session.device.as_str(),
            typ: u32::from(session.site_type.get()),
            reg: (&*session.region).into(),
            iat: Timestamp::from_millisecond(now_ms).ok()?,
            exp: Timestamp::from_millisecond(session.expires_ms).ok()?,
        };
        let payload = serde_json::to_vec(&claims).ok()?;
        let assertion = Some(self.assertion.as_bytes());
        LocalToken::encrypt(&self.key, &payload, None, assertion).ok()
    }

    /// Opens a token.
    pub(crate) fn verify(&self, token: &str, now_ms: i64) -> Result<Session, TokenError> {
        let session = self.open(token).ok_or(TokenError::Invalid)?;
        if now_ms >= session.expires_ms {
            return Err(TokenError::Expired);
        }
        Ok(session)
    }

    fn open(&self, token: &str) -> Option<Session> {
        if token.len() > limits::TOKEN_BYTES_MAX {
            return None;
        }
        let token = UntrustedToken::<Local, V4>::try_from(token).ok()?;
        if !token.untrusted_footer().is_empty() {
            return None;
        }
        let assertion = Some(self.assertion.as_bytes());
        let trusted = LocalToken::decrypt(&self.key, &token, None, assertion).ok()?;
        session_of(trusted.payload())
    }
}

/// The session that the claims of an opened token name.
pub(crate) fn session_of(claims: &str) -> Option<Session> {
    let claims: Claims<'_> = serde_json::from_str(claims).ok()?;
    Some(Session {
        site: SiteCode::parse(claims.sub).ok()?,
        site_type: SiteType::try_from(claims.typ).ok()?,
        region: (&*claims.reg).into(),
        device: DeviceId::parse(claims.dev).ok()?,
        is_suspended: false,
        expires_ms: claims.exp.as_millisecond(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const NOW: i64 = 1_584_241_200_000;

    fn session() -> Session {
        Session {
            site: SiteCode::parse("11841176").unwrap(),
            site_type: SiteType::PHARMACY,
            region: "서울특별시 \"quoted\"".into(),
            device: DeviceId::parse("till-1").unwrap(),
            is_suspended: false,
            expires_ms: NOW + 60_000,
        }
    }

    fn tokens(key: u8, cluster_id: &str) -> Tokens {
        Tokens::new(&[key; 32], cluster_id).unwrap()
    }

    #[test]
    fn a_token_carries_the_session_until_it_expires() {
        let tokens = tokens(1, "demo");
        let sealed = tokens.seal(&session(), NOW).unwrap();
        assert!(sealed.starts_with("v4.local."));
        assert_eq!(tokens.verify(&sealed, NOW), Ok(session()));
        assert_eq!(tokens.verify(&sealed, NOW + 59_999), Ok(session()));
        assert_eq!(
            tokens.verify(&sealed, NOW + 60_000),
            Err(TokenError::Expired)
        );
    }

    #[test]
    fn another_key_or_cluster_cannot_read_it() {
        let sealed = tokens(1, "demo").seal(&session(), NOW).unwrap();
        for other in [tokens(2, "demo"), tokens(1, "other")] {
            assert_eq!(other.verify(&sealed, NOW), Err(TokenError::Invalid));
        }
    }

    #[test]
    fn no_character_of_a_token_can_be_changed() {
        let tokens = tokens(1, "demo");
        let sealed = tokens.seal(&session(), NOW).unwrap();
        for at in 0..sealed.len() {
            let mut tampered = sealed.clone().into_bytes();
            tampered[at] = if tampered[at] == b'A' { b'B' } else { b'A' };
            let tampered = String::from_utf8(tampered).unwrap();
            assert_eq!(
                tokens.verify(&tampered, NOW),
                Err(TokenError::Invalid),
                "character {at}"
            );
        }
        for rubbish in ["", "v4.local.", "v4.local.AAAA", "v4.public.AAAA", "."] {
            assert_eq!(tokens.verify(rubbish, NOW), Err(TokenError::Invalid));
        }
        let with_footer = format!("{sealed}.Zm9vdGVy");
        assert_eq!(tokens.verify(&with_footer, NOW), Err(TokenError::Invalid));
        let long = format!("{sealed}{}", "A".repeat(limits::TOKEN_BYTES_MAX));
        assert_eq!(tokens.verify(&long, NOW), Err(TokenError::Invalid));
    }
}
