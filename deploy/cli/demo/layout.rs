//! What is where: the demo's files, addresses and names.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::example::ProgramName;
use crate::config::cluster::ClockEntry;

/// Nodes listen this far above the first gateway.
const NODE_PORTS_ABOVE: u16 = 100;

/// The cluster's name, in every certificate.
pub(super) const CLUSTER_ID: &str = "demo";

/// Public listeners are this far above the first gateway.
const PUBLIC_PORTS_ABOVE: u16 = 50;

/// How large the demo is, what it rations, and what time it is there: `demo.toml`. Fixed when the directory
/// is first used.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shape {
    pub(super) nodes: u16,
    pub(super) shards: u32,
    pub(super) gateways: u16,
    pub(super) port_base: u16,
    #[serde(default)]
    pub(super) program: ProgramName,
    /// Real time without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) clock: Option<ClockEntry>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            nodes: 3,
            shards: 8,
            gateways: 1,
            port_base: 7400,
            program: ProgramName::default(),
            clock: None,
        }
    }
}

/// A demo's directory and what is in it.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) root: PathBuf,
    pub(super) shape: Shape,
}

impl Layout {
    pub(super) fn new(root: &Path, shape: Shape) -> Self {
        Self {
            root: root.to_owned(),
            shape,
        }
    }

    pub(super) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    pub(super) fn cluster_file(&self) -> PathBuf {
        self.path("cluster.toml")
    }

    pub(super) fn context_file(&self) -> PathBuf {
        self.path("context.toml")
    }

    pub(super) fn program_file(&self) -> PathBuf {
        self.path(format!("program-{}.yaml", self.shape.program.id()))
    }

    pub(super) fn sites_file(&self) -> PathBuf {
        self.path("sites.csv")
    }

    pub(super) fn device_key(&self) -> PathBuf {
        self.path("terminal/device.key")
    }

    pub(super) fn pids_file(&self) -> PathBuf {
        self.path("pids.json")
    }

    pub(super) fn node_ids(&self) -> impl Iterator<Item = u16> + use<> {
        1..=self.shape.nodes
    }

    pub(super) fn gateway_numbers(&self) -> impl Iterator<Item = u16> + use<> {
        1..=self.shape.gateways
    }

    pub(super) fn node_dir(&self, id: u16) -> PathBuf {
        self.path(format!("node-{id}"))
    }

    /// There once the cluster was founded: its nodes shall never found another.
    pub(super) fn founded_marker(&self, id: u16) -> PathBuf {
        self.node_dir(id).join("founded")
    }

    pub(super) fn gateway_dir(&self, number: u16) -> PathBuf {
        self.path(gateway_name(number))
    }

    pub(super) fn node_address(&self, id: u16) -> String {
        format!("127.0.0.1:{}", self.node_port(id))
    }

    pub(super) fn gateway_address(&self, number: u16) -> String {
        format!("127.0.0.1:{}", self.gateway_port(number))
    }

    pub(super) fn public_address(&self, number: u16) -> String {
        format!("127.0.0.1:{}", self.public_port(number))
    }

    pub(super) fn public_port(&self, number: u16) -> u16 {
        self.shape.port_base + PUBLIC_PORTS_ABOVE + number - 1
    }

    pub(super) fn node_port(&self, id: u16) -> u16 {
        self.shape.port_base + NODE_PORTS_ABOVE + id
    }

    pub(super) fn gateway_port(&self, number: u16) -> u16 {
        self.shape.port_base + number - 1
    }
}

pub(super) fn node_name(id: u16) -> String {
    format!("node-{id}")
}

pub(super) fn gateway_name(number: u16) -> String {
    format!("gateway-{number}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_processes_share_a_port() {
        let largest = Shape {
            nodes: 50,
            shards: 256,
            gateways: 50,
            port_base: 65_300,
            ..Shape::default()
        };
        let layout = Layout::new(Path::new("demo"), largest);
        let nodes = layout.node_ids().map(|id| layout.node_port(id));
        let gateways = layout
            .gateway_numbers()
            .flat_map(|number| [layout.gateway_port(number), layout.public_port(number)]);
        let ports: Vec<_> = nodes.chain(gateways).collect();
        let distinct: HashSet<_> = ports.iter().collect();
        assert_eq!(distinct.len(), ports.len());
    }
}
