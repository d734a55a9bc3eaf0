//! Configuration files: TOML (programs YAML), every key known, every fault named with file and line.
//!
//! Invariants: a file is read once, here, and handed on as a value; paths in a file are relative to that
//! file. Deliberately absent: defaults that differ between machines, and environment variables.

pub(crate) mod cluster;
pub(crate) mod context;
mod error;
pub(crate) mod gateway;
pub(crate) mod keys;
pub(crate) mod node;
pub(crate) mod program;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

pub(crate) use error::ConfigError;

/// A configuration file that was read: what it says, and where its relative paths start.
pub(crate) struct Loaded<T> {
    pub(crate) value: T,
    pub(crate) path: PathBuf,
}

impl<T> Loaded<T> {
    /// A path as written in this file.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        match self.path.parent() {
            Some(directory) => directory.join(path),
            None => path.to_owned(),
        }
    }

    /// A fault of the value itself.
    pub(crate) fn invalid(&self, message: impl Into<String>) -> ConfigError {
        ConfigError::Invalid {
            path: self.path.clone(),
            message: message.into(),
        }
    }
}

/// Reads a configuration file.
///
/// # Errors
/// See [`ConfigError`].
pub(crate) fn load<T: DeserializeOwned>(path: &Path) -> Result<Loaded<T>, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(Loaded {
        value: parse_toml(path, &text)?,
        path: path.to_owned(),
    })
}

fn parse_toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        ConfigError::fault(path, line, error.message())
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::{
        cluster::ClusterFile, context::ContextFile, gateway::GatewayFile, node::NodeFile,
    };

    fn fault<T: DeserializeOwned>(name: &str, text: &str) -> String {
        let parsed = parse_toml::<T>(Path::new(name), text);
        parsed.map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_key() {
        let text = "cluster_id = \"demo\"\nshard = 8\ninitial_nodes = []\n";
        assert_eq!(
            fault::<ClusterFile>("cluster.toml", text),
            "cluster.toml:2: unknown key `shard`; did you mean `shards`?"
        );
    }

    #[test]
    fn a_key_that_resembles_none_is_answered_with_all() {
        let text = "cluster_id = \"demo\"\nshards = 8\ninitial_nodes = []\nfavourite_colour = 1\n";
        assert_eq!(
            fault::<ClusterFile>("cluster.toml", text),
            "cluster.toml:4: unknown key `favourite_colour`; valid here: `cluster_id`, `shards`, `purpose`, `initial_nodes`, `clock`"
        );
    }

    #[test]
    fn a_key_deep_inside_is_found() {
        let text = "cluster_id = \"demo\"\nshards = 8\n\n[[initial_nodes]]\nnode_id = 1\nadress = \"a:1\"\n";
        assert_eq!(
            fault::<ClusterFile>("cluster.toml", text),
            "cluster.toml:6: unknown key `adress`; did you mean `address`?"
        );
    }

    #[test]
    fn missing_and_mistyped_values_are_named_with_their_line() {
        let text = "cluster_id = \"demo\"\nshards = \"many\"\ninitial_nodes = []\n";
        let fault_text = fault::<ClusterFile>("cluster.toml", text);
        assert!(fault_text.starts_with("cluster.toml:2: "), "{fault_text}");
        let fault_text = fault::<ClusterFile>("cluster.toml", "shards = 8\ninitial_nodes = []\n");
        assert!(fault_text.contains("`cluster_id`"), "{fault_text}");
    }

    #[test]
    fn the_sample_files_are_valid() {
        fn sample<T: DeserializeOwned>(name: &str, text: &str) -> Loaded<T> {
            let path = PathBuf::from(name);
            Loaded {
                value: parse_toml(&path, text).unwrap_or_else(|error| panic!("{error}")),
                path,
            }
        }
        let cluster: Loaded<ClusterFile> =
            sample("cluster.toml", include_str!("../config/cluster.toml"));
        let node: Loaded<NodeFile> = sample("node.toml", include_str!("../config/node.toml"));
        let itself = cluster
            .value
            .initial_nodes
            .iter()
            .find(|entry| entry.node_id == node.value.node_id)
            .unwrap();
        assert_eq!(itself.address, node.value.advertise);
        let gateway: Loaded<GatewayFile> =
            sample("gateway.toml", include_str!("../config/gateway.toml"));
        assert_eq!(gateway.value.cluster_id, cluster.value.cluster_id);
        let text = include_str!("../config/program.yaml");
        let program = program::parse(Path::new("program.yaml"), text).unwrap();
        let context: Loaded<ContextFile> =
            sample("context.toml", include_str!("../config/context.toml"));
        assert_eq!(context.program().unwrap(), program.id());
        context.time_zone().unwrap();
    }

    #[test]
    fn paths_start_at_the_file() {
        let loaded = Loaded {
            value: (),
            path: PathBuf::from("/etc/quorate/node.toml"),
        };
        assert_eq!(
            loaded.resolve(Path::new("../ca.pem")),
            Path::new("/etc/quorate/../ca.pem")
        );
        assert_eq!(loaded.resolve(Path::new("/ca.pem")), Path::new("/ca.pem"));
    }
}
