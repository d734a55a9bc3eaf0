//! The key pair by which a device proves who it is.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use quorate_link::Env;
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
}
