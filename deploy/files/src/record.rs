//! A record of what the public once saw: a CSV file, a line a site and day, a column a level.
//!
//! `site_code,date,stock_at_previous_day,plenty_at,some_at,few_at,empty_at,break_at`: local times of day at
//! which the level was first read; empty where it never was. A file that is not quite so is refused whole,
//! with every faulty line named: a replay of half a record proves nothing.

use std::io;

use jiff::civil::{Date, DateTime, Time};
use quorate_proto::ids::SiteCode;

use crate::level::Level;

/// Faulty lines that are named; more would not help.
const FAULTS_NAMED: usize = 5;

const SITE: &str = "site_code";
const DATE: &str = "date";

/// What was read at one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Transition {
    /// Local time.
    pub at: DateTime,
    /// Where.
    pub site: SiteCode,
    /// What was shown.
    pub level: Level,
}

/// What of a file is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Only {
    site: SiteCode,
    date: Option<Date>,
}

impl Only {
    /// Reads `CODE` or `CODE,DATE`.
    ///
    /// # Errors
    /// It is neither; the words say why.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (site, date) = match text.split_once(',') {
            Some((site, date)) => (site, Some(date)),
            None => (text, None),
        };
        let site = SiteCode::parse(site.trim()).map_err(|error| error.to_string())?;
        let date = date.map(|date| date.trim().parse::<Date>());
        let date = date.transpose();
        let date = date.map_err(|_| "a date is written as 2020-03-18".to_owned())?;
        Ok(Self { site, date })
    }

    fn admits(self, transition: &Transition) -> bool {
        self.site == transition.site && self.date.is_none_or(|date| date == transition.at.date())
    }
}

/// Why a file is no record, or none of what is wanted.
#[derive(Debug, thiserror::Error)]
pub enum NoRecord {
    /// As CSV.
    #[error("it cannot be read")]
    Unreadable(#[from] csv::Error),
    /// The head lacks it.
    #[error("it has no column {0:?}")]
    NoColumn(String),
    /// The first faults, each with its line.
    #[error("{0}")]
    Faults(String),
    /// It is a record of something else.
    #[error("it holds no such level")]
    Nothing,
}

/// Reads a record: every transition, by time; at least one.
///
/// # Errors
/// The file cannot be read, is not such a record, or holds nothing of what is wanted.
pub fn read(file: impl io::Read, only: Option<Only>) -> Result<Vec<Transition>, NoRecord> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(file);
    let mut faults = Vec::new();
    let mut transitions = Vec::new();
    let columns = Columns::find(reader.headers()?).map_err(NoRecord::NoColumn)?;
    for row in reader.records() {
        let row = row?;
        let line = row.position().map_or(0, csv::Position::line);
        match columns.read(&row) {
            Ok(found) => transitions.extend(found),
            Err(fault) => faults.push(format!("line {line}: {fault}")),
        }
    }
    if !faults.is_empty() {
        let more = faults.len().saturating_sub(FAULTS_NAMED);
        faults.truncate(FAULTS_NAMED);
        let mut listed = faults.join("; ");
        if more > 0 {
            listed.push_str(&format!("; and {more} more"));
        }
        return Err(NoRecord::Faults(listed));
    }
    transitions.retain(|transition| only.is_none_or(|only| only.admits(transition)));
    if transitions.is_empty() {
        return Err(NoRecord::Nothing);
    }
    transitions.sort_unstable();
    Ok(transitions)
}

/// Where in a row everything is.
struct Columns {
    site: usize,
    date: usize,
    levels: [(Level, usize); 5],
}

impl Columns {
    fn find(headers: &csv::StringRecord) -> Result<Self, String> {
        let column = |name: &str| {
            let found = headers.iter().position(|header| header == name);
            found.ok_or_else(|| name.to_owned())
        };
        let mut levels = [(Level::Plenty, 0); 5];
        for (slot, level) in levels.iter_mut().zip(Level::ALL) {
            *slot = (level, column(&format!("{level}_at"))?);
        }
        Ok(Self {
            site: column(SITE)?,
            date: column(DATE)?,
            levels,
        })
    }

    fn read(&self, row: &csv::StringRecord) -> Result<Vec<Transition>, String> {
        let text = |column: usize| row.get(column).unwrap_or("");
        let site = SiteCode::parse(text(self.site)).map_err(|error| format!("{SITE}: {error}"))?;
        let date: Date = text(self.date)
            .parse()
            .map_err(|_| format!("{DATE}: a date is written as 2020-03-18"))?;
        let mut found = Vec::new();
        for (level, column) in self.levels {
            if text(column).is_empty() {
                continue;
            }
            let time: Time = text(column)
                .parse()
                .map_err(|_| format!("{level}_at: a time is written as 09:11:20"))?;
            found.push(Transition {
                at: date.to_datetime(time),
                site,
                level,
            });
        }
        let mut times: Vec<_> = found.iter().map(|transition| transition.at).collect();
        times.sort_unstable();
        if times.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("two levels were read at the same time".to_owned());
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const HEAD: &str =
        "site_code,date,stock_at_previous_day,plenty_at,some_at,few_at,empty_at,break_at\n";

    fn read_text(text: &str, only: Option<&str>) -> Result<Vec<Transition>, String> {
        let only = only.map(|only| Only::parse(only).unwrap());
        read(text.as_bytes(), only).map_err(|error| error.to_string())
    }

    #[test]
    fn levels_come_by_time_and_not_by_column() {
        let text = format!(
            "{HEAD}31897100,2020-03-18,2020-03-17T17:01:00,17:06:32,18:56:29,20:51:55,,20:21:44\n"
        );
        let levels: Vec<_> = read_text(&text, None)
            .unwrap()
            .into_iter()
            .map(|transition| transition.level)
            .collect();
        use Level::{Break, Few, Plenty, Several};
        assert_eq!(levels, [Plenty, Several, Break, Few]);
    }

    #[test]
    fn a_part_can_be_chosen() {
        let text = format!(
            "{HEAD}A1,2020-03-17,,09:00:00,,,,\nA1,2020-03-18,,09:00:00,,,,\nB2,2020-03-17,,10:00:00,,,,\n"
        );
        assert_eq!(read_text(&text, None).unwrap().len(), 3);
        assert_eq!(read_text(&text, Some("A1")).unwrap().len(), 2);
        assert_eq!(read_text(&text, Some("A1,2020-03-18")).unwrap().len(), 1);
        let nothing = read_text(&text, Some("C3")).unwrap_err();
        assert!(nothing.contains("holds no such level"), "{nothing}");
        assert!(Only::parse("A1,tomorrow").is_err());
        assert!(Only::parse("no code").is_err());
    }

    #[test]
    fn faults_are_named_with_their_line() {
        for (row, expected) in [
            ("A 1,2020-03-17,,09:00:00,,,,", "line 2: site_code:"),
            (
                "A1,17 March,,09:00:00,,,,",
                "line 2: date: a date is written",
            ),
            (
                "A1,2020-03-17,,9 am,,,,",
                "line 2: plenty_at: a time is written",
            ),
            ("A1,2020-03-17,,09:00:00,09:00:00,,,", "at the same time"),
        ] {
            let fault = read_text(&format!("{HEAD}{row}\n"), None).unwrap_err();
            assert!(fault.contains(expected), "{fault}");
        }
        let headless = read_text("code,date\n", None).unwrap_err();
        assert!(
            headless.contains("has no column \"plenty_at\""),
            "{headless}"
        );
    }
}
