//! What gateways answer to terminals and operators.

use prost::Message;
use prost_types::Timestamp;
use quorate_client::decoders::REQUEST;
use quorate_proto::{admin, ids::RequestId, v1};

use super::{SOLD_AT_MS, text};

pub(super) fn of(name: &str) -> Vec<Vec<u8>> {
    match name {
        "client-ration-answer" => ration(),
        "client-stock-answer" => stock(),
        "client-slip-answer" => vec![slip().encode_to_vec()],
        "client-session" => vec![session().encode_to_vec()],
        "client-operator-answer" => operator(),
        "client-report" => reports(),
        "client-event" => vec![
            text("id: 0000002a-7\nevent: site\ndata: {\"code\":\ndata: \"P-1\"}\n\n"),
            text(": hello\n\nretry: 5\r\nid: 1\r\ndata:x\r\n\r\ndata: y\n\n"),
        ],
        _ => Vec::new(),
    }
}

fn ration() -> Vec<Vec<u8>> {
    let check = v1::CheckResponse {
        verdict: Some(verdict()),
    };
    let record = v1::RecordResponse {
        verdict: Some(verdict()),
        request_id: request(),
        repeated_answer: true,
    };
    let list = v1::ListSalesResponse {
        purchases: vec![purchase(), purchase()],
        position: Some(position()),
        warnings: vec![v1::Warning::IdChecksumMismatch.into()],
    };
    vec![
        check.encode_to_vec(),
        record.encode_to_vec(),
        voided().encode_to_vec(),
        list.encode_to_vec(),
    ]
}

fn stock() -> Vec<Vec<u8>> {
    let changed = v1::StockResponse {
        stock: Some(product()),
        request_id: request(),
        repeated_answer: false,
        position: Some(position()),
    };
    let notice = v1::SetNoticeResponse {
        request_id: request(),
        repeated_answer: true,
        position: Some(position()),
    };
    let kept = v1::GetStockResponse {
        site_code: "P-1".to_owned(),
        site_name: "Eulji".to_owned(),
        site_type: "01".to_owned(),
        suspended: true,
        notice: "closed at noon".to_owned(),
        products: vec![product()],
        position: Some(position()),
    };
    let sales = v1::ListSiteSalesResponse {
        sales: vec![v1::SiteSale {
            request_id: request(),
            product: "kf94".to_owned(),
            quantity: 2,
            sold_at: Some(at()),
            kind: v1::SaleKind::Paper.into(),
            voided_at: Some(at()),
            over_by: 1,
        }],
    };
    vec![
        changed.encode_to_vec(),
        notice.encode_to_vec(),
        kept.encode_to_vec(),
        sales.encode_to_vec(),
    ]
}

fn slip() -> v1::UploadSlipsResponse {
    v1::UploadSlipsResponse {
        sequence: 7,
        request_id: request(),
        outcome: v1::SlipOutcome::Rejected.into(),
        rejection: v1::SlipRejection::TooOld.into(),
        irregularity: v1::DenialReason::NotYourDay.into(),
        over_by: 1,
        remaining: 1,
        detail: "too old".to_owned(),
        position: Some(position()),
        warnings: vec![v1::Warning::IdChecksumMismatch.into()],
    }
}

fn session() -> v1::OpenSessionResponse {
    v1::OpenSessionResponse {
        token: "v4.local.CQkJCQ".to_owned(),
        expires_at: Some(at()),
        site_name: "Eulji".to_owned(),
        site_type: "01".to_owned(),
        sealing_key: Some(v1::SealingKey {
            id: "first".to_owned(),
            public_key: vec![7; 32].into(),
        }),
    }
}

fn operator() -> Vec<Vec<u8>> {
    let shadows = admin::GetShadowCountsResponse {
        rules: vec![admin::ShadowCounts {
            rule: "first".to_owned(),
            evaluated: 4,
            would_deny: vec![denials()],
            would_grant: 1,
        }],
        shards_counted: 3,
        shards_total: 4,
    };
    vec![
        status().encode_to_vec(),
        verification().encode_to_vec(),
        shadows.encode_to_vec(),
    ]
}

fn status() -> admin::GetStatusResponse {
    let replica = admin::ReplicaStatus {
        replica_id: 4,
        node_id: 1,
        health: admin::Health::Bad.into(),
        detail: "behind".to_owned(),
        applied_index: 7,
        lag: 3,
        voter: true,
    };
    admin::GetStatusResponse {
        cluster_id: "demo".to_owned(),
        view_version: 5,
        health: admin::Health::Bad.into(),
        nodes: vec![admin::NodeStatus {
            node_id: 1,
            address: "127.0.0.1:7001".to_owned(),
            zone: "a".to_owned(),
            health: admin::Health::Ok.into(),
            ..admin::NodeStatus::default()
        }],
        shards: vec![admin::ShardStatus {
            shard: 1,
            range_last: u64::MAX,
            epoch: 1,
            health: admin::Health::Unknown.into(),
            leader_node: 1,
            replicas: vec![replica],
            ..admin::ShardStatus::default()
        }],
        programs: vec![admin::ProgramStatus {
            program: "mask".to_owned(),
            version: 3,
            shards_current: 3,
            shards_total: 4,
        }],
    }
}

