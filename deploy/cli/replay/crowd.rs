//! Invented buyers: each comes once, on a day that is theirs by the rotation of March 2020.

use jiff::civil::{Date, Weekday, date};

use crate::load::rrn::{Rrn, SERIALS, Sex};

/// Monday to Friday: last digits of the year of birth. Everybody may come on other days.
const DIGITS: [[i16; 2]; 5] = [[1, 6], [2, 7], [3, 8], [4, 9], [5, 0]];

/// People are born in these five decades: all of them grown up in 2020, none so old that others buy for them.
const FIRST_DECADE: i16 = 1950;
const DECADES: u64 = 5;

/// Days of a month that every month has.
const DAYS: u64 = 28;

/// Buyers that differ from each other, and from those of another crowd with another salt.
pub(super) struct Crowd {
    next: u64,
    salt: u64,
}

impl Crowd {
    pub(super) const fn new(salt: u64) -> Self {
        Self { next: 0, salt }
    }

    /// Somebody who never comes.
    pub(super) fn anybody(&self) -> String {
        Rrn::new(date(1949, 12, 31), Sex::Male, false, 0).to_text()
    }

    /// The national ID of somebody who has not been there yet, and whose day this is.
    pub(super) fn buyer(&mut self, day: Date) -> String {
        let number = self.next;
        self.next += 1;
        let digits = match day.weekday() {
            Weekday::Saturday | Weekday::Sunday => DIGITS[(number % 5) as usize],
            weekday => DIGITS[weekday.to_monday_zero_offset().unsigned_abs() as usize],
        };
        let (rest, which) = (number / 2, number % 2);
        let (rest, decade) = (rest / DECADES, rest % DECADES);
        let (rest, day) = (rest / DAYS, rest % DAYS);
        let (rest, month) = (rest / 12, rest % 12);
        let year = FIRST_DECADE + 10 * decade as i16 + digits[which as usize];
        let birthday = date(year, month as i8 + 1, day as i8 + 1);
        let serial = (self.salt.wrapping_add(rest) % u64::from(SERIALS)) as u32;
        Rrn::new(birthday, Sex::Female, false, serial).to_text()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everybody_comes_once_and_on_their_day() {
        let mut crowd = Crowd::new(u64::MAX - 3);
        let mut seen = BTreeSet::new();
        for number in 0..20_000_i32 {
            // 16 March 2020 is a Monday.
            let day = date(2020, 3, 16 + (number % 7) as i8);
            let buyer = crowd.buyer(day);
            let digit = i16::from(buyer.as_bytes()[1] - b'0');
            let weekday = day.weekday().to_monday_zero_offset().unsigned_abs() as usize;
            if let Some(digits) = DIGITS.get(weekday) {
                assert!(digits.contains(&digit), "{digit} came on day {weekday}");
            }
            assert!(seen.insert(buyer), "somebody came twice");
        }
    }
}
