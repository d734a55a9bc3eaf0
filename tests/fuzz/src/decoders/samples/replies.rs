//! What nodes answer to gateways, and to operators behind them.

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

fn writes() -> [outcome::Body; 8] {
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
    let rejected = storage::SlipOutcome {
        outcome: 4,
        rejection: 1,
        ..storage::SlipOutcome::default()
    };
    let changed = storage::StockOutcome {
        stock: Some(stock()),
        product: "kf94".to_owned(),
        repeated_answer: true,
        site_unknown: false,
    };
    let sites = storage::PutSitesOutcome {
        added: 3,
        replaced: 2,
        unchanged: 1,
    };
    let device = storage::PutDeviceOutcome {
        already_enrolled: true,
        ..storage::PutDeviceOutcome::default()
    };
    [
        outcome::Body::Record(record),
        outcome::Body::Void(void),
        outcome::Body::Slip(slip),
        outcome::Body::Slip(rejected),
        outcome::Body::Stock(changed),
        outcome::Body::PutSites(sites),
        outcome::Body::PutDevice(device),
        outcome::Body::Done(storage::Done {}),
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

/// What a node says of itself.
pub(super) fn status() -> internal::StatusResponse {
    internal::StatusResponse {
        node_id: 2,
        view_version: 5,
        memory_bytes: 1 << 30,
        written_bytes: 1 << 40,
        replicas: vec![internal::ReplicaReport {
            shard: 1,
            replica_id: 4,
            is_leader: true,
            program_versions: [("mask".to_owned(), 3)].into(),
            ..internal::ReplicaReport::default()
        }],
    }
}

/// What a replica holds.
pub(super) fn digest() -> internal::DigestResponse {
    internal::DigestResponse {
        replica_id: 4,
        digest: vec![7; 32].into(),
        totals: Some(storage::ShardTotals {
            grants: 44,
            denials: vec![0, 3, 1],
            ..storage::ShardTotals::default()
        }),
        records: Some(internal::RecordTotals {
            citizens: 40,
            ..internal::RecordTotals::default()
        }),
    }
}

/// A part of a shard's account of stock with a row of each kind.
pub(super) fn account() -> internal::AuditStockResponse {
    let row = |seq, kind| storage::DeliveredRow {
        seq,
        row: Some(storage::OutboxRow {
            site_code: "P-1".to_owned(),
            program: "mask".to_owned(),
            request_id: REQUEST.to_vec().into(),
            quantity: 2,
            kind,
            product: "kf94".to_owned(),
            ..storage::OutboxRow::default()
        }),
    };
    internal::AuditStockResponse {
        stock: vec![internal::SiteStock {
            site_code: "P-1".to_owned(),
            product: "kf94".to_owned(),
            stock: Some(stock()),
            site_key: vec![4; 16].into(),
        }],
        watermarks: vec![internal::SourceWatermark { shard: 2, seq: 9 }],
        sold: vec![internal::SoldUnits {
            site_code: "P-1".to_owned(),
            product: "kf94".to_owned(),
            sold: 44,
            voided: 2,
        }],
        rows: vec![row(7, 1), row(8, 2)],
        clock_ms: SOLD_AT_MS,
    }
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
