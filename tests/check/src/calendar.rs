//! Windows and limits at an instant.
//!
//! State owned: local days already worked out; nearly every instant of a run falls into the same few.

use jiff::{
    Timestamp, ToSpan as _,
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};
use thiserror::Error;

use crate::{
    history::Window,
    limits,
    rules::{Rule, Rules, WindowKind},
};

/// Why rules cannot be judged by.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RulesError {
    /// No such zone.
    #[error("there is no time zone \"{0}\"")]
    TimeZone(String),
    /// A window of days in no zone.
    #[error("a window of local days needs `time_zone`")]
    NoTimeZone,
    /// An earlier rule behind a later one.
    #[error("rules ascend by `from_ms`, each with an instant of its own")]
    Order,
    /// A rolling window of no days, or of too many.
    #[error("a rolling window has 1 to {max} days", max = limits::WINDOW_DAYS_MAX)]
    Days,
    /// Dates that end before they begin.
    #[error("fixed dates end before they begin")]
    Dates,
}

/// Works out windows of one run.
#[derive(Clone, Debug)]
pub(crate) struct Calendar<'r> {
    rules: &'r Rules,
    zone: Option<TimeZone>,
    /// Local days, ascending.
    days: Vec<(Window, Date)>,
    /// The last window of days that was asked for: its rule's place, its day, itself.
    last: Option<(usize, Window, Option<Window>)>,
}

/// What the rules say of windows at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'r> {
    /// No sale is granted.
    Closed,
    /// Sales of this window add up.
    Open { rule: &'r Rule, window: Window },
    /// Sales add up over whatever window the answers name.
    AsAnswered { rule: &'r Rule },
}

impl<'r> Calendar<'r> {
    /// Checks the rules.
    pub(crate) fn new(rules: &'r Rules) -> Result<Self, RulesError> {
        let zone = match &rules.time_zone {
            Some(name) => match TimeZoneDatabase::bundled().get(name) {
                Ok(zone) => Some(zone),
                Err(_) => return Err(RulesError::TimeZone(name.clone())),
            },
            None => None,
        };
        if !rules
            .rules
            .is_sorted_by(|one, next| one.from_ms < next.from_ms)
        {
            return Err(RulesError::Order);
        }
        for rule in &rules.rules {
            match rule.window {
                WindowKind::AsAnswered => {}
                _ if zone.is_none() => return Err(RulesError::NoTimeZone),
                WindowKind::RollingDays(days) if !(1..=limits::WINDOW_DAYS_MAX).contains(&days) => {
                    return Err(RulesError::Days);
                }
                WindowKind::FixedDates(first, last) if last < first => {
                    return Err(RulesError::Dates);
                }
                _ => {}
            }
        }
        Ok(Self {
            rules,
            zone,
            days: Vec::new(),
            last: None,
        })
    }

    /// What the rule in force at that instant, Unix milliseconds, says of windows.
    pub(crate) fn frame(&mut self, at_ms: i64) -> Frame<'r> {
        let rules = &self.rules.rules;
        let begun = rules.partition_point(|rule| rule.from_ms <= at_ms);
        let Some(place) = begun.checked_sub(1) else {
            return Frame::Closed;
        };
        let rule = &rules[place];
        if rule.closed {
            return Frame::Closed;
        }
        if rule.window == WindowKind::AsAnswered {
            return Frame::AsAnswered { rule };
        }
        let window = match self.last {
            Some((last, day, window)) if last == place && day.contains(at_ms) => window,
            _ => {
                let found = self.day(at_ms);
                let window = found.and_then(|(_, date)| self.window(&rule.window, date));
                self.last = found.map(|(day, _)| (place, day, window));
                window
            }
        };
        window.map_or(Frame::Closed, |window| Frame::Open { rule, window })
    }

    /// Whether both instants fall on one local day; `None`: the zone is not known.
    pub(crate) fn same_day(&mut self, one_ms: i64, other_ms: i64) -> Option<bool> {
        self.zone.as_ref()?;
        Some(self.day(one_ms)?.0.contains(other_ms))
    }

    fn window(&self, kind: &WindowKind, date: Date) -> Option<Window> {
        let (first, last) = match *kind {
            WindowKind::AsAnswered => return None,
            WindowKind::CalendarWeek => {
                let since_monday = i64::from(date.weekday().to_monday_zero_offset());
                let monday = add_days(date, -since_monday)?;
                (monday, add_days(monday, 6)?)
            }
            WindowKind::RollingDays(days) => (add_days(date, 1 - i64::from(days))?, date),
            WindowKind::FixedDates(first, last) if (first..=last).contains(&date) => (first, last),
            WindowKind::FixedDates(..) => return None,
        };
        Some(Window {
            start_ms: self.start_of(first)?,
            end_ms: self.start_of(add_days(last, 1)?)?,
        })
    }

    /// The local day that holds the instant; `None`: no calendar reaches it.
    fn day(&mut self, at_ms: i64) -> Option<(Window, Date)> {
        let after = self.days.partition_point(|(day, _)| day.start_ms <= at_ms);
        if let Some(known) = after.checked_sub(1).map(|at| self.days[at])
            && known.0.contains(at_ms)
        {
            return Some(known);
        }
        let zone = self.zone.as_ref()?;
        let date = zone
            .to_datetime(Timestamp::from_millisecond(at_ms).ok()?)
            .date();
        let day = Window {
            start_ms: self.start_of(date)?,
            end_ms: self.start_of(add_days(date, 1)?)?,
        };
        self.days.insert(after, (day, date));
        Some((day, date))
    }

    /// Midnight, or, where clocks skip it, the first instant of the day.
    fn start_of(&self, date: Date) -> Option<i64> {
        let start = self.zone.as_ref()?.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
        Some(start.as_millisecond())
    }
}

