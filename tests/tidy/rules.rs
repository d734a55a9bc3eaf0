//! The rules on source text. Each takes a file and returns where it breaks the rule.

use crate::source::{Finding, SourceFile, is_below, named_paths, without_comments_and_literals};

/// A foreign crate, or one of its modules, and the only places that may name it.
pub(crate) struct Door {
    /// Crate or path, as code names it.
    pub(crate) name: &'static str,
    /// Path prefixes of files.
    pub(crate) places: &'static [&'static str],
}

/// One door per foreign crate: what speaks its language is in one place, and can be replaced there.
pub(crate) const DOORS: &[Door] = &[
    Door {
        name: "openraft",
        places: &["node/src/raft/"],
    },
    Door {
        name: "rocksdb",
        places: &["node/src/storage/"],
    },
    Door {
        name: "tonic",
        places: &[
            "proto/",
            "node/src/transport/",
            "gateway/src/service/",
            "gateway/src/nodes/",
            "gateway/client/",
            "tests/",
        ],
    },
    Door {
        name: "tonic_types",
        places: &["proto/"],
    },
    Door {
        name: "tonic_health",
        places: &["gateway/src/service/", "node/src/transport/"],
    },
    Door {
        name: "tonic_reflection",
        places: &["gateway/src/service/"],
    },
    Door {
        name: "rustls",
        places: &["proto/link/"],
    },
    Door {
        name: "tokio_rustls",
        places: &["proto/link/"],
    },
    Door {
        name: "rcgen",
        places: &["proto/link/"],
    },
    Door {
        name: "x509_parser",
        places: &["proto/link/"],
    },
    Door {
        name: "hpke",
        places: &["proto/link/"],
    },
    Door {
        name: "ratatui",
        places: &["deploy/cli/"],
    },
    Door {
        name: "hyper",
        places: &[
            "gateway/client/src/public",
            "gateway/src/public/",
            "node/src/transport/",
        ],
    },
    Door {
        name: "rstar",
        places: &["gateway/src/public/snapshot/"],
    },
    Door {
        name: "utoipa",
        places: &["gateway/src/public/"],
    },
    Door {
        name: "pasetors",
        places: &["gateway/src/"],
    },
    Door {
        name: "clap",
        places: &["deploy/cli/"],
    },
    Door {
        name: "comfy_table",
        places: &["deploy/cli/"],
    },
    Door {
        name: "indicatif",
        places: &["deploy/cli/"],
    },
    Door {
        name: "toml",
        places: &["deploy/cli/", "tests/"],
    },
    Door {
        name: "csv",
        places: &["deploy/cli/", "deploy/files/"],
    },
    Door {
        name: "anyhow",
        places: &["deploy/cli/", "tests/"],
    },
];

/// What is handed in, never reached for, and the places that hand it in.
pub(crate) const AMBIENT: &[&str] = &[
    "std::env",
    "std::thread::sleep",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio::spawn",
    "tokio::task::spawn",
    "tokio::task::spawn_local",
    "tokio::time",
    "rand",
];

/// Where clocks, randomness, spawning and the environment are real: their one implementation, the
/// program's entry point, tests, build scripts.
pub(crate) const AMBIENT_PLACES: &[&str] = &[
    "proto/link/src/env.rs",
    "proto/link/src/env/",
    "deploy/cli/",
    "tests/",
    "proto/build.rs",
];

/// Lines a file may have.
pub(crate) const LINES_MAX: usize = 500;

/// Foreign crates stay behind their doors.
pub(crate) fn doors(file: &SourceFile) -> Vec<Finding> {
    paths_outside(file, |path| {
        DOORS
            .iter()
            .find(|door| is_below(path, door.name))
            .map(|door| door.places)
    })
}

/// Time, randomness, spawning and the environment are handed in.
pub(crate) fn ambient(file: &SourceFile) -> Vec<Finding> {
    paths_outside(file, |path| {
        let names_it = AMBIENT.iter().any(|name| is_below(path, name));
        // `Instant::now` after a plain import of the type.
        let calls_it = path == "Instant::now" || path == "SystemTime::now";
        (names_it || calls_it).then_some(AMBIENT_PLACES)
    })
}

fn paths_outside(
    file: &SourceFile,
    places: impl Fn(&str) -> Option<&'static [&'static str]>,
) -> Vec<Finding> {
    if file.is_test() {
        return Vec::new();
    }
    named_paths(&file.production_code())
        .into_iter()
        .filter(|(_, path)| {
            places(path).is_some_and(|places| !places.iter().any(|at| file.path.starts_with(at)))
        })
        .map(|(line, path)| file.at(line, path))
        .collect()
}

