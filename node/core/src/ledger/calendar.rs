//! Days and windows in a program's time zone.
//!
//! State owned: days already worked out. Time zone arithmetic costs far more than deciding a sale, and all
//! sales of a batch fall into the same few days.

use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};

use super::rule::WindowKind;
use crate::error::CoreError;

/// A stretch of time over which sales add up, Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First millisecond inside.
    pub start_ms: i64,
    /// First millisecond behind.
    pub end_ms: i64,
}

impl Window {
    /// Whether the instant lies inside.
    #[must_use]
    pub const fn contains(self, at_ms: i64) -> bool {
        self.start_ms <= at_ms && at_ms < self.end_ms
    }
}

/// One local day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) date: Date,
    pub(crate) span: Window,
}

impl Day {
    /// The date as yyyymmdd.
    pub(super) fn number(self) -> u32 {
        // Instants are lawful from 1970 to 9000 only.
        let year = u32::from(self.date.year().unsigned_abs());
        year * 10_000
            + u32::from(self.date.month().unsigned_abs()) * 100
            + u32::from(self.date.day().unsigned_abs())
    }
}

/// Works out days and windows of one time zone.
#[derive(Debug)]
pub(crate) struct Calendar {
    zone: TimeZone,
    /// Ascending.
    days: Vec<Day>,
}

impl Calendar {
    /// The longest look ahead, and the five weeks of a record before it.
    const DAYS_KEPT: usize = 128;

    pub(crate) fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            days: Vec::new(),
        }
    }

    /// The window of this kind that holds the instant; `None`: none does.
    pub(crate) fn window(
        &mut self,
        kind: WindowKind,
        at_ms: i64,
    ) -> Result<Option<Window>, CoreError> {
        let today = self.day(at_ms)?;
        let (first, last) = match kind {
            WindowKind::CalendarWeek => {
                let since_monday = i64::from(today.date.weekday().to_monday_zero_offset());
                let monday = add_days(today.date, -since_monday, at_ms)?;
                (monday, add_days(monday, 6, at_ms)?)
            }
            WindowKind::RollingDays(days) => (
                add_days(today.date, 1 - i64::from(days), at_ms)?,
                today.date,
            ),
            WindowKind::FixedDates { first, last } => {
                if !(first..=last).contains(&today.date) {
                    return Ok(None);
                }
                (first, last)
            }
        };
        Ok(Some(Window {
            start_ms: self.day_of(first, at_ms)?.span.start_ms,
            end_ms: self.day_of(last, at_ms)?.span.end_ms,
        }))
    }

    /// The day that holds the instant.
    pub(crate) fn day(&mut self, at_ms: i64) -> Result<Day, CoreError> {
        let after = self.days.partition_point(|day| day.span.start_ms <= at_ms);
        if let Some(day) = after.checked_sub(1).map(|index| self.days[index])
            && day.span.contains(at_ms)
        {
            return Ok(day);
        }
        let instant =
            Timestamp::from_millisecond(at_ms).map_err(|_| CoreError::Time { time_ms: at_ms })?;
        self.day_of(self.zone.to_datetime(instant).date(), at_ms)
    }

    /// The day of this date; `at_ms` is what the question is about.
    fn day_of(&mut self, date: Date, at_ms: i64) -> Result<Day, CoreError> {
        let found = self.days.binary_search_by_key(&date, |day| day.date);
        let index = match found {
            Ok(index) => return Ok(self.days[index]),
            Err(_) if self.days.len() == Self::DAYS_KEPT => {
                self.days.clear();
                0
            }
            Err(index) => index,
        };
        let day = Day {
            date,
            span: Window {
                start_ms: self.start_of_day(date, at_ms)?,
                end_ms: self.start_of_day(add_days(date, 1, at_ms)?, at_ms)?,
            },
        };
        self.days.insert(index, day);
        Ok(day)
    }

    /// Whether both instants fall on the same local day.
    pub(crate) fn same_day(&mut self, one_ms: i64, other_ms: i64) -> Result<bool, CoreError> {
        Ok(self.day(one_ms)?.span.contains(other_ms))
    }

    /// Midnight, or, where clocks skip it, the first instant of the day.
    fn start_of_day(&self, date: Date, at_ms: i64) -> Result<i64, CoreError> {
        self.zone
            .to_timestamp(date.at(0, 0, 0, 0))
            .map(Timestamp::as_millisecond)
            .map_err(|_| CoreError::Time { time_ms: at_ms })
    }
}

