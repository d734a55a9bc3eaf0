//! Entries of one index and leader are one entry, and follow the same one.

use super::*;

const LAW: &[&str] = &["log matching"];

/// Entries from index 1 on; each is its term and what it says.
fn log(entries: &[(u64, u64)]) -> Vec<ObservedEntry> {
    let entries = (1..).zip(entries);
    let entries = entries.map(|(index, (term, digest))| ObservedEntry {
        position: at(*term, index).unwrap(),
        digest: *digest,
    });
    entries.collect()
}

/// Looks at a log of which so much is committed.
fn read(id: u64, committed: u64, entries: &[(u64, u64)]) -> Step {
    let seen = ObservedReplica {
        committed: at(1, committed),
        ..replica(id)
    };
    Look(life(id, 1), seen, log(entries))
}

#[test]
fn one_entry_is_one_everywhere() {
    check([
        (
            "the same",
            vec![read(1, 1, &[(1, 1), (1, 2)]), read(2, 1, &[(1, 1), (1, 2)])],
            &[],
        ),
        (
            "one says something else",
            vec![read(1, 1, &[(1, 1), (1, 2)]), read(2, 1, &[(1, 1), (1, 3)])],
            LAW,
        ),
        (
            "another leader's entry says something else",
            vec![read(1, 1, &[(1, 1), (1, 2)]), read(2, 1, &[(1, 1), (2, 3)])],
            &[],
        ),
        (
            "one follows another entry",
            vec![
                read(1, 1, &[(1, 1), (1, 2), (3, 3)]),
                read(2, 1, &[(1, 1), (2, 2), (3, 3)]),
            ],
            LAW,
        ),
        (
            "one follows a later leader's",
            vec![read(1, 1, &[(1, 1), (3, 2), (2, 3)])],
            LAW,
        ),
    ]);
}

#[test]
fn a_tail_that_is_replaced_is_read_again_to_its_beginning() {
    let tail = |second: (u64, u64), term: u64| {
        let rest = (3..40).map(|digest| (term, digest));
        let entries = [(1, 1), second].into_iter().chain(rest);
        entries.collect::<Vec<(u64, u64)>>()
    };
    let (old, new) = (tail((1, 2), 1), tail((2, 2), 2));
    let wrong = tail((2, 9), 2);
    check([
        (
            "rightly",
            vec![read(1, 1, &old), read(2, 1, &new), read(1, 1, &new)],
            &[],
        ),
        (
            "the first of many is wrong",
            vec![read(1, 1, &old), read(2, 1, &new), read(1, 1, &wrong)],
            LAW,
        ),
    ]);
}

#[test]
fn what_is_committed_is_read_once() {
    let judges = Judges::new(Arc::new(Shelf::default()));
    let entries: Vec<(u64, u64)> = (1..=40).map(|digest| (1, digest)).collect();
    let wanted = |committed: u64, read: usize| {
        let seen = ObservedReplica {
            committed: at(1, committed),
            ..replica(1)
        };
        judges.replica(life(1, 1), &seen, &log(&entries[..read]));
        judges.entries_wanted(life(1, 1), SHARD)
    };
    assert_eq!(wanted(3, 20), 3, "not one that may be replaced");
    assert_eq!(wanted(18, 20), 18);
    assert_eq!(wanted(40, 20), 20, "not one that was never read");
    assert_eq!(wanted(2, 20), 20, "never back");
}
