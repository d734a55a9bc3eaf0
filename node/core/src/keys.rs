//! Every durable key, and nothing else, is made here. Numbers are big-endian, so keys sort as they count.
//!
//! State family:
//! ```text
//! 0x00 ‖ group (4) ‖ kind (1) ‖ …                         facts of a group
//!        kind 0x01 applied point, 0x02 shard facts, 0x03 program ‖ id, 0x04 cluster view
//! 0x01 ‖ ring position (8) ‖ kind (1) ‖ rest of key (8) ‖ … data, by position and not by group: a split moves no bytes
//!        kind 0x01 citizen record ‖ program id, 0x02 site record
//! 0x02 ‖ group (4) ‖ sequence (8)                          outbox rows
//! ```
//! The log family is in [`raft`].

pub mod raft;

use quorate_proto::{
    ids::{CitizenKey, ProgramId, RingPosition, ShardId, SiteCode, SiteKey},
    ring::RingRange,
};

const FACTS: u8 = 0x00;
const DATA: u8 = 0x01;
const OUTBOX: u8 = 0x02;

const FACT_APPLIED: u8 = 0x01;
const FACT_SHARD: u8 = 0x02;
const FACT_PROGRAM: u8 = 0x03;
const FACT_VIEW: u8 = 0x04;

const DATA_CITIZEN: u8 = 0x01;
const DATA_SITE: u8 = 0x02;

/// Bytes of a data key in front of its kind.
const DATA_KIND_AT: usize = 1 + 8;

/// Which log entry the state of this group has come to.
#[must_use]
pub fn applied(shard: ShardId) -> Vec<u8> {
    fact(shard, FACT_APPLIED, &[])
}

/// The facts that the ledger keeps per shard.
#[must_use]
pub fn facts(shard: ShardId) -> Vec<u8> {
    fact(shard, FACT_SHARD, &[])
}

/// A program as this shard applies it.
#[must_use]
pub fn program(shard: ShardId, program: &ProgramId) -> Vec<u8> {
    fact(shard, FACT_PROGRAM, program.as_bytes())
}

/// Range of all programs of a shard.
#[must_use]
pub fn programs(shard: ShardId) -> (Vec<u8>, Vec<u8>) {
    (
        fact(shard, FACT_PROGRAM, &[]),
        fact(shard, FACT_PROGRAM + 1, &[]),
    )
}

/// The cluster view, a fact of the system shard.
#[must_use]
pub fn cluster_view() -> Vec<u8> {
    fact(ShardId::SYSTEM, FACT_VIEW, &[])
}

/// One citizen in one program.
#[must_use]
pub fn citizen(citizen: &CitizenKey, program: &ProgramId) -> Vec<u8> {
    let suffix = program.as_bytes();
    data(citizen.position(), DATA_CITIZEN, citizen.rest(), suffix)
}

/// One site.
#[must_use]
pub fn site(code: &SiteCode) -> Vec<u8> {
    let key = SiteKey::of(code);
    data(key.position(), DATA_SITE, key.rest(), &[])
}

/// One outbox row. Sequence numbers of a shard start at 1.
#[must_use]
pub fn outbox(shard: ShardId, sequence: u64) -> Vec<u8> {
    let mut key = group_prefix(OUTBOX, shard, 8);
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

/// Range of all outbox rows of a shard.
#[must_use]
pub fn outbox_rows(shard: ShardId) -> (Vec<u8>, Vec<u8>) {
    group_range(OUTBOX, shard)
}

/// Every `[first, end)` key range that a shard owns, in key order: facts, data, outbox.
#[must_use]
pub fn ranges(shard: ShardId, range: Option<RingRange>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut ranges = vec![group_range(FACTS, shard)];
    ranges.extend(range.map(data_range));
    ranges.push(group_range(OUTBOX, shard));
    ranges
}

/// The `[first, end)` key range of all data on this part of the ring.
#[must_use]
pub fn data_range(range: RingRange) -> (Vec<u8>, Vec<u8>) {
    let position_key = |position: RingPosition| {
        let mut key = vec![DATA];
        key.extend_from_slice(&position.get().to_be_bytes());
        key
    };
    let end = match range.last().get().checked_add(1) {
        Some(next) => position_key(RingPosition(next)),
        None => vec![DATA + 1],
    };
    (position_key(range.first()), end)
}

/// What a state key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateKind {
    /// The applied point of a group.
    Applied,
    /// The facts of a shard.
    Facts,
    /// A program.
    Program,
    /// The cluster view.
    ClusterView,
    /// A citizen record.
    Citizen,
    /// A site record.
    Site,
    /// An outbox row.
    Outbox,
}

