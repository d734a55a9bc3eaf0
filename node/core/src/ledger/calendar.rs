//! Windows and days in a program's time zone.
//!
//! State owned: a few windows already worked out. Time zone arithmetic costs far more than deciding a
//! sale, and all sales of a batch fall into the same window.

use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};

use super::program::WindowKind;
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

/// Works out windows and days of one time zone.
#[derive(Debug)]
pub(crate) struct Calendar {
    zone: TimeZone,
    weeks: Vec<Window>,
}

impl Calendar {
    /// A record spans six weeks; two more for records just being dropped.
    const WEEKS_KEPT: usize = 8;

    pub(crate) fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            weeks: Vec::with_capacity(Self::WEEKS_KEPT),
        }
    }

    /// The window of this kind that holds the instant.
    pub(crate) fn window(&mut self, kind: WindowKind, at_ms: i64) -> Result<Window, CoreError> {
        match kind {
            WindowKind::CalendarWeek => self.week(at_ms),
        }
    }

    /// Start of the longest window, of any kind, that holds the instant.
    pub(crate) fn longest_window_start(&mut self, at_ms: i64) -> Result<i64, CoreError> {
        Ok(self.week(at_ms)?.start_ms)
    }

    /// Whether both instants fall on the same local day.
    pub(crate) fn same_day(&self, one_ms: i64, other_ms: i64) -> Result<bool, CoreError> {
        Ok(self.date(one_ms)? == self.date(other_ms)?)
    }

    fn week(&mut self, at_ms: i64) -> Result<Window, CoreError> {
        if let Some(week) = self.weeks.iter().find(|week| week.contains(at_ms)) {
            return Ok(*week);
        }
        let date = self.date(at_ms)?;
        let days_since_monday = i32::from(date.weekday().to_monday_zero_offset());
        let monday = date
            .checked_sub(days_since_monday.days())
            .map_err(|_| CoreError::Time { time_ms: at_ms })?;
        let next_monday = monday
            .checked_add(7.days())
            .map_err(|_| CoreError::Time { time_ms: at_ms })?;
        let week = Window {
            start_ms: self.start_of_day(monday, at_ms)?,
            end_ms: self.start_of_day(next_monday, at_ms)?,
        };
        if self.weeks.len() == Self::WEEKS_KEPT {
            self.weeks.remove(0);
        }
        self.weeks.push(week);
        Ok(week)
    }

    fn date(&self, at_ms: i64) -> Result<Date, CoreError> {
        let instant =
            Timestamp::from_millisecond(at_ms).map_err(|_| CoreError::Time { time_ms: at_ms })?;
        Ok(self.zone.to_datetime(instant).date())
    }

    /// Midnight, or, where clocks skip it, the first instant of the day.
    fn start_of_day(&self, date: Date, at_ms: i64) -> Result<i64, CoreError> {
        self.zone
            .to_timestamp(date.at(0, 0, 0, 0))
            .map(Timestamp::as_millisecond)
            .map_err(|_| CoreError::Time { time_ms: at_ms })
    }
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
        let calendar = calendar("Asia/Beirut");
        let date = jiff::civil::date(2026, 3, 29);
        let start = calendar.start_of_day(date, 0).unwrap();
        assert_eq!(calendar.date(start).unwrap(), date);
        assert_eq!(
            calendar.date(start - 1).unwrap(),
            jiff::civil::date(2026, 3, 28)
        );
    }

    #[test]
    fn many_weeks_do_not_confuse_the_memory() {
        let mut used = calendar("Asia/Seoul");
        for step in (0..40).chain((0..40).rev()) {
            let at_ms = ms("2020-01-01T00:00:00Z") + step * 5 * 86_400_000;
            let fresh = calendar("Asia/Seoul").week(at_ms).unwrap();
            assert_eq!(used.week(at_ms).unwrap(), fresh);
            assert!(used.weeks.len() <= Calendar::WEEKS_KEPT);
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
        let calendar = calendar("Asia/Seoul");
        let midnight = ms("2020-03-12T00:00:00+09:00");
        assert!(!calendar.same_day(midnight - 1, midnight).unwrap());
        assert!(calendar.same_day(midnight, midnight + 86_399_999).unwrap());
    }
}
