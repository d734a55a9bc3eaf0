//! The types that openraft works on here.

use std::fmt;

use bytes::Bytes;
use openraft::alias::{LogIdOf, StoredMembershipOf, VoteOf};
use quorate_core::ledger::Outcome;
use quorate_core::system::SystemOutcome;
use quorate_proto::ids::NodeId;

openraft::declare_raft_types!(
    /// One type configuration for all groups. `NodeId` is a replica id: unique per group, never reused.
    pub(crate) TypeConfig:
        D = Proposal,
        R = Applied,
        NodeId = u64,
        Node = Host,
        Responder<T> = openraft::impls::OneshotResponder<Self, T> where T: openraft::OptionalSend + 'static,
        AsyncRuntime = openraft_rt_tokio::TokioRuntime,
);

pub(crate) type LogId = LogIdOf<TypeConfig>;
pub(crate) type Vote = VoteOf<TypeConfig>;
pub(crate) type LeaderId = openraft::impls::leader_id_adv::LeaderId<u64, u64>;
pub(crate) type Entry = openraft::alias::EntryOf<TypeConfig>;
pub(crate) type Membership = openraft::Membership<u64, Host>;
pub(crate) type StoredMembership = StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
pub(crate) type Snapshot<D> = openraft::alias::SnapshotOf<TypeConfig, D>;

/// Encoded commands, opaque to Raft.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proposal(pub(crate) Bytes);

impl fmt::Debug for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proposal({} bytes)", self.0.len())
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The physical node that hosts a replica. Its address is looked up in the cluster view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Host(pub(crate) u64);

impl Host {
    pub(crate) fn node(self) -> NodeId {
        NodeId::new(self.0)
    }
}

/// What applying one entry gave.
#[derive(Debug)]
pub(crate) enum Applied {
    /// A blank or membership entry.
    Nothing,
    /// One outcome per command of the batch, in order.
    Ledger(Vec<Outcome>),
    /// The outcome of one command to the system shard.
    System(SystemOutcome),
}
