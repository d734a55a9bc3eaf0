//! What operators can do, and that nobody else can.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures_util::{StreamExt as _, stream};
use quorate_link::Role;
use quorate_proto::{
    admin::{
        self, EnrollDeviceRequest, GetStatusRequest, Health, ImportSitesRequest, PutProgramRequest,
        Site, VerifyRequest, admin_client::AdminClient, rule_version,
    },
    ids::{NodeId, SiteCode, SiteKey},
    internal::{
        AuditStockResponse, DigestResponse, RecordTotals, ReplicaReport, SiteStock, SoldUnits,
        SourceWatermark, StatusResponse,
    },
    status::{ErrorReason, METADATA_FIELD, metadata_of, reason_of},
    storage::{DeliveredRow, OutboxRow, PutDeviceOutcome, ShardTotals, StockRecord, outcome},
};
use support::{
    DEVICE, SITE, World,
    node::{Act, answer, write_reply},
};
use tonic::{Status, transport::Channel};

async fn operator(world: &World) -> AdminClient<Channel> {
    AdminClient::new(world.as_role(Role::Operator("kim".into())).await)
}

fn site(code: &str) -> Site {
    Site {
        code: code.into(),
        name: "n".into(),
        address: "a".into(),
        site_type: "01".into(),
        latitude: None,
        longitude: None,
        region: "r".into(),
    }
}

fn status_of(node: u64) -> StatusResponse {
    let replica = |shard| ReplicaReport {
        shard,
        replica_id: node,
        term: 1,
        is_leader: node == 1,
        is_voter: true,
        last_index: 9,
        applied_index: 9,
        ..ReplicaReport::default()
    };
    StatusResponse {
        node_id: node,
        memory_bytes: 1,
        replicas: vec![replica(0), replica(1)],
        ..StatusResponse::default()
    }
}

fn digest_of(node: u64) -> DigestResponse {
    DigestResponse {
        replica_id: node,
        digest: Bytes::from_static(&[7; 32]),
        totals: Some(ShardTotals {
            grants: 3,
            units_granted: 5,
            ..ShardTotals::default()
        }),
        records: Some(RecordTotals {
            grants: 3,
            units: 5,
            outbox_rows: 3,
            ..RecordTotals::default()
        }),
    }
}

#[tokio::test]
async fn every_call_needs_an_operator() {
    let world = World::start().await;
    let others = [
        world.terminal().await,
        world.as_role(Role::Node(NodeId(1))).await,
        world.as_role(Role::Gateway("one".into())).await,
    ];
    for channel in others {
        let mut client = AdminClient::new(channel);
        let refused: [Status; 5] = [
            client.get_status(GetStatusRequest {}).await.unwrap_err(),
            client.verify(VerifyRequest {}).await.unwrap_err(),
            client
                .enroll_device(EnrollDeviceRequest::default())
                .await
                .unwrap_err(),
            client
                .put_program(PutProgramRequest::default())
                .await
                .unwrap_err(),
            client
                .import_sites(stream::iter([ImportSitesRequest::default()]))
                .await
                .unwrap_err(),
        ];
        for status in refused {
            assert_eq!(reason_of(&status), Some(ErrorReason::RoleRequired));
        }
    }
}

#[tokio::test]
async fn status_is_three_valued() {
    let world = World::start().await;
    let mut client = operator(&world).await;
    world.node(1).set_status(status_of(1));
    world.node(2).set_status(status_of(2));
    let status = client.get_status(GetStatusRequest {}).await.unwrap();
    let status = status.into_inner();
    assert_eq!(status.health(), Health::Unknown, "node 3 was not heard");
    let healths: Vec<_> = status.nodes.iter().map(|node| node.health()).collect();
    assert_eq!(healths, [Health::Ok, Health::Ok, Health::Unknown]);
    assert_eq!(status.shards[1].leader_node, 1);

    world.node(3).set_status(status_of(3));
    let status = client.get_status(GetStatusRequest {}).await.unwrap();
    assert_eq!(status.into_inner().health(), Health::Ok);
}

