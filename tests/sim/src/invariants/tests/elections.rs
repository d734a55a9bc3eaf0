//! A vote that is told is synced and never falls, and a leader leads in one life.

use super::*;

const LAW: &[&str] = &["election safety"];

fn with_vote(id: u64, term: u64, voted_for: u64) -> ObservedReplica {
    ObservedReplica {
        term,
        voted_for,
        ..replica(id)
    }
}

#[test]
fn a_vote_never_falls() {
    let lives_on = |term, voted_for| {
        vec![
            look(with_vote(1, 3, 2)),
            look(with_vote(1, term, voted_for)),
        ]
    };
    // Replica 1 has synced and told its vote, and restarts.
    let restarts = |looks: Vec<Step>| {
        let told = vec![Holds(1, Row::Vote(3, 2)), Sends(1, voted(3, 2))];
        told.into_iter().chain(looks).collect::<Vec<Step>>()
    };
    let again = |term, voted_for| look_again(with_vote(1, term, voted_for));
    check([
        ("it stays", lives_on(3, 2), &[]),
        ("a later term", lives_on(4, 1), &[]),
        ("a later candidate", lives_on(3, 3), &[]),
        ("an earlier term", lives_on(2, 3), LAW),
        ("an earlier candidate", lives_on(3, 1), LAW),
        ("restart: it stays", restarts(vec![again(3, 2)]), &[]),
        ("restart: later", restarts(vec![again(4, 1)]), &[]),
        ("restart: it fell", restarts(vec![again(2, 2)]), LAW),
        (
            "restart: the disk is read at last",
            restarts(vec![again(0, 0), again(3, 2)]),
            &[],
        ),
        (
            "restart: it is seen to have fallen once the disk is read",
            restarts(vec![again(0, 0), again(3, 1)]),
            LAW,
        ),
        (
            "another replica has told nothing",
            restarts(vec![look(with_vote(2, 1, 1))]),
            &[],
        ),
    ]);
}

#[test]
fn a_vote_that_is_told_is_synced() {
    let tells = |term, replica| vec![Holds(1, Row::Vote(3, 2)), Sends(1, voted(term, replica))];
    check([
        ("the synced one", tells(3, 2), &[]),
        ("an earlier one", tells(2, 3), &[]),
        ("a later term", tells(4, 1), LAW),
        ("a later candidate", tells(3, 3), LAW),
        ("none is synced", vec![Sends(1, voted(1, 1))], LAW),
        ("none was given", vec![Sends(1, voted(0, 1))], &[]),
    ]);
}

#[test]
fn a_leader_leads_in_one_life() {
    let leads = |id, term, voted_for| ObservedReplica {
        leads: true,
        ..with_vote(id, term, voted_for)
    };
    check([
        (
            "it goes on",
            vec![look(leads(1, 3, 1)), look(leads(1, 3, 1))],
            &[],
        ),
        (
            "it is elected again after a restart",
            vec![look(leads(1, 3, 1)), look_again(leads(1, 4, 1))],
            &[],
        ),
        (
            "it leads on after a restart",
            vec![look(leads(1, 3, 1)), look_again(leads(1, 3, 1))],
            LAW,
        ),
        (
            "another leads in a later term",
            vec![look(leads(1, 3, 1)), look(leads(2, 4, 2))],
            &[],
        ),
        ("it has voted for another", vec![look(leads(1, 3, 2))], LAW),
    ]);
}

#[test]
fn only_a_leader_sends_entries() {
    let sends = |vote| vec![Holds(1, Row::Vote(3, 2)), Sends(1, append(vote, None))];
    check([
        ("it leads", sends(vote(3, 1, true)), &[]),
        ("it was not elected", sends(vote(3, 1, false)), LAW),
        ("another leads", sends(vote(3, 2, true)), LAW),
    ]);
    let snapshot = |synced, vote| vec![Holds(1, synced), SendsSnapshot(1, vote)];
    check([
        (
            "a snapshot of who leads",
            snapshot(Row::Vote(3, 1), vote(3, 1, true)),
            &[],
        ),
        (
            "a snapshot of who was not elected",
            snapshot(Row::Vote(3, 1), vote(3, 1, false)),
            LAW,
        ),
        (
            "a snapshot before the vote is synced",
            snapshot(Row::Vote(2, 1), vote(3, 1, true)),
            LAW,
        ),
    ]);
}

#[test]
fn leaders_that_replace_others_are_counted() {
    let judges = Judges::new(Arc::new(Shelf::default()));
    for (id, term) in [(1, 1), (1, 1), (2, 2), (1, 3)] {
        let seen = ObservedReplica {
            leads: true,
            ..with_vote(id, term, id)
        };
        judges.replica(life(id, 1), &seen, &[]);
    }
    assert_eq!(judges.elections(), 2);
}
