//! What a site enters of its stock.

use anyhow::{Context as _, ensure};
use quorate_harness::cluster::Cluster;
use quorate_proto::{
    status::ErrorReason::{
        self, InvalidField, InvalidQuantity, InvalidRequestId, RequestIdConflict, SessionInvalid,
        SessionMissing,
    },
    v1::{
        AdjustStockRequest, AdjustmentReason, GetStockRequest, ListSiteSalesRequest,
        ReceiveStockRequest, SetHeldRequest, SetNoticeRequest, StopSalesRequest,
        stock_client::StockClient,
    },
};
use tonic::{Request, transport::Channel};

use crate::{
    new_id,
    wire::{Raw, expect},
};

/// One more than the largest change.
const TOO_MANY: u32 = 1_000_001;
const GOODS: u32 = 40;

fn client(raw: &Raw) -> StockClient<Channel> {
    StockClient::new(raw.channel.clone())
}

async fn found(raw: &Raw) -> anyhow::Result<quorate_proto::v1::GetStockResponse> {
    let request = raw.request(GetStockRequest {});
    Ok(client(raw).get_stock(request).await?.into_inner())
}

fn received(cluster: &Cluster, quantity: u32) -> ReceiveStockRequest {
    ReceiveStockRequest {
        request_id: new_id(cluster),
        product: String::new(),
        quantity,
    }
}

fn adjusted(cluster: &Cluster, delta: i32, reason: i32, note: &str) -> AdjustStockRequest {
    AdjustStockRequest {
        request_id: new_id(cluster),
        product: String::new(),
        delta,
        reason,
        note: note.to_owned(),
    }
}

pub(crate) async fn wrong_changes(raw: &Raw, cluster: &Cluster) -> anyhow::Result<()> {
    let mut client = client(raw);
    for quantity in [0, TOO_MANY, u32::MAX] {
        let request = raw.request(received(cluster, quantity));
        let error = client.receive_stock(request).await.expect_err("a quantity");
        expect(&error, InvalidQuantity, Some("quantity"), "");
    }
    for (request_id, product, reason, field) in [
        ("", "", InvalidRequestId, "request_id"),
        ("17", "", InvalidRequestId, "request_id"),
        (
            "00000000-0000-0000-0000-000000000000",
            "",
            InvalidRequestId,
            "request_id",
        ),
        (&*new_id(cluster), "soap", InvalidField, "product"),
        (&*new_id(cluster), "NO PRODUCT!", InvalidField, "product"),
    ] {
        let message = ReceiveStockRequest {
            request_id: request_id.to_owned(),
            product: product.to_owned(),
            quantity: 1,
        };
        let error = client.receive_stock(raw.request(message)).await;
        let error = error.expect_err("a request id or a product");
        expect(&error, reason, Some(field), product);
        let message = StopSalesRequest {
            request_id: request_id.to_owned(),
            product: product.to_owned(),
        };
        let error = client.stop_sales(raw.request(message)).await;
        let error = error.expect_err("a request id or a product");
        expect(&error, reason, Some(field), product);
    }

    let counted = AdjustmentReason::Counted.into();
    let other = AdjustmentReason::Other.into();
    let long = "x".repeat(201);
    for (delta, why, note, field) in [
        (0, counted, "", "delta"),
        (1_000_001, counted, "", "delta"),
        (-1_000_001, counted, "", "delta"),
        (i32::MIN, counted, "", "delta"),
        (1, 0, "", "reason"),
        (1, 99, "", "reason"),
        (1, other, "", "note"),
        (1, other, "   ", "note"),
        (1, other, &*long, "note"),
        (1, counted, "two\nlines", "note"),
    ] {
        let request = raw.request(adjusted(cluster, delta, why, note));
        let error = client
            .adjust_stock(request)
            .await
            .expect_err("an adjustment");
        expect(&error, InvalidField, Some(field), note.trim());
    }
    for held in [TOO_MANY, u32::MAX] {
        let message = SetHeldRequest {
            request_id: new_id(cluster),
            product: String::new(),
            held,
        };
        let error = client.set_held(raw.request(message)).await;
        expect(&error.expect_err("held"), InvalidField, Some("held"), "");
    }
    // 67 letters of three bytes each.
    let korean = "번".repeat(67);
    for notice in [&*long, &*korean, "a\u{7}b"] {
        let message = SetNoticeRequest {
            request_id: new_id(cluster),
            notice: notice.to_owned(),
        };
        let error = client.set_notice(raw.request(message)).await;
        let error = error.expect_err("a notice");
        expect(&error, InvalidField, Some("notice"), notice);
    }

    let stock = found(raw).await?;
    ensure!(stock.notice.is_empty(), "{stock:?}");
    let moved = stock
        .products
        .iter()
        .any(|product| product.received != 0 || product.adjusted != 0 || product.held != 0);
    ensure!(!moved, "something wrong was kept: {stock:?}");
    request_ids_used_again(raw, cluster).await?;
    without_a_session(raw, cluster).await;
    Ok(())
}

