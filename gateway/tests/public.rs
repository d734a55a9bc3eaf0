//! The public API over real sockets, fed by scripted nodes.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "public/http.rs"]
mod http;
mod support;

use std::time::Duration;

use quorate_proto::{
    internal::{SiteFrame, SiteProduct, SiteState, shard_command},
    storage::{SiteProfile, StockRecord, command},
};

use http::{Events, get, request};
use support::{SITE, World, record};

fn site(code: &str, on_hand: i64) -> SiteState {
    SiteState {
        profile: Some(SiteProfile {
            code: code.into(),
            name: "보승약국".into(),
            address: "서울특별시 용산구 우사단로4길 42-1 (보광동)".into(),
            site_type: 1,
            latitude: Some(37.5312488),
            longitude: Some(126.9990657),
            region: "서울특별시".into(),
        }),
        products: vec![SiteProduct {
            product: "mask".into(),
            stock: Some(StockRecord {
                received: 250,
                on_hand,
                last_received_ms: Some(1_583_800_000_000),
                updated_at_ms: 1_583_800_000_000,
                ..StockRecord::default()
            }),
        }],
        ..SiteState::default()
    }
}

/// The whole of shard 1.
fn snapshot(term: u64, sites: Vec<SiteState>) -> SiteFrame {
    SiteFrame {
        shard: 1,
        term,
        snapshot_start: true,
        snapshot_end: true,
        sites,
        ..SiteFrame::default()
    }
}

fn change(term: u64, site: SiteState) -> SiteFrame {
    SiteFrame {
        shard: 1,
        term,
        sites: vec![site],
        ..SiteFrame::default()
    }
}

const BY_PLACE: &str = "/corona19-masks/v1/storesByGeo/json?lat=37.5312&lng=126.9990&m=500";

