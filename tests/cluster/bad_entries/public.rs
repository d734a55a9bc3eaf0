//! What the public asks for: our own interface names the parameter, the frozen one forgives.

use std::time::Duration;

use anyhow::ensure;
use quorate_harness::cluster::{Cluster, SITES};
use serde_json::Value;

const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

pub(crate) async fn wrong_parameters(cluster: &Cluster) -> anyhow::Result<()> {
    await_shown(cluster).await?;
    strict(cluster).await?;
    not_there(cluster).await?;
    forgiving(cluster).await
}

/// Until the public listener has heard of every site.
async fn await_shown(cluster: &Cluster) -> anyhow::Result<()> {
    let deadline = cluster.env.monotonic() + ANSWER_TIME_MAX;
    loop {
        let answer = cluster.public(1).get("/v1/sites", ANSWER_TIME_MAX).await?;
        let body: Value = serde_json::from_slice(&answer.body)?;
        if body["complete"] == true && body["total"] == SITES.len() {
            return Ok(());
        }
        ensure!(cluster.env.monotonic() < deadline, "not heard of: {body}");
        cluster.env.sleep(LOOK_INTERVAL).await;
    }
}

/// A problem of this status, about this parameter.
async fn problem(
    cluster: &Cluster,
    path: &str,
    status: u16,
    parameter: Option<&str>,
) -> anyhow::Result<()> {
    let answer = cluster.public(1).get(path, ANSWER_TIME_MAX).await?;
    ensure!(answer.status == status, "{path}: {}", answer.status);
    let kind = answer.headers.get("content-type");
    ensure!(
        kind.is_some_and(|kind| kind == "application/problem+json"),
        "{path}: {kind:?}"
    );
    let body: Value = serde_json::from_slice(&answer.body)?;
    ensure!(body["status"] == status, "{path}: {body}");
    ensure!(body["parameter"].as_str() == parameter, "{path}: {body}");
    let says = body["detail"].as_str().is_some_and(|text| !text.is_empty());
    ensure!(says, "{path}: {body}");
    Ok(())
}

async fn strict(cluster: &Cluster) -> anyhow::Result<()> {
    let long = format!("address={}", "a".repeat(257));
    for (query, parameter) in [
        ("near=37.5", "near"),
        ("near=91,0", "near"),
        ("near=here", "near"),
        ("near=nan,127", "near"),
        ("radius_m=100", "radius_m"),
        ("near=37.5,127&radius_m=0", "radius_m"),
        ("near=37.5,127&radius_m=50001", "radius_m"),
        ("near=37.5,127&radius_m=1e999", "radius_m"),
        ("bbox=1,2,3", "bbox"),
        ("bbox=126,38,127,37", "bbox"),
        ("address=", "address"),
        (&*long, "address"),
        ("type=pharmacy", "type"),
        ("product=soap", "product"),
        ("product=NO%20PRODUCT", "product"),
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=99999999999999999999999", "page"),
        ("per_page=0", "per_page"),
        ("per_page=1001", "per_page"),
        ("format=xml", "format"),
        ("perPage=5", "perPage"),
        ("page=1&page=2", "page"),
    ] {
        let path = format!("/v1/sites?{query}");
        problem(cluster, &path, 400, Some(parameter)).await?;
    }
    let site = format!("/v1/sites/{}", SITES[0]);
    for (path, parameter) in [
        (format!("{site}?product=soap"), "product"),
        (format!("{site}?product=%00"), "product"),
        (format!("{site}?x=1"), "x"),
        ("/v1/deltas?since=yesterday".to_owned(), "since"),
        ("/v1/deltas?page=1".to_owned(), "page"),
        ("/v1/status?page=1".to_owned(), "page"),
    ] {
        problem(cluster, &path, 400, Some(parameter)).await?;
    }
    Ok(())
}

async fn not_there(cluster: &Cluster) -> anyhow::Result<()> {
    for path in [
        "/v1/sites/no-such-site",
        "/v1/sites/%EC%95%BD%EA%B5%AD",
        "/v1/sites/",
        "/v1/nothing",
    ] {
        problem(cluster, path, 404, None).await?;
    }
    for path in ["/corona19-masks/v1/nothing", "/corona19-masks/v1"] {
        let answer = cluster.public(1).get(path, ANSWER_TIME_MAX).await?;
        ensure!(answer.status == 404, "{path}: {}", answer.status);
        let body: Value = serde_json::from_slice(&answer.body)?;
        ensure!(body["error"]["errorCode"] == "300", "{path}: {body}");
    }
    Ok(())
}

async fn forgiving(cluster: &Cluster) -> anyhow::Result<()> {
    let long = format!(
        "/corona19-masks/v1/storesByAddr/json?address={}",
        "a".repeat(2000)
    );
    for path in [
        "/corona19-masks/v1/storesByGeo/json",
        "/corona19-masks/v1/storesByGeo/json?lat=91&lng=-500&m=9999999",
        "/corona19-masks/v1/storesByGeo/json?lat=nan&lng=x&m=-1",
        "/corona19-masks/v1/storesByAddr/json",
        "/corona19-masks/v1/storesByAddr/json?address=%FF%FE",
        &*long,
        "/corona19-masks/v1/stores/json?page=0&perPage=1",
        "/corona19-masks/v1/stores/json?page=-7&perPage=99999999999999999999",
        "/corona19-masks/v1/stores/json?page=x&unknown=1&page=2",
        "/corona19-masks/v1/sales/json?page=x&perPage=-1",
    ] {
        let answer = cluster.public(1).get(path, ANSWER_TIME_MAX).await?;
        ensure!(answer.status == 200, "{path}: {}", answer.status);
        let body: Value = serde_json::from_slice(&answer.body)?;
        ensure!(body["count"].is_u64(), "{path}: {body}");
    }
    // Bounds are moved to, not refused.
    let path = "/corona19-masks/v1/sales/json?page=-7&perPage=1";
    let answer = cluster.public(1).get(path, ANSWER_TIME_MAX).await?;
    let body: Value = serde_json::from_slice(&answer.body)?;
    ensure!(body["page"] == "1", "{body}");
    let rows = body["sales"].as_array().map_or(0, Vec::len);
    ensure!(rows == SITES.len(), "{body}");
    Ok(())
}
