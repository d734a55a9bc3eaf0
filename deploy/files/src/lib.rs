//! The files that people hand to the program, each as CSV: sites ([`sites`]), sales on paper ([`paper_list`]), and
//! what the public once saw ([`record`], of [`level`]s).
//!
//! Pure: bytes in, values out, and every fault named by its line. Deliberately absent: opening a file, and what is
//! done with what it holds.

#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod decoders;
pub mod level;
pub mod paper_list;
pub mod record;
pub mod sites;
