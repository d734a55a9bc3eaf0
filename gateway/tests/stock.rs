//! Stock as terminals keep it, in front of scripted nodes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{sync::Arc, time::Duration};

use quorate_proto::{
    internal::{
        ShardCommand, SiteSaleRow, SiteSalesAnswer, StockAnswer, query, query_reply, refusal,
        shard_command,
    },
    status::{ErrorReason, METADATA_FIELD, METADATA_REQUEST_ID, metadata_of, reason_of},
    storage::{self, command, outcome, stock_change::Change},
    v1::{
        AdjustStockRequest, AdjustmentReason, GetStockRequest, ListSiteSalesRequest,
        ReceiveStockRequest, ResumeSalesRequest, SaleKind, SetHeldRequest, SetNoticeRequest,
        StopSalesRequest, stock_client::StockClient,
    },
};
use support::{
    DEVICE, SITE, World,
    node::{Act, always, answer, query_answer, refuse, stock, write_reply},
};
use tonic::{Request, Status, transport::Channel};

const ID: &str = "0190f3a2-7c1b-7d4e-8f00-1234567890ab";
const SECONDS: Duration = Duration::from_secs(4);

/// 2020-03-11 12:00 in Korea.
const NOON_MS: i64 = 1_583_895_600_000;
/// The first instant of that day.
const MIDNIGHT_MS: i64 = 1_583_852_400_000;
const DAY_MS: i64 = 86_400_000;

struct Counter {
    client: StockClient<Channel>,
    token: String,
}

