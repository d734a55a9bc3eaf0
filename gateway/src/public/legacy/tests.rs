#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::public::{
    snapshot::SiteNews,
    tests::{app, at, frame, site, stock, text},
};

/// Boseung pharmacy as recorded on 10 March 2020, one beside it that has reported nothing, one without a
/// place, one whose sale is stopped, and one on a whole degree.
fn country() -> Arc<App> {
    let mut boseung = site(
        "11841176",
        "서울특별시 용산구 우사단로4길 42-1, 1층 (보광동)",
        Some((37.5312488, 126.9990657)),
        Some(stock(1, 0)),
    );
    boseung.profile.name = "보승약국".into();
    let silent = site(
        "12345678",
        "서울특별시 용산구 보광로 100 (보광동)",
        Some((37.5320, 126.9995)),
        None,
    );
    let nowhere = site("2000", "경북 고령군 쌍림면", None, Some(stock(50, 0)));
    let mut stopped = stock(70, 0);
    stopped.sales_stopped = true;
    let stopped = site("3000", "부산 중구", Some((35.0, 129.0)), Some(stopped));
    app(vec![boseung, silent, nowhere, stopped])
}

fn ask(app: &App, path: &str, query: &str) -> String {
    let answer = answer(app, &format!("{BASE}{path}"), Some(query));
    assert_eq!(answer.status, StatusCode::OK, "{path}?{query}");
    assert_eq!(answer.headers["content-type"], "application/json");
    text(answer)
}

/// The surface of 2020, byte for byte: changing any of these texts breaks every app there is.
#[test]
fn the_surface_is_frozen() {
    let app = country();
    assert_eq!(
        ask(
            &app,
            "/storesByAddr/json",
            "address=서울특별시 용산구 보광동"
        ),
        r#"{"address":"서울특별시 용산구 보광동","count":2,"stores":[{"addr":"서울특별시 용산구 우사단로4길 42-1, 1층 (보광동)","code":"11841176","created_at":"2020/03/10 21:30:00","lat":37.5312488,"lng":126.9990657,"name":"보승약국","remain_stat":"empty","stock_at":"2020/03/10 11:36:00","type":"01"},{"addr":"서울특별시 용산구 보광로 100 (보광동)","code":"12345678","created_at":null,"lat":37.532,"lng":126.9995,"name":"약국 12345678","remain_stat":null,"stock_at":null,"type":"01"}]}"#
    );
    assert_eq!(
        ask(&app, "/storesByGeo/json", "lat=35&lng=129&m=100"),
        r#"{"count":1,"stores":[{"addr":"부산 중구","code":"3000","created_at":"2020/03/10 21:30:00","lat":35.0,"lng":129.0,"name":"약국 3000","remain_stat":"break","stock_at":"2020/03/10 11:36:00","type":"01"}]}"#
    );
    assert_eq!(
        ask(&app, "/stores/json", ""),
        r#"{"totalPages":1,"totalCount":4,"page":"1","count":4,"storeInfos":[{"addr":"서울특별시 용산구 우사단로4길 42-1, 1층 (보광동)","code":"11841176","lat":37.5312488,"lng":126.9990657,"name":"보승약국","type":"01"},{"addr":"서울특별시 용산구 보광로 100 (보광동)","code":"12345678","lat":37.532,"lng":126.9995,"name":"약국 12345678","type":"01"},{"addr":"경북 고령군 쌍림면","code":"2000","lat":null,"lng":null,"name":"약국 2000","type":"01"},{"addr":"부산 중구","code":"3000","lat":35.0,"lng":129.0,"name":"약국 3000","type":"01"}]}"#
    );
    assert_eq!(
        ask(&app, "/sales/json", "page=1"),
        r#"{"totalPages":1,"totalCount":4,"page":"1","count":4,"sales":[{"code":"11841176","created_at":"2020/03/10 21:30:00","remain_stat":"empty","stock_at":"2020/03/10 11:36:00"},{"code":"12345678","created_at":null,"remain_stat":null,"stock_at":null},{"code":"2000","created_at":"2020/03/10 21:30:00","remain_stat":"some","stock_at":"2020/03/10 11:36:00"},{"code":"3000","created_at":"2020/03/10 21:30:00","remain_stat":"break","stock_at":"2020/03/10 11:36:00"}]}"#
    );
}