fn add_days(date: Date, days: i64, at_ms: i64) -> Result<Date, CoreError> {
    date.checked_add(days.days())
        .map_err(|_| CoreError::Time { time_ms: at_ms })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::limits;
    use jiff::tz::TimeZoneDatabase;

    fn ms(zoned: &str) -> i64 {
        zoned.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    fn calendar(zone: &str) -> Calendar {
        Calendar::new(TimeZoneDatabase::bundled().get(zone).unwrap())
    }

    impl Calendar {
        fn week(&mut self, at_ms: i64) -> Result<Window, CoreError> {
            let week = self.window(WindowKind::CalendarWeek, at_ms)?;
            Ok(week.unwrap())
        }
    }

    #[test]
    fn a_week_runs_from_monday_midnight_to_monday_midnight() {
        let mut calendar = calendar("Asia/Seoul");
        let week = Window {
            start_ms: ms("2020-03-09T00:00:00+09:00"),
            end_ms: ms("2020-03-16T00:00:00+09:00"),
        };
        for inside in [
            week.start_ms,
            ms("2020-03-11T09:00:00+09:00"),
            week.end_ms - 1,
        ] {
            assert_eq!(calendar.week(inside).unwrap(), week);
        }
        assert_eq!(calendar.week(week.end_ms).unwrap().start_ms, week.end_ms);
        assert_eq!(
            calendar.week(week.start_ms - 1).unwrap().end_ms,
            week.start_ms
        );
    }

    #[test]
    fn weeks_are_shorter_and_longer_where_clocks_change() {
        let hour = 3_600_000;
        let mut calendar = calendar("Europe/Berlin");
        let spring = calendar.week(ms("2020-03-27T12:00:00Z")).unwrap();
        assert_eq!(spring.end_ms - spring.start_ms, 167 * hour);
        let autumn = calendar.week(ms("2020-10-23T12:00:00Z")).unwrap();
        assert_eq!(autumn.end_ms - autumn.start_ms, 169 * hour);
        assert!(autumn.end_ms - autumn.start_ms <= limits::WINDOW_MS_MAX);
    }

    #[test]
    fn a_skipped_midnight_starts_the_day_at_its_first_instant() {
        // In Beirut, 2026-03-29 begins at 01:00: a Sunday; the day before still ends at its own end.
        let mut calendar = calendar("Asia/Beirut");
        let date = jiff::civil::date(2026, 3, 29);
        let start = calendar.start_of_day(date, 0).unwrap();
        assert_eq!(calendar.day(start).unwrap().date, date);
        assert_eq!(
            calendar.day(start - 1).unwrap().date,
            jiff::civil::date(2026, 3, 28)
        );
    }

    #[test]
    fn many_days_do_not_confuse_the_memory() {
        let mut used = calendar("Asia/Seoul");
        for step in (0..200).chain((0..200).rev()) {
            let at_ms = ms("2020-01-01T00:00:00Z") + step * 86_400_000;
            let fresh = calendar("Asia/Seoul").week(at_ms).unwrap();
            assert_eq!(used.week(at_ms).unwrap(), fresh);
            assert!(used.days.len() <= Calendar::DAYS_KEPT);
        }
    }

    #[test]
    fn the_edge_of_time_is_an_error_or_a_window() {
        let mut calendar = calendar("Pacific/Kiritimati");
        assert!(calendar.week(limits::TIME_MS_MAX).is_ok());
        assert!(calendar.week(i64::MAX).is_err());
        assert!(calendar.week(i64::MIN).is_err());
    }

    #[test]
    fn days_are_local() {
        let mut calendar = calendar("Asia/Seoul");
        let midnight = ms("2020-03-12T00:00:00+09:00");
        assert!(!calendar.same_day(midnight - 1, midnight).unwrap());
        assert!(calendar.same_day(midnight, midnight + 86_399_999).unwrap());
    }

    #[test]
    fn rolling_days_end_with_the_day_and_fixed_dates_end() {
        let mut calendar = calendar("Asia/Seoul");
        let noon = ms("2020-03-11T12:00:00+09:00");
        let rolling = calendar.window(WindowKind::RollingDays(7), noon).unwrap();
        let expected = Window {
            start_ms: ms("2020-03-05T00:00:00+09:00"),
            end_ms: ms("2020-03-12T00:00:00+09:00"),
        };
        assert_eq!(rolling, Some(expected));
        let fixed = WindowKind::FixedDates {
            first: jiff::civil::date(2020, 3, 6),
            last: jiff::civil::date(2020, 3, 8),
        };
        let span = Window {
            start_ms: ms("2020-03-06T00:00:00+09:00"),
            end_ms: ms("2020-03-09T00:00:00+09:00"),
        };
        for (at_ms, window) in [
            (span.start_ms - 1, None),
            (span.start_ms, Some(span)),
            (span.end_ms - 1, Some(span)),
            (span.end_ms, None),
        ] {
            assert_eq!(calendar.window(fixed, at_ms).unwrap(), window);
        }
        assert_eq!(calendar.day(noon).unwrap().number(), 20_200_311);
    }
}