/// A choice between things that are ready is made by their order, not by a random number that no seed decides.
pub(crate) fn unbiased(file: &SourceFile) -> Vec<Finding> {
    if file.is_test() {
        return Vec::new();
    }
    let code = file.production_code();
    let lines: Vec<&str> = code.lines().collect();
    let selects = lines.iter().enumerate();
    selects
        .filter(|(_, line)| line.contains("select!"))
        .filter(|(index, line)| {
            let same_line = line.split("select!").nth(1).unwrap_or_default();
            let next = lines.get(index + 1).copied().unwrap_or_default();
            !format!("{same_line}{next}").contains("biased;")
        })
        .map(|(index, _)| file.at(index + 1, "select! without `biased;`"))
        .collect()
}

/// Only the program prints; everything else logs.
pub(crate) fn printing(file: &SourceFile) -> Vec<Finding> {
    let may_print = ["deploy/cli/", "tests/"]
        .iter()
        .any(|at| file.path.starts_with(at));
    if may_print || file.path.ends_with("build.rs") || file.is_test() {
        return Vec::new();
    }
    lines_with(
        &file.production_code(),
        &["println!", "eprintln!", "print!", "eprint!"],
        file,
    )
}

/// Small files.
pub(crate) fn size(file: &SourceFile) -> Vec<Finding> {
    let lines = file.text.lines().count();
    if lines <= LINES_MAX {
        Vec::new()
    } else {
        vec![file.at(lines, format!("{lines} lines"))]
    }
}

/// A file begins by saying what it is for. `tests.rs` is said by the module that it tests.
pub(crate) fn module_docs(file: &SourceFile) -> Vec<Finding> {
    let mut lines = file.text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    if first.starts_with("//!") || file.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    vec![file.at(1, first)]
}

/// Nothing unfinished is kept.
pub(crate) fn unfinished(file: &SourceFile) -> Vec<Finding> {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("HA", "CK:"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    lines_with(&file.text, &words, file)
}

/// No test is switched off.
pub(crate) fn ignored_tests(file: &SourceFile) -> Vec<Finding> {
    lines_with(
        &without_comments_and_literals(&file.text),
        &["#[ignore"],
        file,
    )
}

/// Words of the field, one per thing; nothing that is true on one person's machine only.
pub(crate) fn vocabulary(file: &SourceFile) -> Vec<Finding> {
    let mut found = lines_with(
        &file.text,
        &[
            concat!("/ro", "ot/"),
            concat!("/ho", "me/"),
            concat!("/wo", "rk/"),
            "\u{2014}",
        ],
        file,
    );
    let code = without_comments_and_literals(&file.text).to_lowercase();
    found.extend(lines_with(
        &code,
        &[
            "programme",
            "master",
            "slave",
            "whitelist",
            "blacklist",
            "coupon",
        ],
        file,
    ));
    found
}

fn lines_with(text: &str, words: &[&str], file: &SourceFile) -> Vec<Finding> {
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let word = words.iter().find(|word| line.contains(**word))?;
            Some(file.at(index + 1, *word))
        })
        .collect()
}

/// Each rule is proven by a planted breach, and does not see one where there is none.
#[test]
fn every_rule_bites() {
    type Rule = fn(&SourceFile) -> Vec<Finding>;
    let long = "//! Long.\n".repeat(LINES_MAX + 1);
    let cases: [(Rule, &str, &str); 13] = [
        (doors, "node/src/shard/a.rs", "use openraft::Raft;"),
        (doors, "gateway/src/route.rs", "fn f(s: tonic::Status) {}"),
        (ambient, "node/src/a.rs", "use std::{sync::Arc, env};"),
        (
            ambient,
            "gateway/src/a.rs",
            "async fn f() { tokio::time::sleep(d).await }",
        ),
        (ambient, "node/core/src/a.rs", "let t = Instant::now();"),
        (
            unbiased,
            "node/src/a.rs",
            "async fn f() {\n    tokio::select! {\n        () = a => {}\n    }\n}",
        ),
        (printing, "node/src/a.rs", "fn f() { println!(); }"),
        (size, "node/src/a.rs", &long),
        (module_docs, "node/src/a.rs", "use std::fmt;\n//! Late."),
        (unfinished, "node/src/a.rs", concat!("// TO", "DO: later")),
        (ignored_tests, "tests/a.rs", "#[ignore]\nfn t() {}"),
        (vocabulary, "node/src/a.rs", "struct MasterShard;"),
        (
            vocabulary,
            "node/src/a.rs",
            concat!("// see /ho", "me/me/notes"),
        ),
    ];
    for (rule, path, text) in cases {
        let file = |text: &str| SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(rule(&file(text)).len(), 1, "planted in {path}: {text:.60}");
        assert!(
            rule(&file("//! Purpose.\nfn nothing() {}\n")).is_empty(),
            "clean {path}"
        );
    }
    let at_the_door = SourceFile {
        path: "node/src/raft/a.rs".to_owned(),
        text: "use openraft::Raft;".to_owned(),
    };
    assert!(doors(&at_the_door).is_empty());
}
