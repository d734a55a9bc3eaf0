//! A real cluster of child processes on loopback: as many nodes and gateways as a test wants, each of
//! which can be killed, frozen, restarted, or robbed of its disk.
//!
//! Invariants: one cluster at a time on this machine, whatever process asks for it; no child outlives the
//! cluster; nothing is waited for without a deadline. After a failed test the directory stays, and its
//! path is printed. Deliberately absent: fixed pauses.

mod files;
mod observe;
mod process;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::bail;
use jiff::Timestamp;
use quorate_client::{
    Connection, ConnectionOptions, DeviceKey, Operator, Terminal, TerminalIdentity,
    model::{ClusterStatus, PutProgram, Site},
    public::PublicReader,
};
use quorate_link::{Env, Role, SealingKey, TlsClient, TlsMaterial};
use quorate_proto::{
    admin,
    ids::{DeviceId, ProgramId, SiteCode, SiteType},
};
use tempfile::TempDir;

use quorate_check::rules::{Rule, Rules, WindowKind};

use crate::cli::Cli;
pub use files::ClockOptions;
use files::{Files, Shape};
pub use observe::shards_by_leader;
pub use process::Process;

/// The program that every cluster starts with.
pub const PROGRAM: &str = "ration";
/// The largest single sale of [`PROGRAM`].
pub const SALE_QUANTITY_MAX: u32 = 200;
/// The terminal of the context file stands at the first site.
pub const SITES: [&str; 4] = ["harness-1", "harness-2", "harness-3", "harness-4"];
/// Of [`PROGRAM`].
const TIME_ZONE: &str = "Asia/Seoul";
/// The rule is in force from here on, Unix milliseconds: the first instant of 2020.
const RULE_FROM_MS: i64 = 1_577_836_800_000;
const DEVICE: &str = "till-1";

/// For one call to the cluster.
const CALL_TIME_MAX: Duration = Duration::from_secs(10);
/// A cluster on two busy cores is whole long before this.
const SETTLES_IN: Duration = Duration::from_secs(90);
/// How often a condition is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What kind of cluster a test wants.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The program under test: `env!("CARGO_BIN_EXE_quorate")`.
    pub program: PathBuf,
    /// Where its directory is made; the system's place for temporary files if `None`.
    pub directory: Option<PathBuf>,
    /// Nodes.
    pub nodes: u16,
    /// Gateways.
    pub gateways: u16,
    /// Data shards.
    pub shards: u32,
    /// Units a week that [`PROGRAM`] allows.
    pub limit: u32,
    /// How long nodes keep in their logs what is durable; as long as they usually do if `None`.
    pub log_keep_seconds: Option<u32>,
    /// Real time without it.
    pub clock: Option<ClockOptions>,
    /// Nodes are reached through links that the test lays: each listens at another address than the one
    /// that it tells the others.
    pub behind_links: bool,
    /// What is not as it should be after this long never will be.
    pub settles_in: Duration,
}

impl ClusterOptions {
    /// Three nodes, one gateway, eight shards, 100 units a week.
    #[must_use]
    pub fn new(program: &str) -> Self {
        Self {
            program: program.into(),
            directory: None,
            nodes: 3,
            gateways: 1,
            shards: 8,
            limit: 100,
            log_keep_seconds: None,
            clock: None,
            behind_links: false,
            settles_in: SETTLES_IN,
        }
    }

    /// On a clock of its own that begins now.
    #[must_use]
    pub fn clock(self, starts_at: Timestamp, speed: u32) -> Self {
        Self {
            clock: Some(ClockOptions { starts_at, speed }),
            ..self
        }
    }

    /// With that many gateways.
    #[must_use]
    pub fn gateways(self, gateways: u16) -> Self {
        Self { gateways, ..self }
    }
}

/// A running cluster.
pub struct Cluster {
    /// By node, from 1: `nodes[0]` is node 1.
    pub nodes: Vec<Process>,
    /// By gateway, from 1.
    pub gateways: Vec<Process>,
    /// Clock, chance and tasks of the test itself.
    pub env: Env,
    options: ClusterOptions,
    files: Files,
    directory: Option<TempDir>,
    _one_at_a_time: File,
}

impl Cluster {
    /// Starts a new cluster and waits until it is whole: every shard has a leader, the program is in
    /// force everywhere, sites and a device are there.
    ///
    /// # Errors
    /// Something did not come up; the message says what.
    pub async fn start(options: ClusterOptions) -> anyhow::Result<Self> {
        let mut cluster = Self::lay_out(options).await?;
        cluster.found().await?;
        Ok(cluster)
    }

