#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use serde_json::{Value, json};

use super::{super::app::App, *};
use crate::public::tests::{app, frame, headers, site, stock, text};

fn country() -> Arc<App> {
    let near = site(
        "NEAR",
        "서울 중구 을지로 1",
        Some((37.566, 126.978)),
        Some(stock(40, 4)),
    );
    let far = site(
        "FAR",
        "서울 강남구 논현로 2 (논현동)",
        Some((37.51, 127.03)),
        None,
    );
    let nowhere = site(
        "NOWHERE",
        "경북 포항시 북구 \"장성동\", 1층",
        None,
        Some(stock(500, 0)),
    );
    app(vec![near, far, nowhere])
}

fn ask(app: &App, query: &str) -> Value {
    let answer = sites::answer(app, Some(query), &headers(&[]));
    assert_eq!(answer.status, StatusCode::OK, "{query}");
    serde_json::from_str(&text(answer)).unwrap()
}

fn codes(answer: &Value) -> Vec<&str> {
    let sites = answer["sites"].as_array().unwrap();
    sites
        .iter()
        .map(|site| site["code"].as_str().unwrap())
        .collect()
}

/// Names and shapes are for ever; names may be added.
#[test]
fn a_row_says_everything() {
    let app = country();
    let answer = ask(&app, "near=37.5665,126.978&radius_m=1000");
    assert_eq!(
        answer["sites"],
        json!([{
            "code": "NEAR", "name": "약국 NEAR", "type": "01", "address": "서울 중구 을지로 1",
            "region": "서울특별시", "latitude": 37.566, "longitude": 126.978, "product": "mask",
            "level": "some", "available": 36, "held": 4, "sales_stopped": false, "suspended": false,
            "notice": null, "updated_at": "2020-03-10T21:30:00.000+09:00",
            "received_at": "2020-03-10T11:36:00.000+09:00", "distance_m": 55.6,
        }])
    );
    assert_eq!((&answer["total"], &answer["page"]), (&1.into(), &1.into()));
    assert_eq!(answer["complete"], true);
    assert!(answer["lag_ms"].as_u64().unwrap() < 60_000);
    assert!(answer["as_of"].as_str().unwrap().ends_with("+09:00"));
    let silent = &ask(&app, "address=서울 강남구")["sites"][0];
    for name in ["level", "available", "held", "received_at"] {
        assert_eq!(silent[name], Value::Null, "{name}");
    }
}

#[test]
fn questions_combine() {
    let app = country();
    assert_eq!(codes(&ask(&app, "")), ["FAR", "NEAR", "NOWHERE"]);
    assert_eq!(
        codes(&ask(&app, "near=37.5665,126.978&radius_m=50000")),
        ["NEAR", "FAR"]
    );
    assert_eq!(
        codes(&ask(
            &app,
            "near=37.5665,126.978&radius_m=50000&address=강남구"
        )),
        ["FAR"]
    );
    assert_eq!(codes(&ask(&app, "bbox=126.9,37.5,127,37.6")), ["NEAR"]);
    assert_eq!(codes(&ask(&app, "type=02")), Vec::<&str>::new());
    assert_eq!(
        codes(&ask(&app, "address=경상북도 포항시 북구")),
        ["NOWHERE"]
    );
    let second = ask(&app, "per_page=2&page=2");
    assert_eq!(codes(&second), ["NOWHERE"]);
    assert_eq!(second["total"], 3);
    assert_eq!(ask(&app, "product=soap")["sites"][0]["product"], "soap");
}

#[test]
fn faults_are_problems_that_name_the_parameter() {
    let app = country();
    for (query, parameter) in [
        ("near=1", "near"),
        ("product=bread", "product"),
        ("x=1", "x"),
    ] {
        let answer = sites::answer(&app, Some(query), &headers(&[]));
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.headers["content-type"], PROBLEM);
        let problem: Value = serde_json::from_str(&text(answer)).unwrap();
        assert_eq!(problem["parameter"], parameter);
        assert_eq!(problem["status"], 400);
    }
}

