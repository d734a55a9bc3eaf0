//! A cluster that faults can be brought upon: real processes behind links, each with a clock and syncs that
//! can be changed, each node on a file system of its own where the machine permits it.
//!
//! Invariant: whatever happens, dropping the stage ends every process and takes every mount away.

use std::{
    collections::BTreeMap, fs, path::PathBuf, process::ExitStatus, sync::Arc, time::Duration,
};

use anyhow::{Context as _, bail};
use quorate_harness::cluster::{Cluster, ClusterOptions};
use quorate_link::Env;
use rand::{RngExt as _, rngs::StdRng};

use crate::{
    grants::Probes,
    links::{Links, Parties, Party},
    means::Means,
    shim::{self, CONTROL_VARIABLE, Shim},
    volume::{self, Volume},
};

/// Nodes of every stage: what promises about minorities are made for.
pub const NODES: u16 = 3;
/// Gateways of every stage: one can be missed.
pub const GATEWAYS: u16 = 2;

/// How long a process may take to end when it was asked to.
const END_TIME_MAX: Duration = Duration::from_secs(30);

/// Everything that a fault can take hold of.
pub struct Stage {
    /// The processes.
    pub cluster: Cluster,
    /// What lies between them.
    pub links: Links,
    /// By process; empty where nothing can be preloaded.
    pub shims: BTreeMap<Party, Shim>,
    /// By node, from 1; empty where there are none.
    pub(crate) volumes: Vec<Volume>,
    /// Ask shards that lost their leader.
    pub(crate) probes: Probes,
    /// Of single nodes.
    pub(crate) power_cuts: usize,
    parties: Arc<Parties>,
}

impl Stage {
    /// Starts a cluster in a directory, with as much in the hands of the test as the machine permits.
    ///
    /// # Errors
    /// Something did not come up.
    pub async fn start(
        mut options: ClusterOptions,
        means: &Means,
        directory: PathBuf,
        seed: u64,
    ) -> anyhow::Result<Self> {
        options.nodes = NODES;
        options.gateways = GATEWAYS;
        options.behind_links = true;
        options.directory = Some(directory);
        let mut cluster = Cluster::lay_out(options).await?;
        let parties = Arc::new(Parties::default());
        let mut links = Links::new(parties.clone(), cluster.env.clone(), seed);
        for node in 1..=NODES {
            let at = cluster.node_address(node).parse()?;
            let listens_at = cluster.node_listens_at(node).parse()?;
            links.lay(Party::Node(node), at, listens_at).await?;
        }
        let workshop = cluster.path("chaos");
        fs::create_dir_all(&workshop)?;
        let mut shims = BTreeMap::new();
        if means.no_shim.is_none() {
            let library = shim::build(&workshop)?.to_string_lossy().into_owned();
            for party in everyone() {
                let shim = Shim::new(&workshop.join(format!("{party}.control")))?;
                let process = process(&mut cluster, party)?;
                process.environment("LD_PRELOAD", &library);
                process.environment(CONTROL_VARIABLE, &shim.path.to_string_lossy());
                shims.insert(party, shim);
            }
        }
        let mut volumes = Vec::new();
        if means.no_volumes.is_none() {
            let switch = volume::build_power_switch(&workshop)?;
            for node in 1..=NODES {
                let image = workshop.join(format!("node-{node}.img"));
                let data = cluster.path(&format!("node-{node}/data"));
                volumes.push(Volume::new(&image, &data, &switch)?);
            }
        }
        let probes = Probes::new(cluster.env.clone());
        let mut stage = Self {
            cluster,
            links,
            shims,
            volumes,
            probes,
            power_cuts: 0,
            parties,
        };
        let founded = stage.cluster.found();
        // Who connects is known only once the processes are: until then nobody is struck.
        founded.await?;
        for party in everyone() {
            stage.note_started(party)?;
        }
        // Connections that were made before are of nobody.
        stage.links.break_all();
        stage.cluster.await_whole().await?;
        Ok(stage)
    }

    /// Clock, chance and tasks of the test.
    #[must_use]
    pub fn env(&self) -> Env {
        self.cluster.env.clone()
    }

    /// All nodes.
    #[must_use]
    pub fn nodes() -> Vec<u16> {
        (1..=NODES).collect()
    }

    fn note_started(&mut self, party: Party) -> anyhow::Result<()> {
        let pid = process(&mut self.cluster, party)?.pid();
        self.parties.started(party, pid.context("it runs")?);
        Ok(())
    }

