//! A counter that goes on selling without a connection: the journal of slips, and how they are handed in.

#![forbid(unsafe_code)]
