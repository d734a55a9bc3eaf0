//! Spans of time as people type them, and instants as people read them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// A span of time given on the command line.
pub(crate) type Span = Duration;

/// Reads "500ms", "10s", "1m 30s", "2h".
pub(crate) fn parse_span(text: &str) -> Result<Span, String> {
    let span: SignedDuration = text
        .parse()
        .map_err(|_| "a time is written as 500ms, 10s, 5m or 2h".to_owned())?;
    match Duration::try_from(span) {
        Ok(span) if !span.is_zero() => Ok(span),
        _ => Err("a time must be more than nothing".to_owned()),
    }
}

/// Reads "2020-03-09T10:00+09:00".
pub(crate) fn parse_instant(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "an instant is written with its offset, as 2020-03-09T10:00+09:00".to_owned())
}

/// Monday 16 March 2020, 00:00 (Asia/Seoul).
pub(crate) fn day_and_time(at: Timestamp, zone: &TimeZone) -> String {
    let zone_name = zone.iana_name().unwrap_or("UTC");
    let local = at.to_zoned(zone.clone());
    format!("{} ({zone_name})", local.strftime("%A %-d %B %Y, %H:%M"))
}

/// Mon 16 Mar 2020 00:00:00.
pub(crate) fn short(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%a %-d %b %Y %H:%M:%S")
        .to_string()
}

/// 2020-03-16T00:00:00+09:00, for other programs.
pub(crate) fn rfc3339(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

/// Mon 9 Mar 2020: a day, of the instant just before an exclusive end or of a start.
pub(crate) fn day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%a %-d %b %Y")
        .to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn spans_are_read_as_people_type_them() {
        assert_eq!(parse_span("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_span("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_span("1m 30s"), Ok(Duration::from_secs(90)));
        for text in ["", "10", "-5s", "0s", "soon"] {
            assert!(parse_span(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn instants_are_read_with_their_offset() {
        let read = parse_instant("2020-03-09T10:00+09:00").unwrap();
        assert_eq!(read.to_string(), "2020-03-09T01:00:00Z");
        for text in ["2020-03-09T10:00", "tomorrow", ""] {
            assert!(parse_instant(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn instants_are_shown_in_the_programs_zone() {
        let zone = TimeZone::get("Asia/Seoul").unwrap();
        let at: Timestamp = "2020-03-15T15:00:00Z".parse().unwrap();
        assert_eq!(
            day_and_time(at, &zone),
            "Monday 16 March 2020, 00:00 (Asia/Seoul)"
        );
        assert_eq!(short(at, &zone), "Mon 16 Mar 2020 00:00:00");
        assert_eq!(rfc3339(at, &zone), "2020-03-16T00:00:00+09:00");
        assert_eq!(day(at, &zone), "Mon 16 Mar 2020");
    }
}
