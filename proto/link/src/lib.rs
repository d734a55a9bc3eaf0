//! What both ends of a connection share: the seams to time, chance and tasks ([`env`]), who a peer is
//! ([`identity`]), TLS 1.3 on both sides ([`tls`], [`client`]), a development authority ([`certs`]), and
//! how an ID is sealed for the gateways ([`sealing`]). A trial's wall clock may be set ([`SetClock`]).
//!
//! Invariants: nothing older than TLS 1.3 is ever spoken; a peer's identity comes from its certificate
//! and from nothing else; no process-wide TLS provider is installed or read.
//! Deliberately absent: reading files or the environment, retries, any knowledge of shards.

#![forbid(unsafe_code)]

mod accept;
pub mod certs;
pub mod client;
#[doc(hidden)]
pub mod decoders;
pub mod env;
pub mod identity;
pub mod limits;
pub mod sealing;
mod set_clock;
pub mod tls;

pub use client::{ChannelOptions, ConnectError, TlsClient};
pub use env::{BoxFuture, Clock, Elapsed, Env, Random, Spawner, TaskEnd, TaskHandle};
pub use identity::{IdentityError, Role, peer_role, role_of};
pub use sealing::{ClearId, SealError, SealingKey, SealingSecret, UnsealError};
pub use set_clock::{CLOCK_SPEED_MAX, SetClock};
pub use tls::{ClientAuth, PeerInfo, ServerLimits, TlsError, TlsMaterial, TlsServer, TlsStream};
