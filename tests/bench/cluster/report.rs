//! The figures, for people and for programs, against the bars they must reach.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::failover::Failover;
use crate::freshness::Freshness;
use crate::machine::Machine;
use crate::throughput::{Filled, Measured, median};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
    pub(crate) loads: Vec<Measured>,
    pub(crate) failovers: Vec<Failover>,
    pub(crate) freshness: Freshness,
    pub(crate) filled: Filled,
    /// Calls of all loads but the last, each held against every law.
    pub(crate) judged_calls: usize,
}

impl Report {
    pub(crate) fn to_markdown(&self) -> String {
        let mut text = String::from("# Measured\n\n");
        let (rounds, seconds) = (self.rounds, self.seconds);
        let _ = writeln!(
            text,
            "Three nodes, eight shards, one gateway, TLS everywhere, every sale synced on a majority.\n\
             {}.\nMedians of {rounds} rounds of {seconds} s.\n",
            self.machine
        );
        text.push_str(
            "| load | per second | p50 ms | p99 ms | p99.9 ms | bytes a sale and node |\n\
             |---|---:|---:|---:|---:|---:|\n",
        );
        for load in &self.loads {
            let bytes = load
                .bytes_per_sale
                .map_or(String::new(), |bytes| format!("{bytes:.0}"));
            let _ = writeln!(
                text,
                "| {} | {:.0} | {:.1} | {:.1} | {:.1} | {bytes} |",
                load.load, load.per_second, load.p50_ms, load.p99_ms, load.p99_9_ms
            );
        }
        let last = self.failovers.iter().map(|f| f.last_seconds);
        let longest = last.clone().fold(0.0, f64::max);
        let _ = writeln!(
            text,
            "\nLeader killed (SIGKILL) until every one of its shards grants again: median {:.2} s, longest \
             {longest:.2} s of {} kills.\n",
            median(last.collect()),
            self.failovers.len(),
        );
        let freshness = &self.freshness;
        let _ = writeln!(
            text,
            "A sale until the public sees it, in a morning of {:.0} sales a second: p50 {:.0} ms, p99 {:.0} ms \
             ({} probes). Oldest sale not yet at its site: p50 {:.0} ms, p99 {:.0} ms.\n",
            freshness.arrivals_per_second,
            freshness.seen_p50_ms,
            freshness.seen_p99_ms,
            freshness.probes,
            freshness.outbox_lag_p50_ms,
            freshness.outbox_lag_p99_ms,
        );
        let mebibytes: Vec<String> = self
            .filled
            .node_resident_bytes
            .iter()
            .map(|bytes| format!("{} MiB", bytes >> 20))
            .collect();
        let _ = writeln!(
            text,
            "After sales to {} people at {:.0} a second: {:.0} bytes written a sale and node; memory of the \
             nodes {}.",
            self.filled.citizens,
            self.filled.per_second,
            self.filled.bytes_per_sale,
            mebibytes.join(", ")
        );
        let _ = writeln!(
            text,
            "\nEvery load but that one left a history, which was judged: {} calls, no law broken.",
            self.judged_calls
        );
        text
    }

    /// Writes `latest.md` and `latest.json`.
    pub(crate) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join("latest.md"), self.to_markdown())?;
        let json = serde_json::to_string_pretty(self)?;
        fs::write(dir.join("latest.json"), json + "\n")?;
        println!("written to {}", dir.display());
        Ok(())
    }
}
