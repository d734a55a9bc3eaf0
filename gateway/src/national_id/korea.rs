//! The Korean resident registration number: six digits for the birthday, a hyphen that may be left out, and
//! seven more. Every digit is a valid seventh digit, so there is no such fault.

use jiff::civil::Date;
use zeroize::Zeroizing;

use super::{Canonical, NationalId, NationalIdError, Scheme};
use crate::model::Claims;

/// Digits of a number, the hyphen not counted.
const DIGITS: usize = 13;

/// Weights of the first twelve digits in the check sum.
const WEIGHTS: [u32; DIGITS - 1] = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5];

/// Korea's clock, hours ahead of UTC; without daylight saving since 1988.
const KOREA_UTC_OFFSET_HOURS: i8 = 9;

pub(super) fn parse(text: &[u8], now_unix_ms: i64) -> Result<NationalId, NationalIdError> {
    let digits = read_digits(text)?;
    let birth = birth_date(&digits)?;
    if birth > korean_date(now_unix_ms) {
        return Err(NationalIdError::FutureDate);
    }
    // A date of birth lies between 1800 and today.
    let year = u16::try_from(birth.year()).map_err(|_| NationalIdError::ImpossibleDate)?;
    let last = digits[DIGITS - 1];
    Ok(NationalId {
        scheme: Scheme::KrRrn,
        canonical: Canonical::of(digits.iter().map(|digit| digit + b'0')),
        claims: Claims {
            birth_year: Some(year),
            id_digit: Some(last),
        },
        checksum_matches: last == check_digit(&digits),
    })
}

/// The digits as numbers 0 to 9.
fn read_digits(text: &[u8]) -> Result<Zeroizing<[u8; DIGITS]>, NationalIdError> {
    let (first, rest) = match text.len() {
        13 => text.split_at(6),
        14 if text[6] == b'-' => (&text[..6], &text[7..]),
        14 => return Err(NationalIdError::KoreanCharacter),
        _ => return Err(NationalIdError::KoreanLength),
    };
    let mut digits = Zeroizing::new([0; DIGITS]);
    for (digit, byte) in digits.iter_mut().zip(first.iter().chain(rest)) {
        if !byte.is_ascii_digit() {
            return Err(NationalIdError::KoreanCharacter);
        }
        *digit = byte - b'0';
    }
    Ok(digits)
}

/// The century comes from the seventh digit, never from the year's two.
fn birth_date(digits: &[u8; DIGITS]) -> Result<Date, NationalIdError> {
    let century = match digits[6] {
        9 | 0 => 1800,
        1 | 2 | 5 | 6 => 1900,
        _ => 2000,
    };
    let pair = |at: usize| (digits[at] * 10 + digits[at + 1]) as i8;
    Date::new(century + i16::from(pair(0)), pair(2), pair(4))
        .map_err(|_| NationalIdError::ImpossibleDate)
}

fn korean_date(unix_ms: i64) -> Date {
    let now = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    jiff::tz::Offset::constant(KOREA_UTC_OFFSET_HOURS)
        .to_datetime(now)
        .date()
}

fn check_digit(digits: &[u8; DIGITS]) -> u8 {
    let sum: u32 = digits
        .iter()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u32::from(*digit) * weight)
        .sum();
    ((11 - sum % 11) % 10) as u8
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// 2020-03-15 12:00 in Korea.
    const NOW: i64 = 1_584_241_200_000;

    fn parse(number: &str) -> Result<NationalId, NationalIdError> {
        super::parse(number.as_bytes(), NOW)
    }

    /// The number with the right check digit appended to these twelve.
    fn with_check(twelve: &str) -> String {
        let digits = read_digits(format!("{twelve}0").as_bytes()).unwrap();
        format!("{twelve}{}", check_digit(&digits))
    }

    #[test]
    fn the_seventh_digit_decides_the_century() {
        for (seventh, year) in [
            (0, 1899),
            (9, 1899),
            (1, 1999),
            (2, 1999),
            (5, 1999),
            (6, 1999),
        ] {
            let number = with_check(&format!("990101{seventh}00000"));
            assert_eq!(
                parse(&number).ok().unwrap().claims().birth_year,
                Some(year),
                "{seventh}"
            );
        }
        for seventh in [3, 4, 7, 8] {
            let number = with_check(&format!("190101{seventh}00000"));
            assert_eq!(parse(&number).ok().unwrap().claims().birth_year, Some(2019));
        }
    }

    #[test]
    fn faults_are_named_and_never_echoed() {
        use NationalIdError as E;
        let cases = [
            ("", E::KoreanLength),
            ("900101100000", E::KoreanLength),
            ("90010110000000", E::KoreanCharacter),
            ("900101-10000000", E::KoreanLength),
            ("9001011-000000", E::KoreanCharacter),
            ("900101-100000x", E::KoreanCharacter),
            ("90010１1000000", E::KoreanLength),
            ("901301-1000000", E::ImpossibleDate),
            ("900230-1000000", E::ImpossibleDate),
            ("900100-1000000", E::ImpossibleDate),
            ("190229-3000000", E::ImpossibleDate),
            ("000229-1000000", E::ImpossibleDate),
            ("200316-3000000", E::FutureDate),
            ("990101-3000000", E::FutureDate),
        ];
        for (number, fault) in cases {
            assert_eq!(parse(number).err(), Some(fault), "{number:?}");
        }
        assert!(parse("000229-3000000").is_ok(), "2000 was a leap year");
        assert!(parse("200315-3000000").is_ok(), "born on the day itself");
    }

    #[test]
    fn today_is_koreas_today() {
        // 2020-03-15 23:59:59 and 24:00 in Korea are 14:59:59 and 15:00 UTC.
        let midnight = 1_584_284_400_000;
        let born_on_the_16th = b"200316-3000000";
        let before = super::parse(born_on_the_16th, midnight - 1);
        assert_eq!(before.err(), Some(NationalIdError::FutureDate));
        assert!(super::parse(born_on_the_16th, midnight).is_ok());
    }

    #[test]
    fn a_wrong_check_digit_is_a_warning() {
        let right = with_check("900101100000");
        assert!(parse(&right).ok().unwrap().checksum_matches());
        let last = right.as_bytes()[12] - b'0';
        for wrong in (0..10).filter(|digit| *digit != last) {
            let id = parse(&format!("900101100000{wrong}")).ok().unwrap();
            assert!(!id.checksum_matches());
        }
    }

    #[test]
    fn the_check_digit_follows_the_published_formula() {
        // Worked by hand: 2·9+3·0+4·0+5·1+6·0+7·1+8·1+9·2+2·3+3·4+4·5+5·6 = 124; (11 - 124 % 11) % 10 = 8.
        let digits = [9, 0, 0, 1, 0, 1, 1, 2, 3, 4, 5, 6, 0];
        assert_eq!(check_digit(&digits), 8);
    }
}
