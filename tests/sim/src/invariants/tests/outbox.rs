//! Outboxes are in order, and one place has one outbox.

use super::*;

/// A replica, up to where it has applied, and the newest, the acknowledged and the deleted row of its outbox.
fn outbox(id: u64, applied: u64, rows: (u64, u64, u64)) -> ObservedReplica {
    let (newest, acknowledged, trimmed) = rows;
    ObservedReplica {
        applied: at(1, applied),
        outbox: ObservedOutbox {
            newest,
            acknowledged,
            trimmed,
        },
        ..replica(id)
    }
}

fn with_outbox(id: u64, applied: u64, rows: (u64, u64, u64)) -> Step {
    look(outbox(id, applied, rows))
}

#[test]
fn an_outbox_is_in_order() {
    const LAW: &[&str] = &["outbox order"];
    let then = |next| vec![with_outbox(1, 5, (6, 4, 2)), with_outbox(1, 6, next)];
    check([
        ("nothing happens", then((6, 4, 2)), &[]),
        ("everything is deleted", then((6, 6, 6)), &[]),
        ("the newest falls", then((5, 4, 2)), LAW),
        ("the acknowledged falls", then((6, 3, 2)), LAW),
        ("the deleted falls", then((6, 4, 1)), LAW),
        ("acknowledged before it is written", then((6, 7, 2)), LAW),
        ("deleted before it is acknowledged", then((6, 4, 5)), LAW),
    ]);
}

#[test]
fn one_place_has_one_outbox() {
    const LAW: &[&str] = &["equal outboxes at equal places"];
    let unapplied = ObservedReplica {
        applied: None,
        ..outbox(2, 5, (7, 4, 2))
    };
    let first = || with_outbox(1, 5, (6, 4, 2));
    check([
        (
            "the same elsewhere",
            vec![first(), with_outbox(2, 5, (6, 4, 2))],
            &[],
        ),
        (
            "another one elsewhere",
            vec![first(), with_outbox(2, 5, (6, 5, 2))],
            LAW,
        ),
        (
            "another one elsewhere, and later",
            vec![first(), with_outbox(2, 6, (6, 5, 2))],
            &[],
        ),
        (
            "the same after a restart",
            vec![first(), look_again(outbox(1, 5, (6, 4, 2)))],
            &[],
        ),
        (
            "another one after a restart",
            vec![first(), look_again(outbox(1, 5, (7, 4, 2)))],
            LAW,
        ),
        ("at no place yet", vec![first(), look(unapplied)], &[]),
    ]);
}
