//! The verdict on a run: every law over the history, with the cluster's own counts beside it.

use anyhow::{Context as _, bail};
use quorate_check::facts::{Fact, Totals};

use crate::{
    checker::{self, Report},
    cluster::Cluster,
    history::History,
};

/// Judges a finished run against the cluster it was played on. `alone`: nothing else was ever sold there,
/// so that the cluster's own count must agree with the history to the unit.
///
/// # Errors
/// A promise was broken; the history is kept beside the cluster's logs.
pub async fn judge(cluster: &Cluster, history: &History, alone: bool) -> anyhow::Result<Report> {
    let mut history = history.clone();
    cluster.await_whole().await?;
    let totals = cluster.verify().await?.totals;
    if alone {
        history.facts.push(Fact::Totals(Totals {
            grants: totals.grants,
            units_granted: totals.units_granted,
            slips: totals.slips,
            units_on_slips: totals.units_on_slips,
            voids: totals.voids,
            units_voided: totals.units_voided,
        }));
    }
    let report = checker::check(&history);
    if report.is_lawful() {
        return Ok(report);
    }
    let path = cluster.path("history.jsonl");
    history.save(&path).context("keep the history")?;
    bail!("{report}\nhistory: {}", path.display())
}
