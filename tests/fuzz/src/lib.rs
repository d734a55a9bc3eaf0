//! Every decoder of the libraries that reads strangers' bytes.
//!
//! [`decoders`] has them by name, each with valid inputs to start from. `make test` throws bytes at them
//! (`quorate-battery`); `make fuzz` looks for what its coverage leads to (`libfuzzer/`, a workspace of its own).
//!
//! Deliberately absent: decoders of the node and of the program itself. They are private, and tested there by the
//! same battery.

pub mod decoders;

pub use quorate_battery::{Decoder, battery, memory};
