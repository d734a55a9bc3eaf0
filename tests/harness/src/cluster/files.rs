//! The files of a cluster: the same that `quorate demo` writes, for as many nodes and gateways as a test
//! wants, on ports that are free.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use jiff::Timestamp;
use quorate_client::DeviceKey;
use quorate_link::{
    Env, Role, SealingKey, SealingSecret, TlsMaterial,
    certs::{CertificateAuthority, Issued},
};
use quorate_proto::ids::NodeId;

/// What time it is on a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOptions {
    /// When the cluster is founded.
    pub starts_at: Timestamp,
    /// Times as fast as real time.
    pub speed: u32,
}

/// In every certificate and every frame.
pub(super) const CLUSTER_ID: &str = "harness";

/// Ports below those that the system hands out to connections.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// All nodes and whoever uses them share one machine, perhaps a small one.
const SNAPSHOT_MIB_PER_SECOND: u16 = 4;

/// Where everything is.
pub(super) struct Files {
    pub(super) root: PathBuf,
    pub(super) authority: CertificateAuthority,
    /// By node, from 1: where the others reach it.
    pub(super) node_ports: Vec<u16>,
    /// By node, from 1: where it listens.
    listen_ports: Vec<u16>,
    /// By gateway, from 1.
    pub(super) gateway_ports: Vec<u16>,
    /// Of the public listeners, by gateway, from 1.
    pub(super) public_ports: Vec<u16>,
    clock: Option<ClockOptions>,
    log_keep_seconds: Option<u32>,
    started_real_ms: i64,
    pub(super) device_key: DeviceKey,
    pub(super) sealing_key: SealingKey,
}

/// What is to be laid out.
pub(super) struct Shape {
    pub(super) nodes: u16,
    pub(super) gateways: u16,
    pub(super) shards: u32,
    pub(super) log_keep_seconds: Option<u32>,
    pub(super) clock: Option<ClockOptions>,
    pub(super) behind_links: bool,
}

impl Files {
    /// Lays out a new cluster.
    pub(super) fn write(root: &Path, shape: &Shape, env: &Env) -> anyhow::Result<Self> {
        let mut ports = free_ports(usize::from(2 * (shape.nodes + shape.gateways)), env)?;
        let own_ports = ports.split_off(usize::from(shape.nodes + 2 * shape.gateways));
        let public_ports = ports.split_off(usize::from(shape.nodes + shape.gateways));
        let gateway_ports = ports.split_off(usize::from(shape.nodes));
        let listen_ports = if shape.behind_links {
            own_ports
        } else {
            ports.clone()
        };
        let mut sealing_secret = [0; 32];
        env.random.fill(&mut sealing_secret);
        let files = Self {
            sealing_key: SealingSecret::from_bytes(&sealing_secret).public().clone(),
            root: root.to_owned(),
            authority: CertificateAuthority::new(CLUSTER_ID)?,
            gateway_ports,
            node_ports: ports,
            listen_ports,
            public_ports,
            clock: shape.clock,
            log_keep_seconds: shape.log_keep_seconds,
            started_real_ms: env.unix_ms(),
            device_key: DeviceKey::generate(env),
        };
        fs::create_dir_all(files.path("logs"))?;
        fs::create_dir_all(files.path("secrets"))?;
        fs::write(files.path("ca.pem"), files.authority.cert_pem())?;
        for name in ["pepper", "token-key", "sealing-key", "device-key"] {
            let mut key = [0; 32];
            env.random.fill(&mut key);
            match name {
                "device-key" => key = *files.device_key.seed(),
                "sealing-key" => key = sealing_secret,
                _ => {}
            }
            fs::write(files.path(&format!("secrets/{name}")), hex(&key))?;
        }
        fs::write(files.path("cluster.toml"), files.cluster_toml(shape.shards))?;
        for id in 1..=shape.nodes {
            files.write_node(id)?;
        }
        for number in 1..=shape.gateways {
            files.write_gateway(number)?;
        }
        files.write_keys("operator", &Role::Operator("harness".to_owned()))?;
        Ok(files)
    }

    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    pub(super) fn node_address(&self, id: u16) -> String {
        format!("127.0.0.1:{}", self.node_ports[usize::from(id) - 1])
    }

    pub(super) fn node_listens_at(&self, id: u16) -> String {
        format!("127.0.0.1:{}", self.listen_ports[usize::from(id) - 1])
    }

    pub(super) fn gateway_address(&self, number: u16) -> String {
        format!("127.0.0.1:{}", self.gateway_ports[usize::from(number) - 1])
    }

    pub(super) fn public_address(&self, number: u16) -> String {
        format!("127.0.0.1:{}", self.public_ports[usize::from(number) - 1])
    }

    pub(super) fn gateway_addresses(&self) -> Vec<String> {
        let count = u16::try_from(self.gateway_ports.len()).expect("few gateways");
        (1..=count)
            .map(|number| self.gateway_address(number))
            .collect()
    }

