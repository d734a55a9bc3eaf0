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
        let something = decoder.seeds.iter().any(|seed| !seed.is_empty());
        assert!(something, "{}", decoder.name);
        assert!(decoders::named(decoder.name).is_some());
    }
}

/// A mutation of a snapshot that is refused at its first frame would never come further.
#[test]
fn snapshots_to_start_from_are_taken_in_whole() {
    let decoder = decoders::named("node-snapshot").expect("it is among them");
    for seed in &decoder.seeds {
        quorate_node::decoders::take_in(seed).expect("a whole snapshot");
        let (_, cut) = seed.split_last().expect("bytes");
        assert!(quorate_node::decoders::take_in(cut).is_err());
    }
}

#[test]
fn what_chance_would_never_find_to_start_from_is_read() {
    type IsValid = fn(&[u8]) -> bool;
    let valid: [(&str, IsValid); 5] = [
        ("link-certificate", quorate_link::decoders::has_role),
        ("link-sealed-id", quorate_link::decoders::opens),
        ("link-packed-id", quorate_link::decoders::is_packed),
        (
            "node-disk-identity",
            quorate_node::decoders::is_disk_identity,
        ),
        ("terminal-record", quorate_terminal::decoders::is_record),
    ];
    for (name, is_valid) in valid {
        let decoder = decoders::named(name).expect("it is among them");
        for (number, seed) in decoder.seeds.iter().enumerate() {
            assert!(is_valid(seed), "{name}, seed {number}");
        }
    }
}
