//! What nodes answer to gateways.

use quorate_proto::{
    internal::{self, query_reply, shard_reply},
    storage::{self, outcome},
};

use super::{REQUEST, SOLD_AT_MS};

/// One of each kind.
pub(super) fn all() -> internal::ReplyFrame {
    let bodies = writes().into_iter().map(write);
    let bodies = bodies.chain(reads().into_iter().map(read));
    let refusal = internal::Refusal {
        kind: internal::refusal::Kind::NotLeader.into(),
        leader_node: 2,
        detail: "elsewhere".to_owned(),
    };
    let bodies = bodies.chain([shard_reply::Body::Refusal(refusal)]);
    internal::ReplyFrame {
        replies: bodies
            .zip(1..)
            .map(|(body, correlation)| internal::ShardReply {
                correlation,
                body: Some(body),
            })
            .collect(),
    }
}

fn write(body: outcome::Body) -> shard_reply::Body {
    shard_reply::Body::Write(internal::WriteReply {
        outcome: Some(storage::Outcome { body: Some(body) }),
        term: 2,
        log_index: 7,
        ordinal: 1,
    })
}

fn read(body: query_reply::Body) -> shard_reply::Body {
    shard_reply::Body::Query(internal::QueryReply {
        term: 2,
        log_index: 7,
        body: Some(body),
    })
}

fn writes() -> [outcome::Body; 3] {
    let record = storage::RecordOutcome {
        verdict: Some(verdict()),
        repeated_answer: true,
    };
    let void = storage::VoidOutcome {
        refusal: 0,
        quantity: 2,
        remaining: 2,
        decided_at_ms: SOLD_AT_MS,
        repeated_answer: false,
    };
    let slip = storage::SlipOutcome {
        outcome: 3,
        rejection: 0,
        irregularity: 1,
        over_by: 1,
        remaining: 0,
    };
    [
        outcome::Body::Record(record),
        outcome::Body::Void(void),
        outcome::Body::Slip(slip),
    ]
}

fn reads() -> [query_reply::Body; 9] {
    let row = || internal::SiteSaleRow {
        request_id: REQUEST.to_vec().into(),
        sold_at_ms: SOLD_AT_MS,
        sale: Some(storage::SiteSale {
            program: "mask".to_owned(),
            product: "kf94".to_owned(),
            quantity: 2,
            kind: 1,
            voided_at_ms: Some(SOLD_AT_MS + 1),
            over_by: 1,
        }),
    };
    let over_quota = internal::OverQuotaRow {
        site: Some(profile("P-1")),
        sale: Some(row()),
    };
    let day = internal::DailyRow {
        date: 20_200_311,
        site_type: 1,
        region: "Seoul".to_owned(),
        counts: Some(storage::DayCounts {
            online_sales: 5,
            online_units: 9,
            denials: vec![0, 3, 1],
            ..storage::DayCounts::default()
        }),
    };
    let shadow = internal::ShadowRow {
        rule: "first".to_owned(),
        counts: Some(storage::ShadowCounts {
            evaluated: 4,
            would_deny: vec![0, 3],
            would_grant: 1,
        }),
    };
    let error = storage::CommandError {
        kind: storage::command_error::Kind::UnknownProgram.into(),
        detail: "there is no program `masks`".to_owned(),
    };
    [
        query_reply::Body::Check(internal::CheckAnswer {
            verdict: Some(verdict()),
        }),
        query_reply::Body::List(internal::ListAnswer {
            sales: vec![sale(), sale()],
        }),
        query_reply::Body::Device(internal::DeviceAnswer {
            site: Some(profile("P-1")),
            public_key: vec![7; 32].into(),
        }),
        query_reply::Body::Stock(internal::StockAnswer {
            site: Some(profile("P-1")),
            suspended: true,
            notice: "closed at noon".to_owned(),
            products: vec![internal::ProductStock {
                product: "kf94".to_owned(),
                stock: Some(stock()),
            }],
            clock_ms: SOLD_AT_MS,
        }),
        query_reply::Body::SiteSales(internal::SiteSalesAnswer {
            sales: vec![row(), row()],
            next: vec![3; 40].into(),
        }),
        query_reply::Body::OverQuota(internal::OverQuotaAnswer {
            sales: vec![over_quota],
            next: vec![3; 40].into(),
        }),
        query_reply::Body::Daily(internal::DailyAnswer {
            days: vec![day],
            next: vec![5; 20].into(),
        }),
        query_reply::Body::Shadow(internal::ShadowAnswer {
            rules: vec![shadow],
        }),
        query_reply::Body::Error(error),
    ]
}

pub(super) fn profile(code: &str) -> storage::SiteProfile {
    storage::SiteProfile {
        code: code.to_owned(),
        name: "Eulji".to_owned(),
        address: "Eulji-ro 1, Jung-gu".to_owned(),
        site_type: 1,
        latitude: Some(37.566),
        longitude: Some(126.982),
        region: "Seoul".to_owned(),
    }
}

pub(super) fn stock() -> storage::StockRecord {
    storage::StockRecord {
        received: 250,
        adjusted: -7,
        sold: 44,
        voided: 2,
        on_hand: 201,
        held: 30,
        sales_stopped: true,
        last_received_ms: Some(SOLD_AT_MS),
        updated_at_ms: SOLD_AT_MS,
    }
}

fn verdict() -> storage::Verdict {
    storage::Verdict {
        remaining: 1,
        limit: 2,
        decided_at_ms: SOLD_AT_MS,
        purchases: vec![sale()],
        ..storage::Verdict::default()
    }
}

fn sale() -> storage::Sale {
    storage::Sale {
        request_id: REQUEST.to_vec().into(),
        quantity: 1,
        site_code: "P-1".to_owned(),
        site_type: 1,
        region: "Seoul".to_owned(),
        recorded_at_ms: SOLD_AT_MS,
        sold_at_ms: SOLD_AT_MS,
        ..storage::Sale::default()
    }
}
