//! Synthetic national IDs: valid in form and check digit, never taken from a person.

use quorate_client::model::NationalId;

/// Birth dates drawn from: 28 days of 12 months of the years 1950 to 2009.
const DATES: u64 = 28 * 12 * 60;

/// The ID of the citizen with this index. Different indexes below 200 million give different IDs.
#[must_use]
pub fn national_id(index: u64) -> NationalId {
    NationalId::new(NationalId::KR_RRN, number(index))
}

/// The same as digits, for command lines.
#[must_use]
pub fn number(index: u64) -> String {
    let (date, serial) = (index % DATES, index / DATES);
    let (day, month, year) = (date % 28 + 1, date / 28 % 12 + 1, 1950 + date / (28 * 12));
    let century_and_sex = if year < 2000 { 1 } else { 3 } + serial % 2;
    let body = format!(
        "{:02}{month:02}{day:02}{century_and_sex}{:05}",
        year % 100,
        serial / 2 % 100_000
    );
    let weights = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5];
    let digits = body.bytes().map(|digit| u32::from(digit - b'0'));
    let sum: u32 = digits
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .sum();
    format!("{body}{}", (11 - sum % 11) % 10)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_differ_and_have_thirteen_digits() {
        let step = 997;
        let ids: BTreeSet<String> = (0..50_000).map(|index| number(index * step)).collect();
        assert_eq!(ids.len(), 50_000);
        assert!(ids.iter().all(|id| id.len() == 13));
    }
}
