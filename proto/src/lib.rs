//! The contract between terminals, gateways and nodes, and the identifiers all of them share.
//!
//! [`ids`], [`program`], [`ring`], [`shard_map`] and [`slip`] are pure; [`status`] is the table of errors.
//! Generated messages live in [`v1`], [`admin`], [`internal`] and [`storage`]; they stop at the border
//! of each service. [`planted`] is no part of the contract: bugs that prove the tests, here because this is
//! the one crate that all others share. Deliberately absent: sockets, clocks, storage.

#![forbid(unsafe_code)]

pub mod ids;
pub mod planted;
pub mod program;
mod redact;
pub mod ring;
pub mod shard_map;
pub mod slip;
pub mod status;

/// Generated code, nested as the packages are: messages refer to each other by relative path.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    reason = "generated"
)]
mod quorate {
    pub mod v1 {
        tonic::include_proto!("quorate.v1");
    }
    pub mod admin {
        pub mod v1 {
            tonic::include_proto!("quorate.admin.v1");
        }
    }
    pub mod internal {
        pub mod v1 {
            tonic::include_proto!("quorate.internal.v1");
        }
    }
    pub mod storage {
        pub mod v1 {
            tonic::include_proto!("quorate.storage.v1");
        }
    }
}

pub use quorate::admin::v1 as admin;
pub use quorate::internal::v1 as internal;
pub use quorate::storage::v1 as storage;
pub use quorate::v1;

/// The encoded `FileDescriptorSet` of every file here, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
