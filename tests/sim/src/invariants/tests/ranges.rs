//! Every view covers the ring, and one version is one view.

use quorate_proto::storage::ShardRecord;

use super::*;

const LAW: &[&str] = &["ranges"];
const MIDDLE: u64 = 1 << 63;

/// A shard: its number, its epoch, and its range.
type Part = (u32, u64, u64, u64);

/// The ring in two halves.
const WHOLE: [Part; 2] = [(1, 1, 0, MIDDLE - 1), (2, 1, MIDDLE, u64::MAX)];

fn view(version: u64, parts: &[Part]) -> ClusterView {
    let shards = parts.iter().map(|part| ShardRecord {
        shard: part.0,
        epoch: part.1,
        range_first: part.2,
        range_last: part.3,
        ..ShardRecord::default()
    });
    ClusterView {
        version,
        // The system shard has no range.
        shards: std::iter::once(ShardRecord::default())
            .chain(shards)
            .collect(),
        ..ClusterView::default()
    }
}

#[test]
fn a_view_covers_the_ring() {
    let one = |parts: &[Part]| vec![Views(1, view(1, parts))];
    let [first, second] = WHOLE;
    check([
        ("two halves", one(&WHOLE), &[]),
        ("in another order", one(&[second, first]), &[]),
        ("a gap", one(&[(1, 1, 0, MIDDLE - 2), second]), LAW),
        ("an overlap", one(&[(1, 1, 0, MIDDLE), second]), LAW),
        ("the beginning is missing", one(&[(1, 1, 1, u64::MAX)]), LAW),
        ("the end is missing", one(&[(1, 1, 0, u64::MAX - 1)]), LAW),
    ]);
}

#[test]
fn views_follow_one_another() {
    let then = |node, next| vec![Views(1, view(1, &WHOLE)), Views(node, next)];
    let moved = |epoch| [(1, epoch, 0, MIDDLE), (2, epoch, MIDDLE + 1, u64::MAX)];
    let later = |epoch| WHOLE.map(|(shard, _, first, last)| (shard, epoch, first, last));
    check([
        ("the same elsewhere", then(2, view(1, &WHOLE)), &[]),
        (
            "another of the same version",
            then(2, view(1, &later(2))),
            LAW,
        ),
        (
            "new ranges in a new epoch",
            then(1, view(2, &moved(2))),
            &[],
        ),
        (
            "new ranges in the same epoch",
            then(1, view(2, &moved(1))),
            &["ranges", "ranges"],
        ),
        (
            "an epoch falls",
            vec![
                Views(1, view(1, &later(2))),
                Views(1, view(2, &[(1, 1, 0, MIDDLE - 1), later(2)[1]])),
            ],
            LAW,
        ),
        (
            "another node is behind",
            vec![Views(1, view(2, &later(2))), Views(2, view(1, &later(1)))],
            &[],
        ),
    ]);
}

#[test]
fn replicas_own_what_the_view_says() {
    let then = |epoch, range| vec![Views(1, view(1, &WHOLE)), Owns(2, epoch, range)];
    let before = |range| vec![Owns(2, 1, range), Views(1, view(1, &WHOLE))];
    check([
        ("the same", then(1, (0, MIDDLE - 1)), &[]),
        ("another in that epoch", then(1, (0, MIDDLE)), LAW),
        ("another in the next epoch", then(2, (0, MIDDLE)), &[]),
        ("the same, seen first", before((0, MIDDLE - 1)), &[]),
        ("another, seen first", before((0, MIDDLE)), LAW),
    ]);
}
