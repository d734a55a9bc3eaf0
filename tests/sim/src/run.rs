//! One seed from its plan to its verdict.
//!
//! Phases: the cluster forms and gets its program and sites; clients call while faults strike; everything is
//! healed; every unknown outcome is told, every outbox drained, every replica compared, the history judged.
//! Laws: nothing but the seed decides anything. Deliberately absent: real time, files, other seeds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quorate_check::check_on;
use quorate_check::facts::{Fact, Shelf, Totals};
use quorate_check::history::{Call, Reply};
use quorate_core::keys;
use quorate_link::Env;
use quorate_link::env::with_current_env;
use quorate_proto::ids::ShardId;
use quorate_proto::storage::{self, command};

use crate::chance::{Chance, mix};
use crate::cluster::{Cluster, ClusterParts};
use crate::counter::{Counter, site_code, site_key};
use crate::coverage::{Counts, Coverage, Event};
use crate::disk::SimDisk;
use crate::executor::{DRIVER, Executor};
use crate::faults::Striker;
use crate::invariants::{Disks, Finding, Judges, OnDisk};
use crate::load::Load;
use crate::net::{Network, Place};
use crate::plan::{CITIZENS, Plan, SITES, START_UNIX_MS};
use crate::shelves;
use crate::trace::{Log, Tell};

/// Until a cluster that was just founded serves.
const FORM_TIME_MAX: Duration = Duration::from_secs(60);
/// Until a cluster that was healed is whole, and until it has drained.
const HEAL_TIME_MAX: Duration = Duration::from_secs(90);
/// A run that needs more is stuck: virtual time does not pass, or nothing ends.
const STEPS_MAX: u64 = 60_000_000;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// How a seed came out.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Over every step, every message of a stream and every row written, in order: equal for equal runs.
    pub trace: u64,
    /// Virtual time that has passed.
    pub virtual_time: Duration,
    /// Steps of tasks.
    pub steps: u64,
    /// Calls that were judged.
    pub calls: usize,
    /// What happened.
    pub counts: Counts,
    /// What was broken; empty: nothing.
    pub findings: Vec<Finding>,
}

impl Outcome {
    /// Whether nothing was broken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {} calls, {:.1} s of virtual time, {} steps, trace {:016x}",
            self.seed,
            self.calls,
            self.virtual_time.as_secs_f64(),
            self.steps,
            self.trace
        )?;
        for finding in &self.findings {
            write!(f, "\n  {}: {}", finding.law, finding.detail)?;
        }
        Ok(())
    }
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, tell: Option<Tell>) -> Outcome {
    let (mut executor, driver) = prepare(Plan::new(seed), tell);
    let (coverage, judges) = (driver.coverage.clone(), driver.judges.clone());
    let (cluster, env) = (driver.cluster.clone(), Arc::new(driver.env.clone()));
    let done: Arc<Mutex<Option<usize>>> = Arc::default();
    let end = done.clone();
    driver.env.clone().spawn("driver", async move {
        let calls = driver.drive().await;
        *end.lock().unwrap_or_else(PoisonError::into_inner) = Some(calls);
    });
    let calls = || *done.lock().unwrap_or_else(PoisonError::into_inner);
    while calls().is_none() && !judges.has_found() {
        match executor.step() {
            Ok(true) if executor.steps() < STEPS_MAX => {}
            Ok(_) => {
                let detail = format!("after {} steps", executor.steps());
                judges.find("a run ends", detail);
            }
            Err(panicked) => judges.find("nobody panics", panicked.to_string()),
        }
    }
    coverage.event(Event::Election, judges.elections());
    let outcome = Outcome {
        seed,
        trace: cluster
            .hashes()
            .fold(executor.trace(), |sum, hash| mix(sum ^ hash)),
        virtual_time: executor.now(),
        steps: executor.steps(),
        calls: calls().unwrap_or_default(),
        counts: coverage.counts(),
        findings: judges.found(),
    };
    with_current_env(&env, || cluster.end());
    outcome
}

