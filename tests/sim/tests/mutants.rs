//! Every planted bug is caught at a seed that is known to catch it, and that seed is clean without the bug.
//!
//! Only with the feature `planted-bugs`. The seeds are those that `make mutants` finds, see `docs/reliability.md`; what
//! changes the simulation may change them.

use quorate_proto::planted::{Bug, plant_here};
use quorate_sim::{Outcome, run};

/// The lowest seed that catches each bug.
const CAUGHT_AT: [(Bug, u64); 17] = [
    (Bug::UnsyncedLog, 0),
    (Bug::UnsyncedVote, 0),
    (Bug::DoubleApply, 0),
    (Bug::StaleRead, 53),
    (Bug::CheckThenRecord, 0),
    (Bug::SnapshotWithoutDedup, 8),
    (Bug::ClockInApply, 0),
    (Bug::RandomInApply, 0),
    (Bug::TornSnapshot, 9),
    (Bug::MissedCommitted, 1),
    (Bug::PurgePastDurable, 0),
    (Bug::TailCut, 740),
    (Bug::WrongShardWrite, 0),
    (Bug::SlipDropped, 0),
    (Bug::OutboxTwice, 1),
    (Bug::OutboxLost, 0),
    (Bug::ReplicaIdReused, 8),
];

fn run_with(bug: Option<Bug>, seed: u64) -> Outcome {
    plant_here(bug);
    let outcome = run(seed, None);
    plant_here(None);
    outcome
}

#[test]
fn every_bug_is_in_the_table() {
    let mut bugs = CAUGHT_AT.map(|(bug, _)| bug);
    bugs.sort();
    assert_eq!(bugs, Bug::ALL);
}

#[test]
fn every_bug_is_caught_at_its_seed() {
    let missed = CAUGHT_AT
        .iter()
        .filter(|(bug, seed)| run_with(Some(*bug), *seed).is_clean());
    let missed: Vec<&str> = missed.map(|(bug, _)| bug.name()).collect();
    assert!(
        missed.is_empty(),
        "not caught: {missed:?}\nlook for their seeds with: make mutants BUG={}",
        missed.join(",")
    );
}

#[test]
fn their_seeds_are_clean_without_them() {
    let mut seeds = CAUGHT_AT.map(|(_, seed)| seed).to_vec();
    seeds.sort_unstable();
    seeds.dedup();
    for seed in seeds {
        let outcome = run_with(None, seed);
        assert!(
            outcome.is_clean(),
            "{outcome}\nreplay with: make sim SEED={seed}"
        );
    }
}
