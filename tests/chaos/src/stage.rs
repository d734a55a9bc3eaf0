//! A cluster that faults can be brought upon: real processes behind links, each with a clock and syncs that
//! can be changed, each node on a file system of its own where the machine permits it.
//!
//! Invariant: whatever happens, dropping the stage ends every process and takes every mount away.

use std::{
    collections::BTreeMap, fs, os::unix::process::ExitStatusExt as _, path::PathBuf,
    process::ExitStatus, sync::Arc, time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use quorate_harness::cluster::{Cluster, ClusterOptions, Process, shards_by_leader};
use quorate_link::Env;
use rand::{RngExt as _, rngs::StdRng};
use rustix::process::Signal;

use crate::{
    grants::{Led, Probes},
    links::{Links, Parties, Party},
    means::Means,
    replicas::Replicas,
    shim::{self, CONTROL_VARIABLE, Shim},
    volume::{self, Volume},
};

/// Nodes of every stage: what promises about minorities are made for.
pub const NODES: u16 = 3;
/// Gateways of every stage: one can be missed.
pub const GATEWAYS: u16 = 2;

/// How long a process may take to end when it was asked to.
const END_TIME_MAX: Duration = Duration::from_secs(30);
/// What nobody says within this, nobody can say.
const ASKED_TIME_MAX: Duration = Duration::from_secs(2);

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
    /// As they were when the cluster was whole last.
    pub(crate) replicas: Replicas,
    /// The node that is being replaced.
    pub(crate) refilled: Option<u16>,
    parties: Arc<Parties>,
    /// Up to where each process's log was searched for panics, bytes.
    searched: BTreeMap<Party, u64>,
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
            replicas: Replicas::default(),
            refilled: None,
            parties,
            searched: BTreeMap::new(),
        };
        let founded = stage.cluster.found();
        // Who connects is known only once the processes are: until then nobody is struck.
        founded.await?;
        for party in everyone() {
            stage.note_started(party)?;
        }
        // Connections that were made before are of nobody.
        stage.links.break_all();
        stage.replicas = Replicas::of(&stage.cluster.await_whole().await?);
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

    /// Starts a process that has ended, as whoever had an eye on it knows.
    pub(crate) fn start_again(&mut self, party: Party) -> anyhow::Result<()> {
        self.has_not_crashed(party)?;
        if let Some(shim) = self.shims.get(&party) {
            shim.forget_drift()?;
        }
        process(&mut self.cluster, party)?.start(&[])?;
        self.note_started(party)
    }

    /// Starts a process unless another fault has done so.
    pub(crate) fn start_unless_started(&mut self, party: Party) -> anyhow::Result<()> {
        self.has_not_crashed(party)?;
        match process(&mut self.cluster, party)?.pid() {
            Some(_) => Ok(()),
            None => self.start_again(party),
        }
    }

    fn has_not_crashed(&mut self, party: Party) -> anyhow::Result<()> {
        match process(&mut self.cluster, party)?.try_end()? {
            Some(status) => bail!("{party} ended by itself, with {status}"),
            None => Ok(()),
        }
    }

    /// SIGKILL to a process that runs: it must die of this signal and not have ended by itself.
    pub(crate) fn kill(&mut self, party: Party) -> anyhow::Result<()> {
        let status = process(&mut self.cluster, party)?.kill();
        died_of_kill(status.with_context(|| format!("{party} does not run"))?)
            .with_context(|| format!("{party} was to be killed"))
    }

    /// The same, unless it is known already not to run.
    pub(crate) fn kill_if_it_runs(&mut self, party: Party) -> anyhow::Result<()> {
        match process(&mut self.cluster, party)?.pid() {
            Some(_) => self.kill(party),
            None => Ok(()),
        }
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn ask_to_end(&mut self, party: Party) -> anyhow::Result<ExitStatus> {
        let env = self.env();
        let process = process(&mut self.cluster, party)?;
        process.ask_to_end()?;
        process.ended(&env, END_TIME_MAX).await
    }

    /// How a node ends by itself, if it does in this time; it is reaped then.
    pub(crate) async fn ends_by_itself(
        &mut self,
        node: u16,
        within: Duration,
    ) -> Option<ExitStatus> {
        let env = self.env();
        let process = self.cluster.node(node.into());
        process.ended(&env, within).await.ok()
    }

    /// Waits until the cluster is whole, but not for ever; whether it is.
    pub(crate) async fn whole_within(&self, limit: Duration) -> bool {
        let whole = self.cluster.await_whole();
        matches!(self.cluster.env.timeout(limit, whole).await, Ok(Ok(_)))
    }

    /// How much a node has printed, bytes.
    pub(crate) fn log_length(&mut self, node: u16) -> u64 {
        self.cluster.node(node.into()).log_length()
    }

    /// What a node has printed since.
    pub(crate) fn log_since(&mut self, node: u16, length: u64) -> String {
        self.cluster.node(node.into()).log_since(length)
    }

    /// What a process has printed since this was asked last, in whole lines, for panics to be found in.
    pub(crate) fn unsearched(&mut self, party: Party) -> anyhow::Result<String> {
        let from = self.searched.entry(party).or_default();
        let log = process(&mut self.cluster, party)?.log_since(*from);
        let whole_lines = log.rfind('\n').map_or("", |end| &log[..=end]);
        *from += whole_lines.len() as u64;
        Ok(whole_lines.to_owned())
    }

    /// Searches what nodes and gateways have printed since this was asked last.
    ///
    /// # Errors
    /// One of them has panicked.
    pub fn ensure_nobody_panicked(&mut self) -> anyhow::Result<()> {
        for party in everyone() {
            let panics = panics(&self.unsearched(party)?);
            ensure!(panics.is_empty(), "{party} panicked: {}", panics.join("\n"));
        }
        Ok(())
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

    /// The node that leads most shards, of those that are not struck yet, and what it leads. Any node where nobody
    /// can say.
    pub(crate) async fn busiest(&self, struck: &[u16], dice: &mut StdRng) -> (u16, Led) {
        let any = pick(&Self::nodes(), struck, dice);
        let (by_leader, unknown) = self.leads().await;
        let leads = |node: u16| {
            let led = by_leader.get(&u64::from(node));
            led.cloned().unwrap_or_default()
        };
        let free = Self::nodes()
            .into_iter()
            .filter(|node| !struck.contains(node));
        let leading = free.filter(|node| !leads(*node).is_empty());
        let node = leading.max_by_key(|node| leads(*node).len()).unwrap_or(any);
        let shards = leads(node);
        (node, Led { shards, unknown })
    }

    /// What a node leads.
    pub(crate) async fn led(&self, node: u16) -> Led {
        let (mut by_leader, unknown) = self.leads().await;
        let shards = by_leader.remove(&u64::from(node)).unwrap_or_default();
        Led { shards, unknown }
    }

    /// The shards that each node leads, and of how many nobody can say.
    async fn leads(&self) -> (BTreeMap<u64, Vec<u32>>, usize) {
        let env = &self.cluster.env;
        let leaders = env.timeout(ASKED_TIME_MAX, self.cluster.leaders()).await;
        let leaders = leaders.ok().and_then(Result::ok).unwrap_or_default();
        let by_leader = shards_by_leader(&leaders);
        let known: usize = by_leader.values().map(Vec::len).sum();
        let unknown = (self.cluster.shards() as usize).saturating_sub(known);
        (by_leader, unknown)
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
            let _how_it_ended = process.kill();
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
pub(crate) fn process(cluster: &mut Cluster, party: Party) -> anyhow::Result<&mut Process> {
    match party {
        Party::Node(node) => Ok(cluster.node(node.into())),
        Party::Gateway(gateway) => Ok(&mut cluster.gateways[usize::from(gateway) - 1]),
        Party::Other => bail!("the test itself is no process of the cluster"),
    }
}

/// Whether a process that was sent SIGKILL died of it: one that had crashed before did not.
fn died_of_kill(status: ExitStatus) -> anyhow::Result<()> {
    let killed = status.signal() == Some(Signal::KILL.as_raw());
    ensure!(killed, "it had ended by itself, with {status}");
    Ok(())
}

/// Each panic that a log tells of, with its message.
pub(crate) fn panics(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().collect();
    let told = lines.iter().enumerate();
    let told = told.filter(|(_, line)| line.contains("panicked at"));
    told.map(|(at, line)| match lines.get(at + 1) {
        // The message follows the place.
        Some(message) => format!("{line} {message}"),
        None => (*line).to_owned(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_had_crashed_was_not_killed() {
        assert!(died_of_kill(ExitStatus::from_raw(Signal::KILL.as_raw())).is_ok());
        let aborted = ExitStatus::from_raw(Signal::ABORT.as_raw());
        let (ended, failed) = (ExitStatus::from_raw(0), ExitStatus::from_raw(101 << 8));
        for status in [aborted, ended, failed] {
            assert!(died_of_kill(status).is_err(), "{status}");
        }
    }

    #[test]
    fn a_panic_is_found_with_its_message() {
        let log = "{\"level\":\"INFO\",\"said\":\"up\"}\nthread 'main' panicked at node/src/run.rs:7:9:\n\
                   the log goes backwards\nnote: run with `RUST_BACKTRACE=1`\n";
        let expected = "thread 'main' panicked at node/src/run.rs:7:9: the log goes backwards";
        assert_eq!(panics(log), [expected]);
        assert!(panics("a node that panics is no node\n").is_empty());
    }
}
