//! What is purged, and what is believed durable, is on the disk.

use super::*;

const PURGED: &str = "purged only what is durable";
const DURABLE: &str = "durable is on the disk";

/// Replica 1 has applied everything; its log is purged up to one index, it believes its state durable up to another,
/// and its disk holds it up to a third.
fn case(purged: u64, believed: u64, held: u64) -> Vec<Step> {
    let seen = ObservedReplica {
        applied: at(1, 9),
        durable: at(1, believed),
        purged: Some(purged),
        ..replica(1)
    };
    vec![Holds(1, Row::Applied(held)), look(seen)]
}

#[test]
fn nothing_is_purged_that_a_power_cut_may_take() {
    let unheld = |purged: Option<u64>, durable| {
        let seen = ObservedReplica {
            applied: at(1, 9),
            durable,
            purged,
            ..replica(1)
        };
        vec![look(seen)]
    };
    check([
        ("all three are one", case(5, 5, 5), &[]),
        ("the disk holds more than is known", case(4, 5, 6), &[]),
        (
            "the disk holds less than is believed",
            case(4, 5, 4),
            &[DURABLE],
        ),
        ("more is purged than is believed", case(6, 5, 6), &[PURGED]),
        (
            "what is believed and purged is not there",
            case(5, 5, 4),
            &[PURGED, DURABLE],
        ),
        ("nothing at all", unheld(None, None), &[]),
        (
            "an empty disk, believed",
            unheld(None, at(1, 0)),
            &[DURABLE],
        ),
        ("an empty disk, purged", unheld(Some(0), None), &[PURGED]),
    ]);
}
