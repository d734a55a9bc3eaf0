//! No decoder panics, and none takes memory out of proportion, whatever it is given.

use std::{collections::BTreeSet, fs, path::Path};

use quorate_fuzz::{battery, decoders};

/// Inputs of each kind for each decoder; all of them together take a few seconds.
const CASES: usize = 4_000;

#[test]
fn whatever_is_thrown_at_a_decoder_it_answers_in_bounded_memory() {
    for (seed, mut decoder) in (1..).zip(decoders::all()) {
        decoder.seeds.extend(regressions(decoder.name));
        battery(&decoder, seed, CASES);
    }
}

/// What a decoder did not survive once.
fn regressions(name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let inputs = fs::read_dir(directory.join(name)).into_iter().flatten();
    inputs
        .map(|input| fs::read(input.expect("a readable directory").path()).expect("a file"))
        .collect()
}

#[test]
fn every_decoder_has_a_name_of_its_own_and_something_to_start_from() {
    let all = decoders::all();
    let names: BTreeSet<&str> = all.iter().map(|decoder| decoder.name).collect();
    assert_eq!(names.len(), all.len());
    for decoder in all {
        assert!(!decoder.seeds.is_empty(), "{}", decoder.name);
        assert!(decoders::named(decoder.name).is_some());
    }
}
