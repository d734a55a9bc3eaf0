//! Whether an ID has the shape of one: what a counter can tell without a gateway, so that a slip is not
//! written for a mistyped number. Pure. The gateway judges again, and its word counts.
//!
//! Invariant: no error repeats any part of the number.

use jiff::{Timestamp, civil::Date, tz::Offset};

use super::NationalId;

/// Korea's clock, hours ahead of UTC.
const KOREA_UTC_OFFSET_HOURS: i8 = 9;

/// What is wrong with the shape of an ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdShapeError {
    /// Too short or too long.
    #[error("the number has {digits} digits, with or without a hyphen after the sixth")]
    Length {
        /// How many it must have.
        digits: usize,
    },
    /// Something else than digits.
    #[error("the number may hold digits only, and a hyphen after the sixth")]
    Character,
    /// No calendar has this day.
    #[error("the first seven digits name an impossible date of birth")]
    ImpossibleDate,
    /// The day of birth has not come yet.
    #[error("the first seven digits name a date of birth in the future")]
    FutureDate,
    /// Nothing at all.
    #[error("a number is needed")]
    Empty,
}

impl NationalId {
    /// Checks the shape, at this instant (Unix milliseconds). A scheme that is not known here passes with
    /// any number but none.
    ///
    /// # Errors
    /// See [`IdShapeError`].
    pub fn check_shape(&self, now_ms: i64) -> Result<(), IdShapeError> {
        let number = self.number().as_bytes();
        if number.is_empty() {
            return Err(IdShapeError::Empty);
        }
        match self.scheme() {
            Self::KR_RRN => korean(number, now_ms),
            _ => Ok(()),
        }
    }
}

fn korean(number: &[u8], now_ms: i64) -> Result<(), IdShapeError> {
    const DIGITS: usize = 13;
    let digit = |at: usize| {
        let byte = match number.len() {
            DIGITS => number.get(at),
            _ => number.get(if at < 6 { at } else { at + 1 }),
        };
        byte.filter(|byte| byte.is_ascii_digit())
            .map(|byte| i16::from(byte - b'0'))
            .ok_or(IdShapeError::Character)
    };
    match number.len() {
        DIGITS => {}
        14 if number[6] == b'-' => {}
        14 => return Err(IdShapeError::Character),
        _ => return Err(IdShapeError::Length { digits: DIGITS }),
    }
    for at in 0..DIGITS {
        digit(at)?;
    }
    let pair = |at: usize| Ok::<i16, IdShapeError>(digit(at)? * 10 + digit(at + 1)?);
    let century = match digit(6)? {
        9 | 0 => 1800,
        1 | 2 | 5 | 6 => 1900,
        _ => 2000,
    };
    let birth = Date::new(century + pair(0)?, pair(2)? as i8, pair(4)? as i8)
        .map_err(|_| IdShapeError::ImpossibleDate)?;
    let now = Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let today = Offset::constant(KOREA_UTC_OFFSET_HOURS).to_datetime(now);
    match birth > today.date() {
        true => Err(IdShapeError::FutureDate),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2020-03-15 12:00 in Korea.
    const NOW: i64 = 1_584_241_200_000;

    #[test]
    fn shapes_pass_or_are_named() {
        use IdShapeError as E;
        let cases = [
            ("900101-1234568", Ok(())),
            ("9001011234568", Ok(())),
            ("900101-1234567", Ok(())),
            ("200315-3000000", Ok(())),
            ("000229-3000000", Ok(())),
            ("", Err(E::Empty)),
            ("900101-123456", Err(E::Character)),
            ("90010112345", Err(E::Length { digits: 13 })),
            ("9001011-234568", Err(E::Character)),
            ("900101-12345x8", Err(E::Character)),
            ("901301-1234568", Err(E::ImpossibleDate)),
            ("000229-1000000", Err(E::ImpossibleDate)),
            ("200316-3000000", Err(E::FutureDate)),
        ];
        for (number, expected) in cases {
            let id = NationalId::new(NationalId::KR_RRN, number);
            assert_eq!(id.check_shape(NOW), expected, "{number}");
        }
        let voucher = NationalId::new("VOUCHER", "AB12CD");
        assert_eq!(voucher.check_shape(NOW), Ok(()));
    }
}
