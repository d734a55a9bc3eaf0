//! A cluster in one thread, on virtual time, deterministic by one seed.
//!
//! * [`chance`]: the one source of randomness, by seed.
//! * [`executor`]: runs the tasks of all nodes; chooses what goes on, and moves time.
//! * `env`: time, chance and tasks as one simulated process gets them.
//! * [`disk`]: what a process writes, and what of it survives.
//!
//! Invariant: the same seed gives the same run, step by step; a run says so by the hash of its steps. Nothing
//! here asks the operating system for time, chance or threads.

#![forbid(unsafe_code)]

pub mod chance;
pub mod disk;
mod env;
pub mod executor;
