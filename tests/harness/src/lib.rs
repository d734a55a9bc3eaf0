//! What tests, chaos runs and benchmarks share.
//!
//! * [`history`]: what clients did and saw, one record per call, as JSON lines.
//! * [`model`]: the ration as ten lines that cannot be wrong.
//! * [`checker`]: judges a history by the log positions that every answer carries.
//! * [`linearize`]: the second opinion, a search that ignores the positions.
//!
//! Deliberately absent: the program itself. The harness starts it as a child process and talks to it as
//! a terminal does; it never links nodes or gateways.

#![forbid(unsafe_code)]

pub mod checker;
pub mod history;
pub mod linearize;
pub mod model;
