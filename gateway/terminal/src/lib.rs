//! A counter that goes on selling without a connection: the journal of slips, and how they are handed in.
//!
//! [`Counter`] sells: online if a gateway answers, on paper if none does. [`Journal`] keeps the slips in a file of
//! its own ([`file`]), synced before the counter hears that it sold. [`hand_in`] takes them to a gateway, in any order,
//! as often as it takes.
//!
//! Invariants: a sale has one request id, online and on paper, so that a sale whose online outcome is unknown is
//! recorded once however it gets there; a slip is on the disk before the goods are over the counter; a slip is
//! never given up before a gateway said what became of it; a national ID is on the disk in sealed form only.
//! Deliberately absent: any decision about the ration while nobody can be asked: without an answer the counter
//! decides. The file system is touched in [`file::DiskFile`] alone.

#![forbid(unsafe_code)]

mod book;
mod counter;
#[doc(hidden)]
pub mod decoders;
pub mod file;
mod frame;
mod hand_in;
mod journal;
pub mod limits;
mod online;
mod record;

pub use book::{Book, Entry, Settled};
pub use counter::{Counter, PaperReceipt, SellError, Sold};
pub use hand_in::{HandInReport, hand_in, keep_handing_in};
pub use journal::{Journal, JournalError, Recovery, SharedJournal};
pub use online::Online;
