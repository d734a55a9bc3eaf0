//! The types that openraft works on here.

use std::fmt;

use bytes::Bytes;
use openraft::OptionalSend;
use openraft::impls::OneshotResponder;
use openraft::type_config::alias::{LogIdOf, StoredMembershipOf, VoteOf};
use quorate_core::ledger::Outcome;
use quorate_proto::ids::NodeId;
use quorate_proto::storage::SystemOutcome;

use super::runtime::Runtime;

/// One type configuration for all groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TypeConfig;

impl openraft::RaftTypeConfig for TypeConfig {
    type D = Proposal;
    type R = Applied;
    /// A replica id: unique per group, never reused.
    type NodeId = u64;
    type Node = Host;
    type Term = u64;
    type LeaderId = LeaderId;
    type Vote = openraft::impls::Vote<LeaderId>;
    type Payload = openraft::EntryPayload<Proposal, u64, Host>;
    type Entry = openraft::Entry<LeaderId, Self::Payload>;
    type AsyncRuntime = Runtime;
    type Responder<T>
        = OneshotResponder<Self, T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = openraft::impls::InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type ErrorSource = openraft::impls::BoxedErrorSource;
}

pub(crate) type LogId = LogIdOf<TypeConfig>;
pub(crate) type Vote = VoteOf<TypeConfig>;
pub(crate) type LeaderId = openraft::impls::leader_id_adv::LeaderId<u64, u64>;
pub(crate) type Entry = openraft::type_config::alias::EntryOf<TypeConfig>;
pub(crate) type Membership = openraft::Membership<u64, Host>;
pub(crate) type StoredMembership = StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<TypeConfig>;
pub(crate) type Snapshot<D> = openraft::type_config::alias::SnapshotOf<TypeConfig, D>;

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