#[test]
fn unknown_paths_and_crowds_get_the_errors_of_2020() {
    let app = country();
    for path in ["", "/", "/stores", "/stores/xml", "/storesByGeo/json/", "x"] {
        let answer = answer(&app, &format!("{BASE}{path}"), None);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(
            text(answer),
            r#"{"error":{"errorCode":"300","message":"Not Found Exception","details":"URL not found."}}"#
        );
    }
    let throttled = throttled();
    assert_eq!(throttled.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(throttled.headers.contains_key("retry-after"));
    let body: Value = serde_json::from_str(&text(throttled)).unwrap();
    let names: Vec<_> = body["error"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["details", "errorCode", "message"]);
}

#[test]
fn a_page_is_a_text_and_pages_beyond_the_end_are_empty() {
    let many = (0..1203).map(|n| site(&format!("{n:05}"), "서울 중구", None, None));
    let app = app(many.collect());
    let page =
        |query: &str| -> Value { serde_json::from_str(&ask(&app, "/sales/json", query)).unwrap() };
    let last = page("page=3&perPage=100");
    assert_eq!(last["page"], "3");
    assert_eq!(
        (&last["totalPages"], &last["totalCount"]),
        (&3.into(), &1203.into())
    );
    assert_eq!(last["count"], 203);
    assert_eq!(last["sales"][0]["code"], "01000");
    assert_eq!(page("page=4")["count"], 0);
    assert_eq!(page("page=4")["page"], "4");
    assert_eq!(page("perPage=99999")["count"], 1203);
    assert_eq!(page("page=0")["page"], "1");
}

#[test]
fn nearest_come_first_and_no_parameters_mean_city_hall() {
    let near = site("NEAR", "서울 중구", Some((37.5666, 126.9781)), None);
    let nearer = site("NEARER", "서울 중구", Some((37.56651, 126.97801)), None);
    let far = site("FAR", "서울 중구", Some((37.60, 126.99)), None);
    let app = app(vec![near, nearer, far]);
    let codes = |query: &str| -> Vec<String> {
        let found: Value = serde_json::from_str(&ask(&app, "/storesByGeo/json", query)).unwrap();
        let stores = found["stores"].as_array().unwrap();
        assert_eq!(found["count"], stores.len());
        stores
            .iter()
            .map(|store| store["code"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(codes(""), ["NEARER", "NEAR"]);
    assert_eq!(codes("m=100000"), ["NEARER", "NEAR", "FAR"]);
    assert!(codes("lat=10&lng=10").is_empty());
}

#[test]
fn a_province_alone_finds_nothing() {
    let app = country();
    for address in ["서울특별시", "서울", "", " ", "부산광역시"] {
        let found: Value = serde_json::from_str(&ask(
            &app,
            "/storesByAddr/json",
            &format!("address={address}"),
        ))
        .unwrap();
        assert_eq!(found["address"], address);
        assert_eq!(
            (&found["count"], &found["stores"]),
            (&0.into(), &Value::Array(vec![]))
        );
    }
}

#[test]
fn sales_move_levels_and_times() {
    let place = Some((37.5665, 126.978));
    let app = app(vec![site("A", "서울 중구", place, Some(stock(100, 0)))]);
    let level = || -> (String, String) {
        let found: Value = serde_json::from_str(&ask(&app, "/storesByGeo/json", "")).unwrap();
        let store = &found["stores"][0];
        let text = |name: &str| store[name].as_str().unwrap().to_owned();
        (text("remain_stat"), text("created_at"))
    };
    assert_eq!(level().0, "plenty");
    let now = |on_hand, held, time| -> SiteNews {
        let mut stock = stock(on_hand, held);
        stock.updated_ms = at(time);
        site("A", "서울 중구", place, Some(stock))
    };
    app.snapshot
        .apply(frame(1, false, vec![now(98, 0, "2020-03-11T09:05:01.900")]));
    assert_eq!(level(), ("some".into(), "2020/03/11 09:05:01".into()));
    app.snapshot
        .apply(frame(1, false, vec![now(98, 80, "2020-03-11T09:06:00")]));
    assert_eq!(level().0, "few");
}
