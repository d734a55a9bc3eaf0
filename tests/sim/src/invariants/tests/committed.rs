//! One index has one committed entry, and a quorum of disks holds it.

use super::*;

const ONE: &[&str] = &["one committed entry"];
const DURABLE: &[&str] = &["committed means durable on a quorum"];

/// The voters that entry 0 names.
const FIRST: &[&[u64]] = &[&[1, 2, 3]];

/// A replica that knows entries up to this one as committed, and voters from an entry of this index.
fn knowing(id: u64, committed: u64, sets: &[&[u64]], from: u64) -> ObservedReplica {
    ObservedReplica {
        voters: sets.iter().map(|set| set.to_vec()).collect(),
        voters_at: at(1, from),
        committed: at(1, committed),
        ..replica(id)
    }
}

/// These nodes hold their logs up to an entry, then what follows happens.
fn held_by(nodes: &[Place], index: u64, then: Vec<Step>) -> Vec<Step> {
    let entries = |node: &Place| {
        let node = *node;
        (1..=index).map(move |index| Holds(node, Row::Entry(index, 1)))
    };
    nodes.iter().flat_map(entries).chain(then).collect()
}

/// Replica 1 calls entry 5 committed, which these nodes hold.
fn calls_5(nodes: &[Place], sets: &[&[u64]]) -> Vec<Step> {
    held_by(nodes, 5, vec![look(knowing(1, 5, sets, 0))])
}

#[test]
fn one_index_has_one_committed_entry() {
    let committed = |id, term| ObservedReplica {
        committed: at(term, 5),
        ..replica(id)
    };
    let applied = |id, term| ObservedReplica {
        applied: at(term, 5),
        ..replica(id)
    };
    let then = |one, other| vec![look(one), look(other)];
    check([
        ("the same", then(committed(1, 1), committed(2, 1)), &[]),
        ("two", then(committed(1, 1), committed(2, 2)), ONE),
        ("one is applied", then(committed(1, 1), applied(2, 2)), ONE),
        ("both are applied", then(applied(1, 1), applied(2, 1)), &[]),
    ]);
}

#[test]
fn a_quorum_of_disks_holds_what_is_committed() {
    const JOINT: &[&[u64]] = &[&[1, 2, 3], &[1, 4, 5]];
    let applies = |id, index| ObservedReplica {
        applied: at(1, index),
        ..knowing(id, 5, FIRST, 0)
    };
    let mut of_another_term = calls_5(&[1], FIRST);
    of_another_term.insert(0, Holds(2, Row::Entry(5, 2)));
    let mut purged = calls_5(&[1], FIRST);
    purged.insert(0, Holds(2, Row::Purged(5)));
    let mut purged_before = calls_5(&[1], FIRST);
    purged_before.insert(0, Holds(2, Row::Purged(4)));
    let mut hole = calls_5(&[1, 2], FIRST);
    hole.extend([1, 2].map(|node| Holds(node, Row::Entry(7, 1))));
    hole.push(look(knowing(1, 7, FIRST, 0)));
    let then = |nodes: &[Place], index, step| {
        let before = calls_5(&[1, 2], FIRST);
        let steps = before.into_iter().chain(held_by(nodes, index, vec![step]));
        steps.collect::<Vec<Step>>()
    };
    check([
        ("two of three", calls_5(&[1, 2], FIRST), &[]),
        ("one of three", calls_5(&[1], FIRST), DURABLE),
        ("nobody knows the voters", calls_5(&[1], &[]), &[]),
        ("one has another entry", of_another_term, DURABLE),
        ("one has deleted it", purged, &[]),
        ("one has deleted those before it", purged_before, DURABLE),
        ("both sets agree", calls_5(&[1, 2, 4], JOINT), &[]),
        ("one set of two", calls_5(&[1, 2], JOINT), DURABLE),
        (
            "applied by a quorum",
            then(&[1, 2], 6, look(applies(1, 6))),
            &[],
        ),
        (
            "applied before a quorum has it",
            then(&[1], 6, look(applies(1, 6))),
            DURABLE,
        ),
        (
            "answered with a quorum",
            then(&[2, 3], 6, Answered(6, 1)),
            &[],
        ),
        ("answered too early", then(&[2], 6, Answered(6, 1)), DURABLE),
        ("answered late", then(&[], 0, Answered(5, 1)), &[]),
        (
            "answered late, of another term",
            then(&[], 0, Answered(5, 2)),
            DURABLE,
        ),
        ("one before it is not there", hole, DURABLE),
    ]);
}

