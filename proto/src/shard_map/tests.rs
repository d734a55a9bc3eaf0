#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::ring::even_split;

fn record(shard: u32, range: Option<RingRange>) -> storage::ShardRecord {
    storage::ShardRecord {
        shard,
        range_first: range.map_or(0, |range| range.first().get()),
        range_last: range.map_or(0, |range| range.last().get()),
        epoch: u64::from(shard > 0),
        replicas: (1..=3)
            .map(|n| storage::ReplicaPlacement {
                replica: n,
                node: 10 * n,
            })
            .collect(),
        next_replica_id: 4,
        forming_replica: 2,
    }
}

fn view(ranges: &[RingRange]) -> storage::ClusterView {
    let mut shards = vec![record(0, None)];
    shards.extend(
        (1..)
            .zip(ranges)
            .map(|(shard, range)| record(shard, Some(*range))),
    );
    storage::ClusterView {
        version: 3,
        cluster_id: "test".to_owned(),
        nodes: [10, 20, 30]
            .map(|node_id| storage::NodeRecord {
                node_id,
                incarnation: 7,
                address: format!("127.0.0.1:{node_id}"),
                zone: "a".to_owned(),
            })
            .to_vec(),
        shards,
        ..Default::default()
    }
}

fn range(first: u64, last: u64) -> RingRange {
    RingRange::new(RingPosition(first), RingPosition(last)).unwrap()
}

#[test]
fn every_position_finds_its_owner() {
    let ranges = even_split(7);
    let map = ShardMap::new(&view(&ranges)).unwrap();
    for (shard, range) in (1..).map(ShardId).zip(&ranges) {
        for position in [range.first(), range.last()] {
            assert_eq!(map.shard_at(position).unwrap().shard, shard);
        }
        assert_eq!(map.shard(shard).unwrap().range, Some(*range));
    }
    assert_eq!(map.version(), 3);
    assert_eq!(map.shards().len(), 7);
    assert_eq!(map.shard(ShardId::SYSTEM), Some(map.system()));
    assert_eq!(map.shard(ShardId(8)), None);
    assert_eq!(map.nodes().len(), 3);
    assert_eq!(map.system().replica_on(NodeId(20)), Some(ReplicaId(2)));
    assert_eq!(map.system().node_of(ReplicaId(3)), Some(NodeId(30)));
    assert_eq!(map.system().forming, Some(ReplicaId(2)));
}

#[test]
fn order_in_the_view_does_not_matter() {
    let mut shuffled = view(&even_split(5));
    shuffled.shards.reverse();
    assert_eq!(
        ShardMap::new(&shuffled),
        ShardMap::new(&view(&even_split(5)))
    );
}

#[test]
fn each_broken_law_is_named() {
    type Break = fn(&mut storage::ClusterView);
    let cases: [(Break, ShardMapError); 9] = [
        (
            |v| v.shards[2].range_first += 5,
            ShardMapError::Gap {
                position: RingPosition(1 << 63),
            },
        ),
        (
            |v| v.shards[2].range_first -= 5,
            ShardMapError::Overlap {
                position: RingPosition((1 << 63) - 5),
            },
        ),
        (
            |v| v.shards[2].range_last -= 1,
            ShardMapError::Gap {
                position: RingPosition(u64::MAX),
            },
        ),
        (
            |v| v.shards[2].range_last = 1,
            ShardMapError::RangeReversed(ShardId(2)),
        ),
        (|v| drop(v.shards.remove(0)), ShardMapError::NoSystemShard),
        (
            |v| v.shards[2].shard = 1,
            ShardMapError::ShardTwice(ShardId(1)),
        ),
        (
            |v| drop(v.nodes.remove(1)),
            ShardMapError::UnknownNode {
                shard: ShardId::SYSTEM,
                node: NodeId(20),
            },
        ),
        (
            |v| v.shards[1].replicas[0].replica = 2,
            ShardMapError::ReplicaReused(ShardId(1)),
        ),
        (
            |v| v.shards[1].forming_replica = 9,
            ShardMapError::FormingUnknown(ShardId(1)),
        ),
    ];
    for (break_it, expected) in cases {
        let mut broken = view(&even_split(2));
        break_it(&mut broken);
        assert_eq!(ShardMap::new(&broken), Err(expected));
    }
}

#[test]
fn two_owners_of_the_last_position_are_found() {
    let overlapping = view(&[range(0, u64::MAX), range(9, u64::MAX)]);
    let position = RingPosition(9);
    assert_eq!(
        ShardMap::new(&overlapping),
        Err(ShardMapError::Overlap { position })
    );
}
