//! The public side: what terminals and operators call.
//!
//! State owned: [`Border`], shared by all services. Invariants: a request's message becomes typed values
//! here and goes no further; the site and the role of a caller come from its token and its certificate,
//! never from the request; every error carries exactly one reason of the error table; every call is
//! bounded in size, number and time. Deliberately absent: any decision about a ration.

pub(crate) mod admin;
pub(crate) mod border;
mod convert;
mod dates;
pub(crate) mod deadline;
mod errors;
mod guard;
mod ration;
mod server;
mod sessions;
pub(crate) mod slips;
mod stock;

pub(crate) use border::{Border, BorderConfig};
pub(crate) use server::serve;
