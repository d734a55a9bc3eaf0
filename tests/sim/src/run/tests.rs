//! Tests of a run's parts.

#![allow(clippy::unwrap_used, reason = "tests")]

mod disk_views;
mod driver;
