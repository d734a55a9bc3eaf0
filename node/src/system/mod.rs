//! The cluster's own business on this node: the view, joining, proposals to the system shard.

mod bootstrap;
mod propose;
mod view;

pub(crate) use bootstrap::{create_system_replica, run_bootstrap, run_registration};
pub(crate) use propose::{ProposeSystem, SystemError, SystemPeers, SystemProposer, SystemSlot};
pub(crate) use view::{AddressBook, View, run_local_view, run_remote_view};
