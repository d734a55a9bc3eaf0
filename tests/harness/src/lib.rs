//! What tests, chaos runs and benchmarks share.
//!
//! * [`cluster`]: a real cluster of child processes that can be killed, frozen and robbed of disks.
//! * [`cli`]: the program's commands as processes, by exit code and JSON.
//! * [`workload`]: clients at counters, every call recorded; [`citizens`]: whom they sell to.
//! * [`history`]: what clients did and saw, one record per call, as JSON lines.
//! * [`checker`]: judges a history. Both are the crate `quorate-check`, which is a tool of its own too.
//! * [`probe`]: how long a shard is without grants after a fault.
//! * [`shelves`]: goods in before a run, and what is left on the shelves after it.
//! * [`judge`]: all of it, against the cluster's own counts.
//!
//! Deliberately absent: the program itself. The harness starts it as a child process and talks to it as
//! a terminal does; it never links nodes or gateways.

#![forbid(unsafe_code)]

pub mod citizens;
pub mod cli;
pub mod cluster;
pub mod judge;
pub mod probe;
pub mod recorder;
mod scene;
pub mod shelves;
pub mod translate;
pub mod workload;

pub use quorate_check::{self as checker, history};
pub use scene::with_cluster;