    /// Writes the files of a new cluster and starts nothing yet.
    ///
    /// # Errors
    /// The files cannot be written.
    pub async fn lay_out(options: ClusterOptions) -> anyhow::Result<Self> {
        let env = Env::system();
        let lock = take_turn(&env).await?;
        let directory = match &options.directory {
            Some(parent) => {
                fs::create_dir_all(parent)?;
                tempfile::Builder::new()
                    .prefix("cluster-")
                    .tempdir_in(parent)?
            }
            None => tempfile::Builder::new()
                .prefix("quorate-cluster-")
                .tempdir()?,
        };
        let shape = Shape {
            nodes: options.nodes,
            gateways: options.gateways,
            shards: options.shards,
            log_keep_seconds: options.log_keep_seconds,
            clock: options.clock,
            behind_links: options.behind_links,
        };
        let files = Files::write(directory.path(), &shape, &env)?;
        files.write_context(PROGRAM, SITES[0], DEVICE)?;
        let process = |kind: &str, number: u16| {
            let name = format!("{kind}-{number}");
            let config = files.path(&name).join(format!("{kind}.toml"));
            let arguments = vec![
                kind.to_owned(),
                "--config".to_owned(),
                config.to_string_lossy().into_owned(),
            ];
            let log = files.path("logs").join(format!("{name}.log"));
            Process::new(&name, &options.program, arguments, log)
        };
        Ok(Self {
            nodes: (1..=options.nodes).map(|id| process("node", id)).collect(),
            gateways: (1..=options.gateways)
                .map(|number| process("gateway", number))
                .collect(),
            env,
            options,
            files,
            directory: Some(directory),
            _one_at_a_time: lock,
        })
    }