    /// Starts a process that has ended.
    pub(crate) fn start_again(&mut self, party: Party) -> anyhow::Result<()> {
        if let Some(shim) = self.shims.get(&party) {
            shim.forget_drift()?;
        }
        process(&mut self.cluster, party)?.start(&[])?;
        self.note_started(party)
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, party: Party) -> anyhow::Result<()> {
        process(&mut self.cluster, party)?.kill();
        Ok(())
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn ask_to_end(&mut self, party: Party) -> anyhow::Result<ExitStatus> {
        let env = self.env();
        let process = process(&mut self.cluster, party)?;
        process.ask_to_end()?;
        process.ended(&env, END_TIME_MAX).await
    }

    /// Whether a node ends by itself in this time; it is reaped then.
    pub(crate) async fn ends_by_itself(&mut self, node: u16, within: Duration) -> bool {
        let env = self.env();
        let process = self.cluster.node(node.into());
        process.ended(&env, within).await.is_ok()
    }

    /// Waits until the cluster is whole, but not for ever; whether it is.
    pub(crate) async fn whole_within(&self, limit: Duration) -> bool {
        let whole = self.cluster.await_whole();
        matches!(self.cluster.env.timeout(limit, whole).await, Ok(Ok(_)))
    }

    /// How much a node has printed.
    pub(crate) fn log_length(&mut self, node: u16) -> usize {
        self.cluster.node(node.into()).log().len()
    }

    /// What a node has printed since.
    pub(crate) fn log_since(&mut self, node: u16, length: usize) -> String {
        let log = self.cluster.node(node.into()).log();
        log.get(length..).unwrap_or_default().to_owned()
    }

    /// Where a node keeps everything durable.
    pub(crate) fn data(&self, node: u16) -> PathBuf {
        self.cluster.path(&format!("node-{node}/data"))
    }

    /// The control of a node's clock and syncs.
    pub(crate) fn shim(&self, node: u16) -> anyhow::Result<&Shim> {
        let shim = self.shims.get(&Party::Node(node));
        shim.context("nothing is preloaded")
    }

    /// The file system of a node.
    pub(crate) fn volume(&mut self, node: u16) -> anyhow::Result<&mut Volume> {
        let volume = self.volumes.get_mut(usize::from(node) - 1);
        volume.context("there are no volumes")
    }

    /// The node that leads most shards, of those that are not struck yet, and the shards that it leads. Any node
    /// where nobody can say.
    pub(crate) async fn busiest(&self, struck: &[u16], dice: &mut StdRng) -> (u16, Vec<u32>) {
        let any = pick(&Self::nodes(), struck, dice);
        let limit = Duration::from_secs(2);
        let Ok(Ok(leaders)) = self
            .cluster
            .env
            .timeout(limit, self.cluster.leaders())
            .await
        else {
            return (any, Vec::new());
        };
        let led_by = |node: u16| -> Vec<u32> {
            let led = leaders
                .iter()
                .filter(|&(&shard, &leader)| shard != 0 && leader == u64::from(node));
            led.map(|(&shard, _)| shard).collect()
        };
        let free = Self::nodes()
            .into_iter()
            .filter(|node| !struck.contains(node));
        let busiest = free.map(|node| (node, led_by(node)));
        busiest
            .max_by_key(|(_, led)| led.len())
            .unwrap_or((any, Vec::new()))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Before the volumes: a mount goes only when nobody has files open on it.
        for process in self
            .cluster
            .gateways
            .iter_mut()
            .chain(&mut self.cluster.nodes)
        {
            process.kill();
        }
        self.volumes.clear();
    }
}

/// One of them that is not struck yet; any, where all are: what strikes all leaves links and clocks to strike.
pub(crate) fn pick(among: &[u16], struck: &[u16], dice: &mut StdRng) -> u16 {
    let mut free: Vec<u16> = among.to_vec();
    free.retain(|node| !struck.contains(node));
    let from = if free.is_empty() { among } else { &free };
    from[dice.random_range(0..from.len())]
}

fn everyone() -> impl Iterator<Item = Party> {
    let nodes = (1..=NODES).map(Party::Node);
    nodes.chain((1..=GATEWAYS).map(Party::Gateway))
}

/// The process of a party.
pub(crate) fn process(
    cluster: &mut Cluster,
    party: Party,
) -> anyhow::Result<&mut quorate_harness::cluster::Process> {
    match party {
        Party::Node(node) => Ok(cluster.node(node.into())),
        Party::Gateway(gateway) => Ok(&mut cluster.gateways[usize::from(gateway) - 1]),
        Party::Other => bail!("the test itself is no process of the cluster"),
    }
}
