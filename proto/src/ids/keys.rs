//! Identifiers of 16 bytes: keys on the ring and request ids.

use std::fmt;

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use uuid::Uuid;

use super::{RingPosition, SiteCode};

/// A citizen: the first 16 bytes of a keyed hash of the national ID. Cannot be turned back into the ID
/// without the gateways' secret; still it prints only its first two bytes, so that no log links a person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CitizenKey([u8; 16]);

/// A site: the first 16 bytes of SHA-256 of "site" and the site's code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteKey([u8; 16]);

/// Names one sale or one void for ever: a UUID that the client draws and keeps for every retry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId([u8; 16]);

impl CitizenKey {
    /// Takes the 16 bytes of the keyed hash.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn get(self) -> [u8; 16] {
        self.0
    }

    /// The 16 bytes, borrowed.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Where on the ring this citizen sits: the first 8 bytes, big-endian.
    #[must_use]
    pub const fn position(&self) -> RingPosition {
        position(&self.0)
    }

    /// The 8 bytes after the position.
    #[must_use]
    pub const fn rest(&self) -> [u8; 8] {
        rest(&self.0)
    }
}

impl SiteKey {
    /// Takes the 16 bytes of a key that was made by [`SiteKey::of`].
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The key of the site with this code.
    #[must_use]
    pub fn of(code: &SiteCode) -> Self {
        let digest = Sha256::new()
            .chain_update(b"site")
            .chain_update(code.as_str())
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn get(self) -> [u8; 16] {
        self.0
    }

    /// Where on the ring this site sits: the first 8 bytes, big-endian.
    #[must_use]
    pub const fn position(&self) -> RingPosition {
        position(&self.0)
    }

    /// The 8 bytes after the position.
    #[must_use]
    pub const fn rest(&self) -> [u8; 8] {
        rest(&self.0)
    }
}

const fn position(key: &[u8; 16]) -> RingPosition {
    let [a, b, c, d, e, f, g, h, ..] = *key;
    RingPosition(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

const fn rest(key: &[u8; 16]) -> [u8; 8] {
    let [.., a, b, c, d, e, f, g, h] = *key;
    [a, b, c, d, e, f, g, h]
}

impl RequestId {
    /// Reads a UUID, hyphenated or plain.
    ///
    /// # Errors
    /// Empty, not a UUID, or the nil UUID.
    pub fn parse(text: &str) -> Result<Self, RequestIdError> {
        if text.is_empty() {
            return Err(RequestIdError::Missing);
        }
        let uuid = Uuid::try_parse(text).map_err(|_| RequestIdError::NotUuid)?;
        Self::from_bytes(*uuid.as_bytes())
    }

    /// Takes the 16 bytes of a UUID.
    ///
    /// # Errors
    /// All bytes are 0.
    pub const fn from_bytes(bytes: [u8; 16]) -> Result<Self, RequestIdError> {
        if u128::from_be_bytes(bytes) == 0 {
            return Err(RequestIdError::Nil);
        }
        Ok(Self(bytes))
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn get(self) -> [u8; 16] {
        self.0
    }

    /// The 16 bytes, borrowed.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl TryFrom<&[u8]> for RequestId {
    type Error = RequestIdError;

    fn try_from(bytes: &[u8]) -> Result<Self, RequestIdError> {
        let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| RequestIdError::Length)?;
        Self::from_bytes(bytes)
    }
}

impl TryFrom<&[u8]> for CitizenKey {
    type Error = KeyLengthError;

    fn try_from(bytes: &[u8]) -> Result<Self, KeyLengthError> {
        <[u8; 16]>::try_from(bytes)
            .map(Self)
            .map_err(|_| KeyLengthError)
    }
}

impl fmt::Debug for CitizenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}{:02x}…", self.0[0], self.0[1])
    }
}

impl fmt::Display for CitizenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for SiteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for SiteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The bytes are not the 16 of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a citizen key has 16 bytes")]
pub struct KeyLengthError;

/// Why something is not a [`RequestId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RequestIdError {
    /// Nothing was given.
    #[error("a request id is required")]
    Missing,
    /// The text is not a UUID.
    #[error("a request id is a UUID")]
    NotUuid,
    /// Not 16 bytes.
    #[error("a request id has 16 bytes")]
    Length,
    /// The nil UUID: most likely a client that forgot to draw one.
    #[error("the nil UUID is no request id")]
    Nil,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn request_ids_round_trip_and_refuse() {
        let text = "0190f3a2-7c1b-7d4e-8f00-1234567890ab";
        let id = RequestId::parse(text).unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(RequestId::try_from(&id.get()[..]), Ok(id));
        assert_eq!(RequestId::parse(""), Err(RequestIdError::Missing));
        assert_eq!(RequestId::parse("0190f3a2"), Err(RequestIdError::NotUuid));
        assert_eq!(
            RequestId::parse("00000000-0000-0000-0000-000000000000"),
            Err(RequestIdError::Nil)
        );
        assert_eq!(
            RequestId::try_from(&[1; 15][..]),
            Err(RequestIdError::Length)
        );
    }

    #[test]
    fn citizen_key_prints_two_bytes_only() {
        let mut bytes = [0xab; 16];
        bytes[0] = 0x01;
        let key = CitizenKey::new(bytes);
        assert_eq!(format!("{key:?} {key}"), "01ab… 01ab…");
        assert_eq!(key.position(), RingPosition(0x01ab_abab_abab_abab));
        assert_eq!(key.rest(), [0xab; 8]);
        assert_eq!(CitizenKey::try_from(&[0; 17][..]), Err(KeyLengthError));
    }

    #[test]
    fn site_key_is_the_documented_hash() {
        // printf 'siteP-0001' | sha256sum
        let key = SiteKey::of(&SiteCode::parse("P-0001").unwrap());
        assert_eq!(key.to_string(), "7c73606fad8b1048ee25b19649f886b7");
        assert_eq!(
            key.position().get(),
            u64::from_str_radix(&key.to_string()[..16], 16).unwrap()
        );
    }
}
