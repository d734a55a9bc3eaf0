//! Stock, corrections and reports against gateways that fail on purpose.

use std::time::Duration;

use futures_util::StreamExt as _;
use quorate_client::{
    AdminError, ReadError, WriteError,
    model::{Adjustment, AdjustmentReason, Correction, NationalId, SaleKind},
    new_request_id,
};
use quorate_proto::{
    ids::{ProductId, ProgramId, RequestId, SiteCode},
    status::ErrorReason,
};

use super::gateway::{Act, Stage};

const TIME_LIMIT: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(700);

#[tokio::test]
async fn goods_in_are_sent_again_under_their_own_id_until_they_are_answered() {
    let stage = Stage::new();
    let script = vec![
        Act::Refuse(ErrorReason::ShardUnavailable),
        Act::Refuse(ErrorReason::OutcomeUnknown),
    ];
    let (gateway, address) = stage.gateway(script, Act::Grant).await;
    let terminal = stage.terminal(&[address]);
    let id = new_request_id(&stage.env);
    let product = ProductId::parse("kf-mask").ok();
    let changed = terminal.receive_stock(id, product, 250, TIME_LIMIT).await;
    let changed = changed.unwrap();
    assert_eq!(
        (changed.stock.received, &*changed.stock.product),
        (250, "kf-mask")
    );
    assert_eq!(gateway.seen(), vec![id.to_string(); 3]);
}

#[tokio::test]
async fn every_change_says_what_was_asked() {
    let stage = Stage::new();
    let (_, address) = stage.gateway(vec![], Act::Grant).await;
    let terminal = stage.terminal(&[address]);
    let id = || new_request_id(&stage.env);
    let adjustment = Adjustment {
        product: None,
        delta: -3,
        reason: AdjustmentReason::Other,
        note: "found".to_owned(),
    };
    let changed = terminal.adjust_stock(id(), &adjustment, TIME_LIMIT).await;
    let changed = changed.unwrap().stock;
    assert_eq!((changed.adjusted, &*changed.product), (-3, "5 found"));
    let changed = terminal.hold_stock(id(), None, 40, TIME_LIMIT).await;
    assert_eq!(changed.unwrap().stock.held, 40);
    let changed = terminal.stop_sales(id(), None, TIME_LIMIT).await;
    assert!(changed.unwrap().stock.sales_stopped);
    let changed = terminal.resume_sales(id(), None, TIME_LIMIT).await;
    assert!(!changed.unwrap().stock.sales_stopped);
    let sent = id();
    let set = terminal.set_notice(sent, "open", TIME_LIMIT).await.unwrap();
    assert_eq!(set.request_id, sent);
    let stock = terminal.stock(TIME_LIMIT).await.unwrap();
    assert_eq!(stock.site_code, "11000001");
}

#[tokio::test]
async fn a_gateway_that_hangs_leaves_a_change_unknown_and_a_look_unanswered() {
    let stage = Stage::new();
    let (_, address) = stage.gateway(vec![], Act::Hang).await;
    let terminal = stage.terminal(&[address]);
    let id = new_request_id(&stage.env);
    let answer = terminal.receive_stock(id, None, 1, SHORT).await;
    assert!(
        matches!(answer, Err(WriteError::OutcomeUnknown { request_id, .. }) if request_id == id)
    );
    let answer = terminal.stock(SHORT).await;
    assert!(matches!(answer, Err(ReadError::Unavailable(_))));
    let answer = terminal.site_sales(None, SHORT).await;
    assert!(matches!(answer.err(), Some(ReadError::Unavailable(_))));
}

#[tokio::test]
async fn a_list_is_asked_again_until_its_first_page_and_not_afterwards() {
    let stage = Stage::new();
    let script = vec![
        Act::Refuse(ErrorReason::ShardUnavailable),
        Act::Grant,
        Act::Refuse(ErrorReason::ShardUnavailable),
    ];
    let (gateway, address) = stage.gateway(script, Act::Grant).await;
    let terminal = stage.terminal(&[address]);
    let sales = terminal.site_sales(None, TIME_LIMIT).await.unwrap();
    let rows: Vec<_> = sales.collect().await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].as_ref().unwrap().kind, SaleKind::Paper);
    assert!(
        matches!(rows[1], Err(ReadError::Unavailable(_))),
        "{rows:?}"
    );
    assert_eq!(gateway.seen(), ["sales 1", "sales 1", "sales 2"]);

    let whole = terminal.site_sales(None, TIME_LIMIT).await.unwrap();
    assert_eq!(
        whole
            .filter(|row| std::future::ready(row.is_ok()))
            .count()
            .await,
        2
    );
}

#[tokio::test]
async fn a_report_that_breaks_off_says_so() {
    let stage = Stage::new();
    let script = vec![Act::Grant, Act::Refuse(ErrorReason::ShardUnavailable)];
    let (gateway, address) = stage.gateway(script, Act::Grant).await;
    let operator = stage.operator(&[stage.nobody().await, address]);
    let rows = operator.report_over_quota(None, None, TIME_LIMIT).await;
    let rows: Vec<_> = rows.unwrap().collect().await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].as_ref().unwrap().over_by, 1);
    assert!(
        matches!(rows[1], Err(AdminError::Unavailable(_))),
        "{rows:?}"
    );
    assert_eq!(gateway.seen(), ["over quota 1", "over quota 2"]);

    let program = ProgramId::parse("mask").unwrap();
    let first = "2020-03-09".parse().ok();
    let days = operator
        .report_daily(program, first, None, TIME_LIMIT)
        .await;
    let days: Vec<_> = days.unwrap().map(Result::unwrap).collect().await;
    let dates: Vec<_> = days.iter().map(|day| day.date.to_string()).collect();
    assert_eq!(dates, ["2020-03-09", "2020-03-10"]);
}

fn correction() -> Correction {
    Correction {
        citizen: NationalId::new(NationalId::KR_RRN, "900101-1234568"),
        program: ProgramId::parse("mask").unwrap(),
        sale_request_id: RequestId::from_bytes([9; 16]).unwrap(),
        reason: "typo".to_owned(),
        case_number: "C-1".to_owned(),
    }
}

#[tokio::test]
async fn a_correction_is_safe_to_repeat_and_says_its_doubt() {
    let stage = Stage::new();
    let script = vec![Act::Refuse(ErrorReason::OutcomeUnknown)];
    let (gateway, address) = stage.gateway(script, Act::Grant).await;
    let operator = stage.operator(&[address]);
    let id = new_request_id(&stage.env);
    let done = operator.correct_sale(id, &correction(), TIME_LIMIT).await;
    assert_eq!(done.unwrap().quantity, 2);
    assert_eq!(gateway.seen(), vec![id.to_string(); 2]);

    let (_, address) = stage.gateway(vec![], Act::Hang).await;
    let operator = stage.operator(&[address]);
    let answer = operator.correct_sale(id, &correction(), SHORT).await;
    assert!(
        matches!(answer, Err(WriteError::OutcomeUnknown { request_id, .. }) if request_id == id)
    );
}

#[tokio::test]
async fn a_suspension_is_told_apart_from_one_that_was_there() {
    let stage = Stage::new();
    let (_, address) = stage.gateway(vec![], Act::Grant).await;
    let operator = stage.operator(&[address]);
    let site = SiteCode::parse("11000001").unwrap();
    assert!(operator.suspend_site(site, true, TIME_LIMIT).await.unwrap());
    assert!(
        !operator
            .suspend_site(site, false, TIME_LIMIT)
            .await
            .unwrap()
    );
}
