//! Dated rules on real clusters, on a set clock: whose day it is, a change in the middle of the sale, a change
//! that comes too soon, a replica that was rebuilt, and a clock where none may be.

use std::{fs, time::Duration};

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use quorate_client::{
    model::{Decision, Sale},
    new_request_id,
};
use quorate_harness::{
    checker::rules::{Rule, Rules, WindowKind},
    citizens,
    cluster::{Cluster, ClusterOptions},
    history::Call,
    judge::judge,
    recorder::Recorder,
    translate, with_cluster,
};
use quorate_proto::ids::ProgramId;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quorate");
const KR_MASK: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/deploy/programs/kr-mask-2020.yaml"
);

/// Born in 1987 and in 1981: their days are Tuesday and Monday. Nobody's numbers.
const TUESDAYS_CHILD: &str = "870504-1234563";
const MONDAYS_CHILD: &str = "810504-1234575";

const CALL_TIME_MAX: Duration = Duration::from_secs(15);
/// On the fast clock of these tests, the minutes until a change are as many seconds.
const SPEED: u32 = 60;
const SELLERS: usize = 8;

/// Monday 9 March 2020, ten in the morning in Seoul.
fn monday() -> Timestamp {
    "2020-03-09T10:00:00+09:00"
        .parse()
        .expect("the constant is a time")
}

fn on_monday() -> ClusterOptions {
    ClusterOptions::new(PROGRAM).clock(monday(), SPEED)
}

/// What the cluster's clock shows.
async fn cluster_time(cluster: &Cluster) -> anyhow::Result<Timestamp> {
    let sale = Sale::new(
        citizens::national_id(1),
        quorate_harness::cluster::program_id(),
        1,
    );
    let verdict = cluster.terminal(0)?.check(&sale, CALL_TIME_MAX).await?;
    Ok(verdict.decided_at)
}

#[test]
fn a_tuesday_buyer_is_refused_on_monday_with_the_next_date() {
    with_cluster(on_monday(), async |cluster| {
        let cli = cluster.cli();
        let applied = cli.run(0, &["admin", "program", "apply", KR_MASK])?;
        ensure!(
            applied["shards_current"] == applied["shards_total"],
            "{applied}"
        );
        let program = ["--program", "kr-mask-2020", "--qty", "2"];
        let sell = |citizen: &str, code: i32| -> anyhow::Result<Value> {
            cli.run(code, &[&["sell", citizen], &program[..]].concat())
        };
        let refused = sell(TUESDAYS_CHILD, 3)?;
        ensure!(refused["reason"] == "NOT_YOUR_DAY", "{refused}");
        let next = refused["next_eligible"].as_str().context("no next date")?;
        ensure!(next.starts_with("2020-03-09T15:00:00"), "{refused}");
        ensure!(refused["rule_version"] == "2020-03-09", "{refused}");
        let granted = sell(MONDAYS_CHILD, 0)?;
        ensure!(granted["rule_version"] == "2020-03-09", "{granted}");
        Ok(())
    });
}

/// The program below, with both rules, as the checker knows it.
fn rules(second_from: Timestamp) -> Rules {
    let week = |limit| Rule::new(limit, WindowKind::CalendarWeek);
    Rules {
        time_zone: Some("Asia/Seoul".to_owned()),
        rules: vec![week(1), week(2).from_ms(second_from.as_millisecond())],
    }
}

/// A program with one rule, and a second one from an instant on.
fn yaml(second_from: Option<Timestamp>) -> String {
    let rule = |id: &str, from: &str, limit: u32| {
        format!(
            "  - id: {id}\n    from: {from}\n    limit: {limit}\n    largest_sale: 5\n    window: calendar-week\n    visit: split\n"
        )
    };
    let mut text = String::from("id: flow\ntime_zone: Asia/Seoul\nrules:\n");
    text += &rule("before", "2020-03-01T00:00", 1);
    if let Some(from) = second_from {
        let zone = TimeZone::get("Asia/Seoul").expect("the time zones are built in");
        let local = from.to_zoned(zone).datetime();
        text += &rule("after", &local.to_string(), 2);
    }
    text
}