#[test]
fn an_entity_tag_lasts_until_a_shown_site_changes() {
    let app = country();
    let query = Some("near=37.5665,126.978");
    let tag_of = |answer: &Answer| answer.headers["etag"].to_str().unwrap().to_owned();
    let tag = tag_of(&sites::answer(&app, query, &headers(&[])));
    let again = || sites::answer(&app, query, &headers(&[("if-none-match", &tag)]));
    let unchanged = again();
    assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
    assert!(unchanged.body.is_empty());
    assert_eq!(tag_of(&unchanged), tag);
    // Another site sells.
    let far = site(
        "NOWHERE",
        "경북 포항시 북구 \"장성동\", 1층",
        None,
        Some(stock(499, 0)),
    );
    app.snapshot.apply(frame(1, false, vec![far]));
    assert_eq!(again().status, StatusCode::NOT_MODIFIED);
    let near = site(
        "NEAR",
        "서울 중구 을지로 1",
        Some((37.566, 126.978)),
        Some(stock(39, 4)),
    );
    app.snapshot.apply(frame(1, false, vec![near]));
    let changed = again();
    assert_eq!(changed.status, StatusCode::OK);
    assert_ne!(tag_of(&changed), tag);
    let other_format = sites::answer(&app, Some("near=37.5665,126.978&format=csv"), &headers(&[]));
    assert_ne!(tag_of(&other_format), tag_of(&changed));
}

#[test]
fn geo_json_and_csv_hold_the_same_rows() {
    let app = country();
    let answer = sites::answer(&app, None, &headers(&[("accept", "application/geo+json")]));
    assert_eq!(answer.headers["content-type"], "application/geo+json");
    let geo: Value = serde_json::from_str(&text(answer)).unwrap();
    assert_eq!(geo["type"], "FeatureCollection");
    assert_eq!(
        geo["features"][1]["geometry"]["coordinates"],
        json!([126.978, 37.566])
    );
    assert_eq!(geo["features"][1]["properties"]["available"], 36);
    assert_eq!(geo["features"][2]["geometry"], Value::Null);

    let csv = text(sites::answer(&app, Some("format=csv"), &headers(&[])));
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert!(lines[0].starts_with("code,name,type,address,region,latitude,longitude,product,level"));
    assert_eq!(
        lines[2],
        "NEAR,약국 NEAR,01,서울 중구 을지로 1,서울특별시,37.566,126.978,mask,some,36,4,false,false,,\
         2020-03-10T21:30:00.000+09:00,2020-03-10T11:36:00.000+09:00,"
    );
    assert!(lines[3].contains("\"경북 포항시 북구 \"\"장성동\"\", 1층\""));
    assert_eq!((lines.len(), lines[4]), (5, ""));
}

#[test]
fn one_site_has_all_of_its_products() {
    let app = country();
    let answer = site::answer(&app, "NEAR", None, &headers(&[]));
    let site: Value = serde_json::from_str(&text(answer)).unwrap();
    assert_eq!(site["available"], 36);
    assert_eq!(site["products"][0]["product"], "mask");
    for code in ["NONE", "", "%00", "NEAR/x"] {
        let answer = super::site::answer(&app, code, None, &headers(&[]));
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{code}");
    }
}

#[test]
fn the_status_says_what_was_heard() {
    let app = country();
    let status: Value = serde_json::from_str(&text(status::answer(&app, None))).unwrap();
    assert_eq!(
        (&status["sites"], &status["shards"]),
        (&3.into(), &1.into())
    );
    assert_eq!(status["shards_heard"], 1);
    assert_eq!(status["feeds"][0]["complete"], true);
    assert_eq!(status["product"], "mask");
    let wrong = super::status::answer(&app, Some("x=1"));
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}
