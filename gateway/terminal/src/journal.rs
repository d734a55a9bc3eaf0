//! The journal: a book that is on the disk before anybody is told.
//!
//! State owned: the file, and the book that its records make. Laws: [`Journal::add_slip`] returns once the slip is
//! synced; after a write that failed the file is cut back to what it was, and if that fails too nothing is
//! written any more. Outcomes need no sync of their own: a slip whose outcome was lost is handed in again and
//! answered as a duplicate.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use quorate_client::{SignedSlip, model::SlipAnswer};
use quorate_link::SealingKey;
use quorate_proto::ids::RequestId;

use crate::{
    book::Book,
    file::JournalFile,
    frame::{frame, scan},
    limits::COMPACT_ABOVE_BYTES,
    record::Record,
};

/// Why something was not written down.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read.
    #[error("the journal cannot be read: {0}")]
    Read(io::Error),
    /// It was not written; the file is as it was before.
    #[error("the slip could not be written down: {0}")]
    Write(io::Error),
    /// An earlier write failed half-way and could not be undone.
    #[error("the journal's disk fails: start this program again, on another disk if it must be")]
    Broken,
}

/// What opening a journal found besides its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes at the end that were no whole record: a write that a loss of power cut. They are gone; nobody was
    /// told that they were written.
    pub torn_bytes: usize,
    /// Bytes in the middle that are no record: damage. They are left where they are.
    pub damaged_bytes: usize,
    /// Records that were whole and of no kind that is known here.
    pub unknown_records: usize,
}

/// See the module's documentation.
pub struct Journal {
    file: Box<dyn JournalFile>,
    book: Book,
    /// Length of the file, bytes.
    length: u64,
    broken: bool,
}

impl Journal {
    /// Reads the journal; cuts a torn tail.
    ///
    /// # Errors
    /// It cannot be read, or not be cut.
    pub fn open(mut file: Box<dyn JournalFile>) -> Result<(Self, Recovery), JournalError> {
        let bytes = file.read().map_err(JournalError::Read)?;
        let scan = scan(&bytes);
        let mut recovery = Recovery {
            torn_bytes: bytes.len() - scan.end,
            damaged_bytes: scan.damaged_bytes,
            unknown_records: 0,
        };
        if recovery.torn_bytes > 0 {
            file.truncate(scan.end as u64).map_err(JournalError::Read)?;
        }
        let mut book = Book::default();
        for body in scan.bodies {
            match Record::from_body(&bytes[body]) {
                Some(record) => book.apply(record),
                None => recovery.unknown_records += 1,
            }
        }
        let journal = Self {
            file,
            book,
            length: scan.end as u64,
            broken: false,
        };
        Ok((journal, recovery))
    }

    /// What it says.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// Writes a slip down, durably. One that is there already is not written again.
    ///
    /// # Errors
    /// See [`JournalError`]: it is not written down.
    pub fn add_slip(&mut self, slip: SignedSlip) -> Result<(), JournalError> {
        if self.book.find(slip.request_id()).is_some() {
            return Ok(());
        }
        self.write(Record::Slip(slip), true)
    }

    /// Notes what became of a slip. Durable with the next [`Journal::sync`], or the next slip.
    ///
    /// # Errors
    /// See [`JournalError`]: the slip will be handed in once more, which changes nothing.
    pub fn settle(&mut self, answer: SlipAnswer, at_ms: i64) -> Result<(), JournalError> {
        if !answer.outcome.is_final() {
            self.book.tried(answer.request_id, answer.detail);
            return Ok(());
        }
        self.write(Record::Settled(answer, at_ms), false)
    }

    /// Notes why slips could not be handed in.
    pub fn tried(&mut self, request_ids: &[RequestId], why: &str) {
        for request_id in request_ids {
            self.book.tried(*request_id, why.to_owned());
        }
    }

    /// Keeps the gateways' key for times without one.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn keep_key(&mut self, key: SealingKey) -> Result<(), JournalError> {
        if self.book.key() == Some(&key) {
            return Ok(());
        }
        self.write(Record::Key(key), true)
    }

    /// Makes outcomes durable, and writes the journal anew if it is long and nothing waits.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn sync(&mut self) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Broken);
        }
        if self.book.waiting() == 0 && self.length > COMPACT_ABOVE_BYTES {
            return self.write_anew();
        }
        self.file.sync().map_err(JournalError::Write)
    }

    fn write_anew(&mut self) -> Result<(), JournalError> {
        let records = self.book.essence();
        let frames: Vec<_> = records
            .iter()
            .map(|record| frame(&record.to_body()))
            .collect();
        let bytes = frames.concat();
        if let Err(error) = self.file.replace(&bytes) {
            // Which of the two is there is told by opening it again.
            self.broken = true;
            return Err(JournalError::Write(error));
        }
        self.length = bytes.len() as u64;
        self.book = Book::default();
        records
            .into_iter()
            .for_each(|record| self.book.apply(record));
        Ok(())
    }

    fn write(&mut self, record: Record, durably: bool) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Broken);
        }
        let bytes = frame(&record.to_body());
        let appended = self.file.append(&bytes);
        let written = match durably {
            true => appended.and_then(|()| self.file.sync()),
            false => appended,
        };
        if let Err(error) = written {
            // Nobody will be told that it is written, so it must not be there.
            self.broken = self.file.truncate(self.length).is_err();
            return Err(JournalError::Write(error));
        }
        self.length += bytes.len() as u64;
        self.book.apply(record);
        Ok(())
    }
}

/// A journal that a counter and whoever hands in share.
#[derive(Clone)]
pub struct SharedJournal {
    journal: Arc<Mutex<Journal>>,
}

impl SharedJournal {
    /// Shares a journal.
    #[must_use]
    pub fn new(journal: Journal) -> Self {
        Self {
            journal: Arc::new(Mutex::new(journal)),
        }
    }

    /// Never held across a wait.
    pub fn lock(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