#[test]
fn every_sale_around_a_change_is_decided_by_the_rule_of_its_instant() {
    with_cluster(on_monday(), async |cluster| {
        let cli = cluster.cli();
        let file = cluster.path("flow.yaml");
        let path = file.to_string_lossy().into_owned();
        fs::write(&file, yaml(None))?;
        cli.run(0, &["admin", "program", "apply", &path])?;

        // Too near to reach every shard: refused, and nothing changes.
        let soon = cluster_time(cluster).await? + SignedDuration::from_secs(10);
        fs::write(&file, yaml(Some(soon)))?;
        let said = cli.complaint(2, &["admin", "program", "apply", &path])?;
        for part in ["after", "--now"] {
            ensure!(said.contains(part), "{said}");
        }

        let change = cluster_time(cluster).await? + SignedDuration::from_mins(10);
        let change = Timestamp::from_second(change.as_second())?;
        fs::write(&file, yaml(Some(change)))?;
        let applied = cli.run(0, &["admin", "program", "apply", &path])?;
        ensure!(
            applied["shards_current"] == applied["shards_total"],
            "{applied}"
        );

        let recorder = Recorder::new(cluster, CALL_TIME_MAX);
        let recorder = recorder.of(ProgramId::parse("flow")?, rules(change));
        let sellers = (0..SELLERS).map(|number| sell_through(cluster, &recorder, number, change));
        let counts = try_join_all(sellers).await?;
        let (before, after) = counts
            .iter()
            .fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        println!("{before} sales decided by the first rule, {after} by the second");
        ensure!(before > 0 && after > 0, "{before} before and {after} after");

        // A replica that is rebuilt from a snapshot holds and shows the same.
        let node = cluster.busiest_leader().await?;
        cluster.node(node).kill();
        cluster.wipe(node)?;
        cluster.node(node).start(&[])?;
        cluster.await_whole().await?;
        recorder.list_everybody(&cluster.terminal(0)?).await?;
        let report = judge(cluster, &recorder.take(), true).await?;
        println!("{report}");
        Ok(())
    });
}

/// Sells to one person after the other until a while after the change: two single units each, of which the
/// second is denied before the change. Counts the verdicts of each rule.
async fn sell_through(
    cluster: &Cluster,
    recorder: &Recorder,
    number: usize,
    change: Timestamp,
) -> anyhow::Result<(u32, u32)> {
    let terminal = cluster.terminal(number)?;
    let program = ProgramId::parse("flow")?;
    let until = change + SignedDuration::from_mins(2);
    let mut counts = (0, 0);
    for person in 0.. {
        let citizen = 1_000_000 * (number as u64 + 1) + person;
        let sale = Sale::new(citizens::national_id(citizen), program, 1);
        for _ in 0..2 {
            let request = new_request_id(&cluster.env);
            let start_us = recorder.now_us();
            let recorded = terminal.record(request, &sale, CALL_TIME_MAX).await?;
            let call = Call::Sell {
                request,
                quantity: 1,
            };
            let reply = translate::recorded(Ok(recorded.clone()));
            recorder.note(u32::try_from(number)?, start_us, citizen, call, reply);
            let verdict = recorded.verdict;
            let (rule, limit) = if verdict.decided_at < change {
                ("before", 1)
            } else {
                ("after", 2)
            };
            ensure!(
                (verdict.rule_version.as_str(), verdict.limit) == (rule, limit),
                "decided at {} by {:?} with limit {}, the change was at {change}",
                verdict.decided_at,
                verdict.rule_version,
                verdict.limit
            );
            match limit {
                1 => counts.0 += 1,
                _ => counts.1 += 1,
            }
            let bought = verdict.purchases.len();
            let granted = verdict.decision == Decision::Granted;
            ensure!(
                !granted || bought <= limit as usize,
                "{bought} granted of {limit}"
            );
            if verdict.decided_at > until {
                return Ok(counts);
            }
        }
    }
    unreachable!("people never run out")
}

#[test]
fn a_production_cluster_refuses_a_set_clock() {
    with_cluster(on_monday(), async |cluster| {
        let trial = fs::read_to_string(cluster.path("cluster.toml"))?;
        fs::write(
            cluster.path("cluster.toml"),
            trial.replace("purpose = \"trial\"\n", ""),
        )?;
        let node = &mut cluster.nodes[0];
        node.kill();
        node.clear_log()?;
        node.start(&[])?;
        let env = cluster.env.clone();
        let ended = cluster.nodes[0].ended(&env, CALL_TIME_MAX).await?;
        ensure!(!ended.success(), "it started");
        let said = cluster.nodes[0].log();
        ensure!(
            said.contains("remove [clock], or say purpose = \"trial\""),
            "{said}"
        );
        Ok(())
    });
}
