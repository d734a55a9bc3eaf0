//! The deterministic heart of a shard: the ledger, the system shard's view, and every durable byte.
//!
//! State owned: none. Everything is a function of a [`View`] and a command, and gives the writes in an
//! [`Overlay`] and an answer; two replicas that apply the same entries hold the same bytes.
//!
//! Invariants: time comes with the batch; nothing is drawn at random; no answer depends on the order of a
//! hash map; no decision is made with floating-point numbers; a damaged value is an error, never skipped.
//! Deliberately absent: clocks, chance, tasks, sockets, the storage engine, Raft.

#![forbid(unsafe_code)]

pub mod audit;
pub mod checkpoint;
pub mod codec;
mod error;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod system;
mod view;

pub use error::CoreError;
pub use quorate_proto::planted;
pub use view::{Overlay, View, ViewError, VisitRow, Writes};
