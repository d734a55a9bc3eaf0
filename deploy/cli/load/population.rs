//! A synthetic people: any number of persons, each with a valid number of its own, born when Koreans were.
//!
//! Person `i` is a pure function of the seed and `i`, so nothing is kept in memory. No two persons share a
//! number: those with equal serials differ in their point on the scale of birthdays, because the fractional
//! parts of successive multiples of the golden ratio lie farther apart than one birthday is wide.

use jiff::civil::{Date, date};

use super::rrn::{Rrn, SERIALS, Sex};

/// Residents by year of birth, in ten thousands, oldest first: the five-year age groups of the resident
/// registration at the end of 2019, rounded.
const BORN: [(i16, i16, u32); 20] = [
    (1920, 1924, 5),
    (1925, 1929, 20),
    (1930, 1934, 54),
    (1935, 1939, 106),
    (1940, 1944, 160),
    (1945, 1949, 200),
    (1950, 1954, 258),
    (1955, 1959, 370),
    (1960, 1964, 412),
    (1965, 1969, 438),
    (1970, 1974, 441),
    (1975, 1979, 398),
    (1980, 1984, 375),
    (1985, 1989, 325),
    (1990, 1994, 354),
    (1995, 1999, 345),
    (2000, 2004, 272),
    (2005, 2009, 231),
    (2010, 2014, 231),
    (2015, 2019, 190),
];

/// Foreigners with a number of their own, per thousand.
const FOREIGNERS_PER_THOUSAND: u64 = 24;

/// Days of a year that are used, so that every year is as long as every other: no 29 February.
const DAYS_A_YEAR: u64 = 365;

/// Largest population whose numbers are certain to differ. Persons with equal serials are
/// `persons / SERIALS` many; `n` successive multiples of the golden ratio lie at least 1 / (√5 · n) apart;
/// the widest birthday takes 441 / 5185 / 5 / 365 of the scale, which is less than 1 / 21,000; so n may
/// reach 21,000 / √5 > 9,000.
pub(crate) const PERSONS_MAX: u64 = 9_000 * SERIALS as u64;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Population {
    seed: u64,
}

impl Population {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The number of person `index`.
    ///
    /// # Panics
    /// `index` is not below [`PERSONS_MAX`].
    pub(crate) fn number(self, index: u64) -> Rrn {
        assert!(
            index < PERSONS_MAX,
            "a person's index is below {PERSONS_MAX}: {index}"
        );
        let serials = u64::from(SERIALS);
        let (block, place) = (index / serials, index % serials);
        // Odd and not a multiple of 5: multiplying by it permutes the serials.
        let serial = (place * 48_271 + mix(self.seed) % serials) % serials;
        let birthday = birthday(birth_point(self.seed, serial, block));
        // Sex and nationality play no part in keeping numbers apart.
        let chance = mix(self.seed ^ mix(index));
        let sex = if chance & 1 == 0 {
            Sex::Male
        } else {
            Sex::Female
        };
        let foreigner = (chance >> 1) % 1000 < FOREIGNERS_PER_THOUSAND;
        let serial = u32::try_from(serial).expect("a serial is below SERIALS");
        Rrn::new(birthday, sex, foreigner, serial)
    }
}

/// Where on the scale of birthdays, `[0, 1)` in 64 bits, a person stands: at random for its serial, and one
/// golden section farther for each further person of that serial.
fn birth_point(seed: u64, serial: u64, block: u64) -> u64 {
    const GOLDEN_SECTION: u64 = 0x9e37_79b9_7f4a_7c15;
    mix(seed ^ serial.rotate_left(32)).wrapping_add(block.wrapping_mul(GOLDEN_SECTION))
}

