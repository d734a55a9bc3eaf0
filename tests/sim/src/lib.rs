//! A cluster in one thread, on virtual time, deterministic by one seed.
//!
//! The production code of core, node and gateway routing runs as tasks of one seeded executor; the network, the
//! disks and the clocks are simulated. One [`plan::Plan`] follows from one seed, and everything else from the
//! plan, so that a seed is a test and a failure is replayed by its number.
//!
//! * [`chance`]: the one source of randomness, by seed.
//! * [`executor`]: runs the tasks of all nodes; chooses what goes on, and moves time.
//! * `env`: time, chance and tasks as one simulated process gets them.
//! * [`disk`]: what a process writes, and what of it survives.
//! * [`net`]: connections between places.
//! * [`cluster`]: nodes and gateways that start and die.
//! * [`plan`], [`faults`], [`load`]: what a seed stands for, what goes wrong, what clients do.
//! * [`invariants`]: what must hold at every moment; whole histories are judged by the crate `quorate-check`.
//! * [`run()`]: one seed from its plan to its verdict.
//!
//! Invariant: the same seed gives the same run, step by step; a run says so by a hash over its steps, messages and writes. Nothing
//! here asks the operating system for time, chance or threads. Deliberately absent: TLS, sessions, national IDs
//! and the public, which are tested with real processes.

#![forbid(unsafe_code)]

pub mod chance;
pub mod cluster;
pub mod counter;
pub mod coverage;
pub mod disk;
mod env;
pub mod executor;
pub mod faults;
pub mod invariants;
pub mod load;
pub mod net;
pub mod plan;
mod run;
pub mod shelves;
pub mod trace;

pub use run::{Outcome, run};
pub use trace::Tell;
