//! The verdict on a run: every law over the history, with what the cluster says of itself beside it.
//!
//! Law: a run that does not end well keeps its history, whatever it was that went wrong.

use std::path::Path;

use anyhow::{Context as _, bail};
use quorate_check::facts::{Fact, Replica, Totals};
use quorate_client::model::Verification;

use crate::{
    checker::{self, Report},
    cluster::Cluster,
    history::History,
    shelves::drained,
};

/// Judges a finished run against the cluster it was played on. `alone`: nothing else was ever sold there,
/// so that the cluster's own count must agree with the history to the unit.
///
/// # Errors
/// A promise was broken; the history is kept beside the cluster's logs.
pub async fn judge(cluster: &Cluster, history: &History, alone: bool) -> anyhow::Result<Report> {
    let mut history = history.clone();
    let since = alone.then(Totals::default);
    let judged = held_against(cluster, &mut history, since).await;
    kept(cluster, &history, judged).map(|(report, _)| report)
}

/// Judges a round of a longer run: what the cluster has counted more than `since` must agree with the history to the
/// unit. Waits before until everything has reached its site. The counts are where the next round begins;
/// the first begins with none.
///
/// # Errors
/// A promise was broken; the history is kept beside the cluster's logs.
pub async fn judge_round(
    cluster: &Cluster,
    mut history: History,
    since: Totals,
) -> anyhow::Result<(Report, Totals)> {
    let judged = async {
        cluster.await_whole().await?;
        drained(cluster).await?;
        held_against(cluster, &mut history, Some(since)).await
    };
    let judged = judged.await;
    kept(cluster, &history, judged)
}

/// What the cluster counts, after all its replicas were compared and all its records counted again.
///
/// # Errors
/// As of [`Cluster::verify`].
pub async fn totals(cluster: &Cluster) -> anyhow::Result<Totals> {
    Ok(totals_of(&cluster.verify().await?))
}

/// Judges a history that somebody else wrote to a file, as `quorate load` does.
///
/// # Errors
/// It cannot be read, or a promise was broken.
pub fn judge_file(path: &Path) -> anyhow::Result<Report> {
    let history = History::load(path).with_context(|| path.display().to_string())?;
    let report = checker::check(&history);
    match report.is_lawful() {
        true => Ok(report),
        false => bail!("{report}\nhistory: {}", path.display()),
    }
}

/// Adds what the cluster says of itself, and judges. `since`: what it had counted before; `None`: others sold
/// there as well.
async fn held_against(
    cluster: &Cluster,
    history: &mut History,
    since: Option<Totals>,
) -> anyhow::Result<(Report, Totals)> {
    cluster.await_whole().await?;
    let verification = cluster.verify().await?;
    let counted = totals_of(&verification);
    if let Some(since) = since {
        history.facts.push(Fact::Totals(more_than(since, counted)?));
    }
    history.facts.extend(replicas_of(&verification));
    let report = checker::check(history);
    match report.is_lawful() {
        true => Ok((report, counted)),
        false => bail!("{report}"),
    }
}

/// What came of a judgement; the history is kept if it was not good.
pub(crate) fn kept<T>(
    cluster: &Cluster,
    history: &History,
    judged: anyhow::Result<T>,
) -> anyhow::Result<T> {
    judged.map_err(|error| {
        let path = cluster.path("history.jsonl");
        match history.save(&path) {
            Ok(()) => error.context(format!("history: {}", path.display())),
            Err(lost) => error.context(format!("the history cannot be kept: {lost}")),
        }
    })
}

fn totals_of(verification: &Verification) -> Totals {
    let totals = &verification.totals;
    Totals {
        grants: totals.grants,
        units_granted: totals.units_granted,
        slips: totals.slips,
        units_on_slips: totals.units_on_slips,
        voids: totals.voids,
        units_voided: totals.units_voided,
    }
}

/// Every replica of every data shard, at the place in the log where they were compared.
fn replicas_of(verification: &Verification) -> impl Iterator<Item = Fact> {
    verification.shards.iter().flat_map(|shard| {
        let answered = shard.replicas.iter();
        let answered = answered.filter(|replica| !replica.digest.is_empty());
        answered.map(|replica| {
            Fact::Replica(Replica {
                shard: shard.shard,
                node: replica.node_id,
                index: shard.log_index,
                digest: replica.digest.clone(),
            })
        })
    })
}

/// What was counted between the two. A cluster never counts less than before.
fn more_than(before: Totals, after: Totals) -> anyhow::Result<Totals> {
    let more = |after: u64, before: u64, what: &str| {
        let more = after.checked_sub(before);
        more.with_context(|| format!("the cluster counted {before} {what}, and now {after}"))
    };
    Ok(Totals {
        grants: more(after.grants, before.grants, "grants")?,
        units_granted: more(after.units_granted, before.units_granted, "units granted")?,
        slips: more(after.slips, before.slips, "slips")?,
        units_on_slips: more(
            after.units_on_slips,
            before.units_on_slips,
            "units on slips",
        )?,
        voids: more(after.voids, before.voids, "voids")?,
        units_voided: more(after.units_voided, before.units_voided, "units voided")?,
    })
}

#[cfg(test)]
mod tests {
    use quorate_check::{
        Law,
        generate::{Options, generate},
        history::Call,
    };
    use quorate_client::model::{Health, ReplicaDigest, ShardVerification, StockVerification};

    use super::*;

    fn counted(grants: u64) -> Totals {
        Totals {
            grants,
            units_granted: 2 * grants,
            ..Totals::default()
        }
    }

    #[test]
    fn a_round_is_held_against_what_was_counted_in_it() {
        let more = more_than(counted(3), counted(10)).expect("it counted on");
        assert_eq!(more, counted(7));
        let error = more_than(counted(10), counted(3)).expect_err("it forgot");
        assert_eq!(
            error.to_string(),
            "the cluster counted 10 grants, and now 3"
        );
    }

    #[test]
    fn a_file_is_judged_by_every_law() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("history.jsonl");
        let mut history = generate(&Options::new(1, 500));
        history.save(&path).expect("it is written");
        let report = judge_file(&path).expect("it is lawful");
        assert_eq!(report.calls, history.records.len());
        history.records.retain(|record| record.call != Call::List);
        history.save(&path).expect("it is written");
        let error = judge_file(&path).expect_err("nobody looked last");
        assert!(format!("{error:#}").contains("audited"), "{error:#}");
    }

    #[test]
    fn replicas_that_were_compared_are_part_of_the_history() {
        let replica = |node_id, digest: &str| ReplicaDigest {
            replica_id: node_id,
            node_id,
            health: Health::Ok,
            detail: String::new(),
            digest: digest.to_owned(),
        };
        let silent = ReplicaDigest {
            health: Health::Unknown,
            ..replica(3, "")
        };
        let verification = Verification {
            health: Health::Ok,
            shards: vec![ShardVerification {
                shard: 1,
                health: Health::Ok,
                detail: String::new(),
                log_index: 9,
                replicas: vec![replica(1, "aa"), replica(2, "ab"), silent],
                totals: quorate_client::model::Totals::default(),
            }],
            totals: quorate_client::model::Totals::default(),
            stock: StockVerification {
                health: Health::Ok,
                detail: String::new(),
                compared: 0,
                differences: Vec::new(),
            },
        };
        let mut history = generate(&Options::new(1, 500));
        history.facts.extend(replicas_of(&verification));
        assert_eq!(history.facts.len(), 2, "{:?}", history.facts);
        let report = checker::check(&history);
        assert!(report.breaks(Law::Replicas), "{report}");
    }
}
