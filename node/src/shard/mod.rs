//! The shards this node hosts: queues in front of their groups, and the groups themselves.
//!
//! A command goes from its gateway's stream into the desk of its shard, waits for the proposal in front
//! of it, and becomes part of one log entry with everything else that waited. A query waits for the next
//! linearizable point and is answered with everything else that waited for it.

mod courier;
mod desk;
mod flusher;
mod host;
mod proposer;
mod reader;
mod tender;

pub(crate) use courier::{Carrier, CourierParts, ShardDelivery, deliver_here, run_couriers};
pub(crate) use desk::{Question, ReplyTo, Request};
pub use flusher::Upkeep;
pub(crate) use flusher::run_flusher;
pub(crate) use host::{Host, HostParts, LeaderBoard};
