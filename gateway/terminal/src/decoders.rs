//! What is read of a journal's records, by name, for fuzzers. Hidden: no part of the interface. The frames around
//! records are read by [`crate::Journal::open`].
//!
//! Law: it does not panic, and takes no memory out of proportion to its bytes.

use crate::record::Record;

/// A name, and what reads bytes and forgets what it read.
pub type Decoder = (&'static str, fn(&[u8]));

/// By name.
pub const ALL: &[Decoder] = &[("terminal-record", |body| {
    is_record(body);
})];

/// Whether these bytes are a record of a kind that is known. Law: a record is read again from its own bytes.
///
/// # Panics
/// It is not.
pub fn is_record(body: &[u8]) -> bool {
    let Some(record) = Record::from_body(body) else {
        return false;
    };
    let again = Record::from_body(&record.to_body());
    assert!(again.is_some(), "a record is read from its own bytes");
    true
}
