//! The verdict on a run: the checker, the second opinion, the replicas compared, the counts reconciled.

use anyhow::{Context as _, bail};

use crate::{
    checker::{self, Report},
    cluster::Cluster,
    history::History,
    linearize,
};

/// Judges a finished run against the cluster it was played on. `alone`: nothing else was ever sold there,
/// so that the cluster's own count must agree with the history to the unit.
///
/// # Errors
/// A promise was broken; the history is kept beside the cluster's logs.
pub async fn judge(cluster: &Cluster, history: &History, alone: bool) -> anyhow::Result<Report> {
    let path = cluster.path("history.jsonl");
    history.save(&path).context("keep the history")?;
    let report = checker::check(history);
    if !report.violations.is_empty() {
        bail!("{report}\nhistory: {}", path.display());
    }
    let doubts = linearize::check(history);
    let doubts: Vec<_> = doubts
        .into_iter()
        .filter(|(_, opinion)| *opinion != linearize::Opinion::NotSearched)
        .collect();
    if !doubts.is_empty() {
        bail!(
            "the second opinion differs: {doubts:?}\nhistory: {}",
            path.display()
        );
    }
    cluster.await_whole().await?;
    let totals = cluster.verify().await?.totals;
    let (grants, units) = (report.grants as u64, report.units_granted);
    if alone && (totals.grants, totals.units_granted) != (grants, units) {
        bail!(
            "the cluster counts {} sales and {} units, the clients {grants} and {units}",
            totals.grants,
            totals.units_granted
        );
    }
    let (slips, units) = (report.slips as u64, report.units_on_slips);
    if alone && (totals.slips, totals.units_on_slips) != (slips, units) {
        bail!(
            "the cluster counts {} slips and {} units on them, the clients {slips} and {units}",
            totals.slips,
            totals.units_on_slips
        );
    }
    Ok(report)
}
