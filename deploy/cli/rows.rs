//! Long results, printed row by row as they come: a table, CSV, or one JSON array.
//!
//! Law: what breaks off looks broken off. The JSON array of a report that ends with an error is not
//! closed, and the exit code is not 0.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use crate::{
    exit::Failure,
    output::{Output, Painter, Style},
};

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RowFormat {
    /// For people
    Table,
    /// For spreadsheets
    Csv,
    /// For programs: one JSON array
    Json,
}

/// A column of the table. Rows leave before the next ones are known, so the width is given.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// Cells; a longer text pushes the rest of its row.
    pub(crate) width: usize,
    /// Whether it holds numbers.
    pub(crate) right: bool,
}

/// A row as people and spreadsheets see it; programs see how it serialises.
pub(crate) trait Row: Serialize {
    /// Of the table.
    const COLUMNS: &'static [Column];
    /// Names of the CSV's columns. Scripts depend on them.
    const CSV: &'static [&'static str];

    fn cells(&self, zone: &TimeZone) -> Vec<String>;

    fn csv(&self, zone: &TimeZone) -> Vec<String>;
}

/// A column of text.
pub(crate) const fn text(name: &'static str, width: usize) -> Column {
    Column {
        name,
        width,
        right: false,
    }
}

/// A column of numbers.
pub(crate) const fn number(name: &'static str, width: usize) -> Column {
    Column {
        name,
        width,
        right: true,
    }
}

/// Rows on their way out.
pub(crate) struct Rows<W: Write> {
    layout: Layout<W>,
    zone: TimeZone,
    painter: Painter,
    printed: usize,
    /// Whoever read the output has read enough.
    closed: bool,
}

enum Layout<W: Write> {
    Table(W),
    Csv(Box<csv::Writer<W>>),
    Json(W),
}

impl Rows<io::Stdout> {
    /// `format` as the command was told; without it, as every command was.
    pub(crate) fn to_stdout(output: Output, format: Option<RowFormat>, zone: &TimeZone) -> Self {
        let format = format.unwrap_or(match output.is_json() {
            true => RowFormat::Json,
            false => RowFormat::Table,
        });
        Rows::new(io::stdout(), format, output.painter(), zone)
    }
}

impl<W: Write> Rows<W> {
    fn new(writer: W, format: RowFormat, painter: Painter, zone: &TimeZone) -> Self {
        Self {
            layout: match format {
                RowFormat::Table => Layout::Table(writer),
                RowFormat::Csv => Layout::Csv(Box::new(csv::Writer::from_writer(writer))),
                RowFormat::Json => Layout::Json(writer),
            },
            zone: zone.clone(),
            painter,
            printed: 0,
            closed: false,
        }
    }

    /// Prints one row, and what comes before the first one. False: nobody reads on.
    pub(crate) fn print<R: Row>(&mut self, row: &R) -> Result<bool, Failure> {
        let first = self.printed == 0;
        self.printed += 1;
        let written = match &mut self.layout {
            Layout::Table(writer) => {
                let head = match first {
                    true => self.painter.paint(Style::Strong, &header(R::COLUMNS)) + "\n",
                    false => String::new(),
                };
                let cells = row.cells(&self.zone);
                writeln!(writer, "{head}{}", line(R::COLUMNS, &cells))
            }
            Layout::Csv(writer) => write_csv(writer, row, first, &self.zone),
            Layout::Json(writer) => serde_json::to_string(row)
                .map_err(io::Error::from)
                .and_then(|json| write!(writer, "{}{json}", if first { "[" } else { ",\n" })),
        };
        self.judge(written)?;
        Ok(!self.closed)
    }

    /// Lets out what has been printed so far: more will take a while.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        let flushed = match &mut self.layout {
            Layout::Table(writer) | Layout::Json(writer) => writer.flush(),
            Layout::Csv(writer) => writer.flush(),
        };
        self.judge(flushed)
    }

    /// After the last row. `nothing` is said to people where there was none.
    pub(crate) fn end<R: Row>(&mut self, nothing: &str) -> Result<(), Failure> {
        let empty = self.printed == 0;
        let written = match &mut self.layout {
            Layout::Table(writer) if empty => writeln!(writer, "{nothing}"),
            Layout::Table(_) => Ok(()),
            Layout::Csv(writer) if empty => writer.write_record(R::CSV).map_err(io::Error::from),
            Layout::Csv(_) => Ok(()),
            Layout::Json(writer) => writeln!(writer, "{}", if empty { "[]" } else { "]" }),
        };
        self.judge(written)?;
        self.flush()
    }

    fn judge(&mut self, written: io::Result<()>) -> Result<(), Failure> {
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(Failure::unexpected(format!("cannot print: {error}"))),
        }
    }
}

