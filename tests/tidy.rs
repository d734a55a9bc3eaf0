//! The project's conventions as tests. Each failure says where the rule is broken and how to mend it.

#[path = "tidy/contract.rs"]
mod contract;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use std::{collections::BTreeSet, fs, path::Path};

use source::{Finding, SourceFile, files};

/// Top-level names that hold code.
const TOPS: [&str; 5] = ["proto", "node", "gateway", "tests", "deploy"];

fn check(rule: fn(&SourceFile) -> Vec<Finding>, extensions: &[&str], mend: &str) {
    let files = files(&TOPS, extensions);
    assert!(
        files.len() > 4,
        "the tree was not found: {} files",
        files.len()
    );
    report(files.iter().flat_map(rule).collect(), mend);
}

fn report(findings: Vec<Finding>, mend: &str) {
    let list: Vec<String> = findings
        .iter()
        .map(|finding| format!("  {}: {}", finding.place, finding.what))
        .collect();
    assert!(list.is_empty(), "\n{}\n\n{mend}\n", list.join("\n"));
}

#[test]
fn one_door_per_foreign_crate() {
    check(
        rules::doors,
        &["rs"],
        "A foreign crate is named in one place only. Move the code behind its door, or hand what it \
         needs through the door's own types. The doors are listed in tests/tidy/rules.rs.",
    );
}

#[test]
fn clocks_randomness_and_spawning_are_handed_in() {
    check(
        rules::ambient,
        &["rs"],
        "Take an `Env` (quorate-link) and use its clock, random and spawner; take configuration as a \
         value. Only then can the same code run under a simulator.",
    );
}

#[test]
fn what_is_chosen_first_is_written_down() {
    check(
        rules::unbiased,
        &["rs"],
        "Begin the `select!` with `biased;` and put what matters most first. Only then does a simulation give \
         the same run for the same seed.",
    );
}

#[test]
fn only_the_program_prints() {
    check(
        rules::printing,
        &["rs"],
        "Use `tracing`, where the event is handled.",
    );
}

#[test]
fn files_are_small() {
    check(
        rules::size,
        &["rs", "proto", "sh"],
        "Split the file by what it does; around 300 lines is comfortable.",
    );
}

#[test]
fn files_say_what_they_are_for() {
    check(
        rules::module_docs,
        &["rs"],
        "Begin the file with `//!`: purpose, state owned, invariants, what is deliberately absent.",
    );
}

#[test]
fn nothing_unfinished() {
    check(
        rules::unfinished,
        &["rs", "proto", "sh"],
        "Finish it, or leave it out and say in the docs why it is absent.",
    );
}

#[test]
fn no_test_is_switched_off() {
    check(rules::ignored_tests, &["rs"], "Mend the test or delete it.");
}

#[test]
fn words_are_the_fields_own() {
    check(
        rules::vocabulary,
        &["rs", "proto", "sh", "toml", "md"],
        "Code says program, leader and follower, allow and deny; text has no em dash and no path of \
         one person's machine.",
    );
}

#[test]
fn dependencies_run_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut manifests = files(&TOPS, &["toml"]);
    manifests.retain(|file| file.path.ends_with("/Cargo.toml"));
    manifests.push(SourceFile {
        path: "Cargo.toml".to_owned(),
        text: fs::read_to_string(root.join("Cargo.toml")).expect("the root manifest"),
    });
    report(
        manifests.iter().flat_map(layers::dependencies).collect(),
        "Dependencies run proto <- core <- node, proto <- link <- gateway and client, all <- the \
         program; the layers are in tests/tidy/layers.rs.",
    );
}

#[test]
fn what_a_stranger_looks_for_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    report(
        layers::project_files(|path| fs::read_to_string(root.join(path)).ok()),
        "Restore the file or the section.",
    );
}

#[test]
fn the_public_contract_keeps_its_promises() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/public_api.txt");
    let current = contract::lines();
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let golden: BTreeSet<String> = golden.lines().map(str::to_owned).collect();
    let gone: Vec<_> = golden.difference(&current).collect();
    assert!(
        gone.is_empty(),
        "\n{gone:#?}\n\nThese were public. Put them back: names, numbers and types stay for ever; a \
         new meaning is a new field.\n"
    );
    let new: Vec<_> = current.difference(&golden).cloned().collect();
    #[expect(
        clippy::disallowed_methods,
        reason = "a person blesses new lines by hand"
    )]
    let blessed = std::env::var_os("BLESS").is_some();
    if !new.is_empty() && blessed {
        let all: Vec<_> = current.iter().map(String::as_str).collect();
        fs::write(&path, all.join("\n") + "\n").expect("write the list");
        return;
    }
    assert!(
        new.is_empty(),
        "\n{new:#?}\n\nNew in the public contract. If they are meant to stay for ever: \
         BLESS=1 cargo test --release --test tidy\n"
    );
}
