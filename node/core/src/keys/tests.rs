#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use quorate_proto::{
    ids::{NodeId, ProductId, RequestId, SiteCode, SiteKey},
    ring::even_split,
};

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
    assert_eq!(ranges.len(), 8);
    assert!(ranges.is_sorted());
}

fn site_at_position(position: u64) -> SiteKey {
    SiteKey::new(citizen_at(position).get())
}

#[test]
fn what_a_site_has_belongs_to_the_range_that_holds_its_position() {
    let product = ProductId::parse("kf-mask").unwrap();
    let request = RequestId::from_bytes([7; 16]).unwrap();
    let parts = even_split(3);
    for (index, part) in parts.iter().enumerate() {
        for position in [part.first().get(), part.last().get()] {
            let site = site_at_position(position);
            let rows = [
                (site_at(&site), StateKind::Site),
                (stock(&site, &product), StateKind::Stock),
                (journal(&site), StateKind::StockJournal),
                (site_sale(&site, 5, request), StateKind::SiteSale),
                (over_quota(&site, 5, request), StateKind::OverQuotaSale),
            ];
            for (key, kind) in rows {
                assert_eq!(StateKind::of(&key), Some(kind));
                assert_eq!(site_of(&key), Some(site));
                for (other, range) in parts.iter().enumerate() {
                    let ranges = ranges(ShardId(1), Some(*range));
                    let owned = ranges.iter().filter(|range| inside(range, &key));
                    assert_eq!(owned.count(), usize::from(other == index), "{key:02x?}");
                }
            }
        }
    }
}

#[test]
fn sales_of_a_site_sort_by_time_and_read_back() {
    let (site, next) = (site_at_position(9), site_at_position(10));
    let request = RequestId::from_bytes([0xff; 16]).unwrap();
    let keys = [0, 1, 255, 256, i64::MAX].map(|at| site_sale(&site, at, request));
    assert!(keys.is_sorted());
    assert_eq!(sale_of(&keys[3]), Some((256, request)));
    assert_eq!(sale_of(&over_quota(&site, 3, request)), Some((3, request)));
    assert_eq!(sale_of(&site_at(&site)), None);
    let range = site_sales(&site, 1, 256);
    let within = |key: &Vec<u8>| inside(&range, key);
    assert_eq!(
        keys.each_ref().map(within),
        [false, true, true, false, false]
    );
    assert!(!inside(&range, &site_sale(&next, 5, request)));
    assert!(inside(
        &over_quotas(&site, 6),
        &over_quota(&site, 5, request)
    ));
    assert!(!inside(
        &over_quotas(&site, 5),
        &over_quota(&site, 5, request)
    ));

    let product = ProductId::parse("kf-mask").unwrap();
    let key = stock(&site, &product);
    assert_eq!(product_of(&key), Some(product));
    assert_eq!(product_of(&keys[0]), None);
    assert!(inside(&stocks(&site), &key));
    assert!(!inside(&stocks(&next), &key));
    let edge = SiteKey::new([0xff; 16]);
    assert!(inside(&stocks(&edge), &stock(&edge, &product)));
    assert!(inside(&shown(), &key) && inside(&shown(), &site_at(&edge)));
    assert!(!inside(&shown(), &keys[0]) && !inside(&shown(), &journal(&site)));
    for (kind, key) in [
        (sites_in(RingRange::FULL), site_at(&edge)),
        (stocks_in(RingRange::FULL), key),
        (
            over_quota_in(RingRange::FULL),
            over_quota(&edge, 1, request),
        ),
    ] {
        assert!(inside(&kind, &key));
    }
}

#[test]
fn watermarks_name_their_source() {
    let key = watermark(ShardId(3), ShardId(258));
    assert_eq!(StateKind::of(&key), Some(StateKind::Watermark));
    assert_eq!(source_of_watermark(&key), Some(ShardId(258)));
    assert_eq!(source_of_watermark(&facts(ShardId(3))), None);
    assert_eq!(describe(&key), "watermark of shard 3");
    assert_eq!(outbox_sequence(&outbox(ShardId(3), 70_000)), Some(70_000));
    assert_eq!(outbox_sequence(&key), None);
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
        (raft::disk_commits(), LogKind::DiskCommits),
        (
            raft::heard_of_disk(NodeId(7)),
            LogKind::HeardOfDisk(NodeId(7)),
        ),
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