    /// Keys and certificate of this role, by the cluster's own authority.
    pub(super) fn material(&self, role: &Role) -> anyhow::Result<TlsMaterial> {
        Ok(self.authority.material(&self.authority.issue(role, &[])?))
    }

    /// `cluster.toml` with this number of shards; another number makes another cluster of it.
    pub(super) fn cluster_toml(&self, shards: u32) -> String {
        let mut text =
            format!("cluster_id = \"{CLUSTER_ID}\"\nshards = {shards}\npurpose = \"trial\"\n");
        if let Some(ClockOptions { starts_at, speed }) = self.clock {
            let started_real_ms = self.started_real_ms;
            text += &format!(
                "\n[clock]\nstarts_at = \"{starts_at}\"\nstarted_real_ms = {started_real_ms}\nspeed = {speed}\n"
            );
        }
        for (index, port) in self.node_ports.iter().enumerate() {
            let id = index + 1;
            text += &format!(
                "\n[[initial_nodes]]\nnode_id = {id}\naddress = \"127.0.0.1:{port}\"\nzone = \"zone-{id}\"\n"
            );
        }
        text
    }

    fn write_node(&self, id: u16) -> anyhow::Result<()> {
        let directory = format!("node-{id}");
        self.write_keys(&directory, &Role::Node(NodeId::new(id.into())))?;
        let (listen, address) = (self.node_listens_at(id), self.node_address(id));
        let keep = self.log_keep_seconds;
        let keep = keep.map_or(String::new(), |keep| format!("log_keep_seconds = {keep}\n"));
        let text = format!(
            "cluster = \"../cluster.toml\"\nnode_id = {id}\nlisten = \"{listen}\"\nadvertise = \"{address}\"\n\
             zone = \"zone-{id}\"\ndata_dir = \"data\"\n\
             snapshot_mib_per_second = {SNAPSHOT_MIB_PER_SECOND}\n{keep}{TLS}"
        );
        Ok(fs::write(self.path(&directory).join("node.toml"), text)?)
    }

    fn write_gateway(&self, number: u16) -> anyhow::Result<()> {
        let directory = format!("gateway-{number}");
        self.write_keys(&directory, &Role::Gateway(directory.clone()))?;
        let address = self.gateway_address(number);
        let public = self.public_address(number);
        let seeds: Vec<String> = self
            .node_ports
            .iter()
            .map(|port| format!("\"127.0.0.1:{port}\""))
            .collect();
        let text = format!(
            "cluster_id = \"{CLUSTER_ID}\"\nname = \"{directory}\"\nlisten = \"{address}\"\nseeds = [{}]\n\
             session_lifetime_seconds = 3600\n{TLS}\n[secrets]\npepper = \"../secrets/pepper\"\n\
             token_key = \"../secrets/token-key\"\nsealing_key = \"../secrets/sealing-key\"\n\n[public]\nlisten = \"{public}\"\n",
            seeds.join(", ")
        );
        Ok(fs::write(self.path(&directory).join("gateway.toml"), text)?)
    }

    fn write_keys(&self, directory: &str, role: &Role) -> anyhow::Result<()> {
        let Issued { cert_pem, key_pem } = self.authority.issue(role, &[])?;
        let directory = self.path(directory);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("cert.pem"), cert_pem)?;
        Ok(fs::write(directory.join("key.pem"), &*key_pem)?)
    }

    /// The file by which the program's own commands reach this cluster.
    pub(super) fn write_context(
        &self,
        program: &str,
        site: &str,
        device: &str,
    ) -> anyhow::Result<PathBuf> {
        let gateways: Vec<String> = self
            .gateway_addresses()
            .iter()
            .map(|address| format!("\"{address}\""))
            .collect();
        let public = self.public_address(1);
        let text = format!(
            "gateways = [{}]\npublic = [\"{public}\"]\nca = \"ca.pem\"\nprogram = \"{program}\"\ntime_zone = \"Asia/Seoul\"\n\n\
             [terminal]\nsite = \"{site}\"\ndevice = \"{device}\"\nkey = \"secrets/device-key\"\n\n\
             [operator]\ncert = \"operator/cert.pem\"\nkey = \"operator/key.pem\"\n",
            gateways.join(", ")
        );
        let path = self.path("context.toml");
        fs::write(&path, text)?;
        Ok(path)
    }
}

const TLS: &str = "\n[tls]\nca = \"../ca.pem\"\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Ports on which nobody listens right now. All are held while they are looked for.
fn free_ports(count: usize, env: &Env) -> anyhow::Result<Vec<u16>> {
    let span = u64::from(PORTS.end - PORTS.start);
    let start = u16::try_from(env.random_u64() % span)?;
    let mut held = Vec::new();
    for offset in 0..PORTS.end - PORTS.start {
        let port = PORTS.start + (start + offset) % (PORTS.end - PORTS.start);
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            held.push((port, listener));
        }
        if held.len() == count {
            return Ok(held.into_iter().map(|(port, _)| port).collect());
        }
    }
    None.context("not enough free ports on loopback")
}
