#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use quorate_proto::ring::even_split;

fn inside(range: &(Vec<u8>, Vec<u8>), key: &[u8]) -> bool {
    range.0.as_slice() <= key && key < range.1.as_slice()
}

fn citizen_at(position: u64) -> CitizenKey {
    let mut bytes = [0xff; 16];
    bytes[..8].copy_from_slice(&position.to_be_bytes());
    CitizenKey::new(bytes)
}

#[test]
fn a_shard_owns_its_own_rows_and_no_others() {
    let mask = ProgramId::parse("mask").unwrap();
    for group in [0, 1, 7, u32::MAX] {
        let shard = ShardId(group);
        let rows = [
            applied(shard),
            facts(shard),
            program(shard, &mask),
            outbox(shard, 0),
            outbox(shard, u64::MAX),
        ];
        for owner in [0, 1, 2, 6, 7, 8, u32::MAX - 1, u32::MAX] {
            let ranges = ranges(ShardId(owner), None);
            assert_eq!(ranges.len(), 2);
            for row in &rows {
                let owned = ranges.iter().any(|range| inside(range, row));
                assert_eq!(owned, owner == group, "{row:02x?} of {group}, {owner}");
            }
        }
    }
}

#[test]
fn data_belongs_to_the_range_that_holds_its_position() {
    let mask = ProgramId::parse("mask").unwrap();
    let parts = even_split(3);
    for (index, part) in parts.iter().enumerate() {
        for position in [part.first().get(), part.last().get()] {
            let key = citizen(&citizen_at(position), &mask);
            for (other, range) in parts.iter().enumerate() {
                assert_eq!(inside(&data_range(*range), &key), other == index);
            }
            assert_eq!(StateKind::of(&key), Some(StateKind::Citizen));
            assert_eq!(program_of_citizen_key(&key), Some(mask));
        }
    }
    let ranges = ranges(ShardId(1), Some(RingRange::FULL));
    assert_eq!(ranges.len(), 3);
    assert!(ranges.is_sorted());
}

#[test]
fn kinds_are_told_apart_and_named() {
    let shard = ShardId(3);
    let mask = ProgramId::parse("mask").unwrap();
    let code = SiteCode::parse("P-1").unwrap();
    let cases = [
        (
            applied(shard),
            StateKind::Applied,
            "applied point of shard 3",
        ),
        (facts(shard), StateKind::Facts, "row of facts of shard 3"),
        (
            program(shard, &mask),
            StateKind::Program,
            "program \"mask\" of shard 3",
        ),
        (cluster_view(), StateKind::ClusterView, "cluster view"),
        (
            citizen(&citizen_at(0x0102 << 48), &mask),
            StateKind::Citizen,
            "citizen record at 0102…",
        ),
        (outbox(shard, 9), StateKind::Outbox, "outbox row of shard 3"),
    ];
    for (key, kind, words) in cases {
        assert_eq!(StateKind::of(&key), Some(kind));
        assert_eq!(describe(&key), words);
    }
    assert_eq!(StateKind::of(&site(&code)), Some(StateKind::Site));
    for stranger in [&b""[..], &[0x00], &[0x03; 20], &[0x01; 5]] {
        assert_eq!(StateKind::of(stranger), None);
        assert!(describe(stranger).starts_with("row of an unknown kind"));
    }
}

#[test]
fn log_keys_read_back() {
    use raft::LogKind;
    let shard = ShardId(u32::MAX);
    let cases = [
        (raft::vote(shard), LogKind::Vote),
        (raft::replica(shard), LogKind::Replica),
        (raft::purged(shard), LogKind::Purged),
        (raft::committed(shard), LogKind::Committed),
        (raft::installing(shard), LogKind::Installing),
        (raft::entry(shard, 0), LogKind::Entry(0)),
        (raft::entry(shard, u64::MAX), LogKind::Entry(u64::MAX)),
    ];
    for (key, kind) in cases {
        assert_eq!(raft::parse(&key), Some((shard, kind)));
        assert!(inside(&raft::group(shard), &key));
        assert_eq!(
            inside(&raft::entries(shard), &key),
            matches!(kind, LogKind::Entry(_))
        );
        assert!(!inside(&raft::group(ShardId(u32::MAX - 1)), &key));
    }
    assert!(raft::entry(shard, 255) < raft::entry(shard, 256));
    assert_eq!(raft::parse(b"short"), None);
}