fn add_days(date: Date, days: i64) -> Option<Date> {
    date.checked_add(days.days()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn rules(windows: &[(&str, WindowKind)]) -> Rules {
        Rules {
            time_zone: Some("Asia/Seoul".to_owned()),
            rules: windows
                .iter()
                .map(|(from, window)| Rule::new(2, window.clone()).from_ms(ms(from)))
                .collect(),
        }
    }

    fn window_at(rules: &Rules, at: &str) -> Option<(String, String)> {
        let mut calendar = Calendar::new(rules).unwrap();
        let text = |ms| Timestamp::from_millisecond(ms).unwrap().to_string();
        match calendar.frame(ms(at)) {
            Frame::Open { window, .. } => Some((text(window.start_ms), text(window.end_ms))),
            _ => None,
        }
    }

    #[test]
    fn windows_of_every_kind() {
        let dates =
            WindowKind::FixedDates("2020-03-06".parse().unwrap(), "2020-03-08".parse().unwrap());
        let rules = rules(&[
            ("2020-03-01T00:00:00Z", dates),
            ("2020-03-09T00:00:00+09:00", WindowKind::CalendarWeek),
            ("2020-03-14T00:00:00+09:00", WindowKind::RollingDays(3)),
        ]);
        let expected = |start: &str, end: &str| Some((start.to_owned(), end.to_owned()));
        let cases = [
            ("2020-02-01T00:00:00Z", None),
            ("2020-03-05T23:00:00+09:00", None),
            (
                "2020-03-06T00:00:00+09:00",
                expected("2020-03-05T15:00:00Z", "2020-03-08T15:00:00Z"),
            ),
            (
                "2020-03-13T23:59:59+09:00",
                expected("2020-03-08T15:00:00Z", "2020-03-15T15:00:00Z"),
            ),
            (
                "2020-03-14T00:00:00+09:00",
                expected("2020-03-11T15:00:00Z", "2020-03-14T15:00:00Z"),
            ),
        ];
        for (at, window) in cases {
            assert_eq!(window_at(&rules, at), window, "{at}");
        }
    }

    #[test]
    fn a_day_is_worked_out_once_and_for_its_own_zone() {
        let rules = rules(&[("1970-01-01T00:00:00Z", WindowKind::RollingDays(1))]);
        let mut calendar = Calendar::new(&rules).unwrap();
        let (evening, midnight) = (ms("2020-03-10T14:59:59Z"), ms("2020-03-10T15:00:00Z"));
        assert_eq!(calendar.same_day(evening, evening - 1), Some(true));
        assert_eq!(calendar.same_day(evening, midnight), Some(false));
        assert_eq!(calendar.same_day(midnight, evening), Some(false));
        assert_eq!(calendar.days.len(), 2);
    }

    #[test]
    fn rules_that_no_program_can_have() {
        let broken = |change: fn(&mut Rules)| {
            let mut rules = rules(&[
                ("2020-03-01T00:00:00Z", WindowKind::CalendarWeek),
                ("2020-03-02T00:00:00Z", WindowKind::CalendarWeek),
            ]);
            change(&mut rules);
            Calendar::new(&rules).unwrap_err()
        };
        assert_eq!(broken(|rules| rules.rules.reverse()), RulesError::Order);
        assert_eq!(
            broken(|rules| rules.time_zone = None),
            RulesError::NoTimeZone
        );
        let nowhere = |rules: &mut Rules| rules.time_zone = Some("Asia/Nowhere".to_owned());
        assert!(matches!(broken(nowhere), RulesError::TimeZone(_)));
        for days in [0, 32] {
            let mut rules = rules(&[("2020-03-01T00:00:00Z", WindowKind::RollingDays(days))]);
            rules.rules[0].limit = 1;
            assert_eq!(Calendar::new(&rules).unwrap_err(), RulesError::Days);
        }
        let backwards = |rules: &mut Rules| {
            let dates = ["2020-03-08".parse().unwrap(), "2020-03-06".parse().unwrap()];
            rules.rules[0].window = WindowKind::FixedDates(dates[0], dates[1]);
        };
        assert_eq!(broken(backwards), RulesError::Dates);
    }
}
