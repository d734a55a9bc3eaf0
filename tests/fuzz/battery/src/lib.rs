//! Throws bytes at a decoder: arbitrary ones and changed valid ones, from a seed. What panics, or takes memory
//! out of proportion, is printed and fails.
//!
//! The counting allocator here is that of every test that links this crate. Deliberately absent: any decoder, so
//! that every crate may test its private ones by this.

mod battery;
pub mod memory;
mod mutate;

pub use battery::{Decoder, battery};
