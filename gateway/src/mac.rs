//! HMAC-SHA256 under a 32-byte key. Pure; deliberately absent: where keys come from.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A keyed, empty HMAC; cloning it is cheaper than keying it again.
pub(crate) type KeyedMac = Hmac<Sha256>;

/// Keys an HMAC. A shorter key is padded with zeros to the block, as RFC 2104 says, so that this cannot
/// fail.
pub(crate) fn keyed(key: &[u8; 32]) -> KeyedMac {
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    Hmac::new((&*block).into())
}

/// A key for one purpose, so that no key is used for two.
pub(crate) fn derive(key: &[u8; 32], purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut mac = keyed(key);
    mac.update(purpose.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 1, whose key is shorter than ours, padded: HMAC pads keys with zeros itself.
    #[test]
    fn agrees_with_the_published_vector() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let mut mac = keyed(&key);
        mac.update(b"Hi There");
        let tag = mac.finalize().into_bytes();
        assert_eq!(tag[..4], [0xb0, 0x34, 0x4c, 0x61]);
        assert_eq!(tag[28..], [0x2e, 0x32, 0xcf, 0xf7]);
    }

    #[test]
    fn purposes_do_not_share_a_key() {
        assert_ne!(*derive(&[1; 32], "a"), *derive(&[1; 32], "b"));
        assert_ne!(*derive(&[1; 32], "a"), *derive(&[2; 32], "a"));
    }
}
