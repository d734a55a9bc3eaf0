//! Reads histories: in blocks, on several threads, with errors that name the line and the field.
//!
//! The text is never in memory whole, the records are.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::Path,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use serde::{Deserialize, de::DeserializeOwned};
use thiserror::Error;

use super::{FORMAT, History, Record};
use crate::{
    calendar::{Calendar, RulesError},
    facts::Fact,
    limits,
    rules::{Rule, Rules},
};

/// Why a history cannot be read.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The file could not be opened or read.
    #[error("cannot read the history: {0}")]
    Read(#[from] io::Error),
    /// There is no first line.
    #[error("the history is empty: its first line names the format and the rules")]
    Empty,
    /// Written by another version.
    #[error("the history has format {found}; this program reads format {FORMAT}")]
    Format {
        /// In the first line.
        found: u32,
    },
    /// The first line names rules that no program can have.
    #[error("line 1: {0}")]
    Rules(#[from] RulesError),
    /// A line is not what it should be.
    #[error("line {line}: {why} (at `{field}`)")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Where in the line; `.`: at its top.
        field: String,
        /// What the parser says.
        why: String,
    },
    /// A line is longer than any record.
    #[error("line {line} is longer than {max} bytes", max = limits::LINE_BYTES_MAX)]
    TooLong {
        /// Counted from 1.
        line: usize,
    },
    /// A record behind a fact.
    #[error("line {line}: a record behind a fact; records come first, facts last")]
    Order {
        /// Counted from 1.
        line: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    history: u32,
    #[serde(default)]
    time_zone: Option<String>,
    rules: Vec<Rule>,
}

impl History {
    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, or a line is not what it should be.
    pub fn load(path: &Path) -> Result<Self, HistoryError> {
        Self::read(File::open(path)?, limits::THREADS_DEFAULT)
    }

    /// Reads what [`super::Writer`] wrote, on that many threads.
    ///
    /// # Errors
    /// It cannot be read, or a line is not what it should be.
    pub fn read(from: impl Read + Send, threads: usize) -> Result<Self, HistoryError> {
        let mut text = Text {
            from,
            rest: Vec::new(),
            blocks: 0,
        };
        let mut first = Vec::new();
        let rules = match text.next(&mut first)? {
            Some(_) => header(&mut text, &first)?,
            None => return Err(HistoryError::Empty),
        };
        let text = Mutex::new(text);
        thread::scope(|scope| {
            // Bounded, so that a slow assembly does not pile up what was read.
            let (to, blocks) = mpsc::sync_channel(limits::BLOCKS_READ_AHEAD);
            let readers: Vec<_> = (0..threads.max(1))
                .map(|_| {
                    let to = to.clone();
                    let text = &text;
                    scope.spawn(move || read_blocks(text, &to))
                })
                .collect();
            drop(to);
            let mut assembly = Assembly::new(rules);
            for block in blocks {
                assembly.take(block)?;
            }
            for reader in readers {
                match reader.join() {
                    Ok(read) => read?,
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(assembly.history)
        })
    }
}

/// Takes the first line off; what follows it is read again.
fn header<R: Read>(text: &mut Text<R>, first: &[u8]) -> Result<Rules, HistoryError> {
    let end = memchr::memchr(b'\n', first).unwrap_or(first.len());
    let behind = first.get(end + 1..).unwrap_or_default();
    text.rest.splice(0..0, behind.iter().copied());
    text.blocks = 0;
    let line = &first[..end];
    if line.len() > limits::LINE_BYTES_MAX {
        return Err(HistoryError::TooLong { line: 1 });
    }
    let header: Header =
        serde_json::from_slice(line).map_err(|_| LineError::of::<Header>(line).at(1))?;
    if header.history != FORMAT {
        return Err(HistoryError::Format {
            found: header.history,
        });
    }
    let rules = Rules {
        time_zone: header.time_zone,
        rules: header.rules,
    };
    Calendar::new(&rules)?;
    Ok(rules)
}

/// The text, handed out in blocks of whole lines.
struct Text<R> {
    from: R,
    /// The beginning of a line whose end is not read yet.
    rest: Vec<u8>,
    blocks: usize,
}

impl<R: Read> Text<R> {
    /// Fills the block with whole lines, and says its number; `None`: nothing is left.
    fn next(&mut self, block: &mut Vec<u8>) -> io::Result<Option<usize>> {
        block.clear();
        block.append(&mut self.rest);
        loop {
            let read = (&mut self.from)
                .take(limits::BLOCK_BYTES as u64)
                .read_to_end(block)?;
            if read == 0 && block.is_empty() {
                return Ok(None);
            }
            // A line that is too long is handed out as it is: whoever reads it says so.
            let end = memchr::memrchr(b'\n', block);
            if read > 0 && end.is_none() && block.len() <= limits::LINE_BYTES_MAX {
                continue;
            }
            if read > 0
                && let Some(end) = end
            {
                self.rest.extend_from_slice(&block[end + 1..]);
                block.truncate(end + 1);
            }
            self.blocks += 1;
            return Ok(Some(self.blocks));
        }
    }
}

/// The lines of one block.
struct Block {
    number: usize,
    lines: usize,
    records: Vec<Record>,
    facts: Vec<Fact>,
    /// Line of the first fact, counted from 1 in the block.
    first_fact: Option<usize>,
    /// The first line that is wrong, counted from 1 in the block. Nothing behind it was read.
    wrong: Option<(usize, LineError)>,
}

/// Hands over block after block until the text ends, or nobody wants more.
fn read_blocks<R: Read>(text: &Mutex<Text<R>>, to: &mpsc::SyncSender<Block>) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        // Another reader that panicked leaves the text between two blocks.
        let mut text = text.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(number) = text.next(&mut bytes)? else {
            return Ok(());
        };
        drop(text);
        if to.send(read_block(number, &bytes)).is_err() {
            return Ok(());
        }
    }
}

fn read_block(number: usize, bytes: &[u8]) -> Block {
    let mut block = Block {
        number,
        lines: 0,
        records: Vec::with_capacity(bytes.len() / 256),
        facts: Vec::new(),
        first_fact: None,
        wrong: None,
    };
    // Looked at once for the whole block; where it is no text, line by line, to find out which it is.
    let text = std::str::from_utf8(bytes).ok();
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', bytes);
    let unended = (bytes.last() != Some(&b'\n')).then_some(bytes.len());
    for end in ends.chain(unended) {
        block.lines += 1;
        let line = start..end;
        start = end + 1;
        let read = match line.len() {
            ..=limits::LINE_BYTES_MAX => {
                let text = text.and_then(|text| text.get(line.clone()));
                block.read(&bytes[line], text)
            }
            _ => Err(LineError::TooLong),
        };
        if let Err(error) = read {
            block.wrong = Some((block.lines, error));
            break;
        }
    }
    block
}

impl Block {
    fn read(&mut self, line: &[u8], text: Option<&str>) -> Result<(), LineError> {
        let record = match text {
            Some(text) => serde_json::from_str(text),
            None => serde_json::from_slice(line),
        };
        match record {
            Ok(record) if self.first_fact.is_none() => self.records.push(record),
            Ok(_) => return Err(LineError::Order),
            Err(_) => {
                let fact = serde_json::from_slice(line);
                self.facts
                    .push(fact.map_err(|_| LineError::of_either(line))?);
                self.first_fact.get_or_insert(self.lines);
            }
        }
        Ok(())
    }
}

/// A history that is put together as its blocks come in, in any order.
struct Assembly {
    history: History,
    /// Blocks whose predecessors are still to come.
    early: BTreeMap<usize, Block>,
    /// Blocks and lines that are in the history, the first line included.
    blocks: usize,
    lines: usize,
}

impl Assembly {
    fn new(rules: Rules) -> Self {
        Self {
            history: History {
                rules,
                records: Vec::new(),
                facts: Vec::new(),
            },
            early: BTreeMap::new(),
            blocks: 0,
            lines: 1,
        }
    }

    fn take(&mut self, block: Block) -> Result<(), HistoryError> {
        self.early.insert(block.number, block);
        while let Some(next) = self.early.remove(&(self.blocks + 1)) {
            self.blocks += 1;
            self.append(next)?;
        }
        Ok(())
    }

    fn append(&mut self, mut block: Block) -> Result<(), HistoryError> {
        if !block.records.is_empty() && !self.history.facts.is_empty() {
            return Err(HistoryError::Order {
                line: self.lines + 1,
            });
        }
        if let Some((line, error)) = block.wrong {
            return Err(error.at(self.lines + line));
        }
        self.lines += block.lines;
        self.history.records.append(&mut block.records);
        self.history.facts.append(&mut block.facts);
        Ok(())
    }
}

/// What is wrong with a line.
#[derive(Debug)]
enum LineError {
    TooLong,
    Order,
    Field { field: String, why: String },
}

impl LineError {
    /// Reads the line again, slowly, to learn where it is wrong.
    fn of<T: DeserializeOwned>(line: &[u8]) -> Self {
        let from = &mut serde_json::Deserializer::from_slice(line);
        match serde_path_to_error::deserialize::<_, T>(from) {
            Err(error) => Self::Field {
                field: error.path().to_string(),
                why: without_line(&error.inner().to_string()),
            },
            // Only what is behind the value can be wrong.
            Ok(_) => Self::Field {
                field: ".".to_owned(),
                why: "something follows the object".to_owned(),
            },
        }
    }

    /// As a fact if it names one, as a record otherwise.
    fn of_either(line: &[u8]) -> Self {
        let names = ["born", "shelf", "totals", "replica"];
        let object = serde_json::from_slice::<serde_json::Map<_, serde_json::Value>>(line);
        match object {
            Ok(object) if names.iter().any(|name| object.contains_key(*name)) => {
                Self::of::<Fact>(line)
            }
            _ => Self::of::<Record>(line),
        }
    }

    fn at(self, line: usize) -> HistoryError {
        match self {
            Self::TooLong => HistoryError::TooLong { line },
            Self::Order => HistoryError::Order { line },
            Self::Field { field, why } => HistoryError::Line { line, field, why },
        }
    }
}

/// The parser counts lines inside the line; only its column tells something.
fn without_line(message: &str) -> String {
    message.replace(" at line 1 column ", ", column ")
}

#[cfg(test)]
mod tests;