fn verification() -> admin::VerifyResponse {
    let totals = || admin::Totals {
        grants: 44,
        units_granted: 80,
        denials: vec![denials()],
        citizens: 40,
        ..admin::Totals::default()
    };
    let replica = admin::ReplicaDigest {
        replica_id: 4,
        node_id: 1,
        health: admin::Health::Ok.into(),
        detail: String::new(),
        digest: vec![7; 32].into(),
    };
    admin::VerifyResponse {
        health: admin::Health::Bad.into(),
        shards: vec![admin::ShardVerification {
            shard: 1,
            health: admin::Health::Ok.into(),
            detail: String::new(),
            log_index: 7,
            replicas: vec![replica],
            totals: Some(totals()),
        }],
        totals: Some(totals()),
        stock: Some(admin::StockVerification {
            health: admin::Health::Bad.into(),
            detail: "1 of 9 differs".to_owned(),
            compared: 9,
            differences: vec![admin::StockDifference {
                site_code: "P-1".to_owned(),
                product: "kf94".to_owned(),
                on_hand: 201,
                expected: 200,
            }],
        }),
    }
}

fn reports() -> Vec<Vec<u8>> {
    let sales = admin::ListCitizenSalesResponse {
        purchases: vec![purchase()],
    };
    let corrected = admin::CorrectSaleResponse {
        result: Some(voided()),
    };
    let over_quota = admin::ReportOverQuotaResponse {
        sales: vec![admin::OverQuotaSale {
            site_code: "P-1".to_owned(),
            site_name: "Eulji".to_owned(),
            site_type: "01".to_owned(),
            region: "Seoul".to_owned(),
            product: "kf94".to_owned(),
            sold_at: Some(at()),
            quantity: 2,
            over_by: 1,
            request_id: request(),
            voided_at: Some(at()),
        }],
    };
    let daily = admin::ReportDailyResponse {
        days: vec![admin::DailyCounts {
            date: "2020-03-11".to_owned(),
            region: "Seoul".to_owned(),
            site_type: "01".to_owned(),
            online_sales: 5,
            online_units: 9,
            denials: vec![denials()],
            ..admin::DailyCounts::default()
        }],
    };
    vec![
        sales.encode_to_vec(),
        corrected.encode_to_vec(),
        over_quota.encode_to_vec(),
        daily.encode_to_vec(),
    ]
}

fn verdict() -> v1::Verdict {
    v1::Verdict {
        decision: v1::Decision::Denied.into(),
        reason: v1::DenialReason::OverLimit.into(),
        remaining: 1,
        limit: 2,
        next_eligible_time: Some(at()),
        window_start: Some(at()),
        window_end: Some(at()),
        rule_version: "first".to_owned(),
        decided_at: Some(at()),
        purchases: vec![purchase()],
        position: Some(position()),
        warnings: vec![v1::Warning::IdChecksumMismatch.into()],
    }
}

fn voided() -> v1::VoidResponse {
    v1::VoidResponse {
        voided: false,
        refusal: v1::VoidRefusal::TooLate.into(),
        quantity: 2,
        remaining: 1,
        decided_at: Some(at()),
        position: Some(position()),
        request_id: request(),
        repeated_answer: true,
    }
}

fn purchase() -> v1::Purchase {
    v1::Purchase {
        request_id: request(),
        quantity: 1,
        sold_at: Some(at()),
        site_type: "01".to_owned(),
        region: "Seoul".to_owned(),
        voided_at: Some(at()),
        own_site: true,
        kind: v1::SaleKind::Online.into(),
        product: "kf94".to_owned(),
        rule_version: "first".to_owned(),
        over_by: 1,
        irregularity: v1::DenialReason::NotYourDay.into(),
        proxy_ground: "family".to_owned(),
        void_case_number: "k9".to_owned(),
    }
}

fn product() -> v1::ProductStock {
    v1::ProductStock {
        product: "kf94".to_owned(),
        received: 250,
        adjusted: -7,
        sold: 44,
        voided: 2,
        on_hand: 201,
        held: 30,
        available: 171,
        sales_stopped: true,
        last_received_at: Some(at()),
        updated_at: Some(at()),
    }
}

fn denials() -> admin::DenialCount {
    admin::DenialCount {
        reason: "DENIAL_REASON_OVER_LIMIT".to_owned(),
        count: 7,
    }
}

fn position() -> v1::LogPosition {
    v1::LogPosition {
        shard: 1,
        term: 2,
        log_index: 7,
        ordinal: 1,
    }
}

fn at() -> Timestamp {
    Timestamp {
        seconds: SOLD_AT_MS / 1_000,
        nanos: 250_000_000,
    }
}

fn request() -> String {
    let request = RequestId::from_bytes(REQUEST).expect("a request id");
    request.to_string()
}
