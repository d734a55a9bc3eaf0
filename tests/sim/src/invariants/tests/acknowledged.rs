//! What was acknowledged is held after a restart, as far as it is committed.

use super::*;

const LAW: &[&str] = &["acknowledged means held"];

/// Replica 1 has acknowledged entry 5, entry `committed` is committed; then replica 1 restarts with this.
fn restart(committed: u64, restarted: ObservedReplica) -> Vec<Step> {
    let knows = ObservedReplica {
        committed: at(1, committed),
        ..replica(2)
    };
    vec![Sends(1, matched(5)), look(knows), look_again(restarted)]
}

fn holding(last_index: u64) -> ObservedReplica {
    ObservedReplica {
        last_index: Some(last_index),
        ..replica(1)
    }
}

#[test]
fn an_acknowledged_entry_is_held() {
    let unread = ObservedReplica {
        term: 0,
        voted_for: 0,
        ..replica(1)
    };
    check([
        ("all of it is there", restart(5, holding(5)), &[]),
        ("more is there", restart(5, holding(6)), &[]),
        ("one entry is gone", restart(5, holding(4)), LAW),
        ("all is gone", restart(5, replica(1)), LAW),
        (
            "what is gone was not committed",
            restart(4, holding(4)),
            &[],
        ),
        ("the disk is not read yet", restart(5, unread), &[]),
        (
            "another replica has promised nothing",
            vec![
                Sends(1, matched(5)),
                look(ObservedReplica {
                    committed: at(1, 5),
                    ..replica(2)
                }),
                look(replica(3)),
            ],
            &[],
        ),
    ]);
}
