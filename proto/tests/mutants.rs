//! A bug is planted where it was asked for, and nowhere else.
//!
//! Only with the feature `planted-bugs`. One test, because what is planted in the whole process stays there.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::thread;

use quorate_proto::planted::{Bug, is, plant_everywhere, plant_here, unlike};

fn is_elsewhere(bug: Bug) -> bool {
    thread::spawn(move || is(bug)).join().unwrap()
}

#[test]
fn a_bug_is_planted_on_its_thread_or_in_the_whole_process() {
    assert!(Bug::ALL.into_iter().all(|bug| !is(bug)));
    plant_here(Some(Bug::TailCut));
    assert!(is(Bug::TailCut) && !is(Bug::StaleRead) && !is_elsewhere(Bug::TailCut));
    let numbers = || [unlike(), unlike(), unlike()];
    let first = numbers();
    assert!(first[0] != first[1] && first[1] != first[2]);
    plant_here(Some(Bug::TailCut));
    assert_eq!(numbers(), first, "the same in the same simulation");

    plant_everywhere(Bug::OutboxLost);
    assert!(is_elsewhere(Bug::OutboxLost));
    // The thread's own comes first.
    assert!(is(Bug::TailCut) && !is(Bug::OutboxLost));
    plant_here(None);
    assert!(is(Bug::OutboxLost) && !is(Bug::TailCut));
}