#[test]
fn a_lost_disk_counts_for_what_it_had_held() {
    // Replica 3 has acknowledged entry 5 and loses its disk; replica 1 calls an entry committed.
    let follower_lost = |holders: &[Place], index| {
        let steps = vec![
            look(replica(3)),
            Sends(3, matched(5)),
            Loses(3, 2),
            look(knowing(1, index, FIRST, 0)),
        ];
        held_by(holders, index, steps)
    };
    // Replica 1 leads, has told that entry 5 is committed and loses its disk.
    let leader_lost = |holders: &[Place], index| {
        let steps = vec![
            Holds(1, Row::Vote(1, 1)),
            look(replica(1)),
            Sends(1, append(vote(1, 1, true), log_id(5))),
            Loses(1, 2),
            look(knowing(2, index, FIRST, 0)),
        ];
        held_by(holders, index, steps)
    };
    check([
        ("an entry from before", follower_lost(&[1], 5), &[]),
        ("an entry from after", follower_lost(&[1], 6), DURABLE),
        ("without it", follower_lost(&[1, 2], 6), &[]),
        ("a leader's entry from before", leader_lost(&[2], 5), &[]),
        ("an entry after that leader", leader_lost(&[2], 6), DURABLE),
        (
            "a disk that is not lost",
            held_by(
                &[1],
                5,
                vec![
                    look(replica(3)),
                    Sends(3, matched(5)),
                    look(knowing(1, 5, FIRST, 0)),
                ],
            ),
            DURABLE,
        ),
    ]);
}

#[test]
fn voters_count_while_they_are_in_force() {
    const SECOND: &[&[u64]] = &[&[4, 5, 6]];
    // Everybody holds entry 5 under the first voters; entry 8 proposes others.
    let change = |then: Vec<Step>| {
        let before = vec![
            look(knowing(1, 5, FIRST, 0)),
            look(knowing(2, 5, SECOND, 8)),
        ];
        held_by(&[1, 2, 3], 5, before.into_iter().chain(then).collect())
    };
    let holds = |nodes: &[Place], index, step| held_by(nodes, index, vec![step]);
    let commits_7 = |nodes: &[Place]| change(holds(nodes, 7, look(knowing(2, 7, SECOND, 8))));
    let commits_8 = |nodes: &[Place]| change(holds(nodes, 8, look(knowing(2, 8, SECOND, 8))));
    // Another leader has put something else in the place of the proposal.
    let replaced = |nodes: &[Place], index| {
        let mut steps = holds(&[1, 2], 9, look(knowing(1, 9, FIRST, 0)));
        // The old leader has not heard of it.
        steps.push(look(knowing(2, 5, SECOND, 8)));
        steps.extend(holds(nodes, index, look(knowing(1, index, FIRST, 0))));
        change(steps)
    };
    check([
        ("proposed: the old agree", commits_7(&[1, 2]), &[]),
        ("proposed: the new agree", commits_7(&[4, 5]), &[]),
        ("proposed: neither agrees", commits_7(&[1, 4]), DURABLE),
        ("committed: the new agree", commits_8(&[4, 5]), &[]),
        ("committed: only the old agree", commits_8(&[1, 2]), DURABLE),
        ("replaced: the old agree", replaced(&[1, 2], 10), &[]),
        (
            "replaced: only the new agree",
            replaced(&[4, 5], 10),
            DURABLE,
        ),
    ]);
}
