//! The files of a new demo: configuration, certificates, secrets, keys. Each is written once; the context
//! file, which makes the directory usable, last.

use std::{fs, num::NonZeroU16, path::Path};

use quorate_client::DeviceKey;
use quorate_link::{
    Env, Role, SealingSecret,
    certs::{CertificateAuthority, CertificateError},
};
use quorate_proto::ids::NodeId;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    checklist::Checklist,
    directory::cannot_write,
    example,
    layout::{CLUSTER_ID, Layout, gateway_name},
};
use crate::{
    config::{
        cluster::{ClusterFile, NodeEntry, PurposeName},
        context::{ContextFile, OperatorEntry, TerminalEntry},
        gateway::{GatewayFile, PublicFile, RoleName, SecretFiles},
        keys::{self, TlsFiles},
        node::NodeFile,
    },
    exit::Failure,
};

/// All nodes and whoever uses them share one machine, perhaps a small one.
const SNAPSHOT_MIB_PER_SECOND: NonZeroU16 = NonZeroU16::new(4).expect("not zero");

pub(super) fn prepare(
    layout: &Layout,
    is_new: bool,
    checklist: &Checklist,
    env: &Env,
) -> Result<(), Failure> {
    let root = layout.root.display();
    if !is_new {
        checklist.done(&format!("data of an earlier demo in {root}"));
        return Ok(());
    }
    let authority = CertificateAuthority::new(CLUSTER_ID)?;
    let ca = layout.path("ca");
    make_dir(&ca)?;
    write(&ca.join("ca.pem"), authority.cert_pem())?;
    write_secret(&ca.join("ca.key"), authority.key_pem().as_bytes())?;
    secrets(layout, env)?;
    write_toml(
        &layout.cluster_file(),
        "The cluster: the same file at every node.",
        &cluster(layout),
    )?;
    for id in layout.node_ids() {
        node(layout, id, &authority)?;
    }
    for number in layout.gateway_numbers() {
        gateway(layout, number, &authority)?;
    }
    let operator = layout.path("operator");
    issue(
        &operator,
        "operator",
        &Role::Operator("demo".to_owned()),
        &authority,
    )?;
    write(&layout.program_file(), layout.shape.program.text())?;
    write(&layout.sites_file(), example::SITES)?;
    write_toml(
        &layout.context_file(),
        "Which cluster the commands talk to, and as whom.",
        &context(layout),
    )?;
    checklist.done(&format!(
        "new directory {root}: keys, certificates, configuration"
    ));
    Ok(())
}

fn secrets(layout: &Layout, env: &Env) -> Result<(), Failure> {
    let secrets = layout.path("secrets");
    make_dir(&secrets)?;
    for name in ["pepper", "token-key"] {
        let secret = Zeroizing::new(random_key(env));
        let path = secrets.join(name);
        keys::write_key(&path, &secret).map_err(|error| cannot_write(&path, &error))?;
    }
    let sealing = Zeroizing::new(random_key(env));
    let path = secrets.join("sealing-key");
    keys::write_key(&path, &sealing).map_err(|error| cannot_write(&path, &error))?;
    make_dir(&layout.path("terminal"))?;
    let path = layout.path("terminal/sealing.pub");
    let public = SealingSecret::from_bytes(&sealing);
    keys::write_key(&path, public.public().public())
        .map_err(|error| cannot_write(&path, &error))?;
    let path = layout.device_key();
    keys::write_key(&path, &DeviceKey::generate(env).seed())
        .map_err(|error| cannot_write(&path, &error))
}

fn random_key(env: &Env) -> [u8; 32] {
    let mut key = [0; 32];
    env.random.fill(&mut key);
    key
}

fn cluster(layout: &Layout) -> ClusterFile {
    let node = |id: u16| NodeEntry {
        node_id: id.into(),
        address: layout.node_address(id),
        zone: zone(id),
    };
    ClusterFile {
        cluster_id: CLUSTER_ID.to_owned(),
        shards: layout.shape.shards,
        purpose: PurposeName::Trial,
        initial_nodes: layout.node_ids().map(node).collect(),
        clock: layout.shape.clock,
    }
}

fn node(layout: &Layout, id: u16, authority: &CertificateAuthority) -> Result<(), Failure> {
    let directory = layout.node_dir(id);
    let tls = issue(
        &directory,
        "node",
        &Role::Node(NodeId::new(id.into())),
        authority,
    )?;
    let file = NodeFile {
        metrics_listen: None,
        cluster: "../cluster.toml".into(),
        node_id: id.into(),
        listen: loopback(layout.node_port(id)),
        advertise: layout.node_address(id),
        zone: zone(id),
        data_dir: "data".into(),
        snapshot_mib_per_second: Some(SNAPSHOT_MIB_PER_SECOND),
        log_keep_seconds: None,
        tls,
    };
    write_toml(&directory.join("node.toml"), "One node.", &file)
}

