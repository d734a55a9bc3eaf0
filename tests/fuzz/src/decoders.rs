//! All decoders by name, each with valid inputs to start from.
//!
//! What carries a checksum is given one that fits: chance would never find it, and the checksum guards against
//! damage, not against whoever can compute it.

mod core;
mod samples;

use std::{io, sync::Mutex};

use quorate_check::history::History;
use quorate_client::SignedSlip;
use quorate_terminal::{Journal, file::JournalFile};

use crate::Decoder;

/// Every decoder of the libraries.
#[must_use]
pub fn all() -> Vec<Decoder> {
    let mut all = core::all();
    let doors = [
        quorate_gateway::decoders::ALL,
        quorate_node::decoders::ALL,
        quorate_link::decoders::ALL,
        quorate_client::decoders::ALL,
        quorate_terminal::decoders::ALL,
        quorate_files::decoders::ALL,
    ];
    all.extend(doors.into_iter().flatten().map(|&(name, read)| Decoder {
        name,
        read,
        seeds: samples::of(name),
    }));
    all.push(Decoder {
        name: "client-signed-slip",
        read: |bytes| drop(SignedSlip::from_bytes(bytes)),
        seeds: samples::slips(),
    });
    all.push(Decoder {
        name: "terminal-journal",
        read: |bytes| {
            drop(Journal::open(Box::new(InMemory(Mutex::new(
                bytes.to_vec(),
            )))))
        },
        seeds: samples::journals(),
    });
    all.push(Decoder {
        name: "check-history",
        read: |bytes| {
            if let Ok(history) = History::read(bytes, 1) {
                drop(quorate_check::check_on(&history, 1));
            }
        },
        seeds: samples::histories(),
    });
    all
}

/// The decoder of that name.
#[must_use]
pub fn named(name: &str) -> Option<Decoder> {
    all().into_iter().find(|decoder| decoder.name == name)
}

/// A journal that lives as long as the test.
struct InMemory(Mutex<Vec<u8>>);

impl InMemory {
    fn bytes(&mut self) -> io::Result<&mut Vec<u8>> {
        self.0.get_mut().map_err(|_| io::ErrorKind::Other.into())
    }
}

impl JournalFile for InMemory {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.bytes()?.clone())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes()?.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.bytes()?.truncate(length as usize);
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        *self.bytes()? = bytes.to_vec();
        Ok(())
    }
}
