//! A small country: what the tests of both APIs ask about.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use http::{HeaderMap, Response};
use jiff::{Timestamp, tz::TimeZoneDatabase};
use quorate_link::Env;
use quorate_proto::ids::{ProductId, ProgramId, ShardId, SiteCode, SiteType};

use super::{
    answer::{Answer, Body},
    app::App,
    snapshot::{Location, Profile, SiteFrame, SiteNews, Snapshot, Stock},
};
use crate::directory::{self, Directory, News, Program, View};

pub(super) const SHARD: ShardId = ShardId(1);

/// Unix milliseconds of a time in Seoul.
pub(super) fn at(time: &str) -> i64 {
    let time: Timestamp = format!("{time}+09:00").parse().unwrap();
    time.as_millisecond()
}

pub(super) fn product(id: &str) -> ProductId {
    ProductId::parse(id).unwrap()
}

/// What a site with so much in hand says of its masks.
pub(super) fn stock(on_hand: i64, held: u32) -> Stock {
    Stock {
        is_reported: true,
        on_hand,
        held,
        sales_stopped: false,
        received_ms: Some(at("2020-03-10T11:36:00")),
        updated_ms: at("2020-03-10T21:30:00"),
    }
}

pub(super) fn site(
    code: &str,
    address: &str,
    place: Option<(f64, f64)>,
    stock: Option<Stock>,
) -> SiteNews {
    SiteNews {
        profile: Profile {
            code: SiteCode::parse(code).unwrap(),
            name: format!("약국 {code}").into(),
            address: address.into(),
            site_type: SiteType::PHARMACY,
            region: super::region::region_of(address).into(),
            location: place.and_then(|(latitude, longitude)| Location::new(latitude, longitude)),
        },
        suspended: false,
        notice: Box::default(),
        updated_ms: at("2020-03-01T00:00:00"),
        products: stock
            .map(|stock| (product("mask"), stock))
            .into_iter()
            .collect(),
    }
}

/// A piece of the feed; the first of a term is a whole snapshot.
pub(super) fn frame(term: u64, is_snapshot: bool, sites: Vec<SiteNews>) -> SiteFrame {
    SiteFrame {
        shard: SHARD,
        term,
        snapshot_start: is_snapshot,
        snapshot_end: is_snapshot,
        sites,
        outbox_lag_ms: 0,
    }
}

/// An application that has heard of these sites. Its programs ration masks, and soap as well.
pub(super) fn app(sites: Vec<SiteNews>) -> Arc<App> {
    let env = Env::system();
    let directory = Arc::new(Directory::new("demo"));
    directory.apply(News {
        view: Some(View {
            programs: vec![Program {
                id: ProgramId::parse("kr").unwrap(),
                version: 1,
                zone: TimeZoneDatabase::bundled().get("Asia/Seoul").unwrap(),
                products: vec![product("mask"), product("soap")],
                definition: std::sync::Arc::default(),
            }],
            ..directory::tests::view(1, "demo", 1)
        }),
        leaders: Vec::new(),
    });
    let snapshot = Arc::new(Snapshot::new(env.clone(), true));
    let app = Arc::new(App::new(None, directory, snapshot, env));
    app.snapshot.show(app.shown().unwrap());
    app.snapshot.apply(frame(1, true, sites));
    app.snapshot.refresh();
    app
}

pub(super) fn text(answer: Answer) -> String {
    String::from_utf8(answer.body).unwrap()
}

pub(super) fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        let name = http::HeaderName::from_static(name);
        (name, value.parse().unwrap())
    };
    list.iter().map(pair).collect()
}

#[test]
fn suspension_is_known_at_once_and_by_default_absent() {
    let app = app(vec![site("A", "서울 중구", None, None)]);
    let code = |code| SiteCode::parse(code).unwrap();
    assert!(!app.snapshot.is_suspended(&code("A")));
    assert!(!app.snapshot.is_suspended(&code("B")));
    let suspended = SiteNews {
        suspended: true,
        ..site("A", "서울 중구", None, None)
    };
    app.snapshot.apply(frame(1, false, vec![suspended]));
    assert!(app.snapshot.is_suspended(&code("A")));
}

#[test]
fn frames_of_an_older_leader_change_nothing() {
    let place = Some((37.5, 127.0));
    let app = app(vec![site("A", "서울 중구", place, Some(stock(100, 0)))]);
    let level = || {
        let atlas = app.snapshot.atlas();
        atlas.sites[0]
            .now()
            .stock(Some(&product("mask")))
            .unwrap()
            .on_hand
    };
    app.snapshot.apply(frame(
        3,
        true,
        vec![site("A", "서울 중구", place, Some(stock(50, 0)))],
    ));
    app.snapshot.apply(frame(
        2,
        true,
        vec![site("A", "서울 중구", place, Some(stock(9, 0)))],
    ));
    app.snapshot.apply(frame(
        1,
        false,
        vec![site("A", "서울 중구", place, Some(stock(8, 0)))],
    ));
    assert_eq!(level(), 50);
}

#[test]
fn stock_leaves_the_indexes_alone_and_a_move_does_not() {
    let place = Some((37.5, 127.0));
    let app = app(vec![site("A", "서울 중구", place, Some(stock(100, 0)))]);
    let before = app.snapshot.atlas();
    app.snapshot.apply(frame(
        1,
        false,
        vec![site("A", "서울 중구", place, Some(stock(1, 0)))],
    ));
    assert!(!app.snapshot.is_outdated());
    app.snapshot
        .apply(frame(1, false, vec![site("A", "서울 종로구", place, None)]));
    assert!(app.snapshot.is_outdated());
    app.snapshot.refresh();
    let after = app.snapshot.atlas();
    assert!(Arc::ptr_eq(&before.places, &after.places));
    assert!(!Arc::ptr_eq(&before.addresses, &after.addresses));
    assert_eq!(after.addresses.find("서울특별시 종로구"), [0]);
    app.snapshot.apply(frame(
        1,
        false,
        vec![site("A", "서울 종로구", Some((35.0, 129.0)), None)],
    ));
    app.snapshot.refresh();
    assert!(!Arc::ptr_eq(&after.places, &app.snapshot.atlas().places));
}

#[test]
fn every_answer_is_open_to_pages_of_every_origin() {
    let answer = Answer::ok("text/plain", Vec::new());
    let response: Response<Body> = super::answer::uncounted(answer);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
}