fn gateway(layout: &Layout, number: u16, authority: &CertificateAuthority) -> Result<(), Failure> {
    let directory = layout.gateway_dir(number);
    let name = gateway_name(number);
    let tls = issue(
        &directory,
        "gateway",
        &Role::Gateway(name.clone()),
        authority,
    )?;
    let file = GatewayFile {
        cluster_id: CLUSTER_ID.to_owned(),
        name,
        role: RoleName::default(),
        listen: Some(loopback(layout.gateway_port(number))),
        seeds: layout
            .node_ids()
            .map(|id| layout.node_address(id))
            .collect(),
        session_lifetime_seconds: 12 * 3600,
        tls,
        secrets: Some(SecretFiles {
            pepper: "../secrets/pepper".into(),
            token_key: "../secrets/token-key".into(),
            sealing_key: "../secrets/sealing-key".into(),
            older_sealing_keys: Vec::new(),
        }),
        public: Some(PublicFile {
            listen: loopback(layout.public_port(number)),
            product: None,
            connections_max: None,
        }),
    };
    write_toml(&directory.join("gateway.toml"), "One gateway.", &file)
}

fn context(layout: &Layout) -> ContextFile {
    let gateways = layout.gateway_numbers();
    ContextFile {
        gateways: gateways
            .map(|number| layout.gateway_address(number))
            .collect(),
        public: layout
            .gateway_numbers()
            .map(|number| layout.public_address(number))
            .collect(),
        ca: "ca/ca.pem".into(),
        program: layout.shape.program.id().to_owned(),
        time_zone: example::TIME_ZONE.to_owned(),
        id_scheme: quorate_client::model::NationalId::KR_RRN.to_owned(),
        clock: layout.shape.clock,
        terminal: Some(TerminalEntry {
            site: example::SITE.to_owned(),
            device: example::DEVICE.to_owned(),
            key: "terminal/device.key".into(),
            sealing_key: Some("terminal/sealing.pub".into()),
            journal: None,
        }),
        operator: Some(OperatorEntry {
            cert: "operator/operator.pem".into(),
            key: "operator/operator.key".into(),
        }),
    }
}

/// A certificate in a directory of its owner: `NAME.pem` and `NAME.key`.
fn issue(
    directory: &Path,
    name: &str,
    role: &Role,
    authority: &CertificateAuthority,
) -> Result<TlsFiles, Failure> {
    make_dir(directory)?;
    let issued = authority.issue(role, &[])?;
    let (cert, key) = (format!("{name}.pem"), format!("{name}.key"));
    write(&directory.join(&cert), &issued.cert_pem)?;
    write_secret(&directory.join(&key), issued.key_pem.as_bytes())?;
    Ok(TlsFiles {
        ca: "../ca/ca.pem".into(),
        cert: cert.into(),
        key: key.into(),
    })
}

const fn loopback(port: u16) -> std::net::SocketAddr {
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

/// Each node is a zone of its own: any one may fail.
fn zone(id: u16) -> String {
    format!("zone-{id}")
}

fn make_dir(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| cannot_write(path, &error))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| cannot_write(path, &error))
}

fn write_secret(path: &Path, content: &[u8]) -> Result<(), Failure> {
    keys::write_secret(path, content).map_err(|error| cannot_write(path, &error))
}

fn write_toml<T: Serialize>(path: &Path, about: &str, value: &T) -> Result<(), Failure> {
    let text = toml::to_string(value)
        .map_err(|error| Failure::unexpected(format!("cannot write TOML: {error}")))?;
    write(path, &format!("# {about}\n\n{text}"))
}

impl From<CertificateError> for Failure {
    fn from(error: CertificateError) -> Self {
        Self::unexpected(format!("cannot make certificates: {error}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{
        config,
        demo::layout::Shape,
        output::{Format, Output},
    };

    #[test]
    fn everything_that_is_written_can_be_read_and_used() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path(), Shape::default());
        let checklist = Checklist::new(Output::new(Format::Json, true));
        prepare(&layout, true, &checklist, &Env::system()).unwrap();
        for id in layout.node_ids() {
            let path = layout.node_dir(id).join("node.toml");
            let node = config::load::<NodeFile>(&path).unwrap();
            node.to_config(true).unwrap().cluster.validate().unwrap();
        }
        let path = layout.gateway_dir(1).join("gateway.toml");
        config::load::<GatewayFile>(&path)
            .unwrap()
            .to_config(None)
            .unwrap();
        let context = config::load::<ContextFile>(&layout.context_file()).unwrap();
        assert!(context.terminal().unwrap().is_some());
        assert!(context.operator().unwrap().is_some());
        context.program().unwrap();
        let program = config::program::load(&layout.program_file()).unwrap();
        assert_eq!(program.rules()[0].limit, 2);
        let sites = crate::admin::read_sites(&layout.sites_file()).unwrap();
        assert_eq!((sites.sites.len(), sites.bad_rows.len()), (10, 0));
        assert_eq!(sites.sites[0].code.as_str(), example::SITE);
    }
}
