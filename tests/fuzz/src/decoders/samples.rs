//! Valid messages to start from, where no golden file has them.

use prost::Message;
use prost_types::Timestamp;
use quorate_check::generate::{self, Options};
use quorate_proto::{
    admin,
    internal::{self, query, query_reply, shard_command, shard_reply},
    storage::{self, command, outcome},
    v1,
};

const REQUEST: [u8; 16] = [0xaa; 16];

/// For the gateway's decoder of that name.
pub(super) fn of_gateway(name: &str) -> Vec<Vec<u8>> {
    let text = |text: &str| text.as_bytes().to_vec();
    match name {
        "gateway-record" => vec![
            v1::RecordRequest {
                request_id: "0190f3a2-7c1b-7d4e-8f00-1234567890ab".to_owned(),
                citizen: Some(citizen()),
                program: "mask".to_owned(),
                quantity: 2,
                product: "kf94".to_owned(),
                proxy: Some(v1::Proxy::default()),
            }
            .encode_to_vec(),
        ],
        "gateway-slip" => vec![slip().encode_to_vec()],
        "gateway-slip-upload" => {
            vec![v1::UploadSlipsRequest { slip: Some(slip()) }.encode_to_vec()]
        }
        "gateway-session-token" => vec![text(concat!(
            "v4.local.",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ))],
        "gateway-challenge" => vec![[vec![1], vec![7; 130]].concat()],
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
        "gateway-node-replies" => vec![replies().encode_to_vec()],
        "gateway-cluster-news" => vec![internal::ClusterEvent::default().encode_to_vec()],
        "gateway-public-legacy" => vec![
            text("lat=37.5&lng=126.9&m=1000"),
            text("page=2&perPage=500&address=%EC%84%9C%EC%9A%B8%ED%8A%B9%EB%B3%84%EC%8B%9C"),
        ],
        "gateway-public-v1" => vec![
            text("near=37.5,126.9&radius_m=500&site_type=01&limit=20\ntext/csv;q=0.9,*/*"),
            text("bounds=126.9,37.4,127.1,37.6&product=kf94&format=geojson&address=%EC%84%9C"),
        ],
        _ => Vec::new(),
    }
}

fn citizen() -> v1::CitizenId {
    v1::CitizenId {
        scheme: "KR-RRN".to_owned(),
        number: "900101-1234568".to_owned(),
    }
}

