//! How results are printed: for people as tables, for programs as JSON, one document a command.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::exit::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs: one JSON document
    Json,
}

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
    styled: bool,
}

/// How a line of text stands out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    Good,
    Bad,
    Doubtful,
    Strong,
    Faint,
}

impl Output {
    /// `plain` forbids colours; without it, they are used on a terminal.
    pub(crate) fn new(format: Format, plain: bool) -> Self {
        let styled = !plain && format == Format::Table && io::stdout().is_terminal();
        Self { format, styled }
    }

    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Prints a result: `value` as JSON, or else the text that `render` makes.
    pub(crate) fn print<T: Serialize>(
        self,
        value: &T,
        render: impl FnOnce(Painter) -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json => {
                let json = serde_json::to_string(value)
                    .map_err(|error| Failure::unexpected(format!("cannot print JSON: {error}")))?;
                self.write(&json)
            }
            Format::Table => self.write(&render(self.painter())),
        }
    }

    /// Prints a failure to stderr; what nobody can read is lost.
    pub(crate) fn complain(self, failure: &Failure) {
        let text = match self.format {
            Format::Json => failure.to_json().to_string(),
            Format::Table => {
                let styled = self.styled && io::stderr().is_terminal();
                let label = Painter { styled }.paint(Style::Bad, "error:");
                format!("{label} {failure}")
            }
        };
        let _unreadable = writeln!(io::stderr().lock(), "{text}");
    }

    pub(crate) const fn painter(self) -> Painter {
        Painter {
            styled: self.styled,
        }
    }

    fn write(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        let written = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
        match written {
            // Whoever read the output has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::unexpected(format!("cannot print: {error}"))),
            Ok(()) => Ok(()),
        }
    }
}

/// Colours text, or does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Painter {
    styled: bool,
}

impl Painter {
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        if !self.styled {
            return text.to_owned();
        }
        let code = match style {
            Style::Good => "1;32",
            Style::Bad => "1;31",
            Style::Doubtful => "1;33",
            Style::Strong => "1",
            Style::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// A table without lines but under its head; `right` names the columns of numbers.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    right: &[usize],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head.map(str::to_uppercase));
    for row in rows {
        table.add_row(row.map(Cell::new));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Label and value, one a line.
pub(crate) fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let facts: Vec<_> = facts.into_iter().collect();
    let width = facts
        .iter()
        .map(|(label, _)| label.len())
        .max()
        .unwrap_or(0);
    let lines = facts
        .iter()
        .map(|(label, value)| format!("  {label:width$}  {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// 12,345,678.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// 1.5 GiB.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{number} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(12_345_678), "12,345,678");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn tables_align() {
        let rows = [
            ["1".to_owned(), "a".to_owned()],
            ["100".to_owned(), "b".to_owned()],
        ];
        assert_eq!(
            table(["n", "name"], &[0], rows),
            "  N  NAME\n  1  a\n100  b"
        );
    }

    #[test]
    fn facts_align() {
        let text = facts([("a", "1".to_owned()), ("long", "2".to_owned())]);
        assert_eq!(text, "  a     1\n  long  2");
    }

    #[test]
    fn without_a_terminal_nothing_is_painted() {
        let painter = Painter { styled: false };
        assert_eq!(painter.paint(Style::Good, "yes"), "yes");
    }
}
