//! National IDs: read at the border, turned into a key, forgotten.
//!
//! [`NationalId`] is the only type that holds an ID. Invariants: it cannot be printed, copied or
//! serialized; its memory is overwritten when it is dropped, and so is the text it was read from; no
//! error of this module repeats any part of what was read. Deliberately absent: storing, comparing or
//! returning an ID. What leaves this module is a [`CitizenKey`], a birth year and a warning.

use hmac::Mac as _;
use jiff::civil::Date;
use quorate_proto::ids::CitizenKey;
use zeroize::Zeroizing;

use crate::mac::{self, KeyedMac};

/// The Korean resident registration number.
pub(crate) const SCHEME_KR_RRN: &str = "KR-RRN";

/// Digits of a Korean number, the hyphen not counted.
const DIGITS: usize = 13;

/// Weights of the first twelve digits in the check sum.
const WEIGHTS: [u32; DIGITS - 1] = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5];

/// Korea's clock, hours ahead of UTC; without daylight saving since 1988.
const KOREA_UTC_OFFSET_HOURS: i8 = 9;

/// A well-formed national ID: 13 digits whose first seven name a day that has come.
pub(crate) struct NationalId {
    digits: Zeroizing<[u8; DIGITS]>,
    birth_year: u16,
    checksum_matches: bool,
}

/// What is wrong with an ID. The field at fault is `citizen.scheme` for [`NationalIdError::Scheme`] and
/// `citizen.number` for all others. Every digit is a valid seventh digit, so there is no such fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NationalIdError {
    /// The scheme is none that this gateway knows.
    #[error("the ID scheme is not known; \"KR-RRN\" is")]
    Scheme,
    /// Not 13 characters, or 14 with the hyphen.
    #[error("the number must have 13 digits, with or without a hyphen after the sixth")]
    Length,
    /// A character is not a digit, or the hyphen is elsewhere.
    #[error("the number may hold digits only, and a hyphen after the sixth")]
    Character,
    /// No calendar has this day.
    #[error("the number's first seven digits name an impossible date of birth")]
    ImpossibleDate,
    /// The day of birth has not come yet in Korea.
    #[error("the number's first seven digits name a date of birth in the future")]
    FutureDate,
}

impl NationalIdError {
    /// The request's field at fault.
    pub(crate) fn field(self) -> &'static str {
        match self {
            NationalIdError::Scheme => "citizen.scheme",
            _ => "citizen.number",
        }
    }
}

impl NationalId {
    /// Reads an ID as it stands on the card. The text is overwritten when this returns.
    ///
    /// # Errors
    /// Says what is wrong and never repeats it.
    pub(crate) fn parse(
        scheme: &str,
        number: Zeroizing<String>,
        now_unix_ms: i64,
    ) -> Result<NationalId, NationalIdError> {
        if scheme == SCHEME_KR_RRN {
            parse_korean(number.as_bytes(), now_unix_ms)
        } else {
            Err(NationalIdError::Scheme)
        }
    }

    /// The full year of birth, by which rules rotate and limit.
    pub(crate) fn birth_year(&self) -> u16 {
        self.birth_year
    }

    /// Whether the check digit is right. A mismatch is a reason to read the card again and never one to
    /// refuse: numbers issued since October 2020 carry no check digit, and nothing tells them apart.
    pub(crate) fn checksum_matches(&self) -> bool {
        self.checksum_matches
    }
}

fn parse_korean(text: &[u8], now_unix_ms: i64) -> Result<NationalId, NationalIdError> {
    let digits = read_digits(text)?;
    let birth = birth_date(&digits)?;
    if birth > korean_date(now_unix_ms) {
        return Err(NationalIdError::FutureDate);
    }
    let checksum_matches = digits[DIGITS - 1] == check_digit(&digits);
    Ok(NationalId {
        digits,
        // A date of birth lies between 1800 and today.
        birth_year: u16::try_from(birth.year()).map_err(|_| NationalIdError::ImpossibleDate)?,
        checksum_matches,
    })
}

