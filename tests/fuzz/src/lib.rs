//! Every decoder of the libraries that reads strangers' bytes.
//!
//! [`decoders`] has them by name, each with valid inputs to start from. `make test` throws bytes at them
//! (`quorate-battery`); `make fuzz` looks for what its coverage leads to (`libfuzzer/`, a workspace of its own).
//!
//! Crates whose decoders are private have a hidden door to them, `decoders`. Deliberately absent: decoders of the
//! program itself, which no crate can link (they are tested there by the same battery, without coverage), and what a
//! service checks in a message that was read already, such as dates against a program's time zone.

pub mod decoders;
mod golden;

pub use quorate_battery::{Decoder, battery, memory};