fn birthday(point: u64) -> Date {
    let total: u64 = BORN.iter().map(|(_, _, weight)| u64::from(*weight)).sum();
    // The scale is cut into groups by weight, a group into its years, a year into its days.
    let mut rest = u128::from(point) * u128::from(total);
    for (first, last, weight) in BORN {
        let width = u128::from(weight) << 64;
        if rest < width {
            let years = u64::from(last.abs_diff(first)) + 1;
            let days = u128::from(years * DAYS_A_YEAR);
            let day = u64::try_from(rest * days / width).expect("a day of a group");
            return day_of(first, day);
        }
        rest -= width;
    }
    unreachable!("a point lies below 1, and the groups fill the scale")
}

/// The day `days` after 1 January, in years of 365 days.
fn day_of(year: i16, days: u64) -> Date {
    const MONTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let year = year + (days / DAYS_A_YEAR) as i16;
    let mut day = days % DAYS_A_YEAR;
    let mut month = 1;
    for length in MONTHS {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    date(year, month, day as i8 + 1)
}

/// Spreads the bits of a number: the finaliser of splitmix64.
pub(crate) const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    /// What a gateway tells from a number, computed another way round.
    fn read(text: &str) -> (i32, bool) {
        let digits: Vec<u32> = text
            .chars()
            .filter_map(|digit| digit.to_digit(10))
            .collect();
        assert_eq!(digits.len(), 13, "{text}");
        let century = match digits[6] {
            1 | 2 | 5 | 6 => 1900,
            3 | 4 | 7 | 8 => 2000,
            other => panic!("S is {other}"),
        };
        let year = century + digits[0] * 10 + digits[1];
        let (month, day) = (digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]);
        let real = Date::new(year as i16, month as i8, day as i8);
        assert!(real.is_ok(), "{text}");
        let sum: u32 = (0..12).map(|at| digits[at] * (at as u32 % 8 + 2)).sum();
        (year as i32, (11 - sum % 11) % 10 == digits[12])
    }

    #[test]
    fn every_number_is_valid() {
        let population = Population::new(7);
        for index in (0..PERSONS_MAX).step_by(100_003) {
            let (year, checks) = read(&population.number(index).to_text());
            assert!(checks);
            assert!((1920..=2019).contains(&year), "{year}");
        }
    }

    #[test]
    fn no_two_persons_share_a_number() {
        for seed in 0..3 {
            let population = Population::new(seed);
            let count = 400_000;
            let distinct: HashSet<_> = (0..count).map(|index| population.number(index)).collect();
            assert_eq!(distinct.len() as u64, count, "seed {seed}");
        }
    }

    #[test]
    fn persons_of_one_serial_differ_to_the_last() {
        let population = Population::new(5);
        let blocks = PERSONS_MAX / u64::from(SERIALS);
        let same_serial = (0..blocks).map(|block| block * u64::from(SERIALS) + 17);
        let birthdays: HashSet<_> = same_serial
            .map(|index| population.number(index).to_text()[..6].to_owned())
            .collect();
        // Two-digit years: 1920 and 2020 would look alike, but nobody here is that young.
        assert_eq!(birthdays.len() as u64, blocks);
    }

    #[test]
    fn people_are_as_old_as_the_census_says() {
        let population = Population::new(1);
        let count = 200_000;
        let mut by_decade: HashMap<i32, u32> = HashMap::new();
        for index in 0..count {
            let (year, _) = read(&population.number(index).to_text());
            *by_decade.entry(year / 10 * 10).or_default() += 1;
        }
        let total: u32 = BORN.iter().map(|(_, _, weight)| weight).sum();
        for decade in (1920..2020).step_by(10) {
            let expected: u32 = BORN
                .iter()
                .filter(|(first, _, _)| i32::from(*first) / 10 * 10 == decade)
                .map(|(_, _, weight)| weight)
                .sum();
            let expected = f64::from(expected) / f64::from(total);
            let found = f64::from(by_decade[&decade]) / count as f64;
            assert!((expected - found).abs() < 0.005, "{decade}: {found}");
        }
    }

    #[test]
    fn the_same_seed_is_the_same_people() {
        let number = |seed| Population::new(seed).number(123_456).to_text();
        assert_eq!(number(9), number(9));
        assert_ne!(number(9), number(10));
    }
}
