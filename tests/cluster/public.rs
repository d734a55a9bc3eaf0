//! What the public sees of a real cluster: goods in, sales, tickets, a stop and a suspension reach both public
//! answers, and a gateway that was killed has it all again.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use quorate_harness::{
    citizens,
    cluster::{Cluster, ClusterOptions, SITES},
    with_cluster,
};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_quorate");

/// The bar is two seconds and `make bench` measures it; this is for a machine that does other things as well.
const SHOWN_TIME_MAX: Duration = Duration::from_secs(20);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

async fn get(cluster: &Cluster, path: &str) -> anyhow::Result<Value> {
    let answer = cluster.public(1).get(path, ANSWER_TIME_MAX).await?;
    ensure!(answer.status == 200, "{path}: {}", answer.status);
    serde_json::from_slice(&answer.body).with_context(|| format!("{path} is no JSON"))
}

/// The terminal's site as both answers show it.
async fn shown(cluster: &Cluster) -> anyhow::Result<(Value, Value)> {
    let sales = get(cluster, "/corona19-masks/v1/sales/json").await?;
    let rows = sales["sales"].as_array().context("no list of sales")?;
    let old = rows.iter().find(|row| row["code"] == SITES[0]);
    let new = get(cluster, &format!("/v1/sites/{}", SITES[0])).await?;
    Ok((old.context("the site is not listed")?.clone(), new))
}

/// Waits until both answers show what a test wants to see.
async fn await_shown(
    cluster: &Cluster,
    what: &str,
    holds: impl Fn(&Value, &Value) -> bool,
) -> anyhow::Result<()> {
    let deadline = cluster.env.monotonic() + SHOWN_TIME_MAX;
    loop {
        let seen = shown(cluster).await;
        if let Ok((old, new)) = &seen
            && holds(old, new)
        {
            return Ok(());
        }
        ensure!(
            cluster.env.monotonic() < deadline,
            "not shown after {SHOWN_TIME_MAX:?}: {what}; last {seen:?}"
        );
        cluster.env.sleep(LOOK_INTERVAL).await;
    }
}

/// Both answers at this level, with so many units available.
async fn await_level(cluster: &Cluster, level: &str, available: u64) -> anyhow::Result<()> {
    await_shown(cluster, level, |old, new| {
        old["remain_stat"] == level && new["level"] == level && new["available"] == available
    })
    .await
}

async fn everything_a_site_does_is_shown(cluster: &mut Cluster) -> anyhow::Result<()> {
    let cli = cluster.cli();
    await_shown(cluster, "nothing reported yet", |old, new| {
        old["remain_stat"].is_null() && old["stock_at"].is_null() && new["level"].is_null()
    })
    .await?;

    cli.run(0, &["stock", "receive", "101"])?;
    await_level(cluster, "plenty", 101).await?;
    let (old, _) = shown(cluster).await?;
    for time in ["stock_at", "created_at"] {
        ensure!(old[time].is_string(), "no {time}: {old}");
    }

    let buyer = citizens::number(1);
    let sold = cli.run(0, &["sell", &buyer, "--qty", "2"])?;
    await_level(cluster, "some", 99).await?;
    let sale = sold["request_id"].as_str().context("a request id")?;
    cli.run(0, &["void", &buyer, "--sale", sale])?;
    await_level(cluster, "plenty", 101).await?;

    cli.run(0, &["stock", "hold", "80"])?;
    await_level(cluster, "few", 21).await?;
    cli.run(0, &["stock", "adjust", "-20", "--reason", "counted"])?;
    await_level(cluster, "empty", 1).await?;
    cli.run(0, &["stock", "stop"])?;
    await_level(cluster, "break", 1).await?;
    cli.run(0, &["stock", "resume"])?;
    cli.run(0, &["stock", "hold", "0"])?;
    await_level(cluster, "some", 81).await?;

    cli.run(0, &["stock", "notice", "번호표 08:30"])?;
    await_shown(cluster, "the notice", |_, new| {
        new["notice"] == "번호표 08:30"
    })
    .await
}

async fn a_suspended_site_sells_nothing(cluster: &Cluster) -> anyhow::Result<()> {
    let cli = cluster.cli();
    cli.run(0, &["admin", "sites", "suspend", SITES[0]])?;
    await_shown(cluster, "the suspension", |_, new| new["suspended"] == true).await?;
    let denied = cli.run(3, &["sell", &citizens::number(2), "--qty", "1"])?;
    ensure!(denied["reason"] == "SITE_SUSPENDED", "{denied}");
    cli.run(0, &["admin", "sites", "resume", SITES[0]])?;
    await_shown(cluster, "no suspension", |_, new| new["suspended"] == false).await?;
    cli.run(0, &["sell", &citizens::number(2), "--qty", "1"])?;
    await_level(cluster, "some", 80).await
}

async fn a_restarted_gateway_knows_it_all(cluster: &mut Cluster) -> anyhow::Result<()> {
    let (old, new) = shown(cluster).await?;
    cluster.gateways[0].kill();
    cluster.gateways[0].start(&[])?;
    await_shown(cluster, "the same as before", |old_again, new_again| {
        *old_again == old && stored(new_again) == stored(&new)
    })
    .await?;
    let status = get(cluster, "/v1/status").await?;
    ensure!(status["shards_heard"] == status["shards"], "{status}");
    ensure!(status["lag_ms"].is_u64(), "the lag is not told: {status}");
    Ok(())
}

/// An answer without what tells only of the moment it was given.
fn stored(answer: &Value) -> Value {
    let mut stored = answer.clone();
    if let Some(fields) = stored.as_object_mut() {
        fields.retain(|name, _| name != "as_of" && name != "lag_ms");
    }
    stored
}

#[test]
fn what_a_site_does_is_what_the_public_sees() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        everything_a_site_does_is_shown(cluster).await?;
        a_suspended_site_sells_nothing(cluster).await?;
        a_restarted_gateway_knows_it_all(cluster).await?;
        cluster.verify().await.map(|_| ())
    });
}

/// The stream of changes tells each level that a site passes, and a reader that was away hears what it missed.
#[test]
fn changes_are_streamed_and_resumed() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        let cli = cluster.cli();
        await_shown(cluster, "the site", |_, new| new["code"] == SITES[0]).await?;
        let reader = cluster.public(1);
        let mut events = reader.events("/v1/deltas", None, ANSWER_TIME_MAX).await?;
        cli.run(0, &["stock", "receive", "2"])?;
        let mut last_id = String::new();
        let next_level = async |events: &mut quorate_client::public::Events,
                                last_id: &mut String|
               -> anyhow::Result<Value> {
            loop {
                let event = cluster.env.timeout(SHOWN_TIME_MAX, events.next()).await;
                let event = event.context("no event")??.context("the stream ended")?;
                if event.kind != "site" {
                    continue;
                }
                let row: Value = serde_json::from_str(&event.data)?;
                if row["code"] == SITES[0] {
                    *last_id = event.id;
                    return Ok(row["level"].clone());
                }
            }
        };
        ensure!(next_level(&mut events, &mut last_id).await? == json!("few"));
        drop(events);
        cli.run(0, &["stock", "adjust", "-1", "--reason", "damaged"])?;
        await_level(cluster, "empty", 1).await?;
        let mut events = reader
            .events("/v1/deltas", Some(&last_id), ANSWER_TIME_MAX)
            .await?;
        ensure!(next_level(&mut events, &mut last_id).await? == json!("empty"));
        Ok(())
    });
}
