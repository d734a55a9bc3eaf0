//! Writes histories, a line at a time.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use serde::Serialize;

use super::{FORMAT, History, Record};
use crate::{facts::Fact, rules::Rules};

/// The first line.
#[derive(Serialize)]
struct Header<'a> {
    history: u32,
    #[serde(flatten)]
    rules: &'a Rules,
}

/// Writes a history while it happens: the rules first, then records, then facts.
#[derive(Debug)]
pub struct Writer<W: Write> {
    to: W,
}

impl Writer<BufWriter<File>> {
    /// Starts a file, replacing what was there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(path: &Path, rules: &Rules) -> io::Result<Self> {
        Self::new(
            BufWriter::with_capacity(1 << 20, File::create(path)?),
            rules,
        )
    }
}

impl<W: Write> Writer<W> {
    /// Writes the first line.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(mut to: W, rules: &Rules) -> io::Result<Self> {
        let header = Header {
            history: FORMAT,
            rules,
        };
        serde_json::to_writer(&mut to, &header)?;
        to.write_all(b"\n")?;
        Ok(Self { to })
    }

    /// Writes a call and its reply.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn record(&mut self, record: &Record) -> io::Result<()> {
        serde_json::to_writer(&mut self.to, record)?;
        self.to.write_all(b"\n")
    }

    /// Writes what the cluster said of itself. No record may follow.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn fact(&mut self, fact: &Fact) -> io::Result<()> {
        serde_json::to_writer(&mut self.to, fact)?;
        self.to.write_all(b"\n")
    }

    /// Hands everything to what it is written to, and gives that back.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }
}

impl History {
    /// Writes a file, replacing what was there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        self.write(Writer::create(path, &self.rules)?)?;
        Ok(())
    }

    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> Vec<u8> {
        let writer = Writer::new(Vec::new(), &self.rules);
        let written = writer.and_then(|writer| self.write(writer));
        // A vector takes whatever is written to it, and every field has a JSON form.
        written.unwrap_or_default()
    }

    fn write<W: Write>(&self, mut writer: Writer<W>) -> io::Result<W> {
        for record in &self.records {
            writer.record(record)?;
        }
        for fact in &self.facts {
            writer.fact(fact)?;
        }
        writer.finish()
    }
}
