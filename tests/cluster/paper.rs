//! A counter without a gateway: sales on paper, handed in when there is one again; lists typed in as CSV. By
//! the program's own commands.

use std::fs;

use anyhow::{Context as _, ensure};
use quorate_harness::{
    citizens,
    cli::Cli,
    cluster::{Cluster, ClusterOptions},
    shelves::drained,
    with_cluster,
};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quorate");

/// Two a week, as in March 2020.
fn two_a_week() -> ClusterOptions {
    ClusterOptions {
        limit: 2,
        ..ClusterOptions::new(PROGRAM)
    }
}

/// Outcomes by request id.
fn outcomes(report: &Value) -> anyhow::Result<Vec<(String, String)>> {
    let slips = report["slips"].as_array().context("no list of slips")?;
    slips
        .iter()
        .map(|slip| {
            let text = |name: &str| slip[name].as_str().unwrap_or_default().to_owned();
            Ok((text("request_id"), text("outcome")))
        })
        .collect()
}

fn count(outcomes: &[(String, String)], wanted: &str) -> usize {
    outcomes
        .iter()
        .filter(|(_, outcome)| outcome == wanted)
        .count()
}

async fn sold_on_paper_and_handed_in(cluster: &mut Cluster, cli: &Cli) -> anyhow::Result<()> {
    let (hungry, modest) = (citizens::number(1), citizens::number(2));
    let online = cli.run(0, &["terminal", "sell", &hungry, "--qty", "2"])?;
    ensure!(online["decision"] == "GRANTED", "{online}");

    cluster.gateways[0].kill();
    for citizen in [&hungry, &modest] {
        let on_paper = cli.run(0, &["terminal", "sell", citizen, "--qty", "2"])?;
        ensure!(on_paper["paper"] == true, "{on_paper}");
    }
    let waiting = cli.run(0, &["terminal", "slips"])?;
    ensure!(waiting["waiting"] == 2, "{waiting}");
    let journal = fs::read(cluster.path("secrets/slips.journal"))?;
    for citizen in [&hungry, &modest] {
        let found = journal
            .windows(citizen.len())
            .any(|bytes| bytes == citizen.as_bytes());
        ensure!(!found, "a national ID can be read in the journal");
    }

    cluster.gateways[0].start(&[])?;
    cluster.await_whole().await?;
    let handed_in = outcomes(&cli.run(0, &["terminal", "hand-in"])?)?;
    ensure!(
        count(&handed_in, "OVER_QUOTA_RECORDED") == 1,
        "{handed_in:?}"
    );
    ensure!(count(&handed_in, "ACCEPTED") == 1, "{handed_in:?}");
    // What is on paper counts against what comes later.
    let denied = cli.run(3, &["sell", &modest, "--qty", "1"])?;
    ensure!(denied["reason"] == "OVER_LIMIT", "{denied}");

    drained(cluster).await?;
    let report = cli.run(0, &["admin", "report", "over-quota"])?;
    let rows = report.as_array().context("no list")?;
    let [row] = &rows[..] else {
        anyhow::bail!("not one row: {report}");
    };
    ensure!(row["over_by"] == 2 && row["quantity"] == 2, "{row}");
    Ok(())
}

fn a_list_is_typed_in_twice(cluster: &Cluster, cli: &Cli) -> anyhow::Result<()> {
    let file = cluster.path("paper.csv");
    let zone = jiff::tz::TimeZone::get("Asia/Seoul").context("the program's zone")?;
    let today = jiff::Timestamp::from_millisecond(cluster.env.unix_ms())?
        .to_zoned(zone)
        .date();
    let yesterday = today.yesterday()?;
    let bad_id = "990230-1234567";
    let mut text = String::from("date,time,id,quantity,proxy_reason\n");
    for (index, time) in (10..13).zip(["09:10", "09:05", "09:20"]) {
        let citizen = citizens::number(index);
        text += &format!("{yesterday},{time},{citizen},2,\n");
    }
    text += &format!("{yesterday},09:30,{bad_id},2,\n");
    fs::write(&file, text)?;
    let path = file.to_string_lossy().into_owned();
    let upload = |code: i32| -> anyhow::Result<Vec<(String, String)>> {
        let report = cli.run(code, &["terminal", "upload", &path])?;
        ensure!(!report.to_string().contains("990230"), "an ID is echoed");
        outcomes(&report)
    };
    let first = upload(2)?;
    ensure!(count(&first, "ACCEPTED") == 3, "{first:?}");
    let again = upload(2)?;
    ensure!(count(&again, "DUPLICATE") == 3, "{again:?}");
    Ok(())
}

#[test]
fn a_counter_sells_on_paper_and_hands_in_later() {
    with_cluster(two_a_week(), async |cluster| {
        let cli = cluster.cli();
        sold_on_paper_and_handed_in(cluster, &cli).await?;
        a_list_is_typed_in_twice(cluster, &cli)?;
        drained(cluster).await?;
        cluster.verify().await.map(|_| ())
    });
}
