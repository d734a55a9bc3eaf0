//! Loads leave histories, and every law is held against them: figures of a cluster that breaks a promise are worth
//! nothing. Two loads come before all others, on a cluster that has sold nothing yet: what it counts must agree with
//! them, and people come until they are denied.

use std::{fs, path::PathBuf};

use anyhow::ensure;
use quorate_harness::{checker, cluster::Cluster, judge::judge_file};
use serde_json::Value;

use crate::{freshness, throughput};

/// Of all loads.
const SEED: &str = "1";
/// Loads begin so far apart among the seed's people that nobody is of two populations: as many as the largest has.
const PEOPLE_OF_A_LOAD: u64 = 2_000_000;

/// Visits of the steady load, each person's share of them, and what a visit buys of the 100 units a week: the
/// fourth sale to a person is denied.
const VISITS: &str = "20000";
const PEOPLE: &str = "4000";
const QUANTITY: &str = "30";
/// The morning: its people, their arrivals a second, its sites.
const MORNING_PEOPLE: &str = "4000";
const MORNING_RATE: &str = "800";
const MORNING_SITES: u32 = 20;

/// Judges one load after the other.
pub(crate) struct Judge {
    history: PathBuf,
    loads: u64,
    /// Judged so far.
    pub(crate) calls: usize,
}

impl Judge {
    pub(crate) fn new(cluster: &Cluster) -> Self {
        Self {
            history: cluster.path("history-load.jsonl"),
            loads: 0,
            calls: 0,
        }
    }

    /// With these arguments a load plays people of its own, and leaves its history.
    pub(crate) fn arguments(&mut self) -> [String; 6] {
        let first = (self.loads * PEOPLE_OF_A_LOAD).to_string();
        self.loads += 1;
        let history = self.history.to_string_lossy();
        [
            "--seed",
            SEED,
            "--first-citizen",
            &first,
            "--history",
            &history,
        ]
        .map(str::to_owned)
    }

    /// Judges what the load with the last arguments has left.
    pub(crate) fn judge(&mut self) -> anyhow::Result<checker::Report> {
        let report = judge_file(&self.history)?;
        self.calls += report.calls;
        Ok(report)
    }

    /// Plays a load, and judges it. Its own report, and the verdict.
    pub(crate) fn play(
        &mut self,
        cluster: &Cluster,
        load: &[&str],
    ) -> anyhow::Result<(Value, checker::Report)> {
        let arguments = self.arguments();
        let arguments = arguments.iter().map(String::as_str);
        let arguments: Vec<&str> = load.iter().copied().chain(arguments).collect();
        let played = throughput::load(cluster, &arguments)?;
        Ok((played, self.judge()?))
    }

    /// Plays the two that come before all others.
    pub(crate) fn play_first(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        let steady = ["--count", VISITS, "--citizens", PEOPLE, "--qty", QUANTITY];
        self.play_counted(
            cluster,
            "steady",
            &[&steady[..], &["--checks", "0.2"]].concat(),
        )?;
        let sites = cluster.path("lawful-sites.csv");
        fs::write(&sites, freshness::sites(MORNING_SITES))?;
        let sites = sites.to_string_lossy();
        let morning = ["--profile", "morning", "--citizens", MORNING_PEOPLE];
        let pace = ["--rate", MORNING_RATE, "--sites", &sites];
        self.play_counted(cluster, "morning", &[morning, pace].concat())
    }

    /// Plays a load that is alone, and compares it with what the cluster counts.
    fn play_counted(&mut self, cluster: &Cluster, name: &str, load: &[&str]) -> anyhow::Result<()> {
        println!("judging a {name} load");
        let (played, report) = self.play(cluster, &[load, &["--verify"]].concat())?;
        println!("{report}");
        ensure!(
            played["verify"]["agrees"] == true && played["sales"]["granted"] == report.grants,
            "the cluster, the load and its history count differently: {played}"
        );
        Ok(())
    }
}