impl Counter {
    async fn of(world: &World) -> Counter {
        Counter {
            client: StockClient::new(world.terminal().await),
            token: world.token().await,
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(SECONDS);
        let header = format!("Bearer {}", self.token).parse().unwrap();
        request.metadata_mut().insert("authorization", header);
        request
    }
}

fn receive(quantity: u32) -> ReceiveStockRequest {
    ReceiveStockRequest {
        request_id: ID.into(),
        product: String::new(),
        quantity,
    }
}

/// The change of stock that reached the shard.
fn change_of(command: ShardCommand) -> (String, storage::StockChange) {
    let Some(shard_command::Body::Write(write)) = command.body else {
        panic!("not a write");
    };
    match write.body {
        Some(command::Body::ChangeStock(change)) => (change.site_code, change.change.unwrap()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_change_reaches_the_shard_as_the_sessions_own() {
    let world = World::start().await;
    let mut counter = Counter::of(&world).await;
    let (id, product) = (ID.to_owned(), String::new());

    let request = counter.request(receive(250));
    let response = counter.client.receive_stock(request).await.unwrap();
    let response = response.into_inner();
    assert_eq!(response.request_id, ID);
    assert_eq!(response.position.unwrap().log_index, 5);
    let kept = response.stock.unwrap();
    assert_eq!(
        (&*kept.product, kept.on_hand, kept.available),
        ("mask", 239, 199)
    );
    assert_eq!(kept.last_received_at.unwrap().seconds, 1_583_883_600);

    let adjust = AdjustStockRequest {
        request_id: id.clone(),
        product: "mask".into(),
        delta: -5,
        reason: AdjustmentReason::Damaged.into(),
        note: "wet".into(),
    };
    let request = counter.request(adjust);
    counter.client.adjust_stock(request).await.unwrap();
    let held = SetHeldRequest {
        request_id: id.clone(),
        product: product.clone(),
        held: 40,
    };
    let request = counter.request(held);
    counter.client.set_held(request).await.unwrap();
    let stop = StopSalesRequest {
        request_id: id.clone(),
        product: product.clone(),
    };
    let request = counter.request(stop);
    counter.client.stop_sales(request).await.unwrap();
    let resume = ResumeSalesRequest {
        request_id: id.clone(),
        product,
    };
    let request = counter.request(resume);
    counter.client.resume_sales(request).await.unwrap();
    let notice = SetNoticeRequest {
        request_id: id,
        notice: "번호표 8시 30분부터".into(),
    };
    let request = counter.request(notice);
    let set = counter.client.set_notice(request).await.unwrap();
    assert_eq!(set.into_inner().request_id, ID);

    let changes: Vec<_> = world
        .node(1)
        .received()
        .into_iter()
        .map(change_of)
        .collect();
    let adjustment = storage::StockAdjustment {
        delta: -5,
        reason: 2,
        note: "wet".into(),
    };
    let expected = [
        ("mask", Change::Received(250)),
        ("mask", Change::Adjusted(adjustment)),
        ("mask", Change::Held(40)),
        ("mask", Change::SalesStopped(true)),
        ("mask", Change::SalesStopped(false)),
        ("", Change::Notice("번호표 8시 30분부터".into())),
    ];
    assert_eq!(changes.len(), expected.len());
    for ((site, change), (product, expected)) in changes.into_iter().zip(expected) {
        assert_eq!((&*site, &*change.device_id), (SITE, DEVICE));
        assert_eq!((&*change.product, change.change), (product, Some(expected)));
        assert_eq!(change.request_id.len(), 16);
    }
}

#[tokio::test]
async fn bad_input_is_named_and_bothers_no_shard() {
    let world = World::start().await;
    let mut counter = Counter::of(&world).await;
    let mut found: Vec<(Status, ErrorReason, &str)> = Vec::new();
    let quantity = ErrorReason::InvalidQuantity;
    for (message, reason, field) in [
        (receive(0), quantity, "quantity"),
        (receive(1_000_001), quantity, "quantity"),
        (
            ReceiveStockRequest {
                product: "soap".into(),
                ..receive(1)
            },
            ErrorReason::InvalidField,
            "product",
        ),
        (
            ReceiveStockRequest {
                request_id: "17".into(),
                ..receive(1)
            },
            ErrorReason::InvalidRequestId,
            "request_id",
        ),
    ] {
        let request = counter.request(message);
        let status = counter.client.receive_stock(request).await.unwrap_err();
        found.push((status, reason, field));
    }
    let adjust = AdjustStockRequest {
        request_id: ID.into(),
        delta: 1,
        ..AdjustStockRequest::default()
    };
    let request = counter.request(adjust);
    let status = counter.client.adjust_stock(request).await.unwrap_err();
    found.push((status, ErrorReason::InvalidField, "reason"));
    let held = SetHeldRequest {
        request_id: ID.into(),
        held: 1_000_001,
        ..SetHeldRequest::default()
    };
    let request = counter.request(held);
    let status = counter.client.set_held(request).await.unwrap_err();
    found.push((status, ErrorReason::InvalidField, "held"));
    let notice = SetNoticeRequest {
        request_id: ID.into(),
        notice: "x".repeat(201),
    };
    let request = counter.request(notice);
    let status = counter.client.set_notice(request).await.unwrap_err();
    found.push((status, ErrorReason::InvalidField, "notice"));

    for (status, reason, field) in found {
        assert_eq!(reason_of(&status), Some(reason), "{status:?}");
        let named = metadata_of(&status, METADATA_FIELD);
        assert_eq!(named.as_deref(), Some(field), "{status:?}");
    }
    assert!(world.node(1).received().is_empty());
}

#[tokio::test]
async fn a_change_is_asked_again_and_its_doubt_is_told() {
    let world = World::start().await;
    let mut counter = Counter::of(&world).await;
    // Node 1 has lost the lead; node 2 has it.
    world.script(1, always(|| refuse(refusal::Kind::NotLeader, 2)));
    let request = counter.request(receive(1));
    counter.client.receive_stock(request).await.unwrap();
    assert_eq!(world.node(2).received().len(), 1);

    world.script(2, always(|| refuse(refusal::Kind::OutcomeUnknown, 0)));
    let mut request = counter.request(receive(1));
    request.set_timeout(Duration::from_millis(500));
    let status = counter.client.receive_stock(request).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::OutcomeUnknown));
    let named = metadata_of(&status, METADATA_REQUEST_ID);
    assert_eq!(named.as_deref(), Some(ID));
}

#[tokio::test]
async fn what_the_shard_refuses_is_said() {
    let world = World::start().await;
    let mut counter = Counter::of(&world).await;
    let unknown = || storage::StockOutcome {
        site_unknown: true,
        ..storage::StockOutcome::default()
    };
    world.script(
        1,
        Arc::new(move |_| Act::Reply(write_reply(outcome::Body::Stock(unknown())))),
    );
    let request = counter.request(receive(1));
    let status = counter.client.receive_stock(request).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::UnknownSite));

    let conflict = || storage::CommandError {
        kind: storage::command_error::Kind::RequestIdConflict.into(),
        detail: String::new(),
    };
    world.script(
        1,
        Arc::new(move |_| Act::Reply(write_reply(outcome::Body::Error(conflict())))),
    );
    let request = counter.request(receive(1));
    let status = counter.client.receive_stock(request).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::RequestIdConflict));

    // A gateway asks, hears of no such site, and does not make one up.
    world.script(1, Arc::new(|command| Act::Reply(answer(command))));
    let request = counter.request(GetStockRequest {});
    let status = counter.client.get_stock(request).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::UnknownSite));
}

fn site() -> storage::SiteProfile {
    storage::SiteProfile {
        code: SITE.into(),
        name: "보승약국".into(),
        address: "서울특별시 용산구".into(),
        site_type: 1,
        region: "서울특별시".into(),
        ..storage::SiteProfile::default()
    }
}