#[tokio::test]
async fn verify_compares_replicas_at_one_index() {
    let world = World::start().await;
    let mut client = operator(&world).await;
    for node in 1..=2 {
        world.node(node).set_digest(digest_of(node));
    }
    world
        .node(1)
        .set_audits(vec![Some(AuditStockResponse::default())]);
    let verified = client.verify(VerifyRequest {}).await.unwrap().into_inner();
    assert_eq!(verified.health(), Health::Unknown);
    world.node(3).set_digest(digest_of(3));
    let verified = client.verify(VerifyRequest {}).await.unwrap().into_inner();
    assert_eq!(verified.health(), Health::Ok, "{verified:?}");
    assert_eq!(verified.totals.unwrap().units_granted, 5);
    assert_eq!(verified.shards[0].log_index, 5, "of the checkpoint");

    world.node(3).set_digest(DigestResponse {
        digest: Bytes::from_static(&[8; 32]),
        ..digest_of(3)
    });
    let verified = client.verify(VerifyRequest {}).await.unwrap().into_inner();
    assert_eq!(verified.health(), Health::Bad);
}

/// One site of shard 1 that has been told of rows up to 7, and what its citizens bought.
fn sides(sold: u64) -> [AuditStockResponse; 2] {
    let stock = StockRecord {
        received: 250,
        sold: 10,
        on_hand: 240,
        ..StockRecord::default()
    };
    let row = OutboxRow {
        site_code: SITE.to_owned(),
        quantity: 2,
        kind: 1,
        product: "mask".to_owned(),
        ..OutboxRow::default()
    };
    let site = SiteKey::of(&SiteCode::parse(SITE).unwrap());
    let site_side = AuditStockResponse {
        stock: vec![SiteStock {
            site_code: SITE.to_owned(),
            product: "mask".to_owned(),
            stock: Some(stock),
            site_key: Bytes::copy_from_slice(&site.get()),
        }],
        watermarks: vec![SourceWatermark { shard: 1, seq: 7 }],
        clock_ms: 1_000,
        ..AuditStockResponse::default()
    };
    let citizen_side = AuditStockResponse {
        sold: vec![SoldUnits {
            site_code: SITE.to_owned(),
            product: "mask".to_owned(),
            sold,
            voided: 0,
        }],
        rows: vec![DeliveredRow {
            seq: 8,
            row: Some(row),
        }],
        clock_ms: 2_000,
        ..AuditStockResponse::default()
    };
    [site_side, citizen_side]
}

#[tokio::test]
async fn verify_compares_stock_with_the_records_while_rows_are_on_their_way() {
    let world = World::start().await;
    let mut client = operator(&world).await;
    for node in 1..=3 {
        world.node(node).set_digest(digest_of(node));
    }
    let verified = client.verify(VerifyRequest {}).await.unwrap().into_inner();
    let stock = verified.stock.as_ref().unwrap();
    assert_eq!(stock.health(), Health::Unknown, "no node gives an account");
    assert_eq!(verified.health(), Health::Unknown);

    for (sold, health) in [(12, Health::Ok), (13, Health::Bad), (10, Health::Bad)] {
        world.node(1).set_audits(sides(sold).map(Some).into());
        let verified = client.verify(VerifyRequest {}).await.unwrap().into_inner();
        let stock = verified.stock.as_ref().unwrap();
        assert_eq!(stock.health(), health, "{stock:?}");
        assert_eq!(stock.compared, 1);
        if health == Health::Bad {
            assert_eq!(stock.differences[0].site_code, SITE);
            assert_eq!(stock.differences[0].on_hand, 240);
            assert_eq!(stock.differences[0].expected, 252 - sold as i64);
        }
        assert_eq!(verified.health(), health);
    }

    // The account of another replica will do.
    world.node(1).set_audits(vec![None]);
    world.node(2).set_audits(sides(12).map(Some).into());
    let verified = client.verify(VerifyRequest {}).await.unwrap().into_inner();
    assert_eq!(verified.health(), Health::Ok, "{verified:?}");
}

