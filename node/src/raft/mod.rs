//! Consensus: many Raft groups on one log committer and one database.
//!
//! This is the only door to openraft. Everything else sees a [`Group`].
//!
//! Invariants: a vote or an entry is acknowledged only when synced; the log is never purged past the
//! durable applied index; replica ids are unique per group and never reused; a lost outcome is unknown,
//! never failed.

mod books;
mod codec;
pub mod decoders;
mod group;
mod inbound;
mod log;
#[cfg(test)]
mod log_suite;
mod network;
mod observe;
mod options;
mod peer;
#[cfg(feature = "planted-bugs")]
mod planted;
mod retention;
mod runtime;
mod snapshot;
mod snapshot_frames;
mod snapshot_lane;
mod snapshot_receiver;
mod snapshot_rows;
mod snapshot_sender;
#[cfg(test)]
mod snapshot_turns;
mod state_machine;
mod types;

pub(crate) use books::TouchedSites;
pub(crate) use codec::AppliedPoint;
pub(crate) use group::{Group, GroupParts, Pending, Proposed, ReadRefused};
pub(crate) use inbound::{FindGroup, Inbound};
pub use observe::{LogPosition, ObservedEntry, ObservedOutbox, ObservedReplica, ObservedState};
pub use peer::PeerUnreachable;
pub(crate) use peer::{PeerNetwork, PeerSession, Route, SessionSender, SharedNetwork};
pub(crate) use snapshot_lane::SnapshotLane;
pub use snapshot_receiver::SnapshotRefused;
pub(crate) use snapshot_receiver::receive_snapshot;
pub(crate) use state_machine::Digest;
pub(crate) use types::{Applied, Host};
