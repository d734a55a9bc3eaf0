//! The nonce that a device signs to open a session.
//!
//! Layout: version (1) ‖ nonce (16) ‖ expiry, Unix milliseconds, big-endian (8) ‖ tag (32). The tag is an
//! HMAC over everything before it, the cluster, the site and the device, each preceded by its length, so
//! that a challenge made for one device cannot be answered by another.

use ed25519_dalek::{Signature, VerifyingKey};
use hmac::Mac as _;
use quorate_link::Env;
use quorate_proto::ids::{DeviceId, SiteCode};
use zeroize::Zeroizing;

use crate::{
    limits,
    mac::{self, KeyedMac},
};

/// What a device signs: this, then the challenge.
const SIGNED_PREFIX: &[u8] = b"quorate-session-v1";

const VERSION: u8 = 1;
const BODY_BYTES: usize = 1 + 16 + 8;
const TAG_BYTES: usize = 32;

/// Bytes of a challenge.
pub(crate) const CHALLENGE_BYTES: usize = BODY_BYTES + TAG_BYTES;

/// Bytes of an Ed25519 public key.
pub(crate) const PUBLIC_KEY_BYTES: usize = 32;

/// Makes challenges and judges the answers to them.
pub(crate) struct Challenger {
    keyed: KeyedMac,
}

/// A challenge and the end of its life, Unix milliseconds.
pub(crate) struct Challenge {
    pub(crate) bytes: [u8; CHALLENGE_BYTES],
    pub(crate) expires_ms: i64,
}

/// The challenge that came back is not one of ours, was made for another device, or has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChallengeError {
    /// Not made here, or not for this site and device.
    #[error("the challenge was not issued for this site and device")]
    Foreign,
    /// Two minutes have passed.
    #[error("the challenge has expired; ask for a new one")]
    Expired,
}

impl Challenger {
    pub(crate) fn new(token_key: &[u8; 32], cluster_id: &str) -> Challenger {
        let key: Zeroizing<[u8; 32]> = mac::derive(token_key, "quorate challenge v1");
        let mut keyed = mac::keyed(&key);
        update_with_length(&mut keyed, cluster_id.as_bytes());
        Challenger { keyed }
    }

    /// A fresh challenge for this device.
    pub(crate) fn issue(&self, site: &SiteCode, device: &DeviceId, env: &Env) -> Challenge {
        let lifetime_ms = limits::CHALLENGE_LIFETIME.as_millis() as i64;
        let expires_ms = env.unix_ms().saturating_add(lifetime_ms);
        let mut bytes = [0; CHALLENGE_BYTES];
        bytes[0] = VERSION;
        env.random.fill(&mut bytes[1..17]);
        bytes[17..BODY_BYTES].copy_from_slice(&expires_ms.to_be_bytes());
        let tag = self.mac(&bytes[..BODY_BYTES], site, device).finalize();
        bytes[BODY_BYTES..].copy_from_slice(&tag.into_bytes());
        Challenge { bytes, expires_ms }
    }

    /// Checks that the challenge was issued for this device and is still alive.
    pub(crate) fn check(
        &self,
        challenge: &[u8],
        site: &SiteCode,
        device: &DeviceId,
        now_ms: i64,
    ) -> Result<(), ChallengeError> {
        if challenge.len() != CHALLENGE_BYTES || challenge[0] != VERSION {
            return Err(ChallengeError::Foreign);
        }
        let (body, tag) = challenge.split_at(BODY_BYTES);
        self.mac(body, site, device)
            .verify_slice(tag)
            .map_err(|_| ChallengeError::Foreign)?;
        let mut expires_ms = [0; 8];
        expires_ms.copy_from_slice(&body[17..]);
        if now_ms >= i64::from_be_bytes(expires_ms) {
            return Err(ChallengeError::Expired);
        }
        Ok(())
    }

    fn mac(&self, body: &[u8], site: &SiteCode, device: &DeviceId) -> KeyedMac {
        let mut mac = self.keyed.clone();
        update_with_length(&mut mac, body);
        update_with_length(&mut mac, site.as_bytes());
        update_with_length(&mut mac, device.as_bytes());
        mac
    }
}

fn update_with_length(mac: &mut KeyedMac, part: &[u8]) {
    mac.update(&(part.len() as u64).to_be_bytes());
    mac.update(part);
}

/// Reads a device's public key; refuses those that would accept signatures nobody made.
pub(crate) fn public_key(bytes: &[u8]) -> Option<VerifyingKey> {
    let bytes = <&[u8; PUBLIC_KEY_BYTES]>::try_from(bytes).ok()?;
    let key = VerifyingKey::from_bytes(bytes).ok()?;
    (!key.is_weak()).then_some(key)
}

