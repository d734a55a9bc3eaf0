//! National IDs on their way from a counter to a gateway by way of a disk: sealed so that only a gateway
//! reads them.
//!
//! HPKE (RFC 9180) in its base mode: X25519, HKDF-SHA256, ChaCha20-Poly1305. What is sealed is bound to
//! the slip's request id and padded to one length, so that a sealed ID says nothing of the ID and cannot
//! be moved to another slip. Invariants: an ID in the clear is wiped when dropped and cannot be printed; no
//! error tells anything of what was sealed. Deliberately absent: who signs a slip, and where keys are kept.

use std::{convert::Infallible, fmt};

use hpke::{
    Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _,
    aead::ChaCha20Poly1305,
    kdf::HkdfSha256,
    kem::X25519HkdfSha256,
    rand_core::{TryCryptoRng, TryRng},
    single_shot_open, single_shot_seal_with_rng,
};
use quorate_proto::ids::RequestId;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{Env, limits};

/// What the sealed text is for; the keys of another use differ.
const INFO: &[u8] = b"quorate-slip-citizen-v1";

/// Bytes of the sender's part of the key agreement, which come first.
const ENCAPSULATED_BYTES: usize = 32;
/// Bytes of the tag, which come last.
const TAG_BYTES: usize = 16;

/// Bytes of a sealed ID, whatever the ID.
pub const SEALED_BYTES: usize = ENCAPSULATED_BYTES + limits::SEALED_TEXT_BYTES + TAG_BYTES;

/// The gateways' public key. IDs are sealed to it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealingKey {
    id: String,
    public: [u8; 32],
}

/// The secret key that opens what was sealed to its public half.
pub struct SealingSecret {
    secret: <X25519HkdfSha256 as hpke::Kem>::PrivateKey,
    public: SealingKey,
}

/// A national ID in the clear.
pub struct ClearId {
    /// Its scheme.
    pub scheme: String,
    /// The number as written on the card.
    pub number: Zeroizing<String>,
}

/// Why an ID cannot be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No ID is so long.
    #[error("an ID of this length cannot be sealed")]
    TooLong,
    /// The key is a point that no honest gateway publishes.
    #[error("the gateways' sealing key cannot be used")]
    Key,
}

/// A sealed ID was not sealed to this key for this slip, or was damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed ID cannot be opened")]
pub struct UnsealError;

impl SealingKey {
    /// The key of these 32 bytes. Its id is the first 8 bytes of their SHA-256, in hexadecimal digits.
    #[must_use]
    pub fn from_public(public: [u8; 32]) -> Self {
        let mut id = String::with_capacity(16);
        for byte in &Sha256::digest(public)[..8] {
            for digit in [byte >> 4, byte & 0xf] {
                id.extend(char::from_digit(u32::from(digit), 16));
            }
        }
        Self { id, public }
    }

    /// Names the key on slips.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// X25519.
    #[must_use]
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// Seals an ID for the slip with this request id. Every call gives other bytes.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn seal(
        &self,
        scheme: &str,
        number: &str,
        request_id: RequestId,
        env: &Env,
    ) -> Result<Vec<u8>, SealError> {
        let text = pack(scheme, number).ok_or(SealError::TooLong)?;
        let public = <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(&self.public)
            .map_err(|_| SealError::Key)?;
        let (encapsulated, sealed) =
            single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &public,
                INFO,
                &text[..],
                request_id.as_bytes(),
                &mut FromEnv(env),
            )
            .map_err(|_| SealError::Key)?;
        Ok([&encapsulated.to_bytes()[..], &sealed].concat())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealingKey").field(&self.id).finish()
    }
}

impl SealingSecret {
    /// The secret key of these bytes; any 32 random bytes are one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let secret = <X25519HkdfSha256 as hpke::Kem>::PrivateKey::from_bytes(bytes)
            .expect("every 32 bytes are a secret key of X25519");
        let public = X25519HkdfSha256::sk_to_pk(&secret).to_bytes();
        Self {
            secret,
            public: SealingKey::from_public(public.into()),
        }
    }

    /// Its public half.
    #[must_use]
    pub const fn public(&self) -> &SealingKey {
        &self.public
    }

    /// Opens an ID that was sealed for the slip with this request id.
    ///
    /// # Errors
    /// See [`UnsealError`].
    pub fn open(&self, sealed: &[u8], request_id: RequestId) -> Result<ClearId, UnsealError> {
        if sealed.len() != SEALED_BYTES {
            return Err(UnsealError);
        }
        let (encapsulated, sealed) = sealed.split_at(ENCAPSULATED_BYTES);
        let encapsulated = <X25519HkdfSha256 as hpke::Kem>::EncappedKey::from_bytes(encapsulated)
            .map_err(|_| UnsealError)?;
        let text = single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.secret,
            &encapsulated,
            INFO,
            sealed,
            request_id.as_bytes(),
        );
        let text = Zeroizing::new(text.map_err(|_| UnsealError)?);
        unpack(&text).ok_or(UnsealError)
    }
}

