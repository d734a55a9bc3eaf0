//! Faults against clusters of real processes: `make chaos`.
//!
//! * [`kind`]: what can happen; [`means`]: what of it this machine permits; [`schedule`]: what comes when.
//! * [`stage`]: a cluster that faults can be brought upon, with [`links`] between its processes, [`shim`]s in
//!   them and [`volume`]s under them.
//! * [`faults`]: each kind's strike and healing, with proof that it struck.
//! * [`run`]: steps and rounds; everything that clients saw is judged by the harness's checker.
//! * `goodput`: answers a second after each fault; `others`: what shards keep that were not struck.
//! * [`report`]: what runs have shown, and the bars.
//!
//! Deliberately absent: anything of the program itself, which runs unchanged; and mercy: a fault that did
//! not strike fails a run as a broken promise does.

#![forbid(unsafe_code)]

pub mod faults;
mod goodput;
mod grants;
pub mod kind;
pub mod links;
pub mod means;
mod others;
mod replicas;
pub mod report;
pub mod run;
pub mod schedule;
pub mod shim;
pub mod stage;
pub mod volume;
