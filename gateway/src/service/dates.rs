//! Local dates as people write them, and the instants they stand for. Pure.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use tonic::Status;

use super::errors;

/// A date such as "2020-03-11", and nothing else.
pub(crate) fn date(field: &str, text: &str) -> Result<Date, Status> {
    // The library reads other forms as well.
    let written = |date: &Date| date.to_string() == text;
    let date = text.parse().ok().filter(written);
    date.ok_or_else(|| errors::invalid(field, "a date is written as \"2020-03-11\""))
}

/// As reports count: yyyymmdd.
pub(crate) fn number(date: Date) -> u32 {
    let part = |part: i16| u32::from(part.unsigned_abs());
    part(date.year()) * 10_000 + part(date.month().into()) * 100 + part(date.day().into())
}

/// The other way round; a number that is no date stays a number.
pub(crate) fn text(number: u32) -> String {
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The date at an instant, Unix milliseconds.
pub(crate) fn date_at(unix_ms: i64, zone: &TimeZone) -> Option<Date> {
    let at = Timestamp::from_millisecond(unix_ms).ok()?;
    Some(at.to_zoned(zone.clone()).date())
}

/// The first instant of a date and that of the next one, Unix milliseconds. `None` at the end of time.
pub(crate) fn bounds_ms(date: Date, zone: &TimeZone) -> Option<(i64, i64)> {
    let start = |date: Date| {
        let start = date.to_zoned(zone.clone()).ok()?;
        Some(start.timestamp().as_millisecond())
    };
    Some((start(date)?, start(date.tomorrow().ok()?)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use jiff::tz::TimeZoneDatabase;
    use quorate_proto::status::{METADATA_FIELD, metadata_of};

    use super::*;

    #[test]
    fn one_form_is_read() {
        let read = date("date", "2020-03-11").unwrap();
        assert_eq!(
            (number(read), &*text(20_200_311)),
            (20_200_311, "2020-03-11")
        );
        let wrong = [
            "",
            "2020-3-11",
            "20200311",
            "2020-02-30",
            "2020-03-11T00:00",
            "11.3.2020",
            " 2020-03-11",
        ];
        for wrong in wrong {
            let status = date("first_date", wrong).unwrap_err();
            let field = metadata_of(&status, METADATA_FIELD);
            assert_eq!(field.as_deref(), Some("first_date"), "{wrong:?}");
        }
    }

    #[test]
    fn a_day_is_the_zones_day() {
        let zone = TimeZoneDatabase::bundled().get("Asia/Seoul").unwrap();
        // 2020-03-11 00:00 in Korea is 15:00 UTC of the day before.
        let midnight_ms = 1_583_852_400_000;
        let eleventh = date("date", "2020-03-11").unwrap();
        assert_eq!(
            bounds_ms(eleventh, &zone),
            Some((midnight_ms, midnight_ms + 86_400_000))
        );
        assert_eq!(date_at(midnight_ms, &zone), Some(eleventh));
        assert_eq!(date_at(midnight_ms - 1, &zone), eleventh.yesterday().ok());
    }

    #[test]
    fn a_day_may_be_longer_or_shorter() {
        let zone = TimeZoneDatabase::bundled().get("Europe/Berlin").unwrap();
        let hours = |text: &str| {
            let (start, end) = bounds_ms(date("date", text).unwrap(), &zone).unwrap();
            (end - start) / 3_600_000
        };
        assert_eq!((hours("2020-03-29"), hours("2020-10-25")), (23, 25));
    }
}