/// What a plan asks for; nothing has happened yet.
fn prepare(plan: Plan, tell: Option<Tell>) -> (Executor, Driver) {
    let (seed, plan) = (plan.seed, Arc::new(plan));
    let executor = Executor::new(seed, START_UNIX_MS);
    for (place, clock) in &plan.clocks {
        executor
            .tasks()
            .set_clock(*place, clock.skew_ms, clock.drift_ppm);
    }
    let env = executor.tasks().env(DRIVER);
    let log = match tell {
        Some(tell) => Log::to(env.clone(), tell),
        None => Log::silent(env.clone()),
    };
    log.say(format_args!("plan: {plan:?}"));
    let coverage = Coverage::default();
    let disks: BTreeMap<Place, Arc<SimDisk>> = plan
        .node_places()
        .map(|place| (place, SimDisk::new(seed ^ place.rotate_left(32))))
        .collect();
    let judges = Judges::new(Arc::new(DiskViews(disks.clone())));
    let cluster = Cluster::new(ClusterParts {
        plan: plan.clone(),
        tasks: executor.tasks(),
        env: env.clone(),
        network: Network::new(env.clone(), Chance::new(seed).fork("network"), plan.weather),
        disks,
        judges: judges.clone(),
        coverage: coverage.clone(),
        log: log.clone(),
    });
    let driver = Driver {
        load: Load::new(cluster.clone(), plan.clone(), env.clone(), coverage.clone()),
        cluster,
        plan,
        env,
        coverage,
        judges,
        log,
    };
    (executor, driver)
}

/// What survives a power cut now, as the judges ask for it.
struct DiskViews(BTreeMap<Place, Arc<SimDisk>>);

impl Disks for DiskViews {
    fn entry(&self, node: Place, shard: ShardId, index: u64) -> OnDisk {
        let Some(disk) = self.0.get(&node) else {
            return OnDisk::Missing;
        };
        let open = |key: Vec<u8>| disk.synced_log(&key);
        if let Some(row) = open(keys::raft::entry(shard, index)) {
            let entry: Result<storage::LogEntry, _> = quorate_core::codec::open("entry", &row);
            let id = entry.ok().and_then(|entry| entry.log_id);
            return id.map_or(OnDisk::Missing, |id| OnDisk::Entry(id.term));
        }
        let purged = open(keys::raft::purged(shard)).and_then(|row| {
            let id: storage::LogId = quorate_core::codec::open("purged", &row).ok()?;
            Some(id.index)
        });
        match purged {
            Some(purged) if purged >= index => OnDisk::Purged,
            _ => OnDisk::Missing,
        }
    }

    fn vote(&self, node: Place, shard: ShardId) -> Option<(u64, u64)> {
        let row = self.0.get(&node)?.synced_log(&keys::raft::vote(shard))?;
        let vote: storage::Vote = quorate_core::codec::open("vote", &row).ok()?;
        Some((vote.term, vote.leader_replica))
    }

    fn applied(&self, node: Place, shard: ShardId) -> Option<u64> {
        let disk = self.0.get(&node)?;
        let point = match disk.synced_log(&keys::raft::installing(shard)) {
            // A snapshot is being put in place of the state: a restart finishes that, whatever the state holds now.
            Some(row) => {
                let pending: storage::PendingInstall =
                    quorate_core::codec::open("snapshot marker", &row).ok()?;
                pending.point?
            }
            None => {
                let row = disk.flushed_state(&keys::applied(shard))?;
                quorate_core::codec::open("applied point", &row).ok()?
            }
        };
        Some(point.log_id?.index)
    }
}

/// Drives the phases.
struct Driver {
    cluster: Arc<Cluster>,
    load: Arc<Load>,
    plan: Arc<Plan>,
    env: Env,
    coverage: Coverage,
    judges: Judges,
    log: Log,
}

impl Driver {
    /// Returns the number of calls that were judged.
    async fn drive(self) -> usize {
        if let Err(what) = self.form().await {
            self.judges.find("a new cluster serves", what);
            return 0;
        }
        self.log.say(format_args!("the cluster serves"));
        self.load.start();
        let striker = Arc::new(Striker {
            cluster: self.cluster.clone(),
            env: self.env.clone(),
            coverage: self.coverage.clone(),
            log: self.log.clone(),
        });
        let end = self.env.monotonic() + self.plan.lasts;
        striker.run(self.plan.faults.clone()).await;
        let left = end.saturating_sub(self.env.monotonic());
        self.env.sleep(left).await;
        self.load.stop().await;
        self.log.say(format_args!("healing"));
        self.cluster.heal().await;
        if let Err(what) = self.settle().await {
            self.judges
                .find("a healed cluster converges, serves and drains", what);
            return 0;
        }
        let totals = self.cluster.look_at_states();
        self.judge(totals).await
    }

