//! The identifiers that terminals, gateways and nodes share, as types that carry their proof.
//!
//! Numbers ([`NodeId`], [`ShardId`], …) prove nothing but which number they are. Keys ([`CitizenKey`],
//! [`SiteKey`]) carry their ring position. Texts ([`SiteCode`], [`DeviceId`], [`ProgramId`], [`ProductId`],
//! [`RuleId`], …) have passed their alphabet and length. Every type is `Copy`: the texts are held inline.
//!
//! Invariant: no error of this module echoes the input that caused it. Deliberately absent: national IDs,
//! which only the gateway ever holds.

mod keys;
mod numbers;
mod text;

pub use keys::{CitizenKey, KeyLengthError, RequestId, RequestIdError, SiteKey};
pub use numbers::{Epoch, NodeId, ReplicaId, RingPosition, ShardId, SiteType, SiteTypeError};
pub use text::{DeviceId, GroundId, ProductId, ProgramId, RuleId, SiteCode, TextError};
