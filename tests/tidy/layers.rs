//! The rules on manifests and project files: who may depend on whom, what must be there.

use crate::source::{Finding, SourceFile};

/// A crate of the workspace, the crates of ours it may use, and foreign ones it must never use.
struct Layer {
    name: &'static str,
    may_use: &'static [&'static str],
    never: &'static [&'static str],
}

/// `proto ← core ← node`, `proto ← link ← {node, gateway, client}`, everything ← the program.
const LAYERS: &[Layer] = &[
    Layer {
        name: "quorate-proto",
        may_use: &[],
        never: &["tokio", "openraft", "rocksdb", "rand"],
    },
    Layer {
        name: "quorate-core",
        may_use: &["quorate-proto"],
        never: &[
            "tokio",
            "tonic",
            "openraft",
            "rocksdb",
            "rand",
            "futures-util",
        ],
    },
    Layer {
        name: "quorate-link",
        may_use: &["quorate-proto"],
        never: &["openraft", "rocksdb"],
    },
    Layer {
        name: "quorate-node",
        may_use: &["quorate-proto", "quorate-link", "quorate-core"],
        never: &["clap", "rand"],
    },
    Layer {
        name: "quorate-gateway",
        may_use: &["quorate-proto", "quorate-link"],
        never: &["openraft", "rocksdb", "clap", "rand"],
    },
    Layer {
        name: "quorate-client",
        may_use: &["quorate-proto", "quorate-link"],
        never: &["openraft", "rocksdb", "clap"],
    },
    Layer {
        name: "quorate-terminal",
        may_use: &["quorate-proto", "quorate-link", "quorate-client"],
        never: &["openraft", "rocksdb", "clap", "tonic"],
    },
    Layer {
        name: "quorate-files",
        may_use: &["quorate-proto", "quorate-client", "quorate-gateway"],
        never: &["openraft", "rocksdb", "clap", "tonic", "tokio"],
    },
    Layer {
        name: "quorate-check",
        may_use: &["quorate-proto"],
        never: &["openraft", "rocksdb", "tonic", "tokio"],
    },
    Layer {
        name: "quorate-battery",
        may_use: &[],
        never: &["openraft", "rocksdb", "tonic", "tokio"],
    },
    Layer {
        name: "quorate-fuzz",
        may_use: &[
            "quorate-battery",
            "quorate-proto",
            "quorate-link",
            "quorate-core",
            "quorate-node",
            "quorate-gateway",
            "quorate-client",
            "quorate-terminal",
            "quorate-files",
            "quorate-check",
        ],
        never: &["openraft", "rocksdb", "tonic"],
    },
    Layer {
        name: "quorate-libfuzzer",
        may_use: &["quorate-fuzz"],
        never: &["openraft", "rocksdb", "tonic"],
    },
    Layer {
        name: "quorate-harness",
        may_use: &[
            "quorate-proto",
            "quorate-link",
            "quorate-client",
            "quorate-check",
        ],
        never: &["openraft", "rocksdb"],
    },
    Layer {
        name: "quorate-sim",
        may_use: &[
            "quorate-proto",
            "quorate-link",
            "quorate-core",
            "quorate-node",
            "quorate-gateway",
            "quorate-check",
        ],
        never: &["openraft", "rocksdb", "rand"],
    },
    Layer {
        name: "quorate-chaos",
        may_use: &[
            "quorate-proto",
            "quorate-link",
            "quorate-client",
            "quorate-harness",
        ],
        never: &["openraft", "rocksdb"],
    },
    Layer {
        name: "quorate",
        may_use: &[
            "quorate-proto",
            "quorate-link",
            "quorate-core",
            "quorate-node",
            "quorate-gateway",
            "quorate-client",
            "quorate-terminal",
            "quorate-files",
        ],
        never: &[],
    },
];

/// Dependencies run in one direction. Tests may use what their crate may, the harness, faults, and the battery
/// against decoders.
pub(crate) fn dependencies(manifest: &SourceFile) -> Vec<Finding> {
    let table: toml::Table = manifest.text.parse().expect("a manifest is TOML");
    let Some(name) = table
        .get("package")
        .and_then(|package| package.get("name")?.as_str())
    else {
        return vec![manifest.at(1, "a manifest without a package")];
    };
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == name) else {
        return vec![manifest.at(
            1,
            format!("crate {name} has no layer in tests/tidy/layers.rs"),
        )];
    };
    let mut found = Vec::new();
    for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
        let names = table.get(section).and_then(|section| section.as_table());
        for dependency in names.into_iter().flat_map(|section| section.keys()) {
            let ours = dependency.starts_with("quorate");
            let for_tests = ["quorate-harness", "quorate-chaos", "quorate-battery"];
            let harness = section == "dev-dependencies" && for_tests.contains(&dependency.as_str());
            let allowed = harness || layer.may_use.contains(&dependency.as_str());
            if (ours && !allowed) || layer.never.contains(&dependency.as_str()) {
                found.push(manifest.at(1, format!("{name} must not depend on {dependency}")));
            }
        }
    }
    let inherits = table
        .get("lints")
        .and_then(|lints| lints.get("workspace")?.as_bool());
    if inherits != Some(true) {
        found.push(manifest.at(1, "no `[lints] workspace = true`"));
    }
    found
}

/// What a stranger looks for first.
pub(crate) fn project_files(read: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let required = [
        ("LICENSE", "Apache License"),
        ("CHANGELOG.md", "## Unreleased"),
        ("README.md", "make demo"),
        ("README.md", "make test"),
        ("docs/ARCHITECTURE.md", "## Invariants"),
        ("Makefile", "test:"),
        (".ci/run", "make"),
    ];
    required
        .into_iter()
        .filter(|(path, text)| !read(path).is_some_and(|content| content.contains(text)))
        .map(|(path, text)| Finding {
            place: path.to_owned(),
            what: format!("has no `{text}`"),
        })
        .collect()
}

/// Proven by planted breaches.
#[test]
fn the_layer_rules_bite() {
    let manifest = |name: &str, dependency: &str| SourceFile {
        path: "x/Cargo.toml".to_owned(),
        text: format!(
            "[package]\nname = \"{name}\"\n[dependencies]\n{dependency}.workspace = true\n[lints]\nworkspace = true\n"
        ),
    };
    assert!(dependencies(&manifest("quorate-gateway", "quorate-proto")).is_empty());
    for (name, dependency) in [
        ("quorate-gateway", "quorate-node"),
        ("quorate-gateway", "rocksdb"),
        ("quorate-core", "tokio"),
        ("quorate-proto", "quorate-core"),
        ("quorate-newcomer", "bytes"),
    ] {
        assert_eq!(
            dependencies(&manifest(name, dependency)).len(),
            1,
            "{name} on {dependency}"
        );
    }
    assert_eq!(project_files(|_| None).len(), 7);
}