async fn request_ids_used_again(raw: &Raw, cluster: &Cluster) -> anyhow::Result<()> {
    let mut client = client(raw);
    let first = received(cluster, GOODS);
    client.receive_stock(raw.request(first.clone())).await?;
    let again = client.receive_stock(raw.request(first.clone())).await?;
    ensure!(again.into_inner().repeated_answer, "not told as a repeat");

    let other = ReceiveStockRequest {
        quantity: GOODS + 1,
        ..first.clone()
    };
    let error = client.receive_stock(raw.request(other)).await;
    expect(
        &error.expect_err("other content"),
        RequestIdConflict,
        None,
        "",
    );
    let another_kind = AdjustStockRequest {
        request_id: first.request_id.clone(),
        ..adjusted(cluster, 5, AdjustmentReason::Counted.into(), "")
    };
    let error = client.adjust_stock(raw.request(another_kind)).await;
    expect(
        &error.expect_err("another change"),
        RequestIdConflict,
        None,
        "",
    );
    let notice = SetNoticeRequest {
        request_id: first.request_id,
        notice: "tickets from 08:30".to_owned(),
    };
    let error = client.set_notice(raw.request(notice)).await;
    expect(
        &error.expect_err("another change"),
        RequestIdConflict,
        None,
        "",
    );

    let stock = found(raw).await?;
    let product = stock.products.first().context("a product")?;
    ensure!(
        (product.received, product.adjusted) == (GOODS.into(), 0) && stock.notice.is_empty(),
        "{stock:?}"
    );
    Ok(())
}

async fn without_a_session(raw: &Raw, cluster: &Cluster) {
    let mut client = client(raw);
    let error = client
        .receive_stock(Request::new(received(cluster, 1)))
        .await
        .expect_err("no token");
    expect(&error, SessionMissing, None, "");
    let error = client.get_stock(Request::new(GetStockRequest {})).await;
    expect(&error.expect_err("no token"), SessionMissing, None, "");
    let list = ListSiteSalesRequest::default();
    let error = client.list_site_sales(Request::new(list)).await;
    expect(&error.expect_err("no token"), SessionMissing, None, "");
    let foreign = Raw {
        channel: raw.channel.clone(),
        token: raw.token.chars().rev().collect(),
    };
    let request = foreign.request(received(cluster, 1));
    let error = client.receive_stock(request).await;
    expect(
        &error.expect_err("a foreign token"),
        SessionInvalid,
        None,
        &foreign.token,
    );
}

pub(crate) async fn wrong_dates(raw: &Raw, cluster: &Cluster) -> anyhow::Result<()> {
    let ask = async |date: &str| {
        let list = ListSiteSalesRequest {
            date: date.to_owned(),
        };
        let mut sales = client(raw)
            .list_site_sales(raw.request(list))
            .await?
            .into_inner();
        sales.message().await
    };
    let zone = jiff::tz::TimeZone::get("Asia/Seoul").context("the program's zone")?;
    let now = jiff::Timestamp::from_millisecond(cluster.env.unix_ms())?;
    let today = now.to_zoned(zone).date();
    // A day apart from what is kept: the test may run over midnight.
    let gone = today.checked_sub(jiff::Span::new().days(3))?.to_string();
    let to_come = today.checked_add(jiff::Span::new().days(3))?.to_string();
    for date in [
        &*gone,
        &*to_come,
        "2020-03-11",
        "11.3.2020",
        "2020-02-30",
        "today",
        "-9999-01-01",
    ] {
        let reason: ErrorReason = InvalidField;
        let error = ask(date).await.expect_err(date);
        expect(&error, reason, Some("date"), "");
    }
    for date in [String::new(), today.yesterday()?.to_string()] {
        ask(&date).await?;
    }
    Ok(())
}