/// Whether the device with this public key signed this challenge.
pub(crate) fn signed_by(public: &[u8], challenge: &[u8], signature: &[u8]) -> bool {
    let mut message = Vec::with_capacity(SIGNED_PREFIX.len() + challenge.len());
    message.extend_from_slice(SIGNED_PREFIX);
    message.extend_from_slice(challenge);
    verified(public, &message, signature)
}

/// Whether the device with this public key signed the slip of these bytes, which carry a prefix of their
/// own.
pub(crate) fn signed_slip(public: &[u8], signed_bytes: &[u8], signature: &[u8]) -> bool {
    verified(public, signed_bytes, signature)
}

/// Strictly: neither a weak key nor a second encoding of a signature passes.
fn verified(public: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Some(key) = public_key(public) else {
        return false;
    };
    Signature::from_slice(signature)
        .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    fn site(code: &str) -> SiteCode {
        SiteCode::parse(code).unwrap()
    }

    fn device(id: &str) -> DeviceId {
        DeviceId::parse(id).unwrap()
    }

    #[test]
    fn a_challenge_is_good_for_its_device_and_time() {
        let env = Env::system();
        let challenger = Challenger::new(&[1; 32], "demo");
        let (a, one) = (site("A"), device("1"));
        let challenge = challenger.issue(&a, &one, &env);
        let (bytes, expires_ms) = (&challenge.bytes, challenge.expires_ms);
        let check = |by: &Challenger, site: &SiteCode, device: &DeviceId, now_ms: i64| {
            by.check(bytes, site, device, now_ms)
        };

        assert_eq!(check(&challenger, &a, &one, expires_ms - 1), Ok(()));
        assert_eq!(
            check(&challenger, &a, &one, expires_ms),
            Err(ChallengeError::Expired)
        );
        for (other_site, other_device) in [("A", "2"), ("B", "1"), ("A1", "1"), ("1", "A")] {
            assert_eq!(
                check(&challenger, &site(other_site), &device(other_device), 0),
                Err(ChallengeError::Foreign)
            );
        }
        for other in [
            Challenger::new(&[2; 32], "demo"),
            Challenger::new(&[1; 32], "other"),
        ] {
            assert_eq!(check(&other, &a, &one, 0), Err(ChallengeError::Foreign));
        }
    }

    #[test]
    fn no_byte_of_a_challenge_can_be_changed() {
        let challenger = Challenger::new(&[1; 32], "demo");
        let (site, device) = (site("A"), device("1"));
        let original = challenger.issue(&site, &device, &Env::system()).bytes;
        for at in 0..CHALLENGE_BYTES {
            let mut tampered = original;
            tampered[at] ^= 1;
            assert_eq!(
                challenger.check(&tampered, &site, &device, 0),
                Err(ChallengeError::Foreign),
                "byte {at}"
            );
        }
        for length in [0, 1, BODY_BYTES, CHALLENGE_BYTES - 1] {
            assert!(
                challenger
                    .check(&original[..length], &site, &device, 0)
                    .is_err()
            );
        }
    }

    #[test]
    fn challenges_differ() {
        let challenger = Challenger::new(&[1; 32], "demo");
        let issue = || {
            challenger
                .issue(&site("A"), &device("1"), &Env::system())
                .bytes
        };
        assert_ne!(issue(), issue());
    }

    #[test]
    fn only_the_devices_key_signs() {
        let key = SigningKey::from_bytes(&[5; 32]);
        let other = SigningKey::from_bytes(&[6; 32]);
        let challenge = [9; CHALLENGE_BYTES];
        let message = [SIGNED_PREFIX, &challenge].concat();
        let signature = key.sign(&message).to_bytes();
        let public = key.verifying_key().to_bytes();

        assert!(signed_by(&public, &challenge, &signature));
        let bare = key.sign(&challenge).to_bytes();
        assert!(!signed_by(&public, &challenge, &bare), "without the prefix");
        let foreign = other.sign(&message).to_bytes();
        assert!(!signed_by(&public, &challenge, &foreign));
        assert!(!signed_by(&public, &challenge, &signature[..63]));
        assert!(!signed_by(&public[..31], &challenge, &signature));
        assert!(!signed_by(&[], &challenge, &signature));
    }

    #[test]
    fn weak_keys_are_refused() {
        // The neutral element: every message has a signature under it.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert!(public_key(&neutral).is_none());
        assert!(public_key(&SigningKey::from_bytes(&[5; 32]).verifying_key().to_bytes()).is_some());
    }
}