fn sale(number: u8) -> SiteSaleRow {
    SiteSaleRow {
        request_id: vec![number; 16].into(),
        sold_at_ms: MIDNIGHT_MS + i64::from(number),
        sale: Some(storage::SiteSale {
            program: "mask".into(),
            product: "mask".into(),
            quantity: 2,
            kind: u32::from(number % 2),
            voided_at_ms: None,
            over_by: 0,
        }),
    }
}

/// Knows the site at noon of 11 March, and its sales in two pages.
fn open_shop(command: &ShardCommand) -> Act {
    let Some(shard_command::Body::Query(query)) = &command.body else {
        return Act::Reply(answer(command));
    };
    let found = match query.body.as_ref().unwrap() {
        query::Body::Stock(_) => query_reply::Body::Stock(StockAnswer {
            site: Some(site()),
            suspended: true,
            notice: "closed at 18:00".into(),
            products: vec![quorate_proto::internal::ProductStock {
                product: "mask".into(),
                stock: Some(stock()),
            }],
            clock_ms: NOON_MS,
        }),
        query::Body::SiteSales(page) => query_reply::Body::SiteSales(match &page.after[..] {
            b"" => SiteSalesAnswer {
                sales: vec![sale(1), sale(2)],
                next: b"2".to_vec().into(),
            },
            _ => SiteSalesAnswer {
                sales: vec![sale(3)],
                next: bytes::Bytes::new(),
            },
        }),
        _ => return Act::Reply(answer(command)),
    };
    Act::Reply(query_answer(found))
}

#[tokio::test]
async fn a_site_sees_its_stock() {
    let world = World::start().await;
    let mut counter = Counter::of(&world).await;
    world.script(1, Arc::new(open_shop));
    let request = counter.request(GetStockRequest {});
    let stock = counter
        .client
        .get_stock(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((&*stock.site_code, &*stock.site_type), (SITE, "01"));
    assert!(stock.suspended);
    assert_eq!(stock.notice, "closed at 18:00");
    assert_eq!(stock.products[0].adjusted, -2);
}

#[tokio::test]
async fn the_days_sales_come_page_by_page() {
    let world = World::start().await;
    let mut counter = Counter::of(&world).await;
    world.script(1, Arc::new(open_shop));
    for (date, from_ms) in [
        ("", MIDNIGHT_MS),
        ("2020-03-11", MIDNIGHT_MS),
        ("2020-03-10", MIDNIGHT_MS - DAY_MS),
    ] {
        let list = ListSiteSalesRequest { date: date.into() };
        let request = counter.request(list);
        let answers = counter.client.list_site_sales(request).await.unwrap();
        let mut answers = answers.into_inner();
        let mut kinds = Vec::new();
        while let Some(page) = answers.message().await.unwrap() {
            kinds.extend(page.sales.iter().map(|sale| sale.kind()));
        }
        assert_eq!(kinds, [SaleKind::Paper, SaleKind::Online, SaleKind::Paper]);
        let asked =
            world
                .node(1)
                .received()
                .into_iter()
                .filter_map(|command| match command.body? {
                    shard_command::Body::Query(query) => match query.body? {
                        query::Body::SiteSales(page) => {
                            Some((page.from_ms, page.to_ms, page.limit))
                        }
                        _ => None,
                    },
                    shard_command::Body::Write(_) => None,
                });
        assert_eq!(
            asked.last(),
            Some((from_ms, from_ms + DAY_MS, 500)),
            "{date}"
        );
    }
    for date in ["2020-03-09", "2020-03-12", "today"] {
        let list = ListSiteSalesRequest { date: date.into() };
        let request = counter.request(list);
        let status = counter.client.list_site_sales(request).await.unwrap_err();
        assert_eq!(reason_of(&status), Some(ErrorReason::InvalidField));
        let named = metadata_of(&status, METADATA_FIELD);
        assert_eq!(named.as_deref(), Some("date"));
    }
}

#[tokio::test]
async fn a_list_that_breaks_off_ends_with_an_error() {
    let world = World::start().await;
    let mut counter = Counter::of(&world).await;
    world.script(
        1,
        Arc::new(|command| match &command.body {
            Some(shard_command::Body::Query(query)) => match query.body.as_ref().unwrap() {
                query::Body::SiteSales(page) if !page.after.is_empty() => Act::Silence,
                _ => open_shop(command),
            },
            _ => open_shop(command),
        }),
    );
    let mut request = counter.request(ListSiteSalesRequest::default());
    request.set_timeout(Duration::from_millis(700));
    let answers = counter.client.list_site_sales(request).await.unwrap();
    let mut answers = answers.into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap().sales.len(), 2);
    answers.message().await.unwrap_err();
}
