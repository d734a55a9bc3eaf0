//! What a simulator replaces, what it feeds and what it may look at. The program itself uses none of this.
//!
//! A simulated node is a [`RunningNode`] started from [`NodeParts`]: the production code of every layer below the
//! wire and above the disk. The simulator hands in
//!
//! * time, chance and tasks: an [`Env`](quorate_link::env::Env), which it also names with
//!   [`with_current_env`](quorate_link::env::with_current_env) while it polls a task of the node, because openraft
//!   asks for these through static functions;
//! * the disk: an [`Engine`];
//! * the network: [`Calls`], which carries each call to the method of the same name on another [`RunningNode`].
//!   Gateways are carried to [`RunningNode::serve_gateway`], [`RunningNode::watch`],
//!   [`RunningNode::watch_sites`] and [`RunningNode::propose_system`].
//!
//! A power cut is: cut the disk, drop every task of the node, drop every handle on it. A node that says
//! [`RunningNode::failed`] has stopped itself, and is to be shut down as its process would be.
//!
//! Deliberately absent: switches. Nothing here makes the code behave otherwise.

pub use crate::links::Calls;
pub use crate::raft::{
    LogPosition, ObservedEntry, ObservedOutbox, ObservedReplica, ObservedState, PeerUnreachable,
    SnapshotRefused,
};
pub use crate::running::{NodeParts, RunningNode};
pub use crate::serve::ForeignCluster;
pub use crate::shard::Upkeep;
pub use crate::storage::{
    Engine, Family, KeyRange, ReadView, RocksEngine, Row, RowOp, StorageError, VisitRow,
};
pub use crate::system::{AddressBook, SystemError};

use futures_util::stream::BoxStream;
use quorate_core::CoreError;
use quorate_proto::ids::ShardId;

impl RunningNode {
    /// The shards of which a replica is here, the system shard among them, in order.
    #[must_use]
    pub fn shards(&self) -> Vec<ShardId> {
        let groups = self.host.groups();
        groups.iter().map(|group| group.shard()).collect()
    }

    /// The replica of a shard as it is now.
    #[must_use]
    pub fn observe(&self, shard: ShardId) -> Option<ObservedReplica> {
        self.group(shard).map(|group| group.observe())
    }

    /// The same, now and whenever any of it has changed; who does not look at once may see several changes as one.
    /// Ends when the replica stops. Holds nothing of the node.
    #[must_use]
    pub fn observations(&self, shard: ShardId) -> Option<BoxStream<'static, ObservedReplica>> {
        self.group(shard).map(|group| group.observations())
    }

    /// Entries `[first, end)` of a shard's log, as far as they are here.
    ///
    /// # Errors
    /// The log cannot be read, or is damaged.
    pub fn observe_entries(
        &self,
        shard: ShardId,
        first: u64,
        end: u64,
    ) -> Result<Vec<ObservedEntry>, StorageError> {
        match self.group(shard) {
            Some(group) => group.observe_entries(first, end),
            None => Ok(Vec::new()),
        }
    }

    /// A shard's whole state, now; `None`: no replica of it is here. Reads every row.
    ///
    /// # Errors
    /// The state cannot be read, or is damaged.
    pub fn observe_state(&self, shard: ShardId) -> Result<Option<ObservedState>, CoreError> {
        let group = self.group(shard);
        group.map(|group| group.observe_state()).transpose()
    }
}