    /// Nodes and gateways start, the program and the sites are put, and every shard decides.
    async fn form(&self) -> Result<(), String> {
        for place in self.plan.node_places() {
            self.cluster.start(place).await;
        }
        for place in self.plan.gateway_places() {
            self.cluster.start_gateway(place);
        }
        let deadline = self.env.monotonic() + FORM_TIME_MAX;
        let mut what = "not every gateway knows the cluster".to_owned();
        while !self.cluster.is_known() {
            self.wait(deadline, &what).await?;
        }
        what = "the program is not decided".to_owned();
        while !self.cluster.change_program(0).await {
            self.wait(deadline, &what).await?;
        }
        for site in 0..SITES {
            what = format!("site {site} is not put");
            while !self.put_site(site).await {
                self.wait(deadline, &what).await?;
            }
        }
        for citizen in 0..CITIZENS * 4 {
            what = format!("citizen {citizen} is not served");
            while !self.is_served(citizen).await {
                self.wait(deadline, &what).await?;
            }
        }
        Ok(())
    }

    async fn wait(&self, deadline: Duration, what: &str) -> Result<(), String> {
        if self.env.monotonic() > deadline {
            return Err(what.to_owned());
        }
        self.env.sleep(PAUSE).await;
        Ok(())
    }

    async fn put_site(&self, site: u64) -> bool {
        let Some((gateway, env)) = self.cluster.gateway(site) else {
            return false;
        };
        let profile = storage::SiteProfile {
            code: site_code(site).as_str().to_owned(),
            name: format!("Pharmacy {site}"),
            address: "1 Example-ro".to_owned(),
            site_type: 1,
            region: "Seoul".to_owned(),
            ..storage::SiteProfile::default()
        };
        let body = command::Body::PutSites(storage::PutSites {
            sites: vec![profile],
        });
        let deadline = env.monotonic() + self.plan.load.call_time_max;
        let position = site_key(site).position();
        gateway.write(position, body, deadline).await.is_ok()
    }

    async fn is_served(&self, citizen: u64) -> bool {
        let Some((gateway, env)) = self.cluster.gateway(citizen) else {
            return false;
        };
        let deadline = env.monotonic() + self.plan.load.call_time_max;
        let counter = Counter { site: 0 };
        let call = Call::Check { quantity: 1 };
        let reply = counter.call(&gateway, citizen, call, deadline).await;
        matches!(reply, Reply::Verdict(_))
    }

    /// After the healing: everybody is whole, everything is told, everything has arrived.
    async fn settle(&self) -> Result<(), String> {
        self.cluster.whole(HEAL_TIME_MAX).await?;
        self.log.say(format_args!("whole"));
        self.load.sell_everywhere().await?;
        self.load.settle().await?;
        let deadline = self.env.monotonic() + HEAL_TIME_MAX;
        let mut attempt = 0;
        while !self.cluster.shelves().settle(&self.cluster, attempt).await {
            attempt += 1;
            self.wait(deadline, "goods are not known to have come in")
                .await?;
        }
        self.cluster.drained(HEAL_TIME_MAX).await?;
        self.cluster.whole(HEAL_TIME_MAX).await
    }

    /// Judges the history, with what the cluster has counted and the shelves.
    async fn judge(&self, totals: Totals) -> usize {
        let mut history = self.load.history();
        history.facts.push(Fact::Totals(totals));
        for site in 0..SITES {
            match self.shelf(site).await {
                Some(shelf) => history.facts.push(Fact::Shelf(Shelf {
                    clients: (0..self.plan.load.clients)
                        .filter(|client| Load::site_of(*client) == site)
                        .collect(),
                    brought: self.cluster.shelves().brought(site),
                    ..shelf
                })),
                None => self
                    .judges
                    .find("shelves", format!("site {site} is not shown")),
            }
        }
        let report = check_on(&history, 1);
        self.log.say(format_args!("{report}"));
        for violation in &report.violations {
            self.judges.find("history", violation.to_string());
        }
        self.coverage
            .event(Event::UnknownOutcome, report.unknown as u64);
        self.coverage
            .event(Event::OverQuota, report.slips_over_quota as u64);
        report.calls
    }

    async fn shelf(&self, site: u64) -> Option<Shelf> {
        for attempt in 0..100 {
            if let Some((gateway, env)) = self.cluster.gateway(attempt)
                && let Ok(shelf) = shelves::shelf(&gateway, env.monotonic(), site).await
            {
                return Some(shelf);
            }
            self.env.sleep(PAUSE).await;
        }
        None
    }
}

#[cfg(test)]
mod tests;
