//! What terminals and operators call the gateways with.
//!
//! A [`Connection`] knows several gateways and uses one at a time. A [`Terminal`] is a device at a site:
//! it logs in, renews its session, asks to check, record, void and list, and keeps its site's stock. An [`Operator`] shows a client
//! certificate and runs the cluster.
//!
//! Invariants: a request that may have been recorded is never reported as refused or not done; a request is
//! sent again only with the same id, only where the error table allows it, only inside its deadline, and at
//! most once for ten calls (turning away from a gateway that is gone is free); a national ID is never printed. Time, chance and tasks are handed in.
//! Deliberately absent: files, the environment, a journal of offline sales.

#![forbid(unsafe_code)]

mod codec;
mod connection;
mod deadline;
#[doc(hidden)]
pub mod decoders;
mod device_key;
mod error;
mod hand_in;
mod import;
pub mod model;
mod operator;
mod outcome;
mod pages;
pub mod public;
mod report;
pub mod retry;
mod session;
mod slip;
mod stock;
mod terminal;

pub use connection::{Connection, ConnectionOptions, OpenError};
pub use device_key::DeviceKey;
pub use error::{
    AdminError, MalformedAnswer, Outage, ReadError, Rejection, SessionError, WriteError,
};
pub use import::{IMPORT_BATCH_SITES, ImportError};
pub use operator::Operator;
pub use session::TerminalIdentity;
pub use slip::{NoSlip, SignedSlip};
pub use terminal::{Terminal, new_request_id};
