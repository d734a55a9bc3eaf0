//! A record of what the public once saw: a CSV file, a line a site and day, a column a level.
//!
//! `site_code,date,stock_at_previous_day,plenty_at,some_at,few_at,empty_at,break_at`: local times of day at
//! which the level was first read; empty where it never was. A file that is not quite so is refused whole,
//! with every faulty line named: a replay of half a record proves nothing.

use std::{fs::File, io, path::Path};

use jiff::civil::{Date, DateTime, Time};
use quorate_proto::ids::SiteCode;

use super::level::Level;
use crate::exit::Failure;

/// Faulty lines that are named; more would not help.
const FAULTS_NAMED: usize = 5;

const SITE: &str = "site_code";
const DATE: &str = "date";

/// What was read at one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Transition {
    /// Local time.
    pub(super) at: DateTime,
    pub(super) site: SiteCode,
    pub(super) level: Level,
}

/// What of a file is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Only {
    site: SiteCode,
    date: Option<Date>,
}

impl Only {
    /// Reads `CODE` or `CODE,DATE`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
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

/// Reads a record: every transition, by time.
///
/// # Errors
/// The file cannot be read, is not such a record, or holds nothing of what is wanted.
pub(super) fn read(path: &Path, only: Option<Only>) -> Result<Vec<Transition>, Failure> {
    let shown = path.display();
    let file = File::open(path)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    read_from(file, &shown.to_string(), only)
}

fn read_from(
    file: impl io::Read,
    shown: &str,
    only: Option<Only>,
) -> Result<Vec<Transition>, Failure> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(file);
    let mut faults = Vec::new();
    let mut transitions = Vec::new();
    let headers = reader.headers();
    let headers = headers
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?
        .clone();
    let columns = Columns::find(&headers).map_err(|missing| {
        Failure::usage(format!("{shown} has no column {missing:?}"))
            .next("a record has the columns site_code, date, plenty_at, some_at, few_at, empty_at, break_at")
    })?;
    for row in reader.records() {
        let row = row.map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
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
        return Err(Failure::usage(format!("{shown}: {listed}")));
    }
    transitions.retain(|transition| only.is_none_or(|only| only.admits(transition)));
    if transitions.is_empty() {
        return Err(Failure::usage(format!("{shown} holds no such level"))
            .next("name a site, and perhaps a date, of the file with --only CODE[,DATE]"));
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
    use std::fs;

    use super::*;

    const HEAD: &str =
        "site_code,date,stock_at_previous_day,plenty_at,some_at,few_at,empty_at,break_at\n";

    fn read_text(text: &str, only: Option<&str>) -> Result<Vec<Transition>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("record.csv");
        fs::write(&path, text).unwrap();
        let only = only.map(|only| Only::parse(only).unwrap());
        read(&path, only).map_err(|failure| failure.to_string())
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
        assert!(
            nothing.contains("holds no such level; name a site"),
            "{nothing}"
        );
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

    #[test]
    fn whatever_a_record_holds_it_is_read_in_bounded_memory() {
        let line = "31897100,2020-03-18,2020-03-17T17:01:00,17:06:32,18:56:29,20:51:55,,20:21:44";
        let decoder = quorate_battery::Decoder {
            name: "replay-record",
            read: |bytes| drop(read_from(bytes, "record.csv", None)),
            seeds: vec![format!("{HEAD}{line}\n").into()],
        };
        quorate_battery::battery(&decoder, 1, 2_000);
    }
}
