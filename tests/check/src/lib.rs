//! Judges what clients of a ration ledger did and saw.
//!
//! * [`history`]: the records, and the format of `history.jsonl` (see `docs/history.md`).
//! * [`rules`]: the ration that a run was played under; windows and limits at an instant.
//! * [`facts`]: what a cluster said of itself after the run: shelves, counts, digests of replicas.
//! * `model`: one citizen's account and what it must answer.
//! * [`check`]: every law, on two threads; [`Report`] says what was broken, by which lines, and why.
//! * [`generate`]: lawful histories, to measure with and to break in tests.
//!
//! The model is one; two judges use it. One replays the log positions that every answer carries; the other
//! ignores them and searches for any order that fits real time, so that a node that lies about positions does
//! not deceive it.
//!
//! Deliberately absent: a cluster, a network, tolerance. A history that cannot be judged fails.

#![forbid(unsafe_code)]

mod bits;
mod calendar;
mod case;
pub mod facts;
pub mod generate;
pub mod history;
mod judge;
mod laws;
pub mod limits;
mod model;
mod report;
pub mod rules;
mod search;

pub use judge::{check, check_on};
pub use report::{Law, Report, Violation};
