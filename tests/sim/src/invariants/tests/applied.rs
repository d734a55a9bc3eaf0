//! Applied state only grows, survives what was called durable, and is one state at one place.

use super::*;

const LAW: &[&str] = &["applied state"];

/// Replica 1, which has applied up to one index, and believes it durable up to another.
fn applied(applied: u64, durable: u64) -> ObservedReplica {
    ObservedReplica {
        applied: at(1, applied),
        durable: at(1, durable),
        ..replica(1)
    }
}

#[test]
fn applied_state_grows_and_survives() {
    let after = |steps: Vec<Step>| {
        let disk = Holds(1, Row::Applied(9));
        std::iter::once(disk).chain(steps).collect::<Vec<Step>>()
    };
    check([
        (
            "it grows",
            after(vec![look(applied(5, 3)), look(applied(6, 3))]),
            &[],
        ),
        (
            "it falls",
            after(vec![look(applied(5, 3)), look(applied(4, 3))]),
            LAW,
        ),
        (
            "a restart takes it back to what is durable",
            after(vec![look(applied(5, 3)), look_again(applied(3, 3))]),
            &[],
        ),
        (
            "a restart takes it back to less",
            after(vec![look(applied(5, 3)), look_again(applied(2, 2))]),
            LAW,
        ),
        (
            "all of it is durable",
            after(vec![look(applied(5, 5))]),
            &[],
        ),
        (
            "more is durable than there is",
            after(vec![look(applied(5, 6))]),
            LAW,
        ),
        (
            "another replica on a new disk begins anew",
            after(vec![
                look(applied(5, 5)),
                Look(
                    Life {
                        disk: 2,
                        ..life(1, 2)
                    },
                    replica(4),
                    Vec::new(),
                ),
            ]),
            &[],
        ),
    ]);
}

#[test]
fn one_place_has_one_state() {
    const LAW: &[&str] = &["equal states at equal places"];
    check([
        (
            "the same",
            vec![Digested(1, 16, 7), Digested(2, 16, 7)],
            &[],
        ),
        (
            "another state elsewhere",
            vec![Digested(1, 16, 7), Digested(2, 16, 8)],
            LAW,
        ),
        (
            "another state on the same node",
            vec![Digested(1, 16, 7), Digested(1, 16, 8)],
            LAW,
        ),
        (
            "another state at another place",
            vec![Digested(1, 16, 7), Digested(2, 17, 8)],
            &[],
        ),
    ]);
}
