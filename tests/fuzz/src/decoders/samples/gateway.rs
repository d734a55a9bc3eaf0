//! What gateways read.

use prost::Message;
use quorate_gateway::decoders::valid;
use quorate_proto::{admin, internal, storage, v1};

use super::{SOLD_AT_MS, paper, replies, text};
use crate::golden;

pub(super) fn of(name: &str) -> Vec<Vec<u8>> {
    match name {
        "gateway-record" => vec![record().encode_to_vec()],
        "gateway-slip" => paper::slips(),
        "gateway-slip-upload" => paper::slips().iter().map(|slip| upload(slip)).collect(),
        "gateway-session-token" => vec![text(valid::SESSION_TOKEN)],
        "gateway-session-claims" => vec![
            text(concat!(
                r#"{"sub":"P-1","dev":"till-1","typ":1,"reg":"Seoul","#,
                r#""iat":"2020-03-11T00:00:00Z","exp":"2020-03-11T12:00:00Z"}"#,
            )),
            text(concat!(
                r#"{"reg":"\u0022\uc11c\uc6b8\u0022","typ":2,"dev":"d","sub":"5038300744","#,
                r#""exp":"2020-03-11T12:00:00.250+09:00","iat":"2020-03-11 00:00Z"}"#,
            )),
        ],
        "gateway-challenge" => vec![
            valid::CHALLENGE.to_vec(),
            [&valid::DEVICE[..], &valid::SIGNATURE, &valid::CHALLENGE].concat(),
        ],
        "gateway-national-id" => vec![
            text("900101-1234568"),
            text("9001011234568"),
            text("A123456789"),
            text("VOUCHER42"),
        ],
        "gateway-program" => vec![
            admin::PutProgramRequest {
                program: Some(program()),
                ..admin::PutProgramRequest::default()
            }
            .encode_to_vec(),
        ],
        "gateway-import" => vec![import().encode_to_vec()],
        "gateway-deadline" => ["4900m", "30S", "99999999H", "0n"].map(text).to_vec(),
        "gateway-node-replies" => vec![replies::all().encode_to_vec()],
        "gateway-node-reports" => vec![
            replies::status().encode_to_vec(),
            replies::digest().encode_to_vec(),
        ],
        "gateway-stock-account" => vec![replies::account().encode_to_vec()],
        "gateway-cluster-news" => vec![news().encode_to_vec()],
        "gateway-site-frame" => vec![site_frame().encode_to_vec()],
        "gateway-public-legacy" => vec![
            text("lat=37.5&lng=126.9&m=1000"),
            text("page=2&perPage=500&address=%EC%84%9C%EC%9A%B8%ED%8A%B9%EB%B3%84%EC%8B%9C"),
        ],
        "gateway-public-v1" => vec![
            text("near=37.5,126.9&radius_m=500&type=01&per_page=20\ntext/csv;q=0.9,*/*"),
            text("bbox=126.9,37.4,127.1,37.6&product=kf94&format=geojson&address=%EC%84%9C"),
        ],
        "gateway-public-deltas" => vec![
            text("since=0000002a-7"),
            text("since=0000002a-7\n0000002a-18446744073709551614"),
        ],
        _ => Vec::new(),
    }
}

fn record() -> v1::RecordRequest {
    v1::RecordRequest {
        request_id: "0190f3a2-7c1b-7d4e-8f00-1234567890ab".to_owned(),
        citizen: Some(citizen()),
        program: "mask".to_owned(),
        quantity: 2,
        product: "kf94".to_owned(),
        proxy: Some(v1::Proxy {
            ground: "family".to_owned(),
            buyer: Some(citizen()),
        }),
    }
}

fn citizen() -> v1::CitizenId {
    v1::CitizenId {
        scheme: "KR-RRN".to_owned(),
        number: "900101-1234568".to_owned(),
    }
}

/// One call of an upload. Its only field is the slip.
fn upload(slip: &[u8]) -> Vec<u8> {
    let slip = v1::Slip::decode(slip).expect("a slip");
    v1::UploadSlipsRequest { slip: Some(slip) }.encode_to_vec()
}

fn program() -> admin::Program {
    let week = admin::rule_version::Window::CalendarWeek(admin::CalendarWeek {});
    admin::Program {
        id: "mask".to_owned(),
        time_zone: "Asia/Seoul".to_owned(),
        rules: vec![admin::RuleVersion {
            id: "first".to_owned(),
            effective_from_ms: 1,
            limit: 2,
            sale_quantity_max: 2,
            window: Some(week),
            site_types: vec!["01".to_owned()],
            ..admin::RuleVersion::default()
        }],
        ..admin::Program::default()
    }
}

/// A site on the map and one that is not.
fn import() -> admin::ImportSitesRequest {
    let site = admin::Site {
        code: "5038300744".to_owned(),
        name: "을지로우체국".to_owned(),
        address: "서울특별시 중구 을지로 1".to_owned(),
        site_type: "02".to_owned(),
        latitude: Some(37.566),
        longitude: Some(126.982),
        region: "서울특별시".to_owned(),
    };
    let off_the_map = admin::Site {
        code: "P-2".to_owned(),
        latitude: None,
        longitude: None,
        region: String::new(),
        ..site.clone()
    };
    admin::ImportSitesRequest {
        sites: vec![site, off_the_map],
    }
}

/// The golden view, and who leads.
fn news() -> internal::ClusterEvent {
    let view = golden::value("view");
    let leader = |shard| internal::Leadership {
        shard,
        term: 3,
        leader_node: 2,
    };
    internal::ClusterEvent {
        view: Some(storage::ClusterView::decode(golden::body(&view)).expect("a view")),
        leaderships: vec![leader(1), leader(2)],
    }
}

fn site_frame() -> internal::SiteFrame {
    let site = |code: &str, product: &str| internal::SiteState {
        profile: Some(replies::profile(code)),
        suspended: false,
        notice: "closed at noon".to_owned(),
        updated_at_ms: SOLD_AT_MS,
        products: vec![internal::SiteProduct {
            product: product.to_owned(),
            stock: Some(replies::stock()),
        }],
    };
    internal::SiteFrame {
        shard: 1,
        term: 2,
        log_index: 7,
        snapshot_start: true,
        snapshot_end: true,
        sites: vec![site("P-1", "kf94"), site("P-2", "kf80")],
        clock_ms: SOLD_AT_MS,
        outbox_lag_ms: 12,
    }
}