fn slip() -> v1::Slip {
    v1::Slip {
        site_code: "P-0001".to_owned(),
        device_id: "till-1".to_owned(),
        sequence: 1,
        request_id: "0190f3a2-7c1b-7d4e-8f00-1234567890ab".to_owned(),
        program: "mask".to_owned(),
        quantity: 2,
        sold_at: Some(Timestamp {
            seconds: 1_583_886_300,
            nanos: 250_999_999,
        }),
        signature: vec![7; 64].into(),
        ..v1::Slip::default()
    }
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

fn verdict() -> storage::Verdict {
    storage::Verdict {
        remaining: 1,
        limit: 2,
        decided_at_ms: 1_583_886_300_000,
        purchases: vec![sale()],
        ..storage::Verdict::default()
    }
}

fn sale() -> storage::Sale {
    storage::Sale {
        request_id: REQUEST.to_vec().into(),
        quantity: 1,
        sold_at_ms: 1_583_886_300_000,
        ..storage::Sale::default()
    }
}

fn replies() -> internal::ReplyFrame {
    let write = |body| {
        shard_reply::Body::Write(internal::WriteReply {
            outcome: Some(storage::Outcome { body: Some(body) }),
            term: 2,
            log_index: 7,
            ordinal: 1,
        })
    };
    let read = |body| {
        shard_reply::Body::Query(internal::QueryReply {
            term: 2,
            log_index: 7,
            body: Some(body),
        })
    };
    let record = storage::RecordOutcome {
        verdict: Some(verdict()),
        repeated_answer: true,
    };
    let check = internal::CheckAnswer {
        verdict: Some(verdict()),
    };
    let list = internal::ListAnswer {
        sales: vec![sale(), sale()],
    };
    let bodies = [
        write(outcome::Body::Record(record)),
        write(outcome::Body::Void(storage::VoidOutcome::default())),
        read(query_reply::Body::Check(check)),
        read(query_reply::Body::List(list)),
        read(query_reply::Body::Device(internal::DeviceAnswer::default())),
        read(query_reply::Body::Stock(internal::StockAnswer::default())),
        read(query_reply::Body::Daily(internal::DailyAnswer {
            days: vec![internal::DailyRow::default()],
            ..internal::DailyAnswer::default()
        })),
        shard_reply::Body::Refusal(internal::Refusal::default()),
    ];
    let replies = bodies.into_iter().zip(1..);
    internal::ReplyFrame {
        replies: replies
            .map(|(body, correlation)| internal::ShardReply {
                correlation,
                body: Some(body),
            })
            .collect(),
    }
}

/// Of gateways.
pub(super) fn command_frames() -> Vec<Vec<u8>> {
    let site = Some(storage::SaleSite {
        code: "P-1".to_owned(),
        site_type: 1,
        region: "Seoul".to_owned(),
        ..storage::SaleSite::default()
    });
    let record = storage::RecordSale {
        request_id: REQUEST.to_vec().into(),
        citizen: vec![3; 16].into(),
        program: "mask".to_owned(),
        quantity: 2,
        site: site.clone(),
        ..storage::RecordSale::default()
    };
    let void = storage::VoidSale {
        request_id: REQUEST.to_vec().into(),
        citizen: vec![3; 16].into(),
        program: "mask".to_owned(),
        ..storage::VoidSale::default()
    };
    let slip = storage::RecordSlip {
        request_id: REQUEST.to_vec().into(),
        citizen: vec![3; 16].into(),
        program: "mask".to_owned(),
        quantity: 2,
        site: site.clone(),
        ..storage::RecordSlip::default()
    };
    let check = internal::CheckQuery {
        citizen: vec![3; 16].into(),
        program: "mask".to_owned(),
        quantity: 1,
        site,
        ..internal::CheckQuery::default()
    };
    let write = |body| {
        shard_command::Body::Write(storage::Command {
            body: Some(body),
            ..storage::Command::default()
        })
    };
    let read = |body| shard_command::Body::Query(internal::Query { body: Some(body) });
    let bodies = [
        write(command::Body::Record(record)),
        write(command::Body::Void(void)),
        write(command::Body::RecordSlip(slip)),
        read(query::Body::Check(check)),
        read(query::Body::Stock(internal::StockQuery {
            site_code: "P-1".to_owned(),
        })),
    ];
    let frame = internal::CommandFrame {
        cluster_id: "demo".to_owned(),
        commands: bodies
            .into_iter()
            .zip(1..)
            .map(|(body, correlation)| internal::ShardCommand {
                correlation,
                shard: 1,
                epoch: 1,
                time_left_ms: 1_000,
                body: Some(body),
            })
            .collect(),
    };
    vec![frame.encode_to_vec()]
}

/// Of another shard.
pub(super) fn deliveries() -> Vec<Vec<u8>> {
    let row = storage::OutboxRow {
        site_code: "P-1".to_owned(),
        program: "mask".to_owned(),
        request_id: REQUEST.to_vec().into(),
        quantity: 2,
        ..storage::OutboxRow::default()
    };
    let message = storage::DeliverStock {
        rows: vec![storage::DeliveredRow {
            seq: 7,
            row: Some(row),
        }],
        ..storage::DeliverStock::default()
    };
    vec![message.encode_to_vec()]
}

/// Of other nodes.
pub(super) fn peer_frames() -> Vec<Vec<u8>> {
    vec![
        internal::SnapshotFrame::default().encode_to_vec(),
        internal::SnapshotHeader::default().encode_to_vec(),
        internal::PeerFrame::default().encode_to_vec(),
    ]
}

/// A frame is a mark, a length and a checksum, and the body behind them.
pub(super) fn journals() -> Vec<Vec<u8>> {
    let frame = |kind: u8, body: &[u8]| {
        let body = [&[kind], body].concat();
        let length = (body.len() as u32).to_be_bytes();
        let checksum = crc32c::crc32c(&body).to_be_bytes();
        [b"QSJ1", &length[..], &checksum[..], &body[..]].concat()
    };
    let slip = slip().encode_to_vec();
    vec![
        frame(1, &slip),
        [frame(1, &slip), frame(2, &slip), frame(3, &[1, 2, 3])].concat(),
    ]
}

/// Small ones: each is judged whole.
pub(super) fn histories() -> Vec<Vec<u8>> {
    [12, 40]
        .map(|calls| generate::generate(&Options::new(calls as u64, calls)).to_text())
        .to_vec()
}