/// Asks again until the answer holds this text.
async fn until_says(world: &World, path: &str, text: &str) -> String {
    let asking = async {
        loop {
            let answer = get(world.public, path).await;
            if answer.body.contains(text) {
                return answer.body;
            }
            world.env.sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = world.env.timeout(Duration::from_secs(20), asking).await;
    waited.unwrap_or_else(|_| panic!("{path} never said {text}"))
}

#[tokio::test]
async fn what_a_leader_tells_is_answered() {
    let world = World::start().await;
    world
        .node(1)
        .greet(vec![snapshot(1, vec![site(SITE, 250)])]);
    let body = until_says(&world, BY_PLACE, "plenty").await;
    assert!(
        body.starts_with(r#"{"count":1,"stores":[{"addr":"서울특별시 용산구"#),
        "{body}"
    );
    world.node(1).feed(&change(1, site(SITE, 29)));
    until_says(&world, BY_PLACE, "\"few\"").await;
    until_says(&world, "/v1/status", "\"complete\":true").await;
    world.stop().await.unwrap();
}

#[tokio::test]
async fn leadership_moves_and_feeds_break_without_a_gap() {
    let world = World::start().await;
    world
        .node(1)
        .greet(vec![snapshot(1, vec![site(SITE, 250), site("2", 250)])]);
    until_says(&world, BY_PLACE, "\"count\":2").await;
    // The next leader knows of a sale, and of one site less; the old one does not know that it is old.
    world.node(2).greet(vec![snapshot(2, vec![site(SITE, 50)])]);
    let body = until_says(&world, BY_PLACE, "\"some\"").await;
    world.node(1).feed(&change(1, site(SITE, 1)));
    world.node(1).cut_feeds();
    until_says(&world, BY_PLACE, "\"count\":1").await;
    assert!(!body.contains("\"empty\""));
    // The leader's own feed breaks: its snapshot comes again, with what changed meanwhile.
    world.node(2).greet(Vec::new());
    world.node(2).greet(vec![snapshot(2, vec![site(SITE, 5)])]);
    world.node(2).cut_feeds();
    until_says(&world, BY_PLACE, "\"few\"").await;
    world.stop().await.unwrap();
}

#[tokio::test]
async fn a_suspended_site_is_named_to_its_shard() {
    let world = World::start().await;
    let suspended = |is_suspended| SiteState {
        suspended: is_suspended,
        ..site(SITE, 9)
    };
    world
        .node(1)
        .greet(vec![snapshot(1, vec![suspended(true)])]);
    until_says(&world, &format!("/v1/sites/{SITE}"), "\"suspended\":true").await;
    let mut terminal = world.ration().await;
    let uuid = "0190a6e4-0000-7000-8000-000000000001";
    let request = terminal.request(record(uuid), Duration::from_secs(5));
    terminal.client.record(request).await.unwrap();
    let received = world.node(1).received();
    let sale = received.iter().find_map(|command| match &command.body {
        Some(shard_command::Body::Write(write)) => match &write.body {
            Some(command::Body::Record(sale)) => sale.site.clone(),
            _ => None,
        },
        _ => None,
    });
    assert!(sale.unwrap().suspended);
    world.stop().await.unwrap();
}

#[tokio::test]
async fn listeners_hear_changes_and_go_on_where_they_were() {
    let world = World::start().await;
    world
        .node(1)
        .greet(vec![snapshot(1, vec![site(SITE, 250)])]);
    let body = until_says(&world, "/v1/sites", "\"total\":1").await;
    let (_, rest) = body.split_once("\"version\":\"").unwrap();
    let version = rest.split('"').next().unwrap();

    let mut events = Events::open(world.public, &format!("/v1/deltas?since={version}"), None).await;
    assert_eq!(events.next_of("status").await.id, None);
    world.node(1).feed(&change(1, site(SITE, 29)));
    let first = loop {
        let event = events.next_of("site").await;
        if event.data.contains("\"available\":29") {
            break event;
        }
    };
    drop(events);
    world.node(1).feed(&change(1, site(SITE, 28)));
    until_says(&world, BY_PLACE, "\"few\"").await;
    let mut events = Events::open(world.public, "/v1/deltas", first.id.as_deref()).await;
    let second = events.next_of("site").await;
    assert!(second.data.contains("\"available\":28"), "{}", second.data);
    drop(events);

    let mut events = Events::open(world.public, "/v1/deltas", Some("00000000-1")).await;
    events.next_of("reset").await;
    world.stop().await.unwrap();
}

#[tokio::test]
async fn browsers_of_every_origin_may_ask() {
    let world = World::start().await;
    for path in [BY_PLACE, "/v1/sites"] {
        let preflight = request(
            world.public,
            "OPTIONS",
            path,
            "Origin: http://elsewhere\r\n",
        )
        .await;
        assert_eq!(preflight.status, 204);
        assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
        assert!(
            preflight
                .header("access-control-allow-headers")
                .unwrap()
                .contains("Content-Type")
        );
        let asked = request(
            world.public,
            "GET",
            path,
            "Content-Type: application/json\r\n",
        )
        .await;
        assert_eq!(asked.status, 200);
        assert_eq!(asked.header("access-control-allow-origin"), Some("*"));
        assert_eq!(request(world.public, "POST", path, "").await.status, 405);
    }
    let missing = get(world.public, "/corona19-masks/v1/none").await;
    assert_eq!(
        (
            missing.status,
            missing.header("access-control-allow-origin")
        ),
        (404, Some("*"))
    );
    assert_eq!(
        get(world.public, "/none").await.header("content-type"),
        Some("application/problem+json")
    );
    for path in ["/", "/page.js", "/page.css", "/v1/openapi.json"] {
        assert_eq!(get(world.public, path).await.status, 200, "{path}");
    }
    let long = format!("/v1/sites?address={}", "a".repeat(40_000));
    assert!(matches!(get(world.public, &long).await.status, 414 | 431));
    world.stop().await.unwrap();
}

#[tokio::test]
async fn a_gateway_for_the_public_alone_opens_no_door_to_terminals() {
    let listening = support::listening_of(|config| config.terminals = None).await;
    assert!(listening.terminals.is_none() && listening.public.is_some());
    let listening = support::listening_of(|config| config.public = None).await;
    assert!(listening.terminals.is_some() && listening.public.is_none());
}