fn write_csv<R: Row, W: Write>(
    writer: &mut csv::Writer<W>,
    row: &R,
    first: bool,
    zone: &TimeZone,
) -> io::Result<()> {
    if first {
        writer.write_record(R::CSV)?;
    }
    writer.write_record(row.csv(zone))?;
    Ok(())
}

fn header(columns: &[Column]) -> String {
    let names: Vec<_> = columns.iter().map(|c| c.name.to_uppercase()).collect();
    line(columns, &names)
}

fn line(columns: &[Column], cells: &[String]) -> String {
    let mut line = String::new();
    for (column, cell) in columns.iter().zip(cells) {
        // As terminals draw it: a Korean letter takes two cells.
        let padding = " ".repeat(column.width.saturating_sub(cell.width()));
        match column.right {
            true => line.extend([&*padding, cell, "  "]),
            false => line.extend([&**cell, &*padding, "  "]),
        }
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::output::Format;

    #[derive(Serialize)]
    struct Sale {
        site: &'static str,
        units: u32,
    }

    impl Row for Sale {
        const COLUMNS: &'static [Column] = &[text("site", 8), number("units", 5), text("", 0)];
        const CSV: &'static [&'static str] = &["site", "units"];

        fn cells(&self, _: &TimeZone) -> Vec<String> {
            vec![self.site.to_owned(), self.units.to_string(), String::new()]
        }

        fn csv(&self, _: &TimeZone) -> Vec<String> {
            vec![self.site.to_owned(), self.units.to_string()]
        }
    }

    fn printed(format: RowFormat, rows: &[Sale], ended: bool) -> String {
        let painter = Output::new(Format::Table, true).painter();
        let mut bytes = Vec::new();
        let mut out = Rows::new(&mut bytes, format, painter, &TimeZone::UTC);
        for row in rows {
            assert!(out.print(row).unwrap());
        }
        match ended {
            true => out.end::<Sale>("nothing").unwrap(),
            false => out.flush().unwrap(),
        }
        drop(out);
        String::from_utf8(bytes).unwrap()
    }

    const TWO: [Sale; 2] = [
        Sale {
            site: "보승약국",
            units: 2,
        },
        Sale {
            site: "a, \"b\"",
            units: 10,
        },
    ];

    #[test]
    fn wide_letters_align() {
        let table = "SITE      UNITS\n보승약국      2\na, \"b\"       10\n";
        assert_eq!(printed(RowFormat::Table, &TWO, true), table);
        assert_eq!(printed(RowFormat::Table, &[], true), "nothing\n");
    }

    #[test]
    fn csv_is_quoted_and_has_its_head_even_when_empty() {
        let csv = "site,units\n보승약국,2\n\"a, \"\"b\"\"\",10\n";
        assert_eq!(printed(RowFormat::Csv, &TWO, true), csv);
        assert_eq!(printed(RowFormat::Csv, &[], true), "site,units\n");
    }

    #[test]
    fn json_that_broke_off_cannot_be_read() {
        let whole = printed(RowFormat::Json, &TWO, true);
        let read: serde_json::Value = serde_json::from_str(&whole).unwrap();
        assert_eq!(
            (read.as_array().unwrap().len(), &read[1]["units"]),
            (2, &10.into())
        );
        assert_eq!(printed(RowFormat::Json, &[], true), "[]\n");
        let broken = printed(RowFormat::Json, &TWO, false);
        assert!(serde_json::from_str::<serde_json::Value>(&broken).is_err());
    }

    /// A reader that has gone away.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_read_enough_is_no_failure() {
        let painter = Output::new(Format::Table, true).painter();
        let mut out = Rows::new(Gone, RowFormat::Table, painter, &TimeZone::UTC);
        assert!(!out.print(&TWO[0]).unwrap());
    }
}
