//! The key pair by which a device proves who it is.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use quorate_link::Env;
use quorate_proto::ids::RequestId;
use sha2::Sha256;
use zeroize::Zeroizing;

/// An Ed25519 key pair. Never printed; wiped when dropped.
#[derive(Clone)]
pub struct DeviceKey {
    key: SigningKey,
}

impl DeviceKey {
    /// Draws a new key.
    #[must_use]
    pub fn generate(env: &Env) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        env.random.fill(&mut *seed);
        Self::from_seed(&seed)
    }

    /// The key of this seed, which is the private key.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self {
            key: SigningKey::from_bytes(seed),
        }
    }

    /// The private key.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    /// What is enrolled at the site.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// A request id for something that this device shall never name twice: the first 16 bytes of the
    /// HMAC-SHA256 of `parts` under the private key, each preceded by its length, as a UUID of version 8. The
    /// same parts give the same id; nobody without the key can tell anything of the parts.
    #[must_use]
    pub fn request_id(&self, parts: &[&[u8]]) -> RequestId {
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(&*self.seed());
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        mac.update(b"quorate-request-id-v1");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        let uuid = uuid::Builder::from_custom_bytes(bytes).into_uuid();
        RequestId::from_bytes(uuid.into_bytes()).expect("a UUID of version 8 is not nil")
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_the_key() {
        let key = DeviceKey::generate(&Env::system());
        let again = DeviceKey::from_seed(&key.seed());
        assert_eq!(again.public(), key.public());
        assert_eq!(again.sign(b"m"), key.sign(b"m"));
        assert_eq!(format!("{key:?}"), "DeviceKey { .. }");
    }

    #[test]
    fn a_request_id_is_of_its_parts_and_its_key() {
        let (one, other) = (
            DeviceKey::from_seed(&[1; 32]),
            DeviceKey::from_seed(&[2; 32]),
        );
        let id = one.request_id(&[b"a", b"bc"]);
        assert_eq!(id, one.request_id(&[b"a", b"bc"]));
        assert_ne!(id, one.request_id(&[b"ab", b"c"]));
        assert_ne!(id, other.request_id(&[b"a", b"bc"]));
        assert_eq!(id.get()[6] >> 4, 8, "version 8");
    }
}
