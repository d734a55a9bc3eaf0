//! The border between messages and types: no protobuf type goes past this module and its callers in
//! `terminal` and `operator`.

mod admin;
mod ration;

pub(crate) use admin::{program_to_wire, site_to_wire, status, verification};
pub(crate) use ration::{recorded, sales, time, verdict, voided};