    /// Starts every process of a cluster that was laid out, and waits until it is whole.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn found(&mut self) -> anyhow::Result<()> {
        for node in &mut self.nodes {
            node.start(&["--bootstrap"])?;
        }
        for gateway in &mut self.gateways {
            gateway.start(&[])?;
        }
        let ready = async {
            self.await_whole().await?;
            self.furnish().await
        };
        if let Err(error) = ready.await {
            let kept = self.keep();
            return Err(error.context(format!("a cluster that did not start: {}", kept.display())));
        }
        Ok(())
    }

    /// Lets the files stay after the end, and says where they are.
    pub fn keep(&mut self) -> PathBuf {
        self.directory
            .take()
            .map_or_else(|| self.path(""), TempDir::keep)
    }

    /// The program, the sites and the device.
    async fn furnish(&self) -> anyhow::Result<()> {
        let operator = self.operator()?;
        let week = admin::rule_version::Window::CalendarWeek(admin::CalendarWeek {});
        let program = admin::Program {
            id: program_id().to_string(),
            time_zone: TIME_ZONE.to_owned(),
            rules: vec![admin::RuleVersion {
                id: "harness".to_owned(),
                effective_from_ms: RULE_FROM_MS,
                limit: self.options.limit,
                sale_quantity_max: SALE_QUANTITY_MAX,
                window: Some(week),
                ..admin::RuleVersion::default()
            }],
            ..admin::Program::default()
        };
        let put = PutProgram::default();
        operator.put_program(&program, put, CALL_TIME_MAX).await?;
        let sites: Vec<Site> = SITES.iter().map(|code| site(code)).collect();
        operator.import_sites(&sites, CALL_TIME_MAX, |_| {}).await?;
        for site in &sites {
            let key = self.files.device_key.public();
            operator
                .enroll_device(site.code, device_id(), key, CALL_TIME_MAX)
                .await?;
        }
        let in_force = async |status: &ClusterStatus| {
            let ours = status
                .programs
                .iter()
                .find(|program| program.program == PROGRAM);
            ours.is_some_and(|program| program.shards_current == program.shards_total)
        };
        self.await_status("the program is in force", in_force)
            .await
            .map(|_| ())
    }

    /// The directory that holds everything.
    #[must_use]
    pub fn path(&self, below: &str) -> PathBuf {
        self.files.path(below)
    }

    /// For the program's own commands: `--context`.
    #[must_use]
    pub fn context(&self) -> PathBuf {
        self.path("context.toml")
    }

    /// The program's own commands on this cluster.
    #[must_use]
    pub fn cli(&self) -> Cli {
        Cli::new(self.program(), &self.context())
    }

    /// The program under test.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.options.program
    }

    /// In force from the beginning. No rotation, and every kind of site; nobody whose calls are recorded buys by proxy
    /// or more than [`SALE_QUANTITY_MAX`] at once, or at a suspended site.
    #[must_use]
    pub fn rules(&self) -> Rules {
        let rule = Rule::new(self.options.limit, WindowKind::CalendarWeek).may_deny(&[]);
        Rules::one(TIME_ZONE, rule.from_ms(RULE_FROM_MS))
    }

    /// Units a week that the program allows.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.options.limit
    }

    /// Data shards.
    #[must_use]
    pub fn shards(&self) -> u32 {
        self.options.shards
    }

    /// `host:port` of a node, from 1.
    #[must_use]
    pub fn node_address(&self, id: u16) -> String {
        self.files.node_address(id)
    }

    /// `host:port` at which a node, from 1, listens: the same, unless it is behind links.
    #[must_use]
    pub fn node_listens_at(&self, id: u16) -> String {
        self.files.node_listens_at(id)
    }

    /// `host:port` of every gateway.
    #[must_use]
    pub fn gateway_addresses(&self) -> Vec<String> {
        self.files.gateway_addresses()
    }

    /// `host:port` at which a gateway, from 1, serves the public.
    #[must_use]
    pub fn public_address(&self, number: u16) -> String {
        self.files.public_address(number)
    }

    /// Reads what the public is told.
    #[must_use]
    pub fn public(&self, number: u16) -> PublicReader {
        PublicReader::new(self.public_address(number), self.env.clone())
    }

    /// Keys and certificate of any role, signed by the cluster's own authority.
    ///
    /// # Errors
    /// The cryptography failed.
    pub fn material(&self, role: &Role) -> anyhow::Result<TlsMaterial> {
        self.files.material(role)
    }

    /// `cluster.toml` as if the cluster had been founded with another number of shards.
    #[must_use]
    pub fn cluster_toml(&self, shards: u32) -> String {
        self.files.cluster_toml(shards)
    }

    /// A new connection as terminals make it, preferring the gateway at `first` (from 0).
    ///
    /// # Errors
    /// The certificate cannot be used.
    pub fn connection(&self, first: usize) -> anyhow::Result<Connection> {
        let ca = self.files.authority.cert_pem().as_bytes();
        self.connect(&TlsClient::anonymous(ca, &self.env)?, first)
    }

    fn connect(&self, tls: &TlsClient, first: usize) -> anyhow::Result<Connection> {
        let mut addresses = self.gateway_addresses();
        let count = addresses.len();
        addresses.rotate_left(first % count);
        let options = ConnectionOptions::default();
        Ok(Connection::open(
            &addresses,
            tls,
            options,
            self.env.clone(),
        )?)
    }

    /// A new terminal with a connection of its own, at one of [`SITES`]: with two gateways, terminals 0 and
    /// 1 stand at the same site and prefer different gateways.
    ///
    /// # Errors
    /// The certificate cannot be used.
    pub fn terminal(&self, number: usize) -> anyhow::Result<Terminal> {
        Ok(Terminal::new(
            self.connection(number)?,
            self.identity(number),
        ))
    }

    /// To which slips are sealed.
    #[must_use]
    pub fn sealing_key(&self) -> SealingKey {
        self.files.sealing_key.clone()
    }

    /// Who terminal `number` is.
    #[must_use]
    pub fn identity(&self, number: usize) -> TerminalIdentity {
        TerminalIdentity {
            site: site_code(SITES[number / self.gateways.len() % SITES.len()]),
            device: device_id(),
            key: DeviceKey::from_seed(&self.files.device_key.seed()),
        }
    }

    /// An operator with a connection of its own.
    ///
    /// # Errors
    /// The certificate cannot be used.
    pub fn operator(&self) -> anyhow::Result<Operator> {
        let material = self.files.material(&Role::Operator("harness".to_owned()))?;
        Ok(Operator::new(
            self.connect(&TlsClient::new(&material, &self.env)?, 0)?,
        ))
    }

    /// The node with this id, from 1.
    pub fn node(&mut self, id: u64) -> &mut Process {
        let index = usize::try_from(id).expect("a small id") - 1;
        &mut self.nodes[index]
    }

    /// Takes a dead node's disk away. Started again it joins as a new one under its old name.
    ///
    /// # Errors
    /// It runs, or the files cannot be removed.
    pub fn wipe(&mut self, id: u64) -> anyhow::Result<()> {
        let data = self.path(&format!("node-{id}/data"));
        if self.node(id).is_running() {
            bail!("node {id} runs");
        }
        Ok(fs::remove_dir_all(data)?)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in self.gateways.iter_mut().chain(&mut self.nodes) {
            let _how_it_ended = process.kill();
        }
        if std::thread::panicking() {
            let kept = self.keep();
            eprintln!(
                "the cluster's files and logs are kept in {}",
                kept.display()
            );
        }
    }
}

/// One cluster at a time on this machine: two would measure each other. The turn ends with the file.
///
/// # Errors
/// The lock cannot be opened.
pub async fn take_turn(env: &Env) -> anyhow::Result<File> {
    let path = std::env::temp_dir().join("quorate-cluster-tests.lock");
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(path)?;
    while file.try_lock().is_err() {
        env.sleep(POLL_INTERVAL).await;
    }
    Ok(file)
}

/// [`PROGRAM`].
#[must_use]
pub fn program_id() -> ProgramId {
    ProgramId::parse(PROGRAM).expect("the constant is an id")
}

fn site_code(code: &str) -> SiteCode {
    SiteCode::parse(code).expect("the constant is a code")
}

fn device_id() -> DeviceId {
    DeviceId::parse(DEVICE).expect("the constant is an id")
}

fn site(code: &str) -> Site {
    Site {
        code: site_code(code),
        name: format!("Harness site {code}"),
        address: "1 Test Road".to_owned(),
        site_type: SiteType::try_from(1).expect("pharmacies are of type 1"),
        coordinates: None,
        region: "Test".to_owned(),
    }
}