impl StateKind {
    /// The kind of this key, if it is one of ours.
    #[must_use]
    pub fn of(key: &[u8]) -> Option<Self> {
        match (*key.first()?, key.len()) {
            (FACTS, 6..) => match key[5] {
                FACT_APPLIED => Some(Self::Applied),
                FACT_SHARD => Some(Self::Facts),
                FACT_PROGRAM => Some(Self::Program),
                FACT_VIEW => Some(Self::ClusterView),
                _ => None,
            },
            (DATA, 18..) => match key[DATA_KIND_AT] {
                DATA_CITIZEN => Some(Self::Citizen),
                DATA_SITE => Some(Self::Site),
                _ => None,
            },
            (OUTBOX, 13) => Some(Self::Outbox),
            _ => None,
        }
    }
}

/// The program of a citizen key: what follows the 18 bytes of prefix, position, kind and rest.
pub(crate) fn program_of_citizen_key(key: &[u8]) -> Option<ProgramId> {
    if StateKind::of(key) != Some(StateKind::Citizen) {
        return None;
    }
    let text = std::str::from_utf8(&key[DATA_KIND_AT + 9..]).ok()?;
    ProgramId::parse(text).ok()
}

/// Names the row in words. A citizen is never identified: only the first two bytes of the key are shown.
#[must_use]
pub fn describe(key: &[u8]) -> String {
    let group = || match key.get(1..5) {
        Some(&[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]),
        _ => 0,
    };
    match StateKind::of(key) {
        Some(StateKind::Applied) => format!("applied point of shard {}", group()),
        Some(StateKind::Facts) => format!("row of facts of shard {}", group()),
        Some(StateKind::Program) => {
            let id = String::from_utf8_lossy(&key[6..]);
            format!("program \"{id}\" of shard {}", group())
        }
        Some(StateKind::ClusterView) => "cluster view".to_owned(),
        Some(StateKind::Citizen) => format!("citizen record at {:02x}{:02x}…", key[1], key[2]),
        Some(StateKind::Site) => format!("site record at {:02x}{:02x}…", key[1], key[2]),
        Some(StateKind::Outbox) => format!("outbox row of shard {}", group()),
        None => format!("row of an unknown kind, {} bytes of key", key.len()),
    }
}

fn group_prefix(family: u8, shard: ShardId, more: usize) -> Vec<u8> {
    let mut key = Vec::with_capacity(5 + more);
    key.push(family);
    key.extend_from_slice(&shard.get().to_be_bytes());
    key
}

fn group_range(family: u8, shard: ShardId) -> (Vec<u8>, Vec<u8>) {
    let end = match shard.get().checked_add(1) {
        Some(next) => group_prefix(family, ShardId(next), 0),
        None => vec![family + 1],
    };
    (group_prefix(family, shard, 0), end)
}

fn fact(shard: ShardId, kind: u8, suffix: &[u8]) -> Vec<u8> {
    let mut key = group_prefix(FACTS, shard, 1 + suffix.len());
    key.push(kind);
    key.extend_from_slice(suffix);
    key
}

fn data(position: RingPosition, kind: u8, rest: [u8; 8], suffix: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(18 + suffix.len());
    key.push(DATA);
    key.extend_from_slice(&position.get().to_be_bytes());
    key.push(kind);
    key.extend_from_slice(&rest);
    key.extend_from_slice(suffix);
    key
}

#[cfg(test)]
mod tests;