#[tokio::test]
async fn an_import_answers_each_batch_in_order() {
    let world = World::start().await;
    let mut client = operator(&world).await;
    let batch = |count: u32| ImportSitesRequest {
        sites: (0..count).map(|n| site(&n.to_string())).collect(),
    };
    let batches = stream::iter([batch(1), batch(1000), batch(300)]);
    let answers = client.import_sites(batches).await.unwrap().into_inner();
    let added: Vec<u32> = answers.map(|answer| answer.unwrap().added).collect().await;
    assert_eq!(added, [1, 1000, 300]);
    assert_eq!(
        world.node(1).received().len(),
        1 + 4 + 2,
        "commands of at most 256 sites"
    );
}

#[tokio::test]
async fn a_batch_with_a_wrong_site_changes_nothing() {
    let world = World::start().await;
    let mut client = operator(&world).await;
    let wrong = ImportSitesRequest {
        sites: vec![site("A"), site("no good")],
    };
    let mut answers = client
        .import_sites(stream::iter([wrong]))
        .await
        .unwrap()
        .into_inner();
    let status = answers.next().await.unwrap().unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::InvalidField));
    let field = metadata_of(&status, METADATA_FIELD);
    assert_eq!(field.as_deref(), Some("sites[1].code"));
    assert!(world.node(1).received().is_empty());

    let many = ImportSitesRequest {
        sites: vec![site("A"); 1001],
    };
    let mut answers = client
        .import_sites(stream::iter([many]))
        .await
        .unwrap()
        .into_inner();
    let status = answers.next().await.unwrap().unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::InvalidField));
}

#[tokio::test]
async fn devices_are_enrolled_once() {
    let world = World::start().await;
    let mut client = operator(&world).await;
    let key = SigningKey::from_bytes(&[5; 32]).verifying_key();
    let enroll = |key: &[u8]| EnrollDeviceRequest {
        site_code: SITE.into(),
        device_id: DEVICE.into(),
        public_key: Bytes::copy_from_slice(key),
    };
    let response = client.enroll_device(enroll(key.as_bytes())).await.unwrap();
    assert!(!response.into_inner().already_enrolled);

    for short in [&key.as_bytes()[..31], &[]] {
        let status = client.enroll_device(enroll(short)).await.unwrap_err();
        assert_eq!(reason_of(&status), Some(ErrorReason::InvalidField));
    }
    type Change = fn(&mut PutDeviceOutcome);
    let cases: [(Change, ErrorReason); 2] = [
        (|put| put.site_unknown = true, ErrorReason::UnknownSite),
        (
            |put| put.key_conflict = true,
            ErrorReason::DeviceKeyConflict,
        ),
    ];
    for (change, reason) in cases {
        world.script(
            1,
            std::sync::Arc::new(move |_| {
                let mut put = PutDeviceOutcome::default();
                change(&mut put);
                Act::Reply(write_reply(outcome::Body::PutDevice(put)))
            }),
        );
        let request = enroll(key.as_bytes());
        let status = client.enroll_device(request).await.unwrap_err();
        assert_eq!(reason_of(&status), Some(reason));
    }
    world.script(1, std::sync::Arc::new(|c| Act::Reply(answer(c))));
}

#[tokio::test]
async fn a_program_goes_to_the_system_shard() {
    let world = World::start().await;
    let mut client = operator(&world).await;
    let week = rule_version::Window::CalendarWeek(admin::CalendarWeek {});
    let program = admin::Program {
        id: "mask".into(),
        time_zone: "Asia/Seoul".into(),
        rules: vec![admin::RuleVersion {
            id: "r1".into(),
            effective_from_ms: 1,
            limit: 2,
            sale_quantity_max: 2,
            window: Some(week),
            ..admin::RuleVersion::default()
        }],
        ..admin::Program::default()
    };
    let request = PutProgramRequest {
        program: Some(program),
        ..PutProgramRequest::default()
    };
    client.put_program(request).await.unwrap();
    assert_eq!(world.node(1).proposals().len(), 1, "its leader was asked");

    let empty = PutProgramRequest::default();
    let status = client.put_program(empty).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::InvalidField));
}
