//! The Taiwanese national identification number: a letter for the place of registration and nine digits.
//! Its rotation goes by the last digit; it does not say the year of birth.

use super::{Canonical, NationalId, NationalIdError, Scheme};
use crate::model::Claims;

/// A letter and nine digits.
const LENGTH: usize = 10;

/// What each letter from A to Z stands for in the check sum.
const LETTERS: [u32; 26] = [
    10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22, 35, 23, 24, 25, 26, 27, 28, 29, 32, 30,
    31, 33,
];

/// Weights of the nine digits in the check sum.
const WEIGHTS: [u32; LENGTH - 1] = [8, 7, 6, 5, 4, 3, 2, 1, 1];

pub(super) fn parse(text: &[u8]) -> Result<NationalId, NationalIdError> {
    let Some((letter, digits)) = text.split_first() else {
        return Err(NationalIdError::TaiwaneseShape);
    };
    let digits_fit = digits.len() == LENGTH - 1 && digits.iter().all(u8::is_ascii_digit);
    if !letter.is_ascii_alphabetic() || !digits_fit {
        return Err(NationalIdError::TaiwaneseShape);
    }
    Ok(NationalId {
        scheme: Scheme::TwNid,
        canonical: Canonical::of(text.iter().map(u8::to_ascii_uppercase)),
        claims: Claims {
            birth_year: None,
            id_digit: digits.last().map(|digit| digit - b'0'),
        },
        checksum_matches: checksum(*letter, digits).is_multiple_of(10),
    })
}

/// The letter's tens count once and its ones nine times; then the digits by their weights.
fn checksum(letter: u8, digits: &[u8]) -> u32 {
    let letter = LETTERS[usize::from(letter.to_ascii_uppercase() - b'A')];
    let digits = digits.iter().zip(WEIGHTS);
    let sum: u32 = digits
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    letter / 10 + letter % 10 * 9 + sum
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_last_digit_is_claimed_and_the_check_digit_is_a_warning() {
        // The sample number of every form: 1 + 0·9 + 1·8+2·7+3·6+4·5+5·4+6·3+7·2+8·1+9·1 = 130.
        let id = parse(b"A123456789").ok().unwrap();
        assert_eq!(id.claims().id_digit, Some(9));
        assert_eq!(id.claims().birth_year, None);
        assert!(id.checksum_matches());
        for last in b'0'..=b'8' {
            let mut wrong = *b"A123456789";
            wrong[9] = last;
            let id = parse(&wrong).ok().unwrap();
            assert!(!id.checksum_matches());
            assert_eq!(id.claims().id_digit, Some(last - b'0'));
        }
        assert!(parse(b"a123456789").ok().unwrap().checksum_matches());
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            "",
            "A",
            "A12345678",
            "A1234567890",
            "1123456789",
            "AB23456789",
            "\u{c5}12345678",
        ] {
            let error = parse(text.as_bytes()).err();
            assert_eq!(error, Some(NationalIdError::TaiwaneseShape), "{text:?}");
        }
    }
}
