//! The keys that open what counters sealed: one that is published, and older ones.
//!
//! State owned: the secrets. Law: a sealed ID is tried with the key that its slip names and with no other.
//! Deliberately absent: IDs; what is opened goes to `national_id` at once.

use quorate_link::{SealingKey, SealingSecret};
use zeroize::Zeroizing;

/// See the module's documentation.
pub(crate) struct SealingKeys {
    /// The first is published.
    secrets: Vec<SealingSecret>,
}

impl SealingKeys {
    /// `None` if there is none, or one twice.
    pub(crate) fn new(secrets: &[Zeroizing<[u8; 32]>]) -> Option<SealingKeys> {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|secret| SealingSecret::from_bytes(secret))
            .collect();
        let mut ids: Vec<_> = secrets.iter().map(|secret| secret.public().id()).collect();
        ids.sort_unstable();
        let distinct = ids.windows(2).all(|pair| pair[0] != pair[1]);
        (distinct && !secrets.is_empty()).then_some(SealingKeys { secrets })
    }

    /// The key to which new slips are sealed.
    pub(crate) fn published(&self) -> &SealingKey {
        self.secrets[0].public()
    }

    /// The secret half of the key of this id.
    pub(crate) fn find(&self, id: &str) -> Option<&SealingSecret> {
        self.secrets
            .iter()
            .find(|secret| secret.public().id() == id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_first_is_published_and_all_are_found() {
        let keys = SealingKeys::new(&[[1; 32].into(), [2; 32].into()]).unwrap();
        let old = SealingSecret::from_bytes(&[2; 32]);
        assert_eq!(
            keys.published(),
            SealingSecret::from_bytes(&[1; 32]).public()
        );
        assert!(keys.find(old.public().id()).is_some());
        assert!(keys.find("0000000000000000").is_none());
        assert!(SealingKeys::new(&[]).is_none());
        assert!(SealingKeys::new(&[[1; 32].into(), [1; 32].into()]).is_none());
    }
}
