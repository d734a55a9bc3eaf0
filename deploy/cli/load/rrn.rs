//! Synthetic Korean resident registration numbers: well formed, with a right check digit, of nobody.
//!
//! Six digits for the birthday without its century, a hyphen, one for sex, century and nationality, five
//! more, and the check digit.

use std::fmt;

use jiff::civil::Date;

/// Weights of the first twelve digits in the check digit.
const WEIGHTS: [u32; 12] = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5];

/// Five-digit serials.
pub(crate) const SERIALS: u32 = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sex {
    Male,
    Female,
}

/// A number that is valid by construction.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rrn([u8; 13]);

impl Rrn {
    /// # Panics
    /// The year of birth is not in 1900–2099, or `serial` is not below [`SERIALS`].
    pub(crate) fn new(birthday: Date, sex: Sex, foreigner: bool, serial: u32) -> Self {
        assert!(
            (1900..2100).contains(&birthday.year()),
            "a birthday lies in 1900–2099: {birthday}"
        );
        assert!(serial < SERIALS, "a serial is below {SERIALS}: {serial}");
        let first_of_century = match (birthday.year() < 2000, foreigner) {
            (true, false) => 1,
            (false, false) => 3,
            (true, true) => 5,
            (false, true) => 7,
        };
        let s = first_of_century
            + match sex {
                Sex::Male => 0,
                Sex::Female => 1,
            };
        let year = u32::from(birthday.year().unsigned_abs()) % 100;
        let month = u32::from(birthday.month().unsigned_abs());
        let day = u32::from(birthday.day().unsigned_abs());
        let mut digits = [0; 13];
        write_digits(&mut digits[0..2], year);
        write_digits(&mut digits[2..4], month);
        write_digits(&mut digits[4..6], day);
        write_digits(&mut digits[6..7], s);
        write_digits(&mut digits[7..12], serial);
        digits[12] = check_digit(&digits);
        Self(digits)
    }

    /// As on the card.
    pub(crate) fn to_text(self) -> String {
        let mut text = String::with_capacity(14);
        for (index, digit) in self.0.into_iter().enumerate() {
            if index == 6 {
                text.push('-');
            }
            text.push(char::from(b'0' + digit));
        }
        text
    }
}

/// Not even a synthetic number is printed by accident.
impl fmt::Debug for Rrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rrn")
    }
}

fn write_digits(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = (number % 10) as u8;
        number /= 10;
    }
}

/// (11 − Σ mod 11) mod 10 over the first twelve digits.
fn check_digit(digits: &[u8; 13]) -> u8 {
    let weighted = WEIGHTS.iter().zip(digits);
    let sum: u32 = weighted
        .map(|(weight, digit)| weight * u32::from(*digit))
        .sum();
    ((11 - sum % 11) % 10) as u8
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_check_digit_is_that_of_the_published_rule() {
        // Σ of 9·2+0·3+0·4+1·5+0·6+1·7+1·8+2·9+3·2+4·3+5·4+6·5 = 124; 11 − 124 mod 11 = 8.
        let number = Rrn::new(date(1990, 1, 1), Sex::Male, false, 23_456);
        assert_eq!(number.to_text(), "900101-1234568");
    }

    #[test]
    fn the_seventh_digit_tells_century_sex_and_nationality() {
        let digit = |year, sex, foreigner| {
            let text = Rrn::new(date(year, 2, 28), sex, foreigner, 0).to_text();
            text.as_bytes()[7] - b'0'
        };
        assert_eq!(digit(1999, Sex::Male, false), 1);
        assert_eq!(digit(1999, Sex::Female, false), 2);
        assert_eq!(digit(2000, Sex::Male, false), 3);
        assert_eq!(digit(2000, Sex::Female, false), 4);
        assert_eq!(digit(1999, Sex::Male, true), 5);
        assert_eq!(digit(1999, Sex::Female, true), 6);
        assert_eq!(digit(2000, Sex::Male, true), 7);
        assert_eq!(digit(2000, Sex::Female, true), 8);
    }

    #[test]
    fn numbers_are_padded() {
        let text = Rrn::new(date(2001, 2, 3), Sex::Male, false, 7).to_text();
        assert!(text.starts_with("010203-300007"), "{text}");
        assert_eq!(text.len(), 14);
    }

    #[test]
    fn a_number_is_not_printed() {
        let number = Rrn::new(date(1990, 1, 1), Sex::Male, false, 1);
        assert_eq!(format!("{number:?}"), "Rrn");
    }
}