/// Prints no secret.
impl fmt::Debug for SealingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealingSecret")
            .field(&self.public.id)
            .finish()
    }
}

/// Prints no number.
impl fmt::Debug for ClearId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClearId")
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

/// Length and bytes of each part, then zeros.
fn pack(scheme: &str, number: &str) -> Option<Zeroizing<[u8; limits::SEALED_TEXT_BYTES]>> {
    let mut text = Zeroizing::new([0; limits::SEALED_TEXT_BYTES]);
    let mut at = 0;
    for part in [scheme, number] {
        let end = at + 1 + part.len();
        if end > text.len() {
            return None;
        }
        text[at] = u8::try_from(part.len()).ok()?;
        text[at + 1..end].copy_from_slice(part.as_bytes());
        at = end;
    }
    Some(text)
}

/// `None`: no ID was packed into it. Whoever has the gateways' public key can seal whatever they like.
pub(crate) fn unpack(text: &[u8]) -> Option<ClearId> {
    let (scheme, rest) = part(text)?;
    let (number, rest) = part(rest)?;
    if rest.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some(ClearId {
        scheme: scheme.to_owned(),
        number: Zeroizing::new(number.to_owned()),
    })
}

fn part(text: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = text.split_first()?;
    let (part, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((std::str::from_utf8(part).ok()?, rest))
}

/// The chance that was handed in, as the library asks for it.
struct FromEnv<'a>(&'a Env);

impl TryRng for FromEnv<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.random.fill(&mut bytes);
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.random_u64())
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        self.0.random.fill(buffer);
        Ok(())
    }
}

/// `Env::random` is secure by contract: it makes nonces too.
impl TryCryptoRng for FromEnv<'_> {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const NUMBER: &str = "900101-1234568";

    fn request(byte: u8) -> RequestId {
        RequestId::from_bytes([byte; 16]).unwrap()
    }

    fn sealed(key: &SealingKey, env: &Env) -> Vec<u8> {
        key.seal("KR-RRN", NUMBER, request(1), env).unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_key_for_its_slip_only() {
        let env = Env::system();
        let secret = SealingSecret::from_bytes(&[7; 32]);
        let bytes = sealed(secret.public(), &env);
        assert_eq!(bytes.len(), SEALED_BYTES);
        let clear = secret.open(&bytes, request(1)).unwrap();
        assert_eq!(clear.scheme, "KR-RRN");
        assert_eq!(*clear.number, NUMBER);
        assert!(!format!("{clear:?}").contains("900101"));

        assert_eq!(secret.open(&bytes, request(2)).err(), Some(UnsealError));
        let other = SealingSecret::from_bytes(&[8; 32]);
        assert_eq!(other.open(&bytes, request(1)).err(), Some(UnsealError));
    }

    #[test]
    fn a_changed_or_cut_text_is_not_opened() {
        let env = Env::system();
        let secret = SealingSecret::from_bytes(&[7; 32]);
        let bytes = sealed(secret.public(), &env);
        for at in [0, 31, 32, SEALED_BYTES - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(secret.open(&changed, request(1)).is_err(), "byte {at}");
        }
        for length in [0, 1, 48, SEALED_BYTES - 1] {
            assert!(secret.open(&bytes[..length], request(1)).is_err());
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(secret.open(&longer, request(1)).is_err());
    }

    #[test]
    fn sealed_ids_look_alike_and_never_the_same() {
        let env = Env::system();
        let secret = SealingSecret::from_bytes(&[7; 32]);
        let key = secret.public();
        let short = key.seal("VOUCHER", "AB12CD", request(1), &env).unwrap();
        let long = sealed(key, &env);
        assert_eq!(short.len(), long.len());
        assert_ne!(long, sealed(key, &env));
        assert!(!long.windows(6).any(|bytes| bytes == b"900101"));
        let too_long = key.seal("KR-RRN", &"9".repeat(96), request(1), &env);
        assert_eq!(too_long, Err(SealError::TooLong));
    }

    #[test]
    fn a_key_is_named_by_its_hash() {
        // RFC 7748, section 6.1: Alice's keys. printf of the public key | sha256sum begins with the id.
        let secret = [
            0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2,
            0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5,
            0x1d, 0xb9, 0x2c, 0x2a,
        ];
        let secret = SealingSecret::from_bytes(&secret);
        let key = secret.public();
        assert_eq!(key.public()[..4], [0x85, 0x20, 0xf0, 0x09]);
        assert_eq!(key.id(), KEY_ID);
        assert_eq!(*key, SealingKey::from_public(*key.public()));
        assert_eq!(format!("{secret:?}"), format!("SealingSecret({KEY_ID:?})"));
    }

    const KEY_ID: &str = "300c9c9603b92a4b";

    #[test]
    fn a_key_that_is_no_point_seals_nothing() {
        let key = SealingKey::from_public([0; 32]);
        let sealed = key.seal("KR-RRN", NUMBER, request(1), &Env::system());
        assert_eq!(sealed, Err(SealError::Key));
    }
}