/// The digits as numbers 0 to 9.
fn read_digits(text: &[u8]) -> Result<Zeroizing<[u8; DIGITS]>, NationalIdError> {
    let (first, rest) = match text.len() {
        13 => text.split_at(6),
        14 if text[6] == b'-' => (&text[..6], &text[7..]),
        14 => return Err(NationalIdError::Character),
        _ => return Err(NationalIdError::Length),
    };
    let mut digits = Zeroizing::new([0; DIGITS]);
    for (digit, byte) in digits.iter_mut().zip(first.iter().chain(rest)) {
        if !byte.is_ascii_digit() {
            return Err(NationalIdError::Character);
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

/// Turns IDs into keys: the one thing that only a gateway can do, because only it holds the pepper.
pub(crate) struct CitizenHasher {
    keyed: KeyedMac,
}

impl CitizenHasher {
    /// Holds the pepper in its keyed form only.
    pub(crate) fn new(pepper: &[u8; 32]) -> CitizenHasher {
        CitizenHasher {
            keyed: mac::keyed(pepper),
        }
    }

    /// The first 16 bytes of `HMAC-SHA256(pepper, "KR-RRN" ‖ number)`: the scheme's ASCII name, then the
    /// 13 ASCII digits without the hyphen. Nothing stands between the two: no scheme ends in a digit, so
    /// no two pairs of scheme and number run together to the same bytes.
    pub(crate) fn key(&self, id: &NationalId) -> CitizenKey {
        let mut text = Zeroizing::new([0; DIGITS]);
        for (character, digit) in text.iter_mut().zip(id.digits.iter()) {
            *character = digit + b'0';
        }
        let mut mac = self.keyed.clone();
        mac.update(SCHEME_KR_RRN.as_bytes());
        mac.update(&*text);
        let mut key = [0; 16];
        key.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        CitizenKey::new(key)
    }
}

/// Does not compile when the ID becomes printable, copyable or serializable.
const _: () = {
    trait HasOneAnswer<Which> {
        fn answer() {}
    }
    impl<T: ?Sized> HasOneAnswer<()> for T {}

    macro_rules! never {
        ($marker:ident, $forbidden:path) => {
            struct $marker;
            impl<T: ?Sized + $forbidden> HasOneAnswer<$marker> for T {}
        };
    }
    never!(Debug, std::fmt::Debug);
    never!(Display, std::fmt::Display);
    never!(Cloned, Clone);
    never!(Serialized, serde::Serialize);

    // With one of these traits there are two answers, and the compiler refuses to choose.
    let _ = <NationalId as HasOneAnswer<_>>::answer;
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// 2020-03-15 12:00 in Korea.
    const NOW: i64 = 1_584_241_200_000;

    fn parse(number: &str) -> Result<NationalId, NationalIdError> {
        NationalId::parse(SCHEME_KR_RRN, number.to_owned().into(), NOW)
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
            assert_eq!(parse(&number).ok().unwrap().birth_year(), year, "{seventh}");
        }
        for seventh in [3, 4, 7, 8] {
            let number = with_check(&format!("190101{seventh}00000"));
            assert_eq!(parse(&number).ok().unwrap().birth_year(), 2019);
        }
    }

    #[test]
    fn faults_are_named_and_never_echoed() {
        use NationalIdError as E;
        let cases = [
            ("", E::Length),
            ("900101100000", E::Length),
            ("90010110000000", E::Character),
            ("900101-10000000", E::Length),
            ("9001011-000000", E::Character),
            ("900101-100000x", E::Character),
            ("90010１1000000", E::Length),
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

        let foreign = NationalId::parse(
            "JP-MYNUMBER",
            Zeroizing::new("900101-1000000".to_owned()),
            NOW,
        );
        assert_eq!(foreign.err(), Some(E::Scheme));
        assert_eq!(E::Scheme.field(), "citizen.scheme");
        assert_eq!(E::FutureDate.field(), "citizen.number");
    }

    #[test]
    fn today_is_koreas_today() {
        // 2020-03-15 23:59:59 and 24:00 in Korea are 14:59:59 and 15:00 UTC.
        let midnight = 1_584_284_400_000;
        let born_on_the_16th = || Zeroizing::new("200316-3000000".to_owned());
        let before = NationalId::parse(SCHEME_KR_RRN, born_on_the_16th(), midnight - 1);
        assert_eq!(before.err(), Some(NationalIdError::FutureDate));
        assert!(NationalId::parse(SCHEME_KR_RRN, born_on_the_16th(), midnight).is_ok());
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

    #[test]
    fn the_key_depends_on_pepper_and_digits_and_not_on_the_hyphen() {
        let hasher = CitizenHasher::new(&[7; 32]);
        let key = |hasher: &CitizenHasher, number: &str| hasher.key(&parse(number).ok().unwrap());
        let one = key(&hasher, "9001011234568");
        assert_eq!(one, key(&hasher, "900101-1234568"));
        assert_ne!(one, key(&hasher, "900101-1234567"));
        assert_ne!(one, key(&CitizenHasher::new(&[8; 32]), "900101-1234568"));

        let mut mac = mac::keyed(&[7; 32]);
        mac.update(b"KR-RRN9001011234568");
        assert_eq!(one.get()[..], mac.finalize().into_bytes()[..16]);
    }
}
