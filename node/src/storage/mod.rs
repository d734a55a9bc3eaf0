//! Everything durable on a node, behind one trait.
//!
//! State owned: one database per node with two families. [`Family::Log`] holds votes, entries and purge
//! marks of every group and is written by the log committer alone, synced. [`Family::State`] holds what
//! has been applied and is written without a write-ahead log: its durable point is a flush.
//!
//! Invariants: a write batch is atomic; a batch of the state family carries the applied point of its
//! group; nothing is purged from the log before a flush has made it durable in the state.
//!
//! Deliberately absent: any knowledge of Raft or of what the rows mean. This is the only door to RocksDB.

mod committer;
mod damage;
mod engine;
pub(crate) mod identity;
mod rocks;
mod thread;
mod witness;

pub(crate) use committer::{LogCommitter, LogOp, LogQueue};
pub(crate) use engine::StateView;
pub use engine::{Engine, Family, KeyRange, ReadView, Row, RowOp, StorageError, VisitRow};
pub(crate) use identity::{DiskIdentity, IdentityError};
pub use rocks::{RocksEngine, StorageTuning};
pub(crate) use thread::on_own_thread;
pub(crate) use witness::Witness;
