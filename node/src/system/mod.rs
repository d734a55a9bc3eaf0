//! The cluster's own business on this node: the view, joining, proposals to the system shard.

mod bootstrap;
mod propose;
mod view;

pub(crate) use bootstrap::{create_system_replica, run_bootstrap, run_registration};
pub use propose::SystemError;
pub(crate) use propose::{ProposeSystem, SystemProposer, SystemSlot};
pub use view::AddressBook;
pub(crate) use view::{View, run_local_view, run_remote_view};
