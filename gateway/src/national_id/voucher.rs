//! Vouchers of a household: letters and digits that say nothing of who holds them.

use super::{BYTES_MAX, Canonical, NationalId, NationalIdError, Scheme};
use crate::model::Claims;

/// Shortest voucher, characters: what cannot be guessed by trying a few.
const LENGTH_MIN: usize = 6;

pub(super) fn parse(text: &[u8]) -> Result<NationalId, NationalIdError> {
    let fits = (LENGTH_MIN..=BYTES_MAX).contains(&text.len());
    if !fits || !text.iter().all(u8::is_ascii_alphanumeric) {
        return Err(NationalIdError::VoucherShape);
    }
    Ok(NationalId {
        scheme: Scheme::Voucher,
        canonical: Canonical::of(text.iter().map(u8::to_ascii_uppercase)),
        claims: Claims::default(),
        checksum_matches: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_to_thirty_two_letters_and_digits() {
        for text in ["ABC123", "abc123", &"9".repeat(32)] {
            let id = parse(text.as_bytes());
            assert!(
                id.is_ok_and(|id| id.claims() == Claims::default()),
                "{text:?}"
            );
        }
        for text in ["", "ABC12", &"9".repeat(33), "ABC-123", "교환권123456"] {
            let error = parse(text.as_bytes()).err();
            assert_eq!(error, Some(NationalIdError::VoucherShape), "{text:?}");
        }
    }
}
