//! What is read of a certificate and of a sealed ID, by name, for fuzzers. Hidden: no part of the interface.
//!
//! Law: none of these panics, and none takes memory out of proportion to its bytes.

use quorate_proto::ids::RequestId;

use crate::{
    identity::role_of,
    sealing::{SealingSecret, unpack},
};

/// A name, and what reads bytes and forgets what it read.
pub type Decoder = (&'static str, fn(&[u8]));

/// By name.
pub const ALL: &[Decoder] = &[
    ("link-certificate", |der| {
        has_role(der);
    }),
    ("link-sealed-id", |bytes| {
        opens(bytes);
    }),
    ("link-packed-id", |text| {
        is_packed(text);
    }),
];

/// The cluster whose certificates are read.
pub const CLUSTER_ID: &str = "fuzzed";
/// The secret that opens.
pub const SECRET: [u8; 32] = [7; 32];
/// Of the slip.
pub const REQUEST: [u8; 16] = [3; 16];

/// Whether this certificate gives a role in the cluster.
pub fn has_role(der: &[u8]) -> bool {
    role_of(der, CLUSTER_ID).is_ok()
}

/// Whether an ID is sealed here.
pub fn opens(bytes: &[u8]) -> bool {
    let secret = SealingSecret::from_bytes(&SECRET);
    RequestId::from_bytes(REQUEST).is_ok_and(|request| secret.open(bytes, request).is_ok())
}

/// Whether an ID is found here, once it was opened.
pub fn is_packed(text: &[u8]) -> bool {
    unpack(text).is_some()
}
