//! What operators report and set right, in front of scripted nodes with several shards.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use quorate_link::Role;
use quorate_proto::{
    admin::{
        CorrectSaleRequest, ListCitizenSalesRequest, ReportDailyRequest, ReportOverQuotaRequest,
        SuspendSiteRequest, admin_client::AdminClient,
    },
    internal::{
        DailyAnswer, DailyRow, ListAnswer, OverQuotaAnswer, OverQuotaRow, ShardCommand,
        SiteSaleRow, query, query_reply, shard_command,
    },
    status::{ErrorReason, METADATA_FIELD, metadata_of, reason_of},
    storage::{self, command, outcome},
    v1::SaleKind,
};
use support::{
    CITIZEN, SITE, World, citizen,
    node::{Act, answer, query_answer, write_reply},
};
use tonic::{Request, transport::Channel};

const ID: &str = "0190f3a2-7c1b-7d4e-8f00-1234567890ab";
const SALE: &str = "0190f3a2-7c1b-7d4e-8f00-1234567890ac";

async fn operator(world: &World) -> AdminClient<Channel> {
    AdminClient::new(world.as_role(Role::Operator("kim".into())).await)
}

fn query_of(command: &ShardCommand) -> Option<&query::Body> {
    match command.body.as_ref()? {
        shard_command::Body::Query(query) => query.body.as_ref(),
        shard_command::Body::Write(_) => None,
    }
}

#[tokio::test]
async fn a_site_is_suspended_and_lifted() {
    let world = World::start().await;
    let mut client = operator(&world).await;
    let suspend = |suspended| SuspendSiteRequest {
        site_code: SITE.into(),
        suspended,
    };
    let done = client.suspend_site(suspend(true)).await.unwrap();
    assert!(done.into_inner().changed);
    let sent = world.node(1).received().remove(0).body;
    let Some(shard_command::Body::Write(write)) = sent else {
        panic!("not a write");
    };
    let expected = storage::SuspendSite {
        site_code: SITE.into(),
        suspended: true,
    };
    assert_eq!(write.body, Some(command::Body::SuspendSite(expected)));

    type Change = fn(&mut storage::StockOutcome);
    let script = |change: Change| {
        let mut outcome = storage::StockOutcome::default();
        change(&mut outcome);
        let act = move |_: &_| Act::Reply(write_reply(outcome::Body::Stock(outcome.clone())));
        world.script(1, Arc::new(act));
    };
    script(|outcome| outcome.repeated_answer = true);
    let done = client.suspend_site(suspend(true)).await.unwrap();
    assert!(!done.into_inner().changed);
    script(|outcome| outcome.site_unknown = true);
    let status = client.suspend_site(suspend(false)).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::UnknownSite));
    let wrong = SuspendSiteRequest {
        site_code: "no good".into(),
        suspended: true,
    };
    let status = client.suspend_site(wrong).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::InvalidField));
}

#[tokio::test]
async fn a_persons_sales_show_where_when_and_how() {
    let world = World::start().await;
    let mut client = operator(&world).await;
    let sale = storage::Sale {
        request_id: Bytes::from_static(&[7; 16]),
        quantity: 3,
        site_code: SITE.into(),
        site_type: 2,
        region: "부산광역시".into(),
        kind: 1,
        over_by: 1,
        irregularity: 2,
        void_attempts: vec![storage::VoidAttempt {
            decided_at_ms: 9000,
            correction: Some(storage::Correction {
                case_number: "C-1".into(),
                reason: "typo".into(),
                operator: "kim".into(),
            }),
            ..storage::VoidAttempt::default()
        }],
        ..storage::Sale::default()
    };
    world.script(
        1,
        Arc::new(move |_| {
            let sales = vec![sale.clone()];
            Act::Reply(query_answer(query_reply::Body::List(ListAnswer { sales })))
        }),
    );
    let request = ListCitizenSalesRequest {
        citizen: citizen(CITIZEN),
        program: "mask".into(),
    };
    let answer = client.list_citizen_sales(request).await.unwrap();
    let bought = answer.into_inner().purchases.remove(0);
    assert_eq!((&*bought.site_type, &*bought.region), ("02", "부산광역시"));
    assert_eq!((bought.kind(), bought.over_by), (SaleKind::Paper, 1));
    assert_eq!(bought.void_case_number, "C-1");
    assert!(bought.voided_at.is_some() && !bought.own_site);
    assert_eq!(
        bought.product, "mask",
        "the program's first product is named"
    );

    let nobody = ListCitizenSalesRequest::default();
    let status = client.list_citizen_sales(nobody).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::InvalidCitizenId));
}

fn correct() -> CorrectSaleRequest {
    CorrectSaleRequest {
        request_id: ID.into(),
        citizen: citizen(CITIZEN),
        program: "mask".into(),
        sale_request_id: SALE.into(),
        reason: "the clerk mistyped the number".into(),
        case_number: "C-2020/17".into(),
    }
}

#[tokio::test]
async fn a_correction_carries_its_reason_its_case_and_the_operator() {
    let world = World::start().await;
    let mut client = operator(&world).await;
    let answer = client.correct_sale(correct()).await.unwrap().into_inner();
    let result = answer.result.unwrap();
    assert!(result.voided);
    assert_eq!((&*result.request_id, result.quantity), (ID, 2));
    let sent = world.node(1).received().remove(0).body;
    let Some(shard_command::Body::Write(write)) = sent else {
        panic!("not a write");
    };
    let Some(command::Body::Void(void)) = write.body else {
        panic!("not a void");
    };
    assert_eq!((&*void.site_code, void.citizen.len()), ("", 16));
    let correction = void.correction.unwrap();
    assert_eq!(correction.operator, "kim");
    assert_eq!(correction.case_number, "C-2020/17");
    assert_eq!(correction.reason, "the clerk mistyped the number");

    type Change = fn(&mut CorrectSaleRequest);
    use ErrorReason as R;
    let cases: [(Change, R, &str); 9] = [
        (|r| r.request_id.clear(), R::InvalidRequestId, "request_id"),
        (
            |r| r.sale_request_id = "17".into(),
            R::InvalidRequestId,
            "sale_request_id",
        ),
        (|r| r.reason.clear(), R::InvalidField, "reason"),
        (|r| r.reason = "x".repeat(201), R::InvalidField, "reason"),
        (
            |r| r.case_number = " ".into(),
            R::InvalidField,
            "case_number",
        ),
        (
            |r| r.case_number = "x".repeat(65),
            R::InvalidField,
            "case_number",
        ),
        (|r| r.citizen = None, R::InvalidCitizenId, "citizen"),
        (
            |r| r.citizen = citizen("123"),
            R::InvalidCitizenId,
            "citizen.number",
        ),
        (|r| r.program = "Mask".into(), R::UnknownProgram, "program"),
    ];
    for (change, reason, field) in cases {
        let mut request = correct();
        change(&mut request);
        let status = client.correct_sale(request).await.unwrap_err();
        assert_eq!(reason_of(&status), Some(reason), "{status:?}");
        let named = metadata_of(&status, METADATA_FIELD);
        assert_eq!(named.as_deref(), Some(field), "{status:?}");
        assert!(!status.message().contains("123"), "{status:?}");
    }
    assert_eq!(
        world.node(1).received().len(),
        1,
        "no shard was bothered again"
    );
}

fn paper_sale(shard: u32, number: u8) -> OverQuotaRow {
    OverQuotaRow {
        site: Some(storage::SiteProfile {
            code: format!("{shard}-{number}"),
            name: "약국".into(),
            site_type: 1,
            region: "서울특별시".into(),
            ..storage::SiteProfile::default()
        }),
        sale: Some(SiteSaleRow {
            request_id: vec![number; 16].into(),
            sold_at_ms: 5000,
            sale: Some(storage::SiteSale {
                program: "mask".into(),
                product: "mask".into(),
                quantity: 4,
                kind: 1,
                voided_at_ms: None,
                over_by: 2,
            }),
        }),
    }
}

/// Shard 2 has two pages, shard 3 nothing, the others one row each.
fn over_quota(command: &ShardCommand) -> Act {
    let Some(query::Body::OverQuota(page)) = query_of(command) else {
        return Act::Reply(answer(command));
    };
    let shard = command.shard;
    let (numbers, next): (&[u8], &'static [u8]) = match (shard, &page.after[..]) {
        (2, b"") => (&[1, 2], b"2"),
        (2, _) => (&[3], b""),
        (3, _) => (&[], b""),
        _ => (&[1], b""),
    };
    let sales = numbers.iter().map(|number| paper_sale(shard, *number));
    Act::Reply(query_answer(query_reply::Body::OverQuota(
        OverQuotaAnswer {
            sales: sales.collect(),
            next: Bytes::from_static(next),
        },
    )))
}

fn report() -> Request<ReportOverQuotaRequest> {
    let mut request = Request::new(ReportOverQuotaRequest::default());
    request.set_timeout(Duration::from_secs(4));
    request
}

#[tokio::test]
async fn sales_beyond_the_ration_come_shard_by_shard() {
    let world = World::start_sharded(12).await;
    let mut client = operator(&world).await;
    world.script(1, Arc::new(over_quota));
    let answers = client.report_over_quota(report()).await.unwrap();
    let mut answers = answers.into_inner();
    let mut sites = Vec::new();
    while let Some(page) = answers.message().await.unwrap() {
        assert!(!page.sales.is_empty());
        sites.extend(page.sales.into_iter().map(|sale| {
            assert_eq!((sale.quantity, sale.over_by), (4, 2));
            sale.site_code
        }));
    }
    let expected = [
        "1-1", "2-1", "2-2", "2-3", "4-1", "5-1", "6-1", "7-1", "8-1", "9-1", "10-1", "11-1",
        "12-1",
    ];
    assert_eq!(sites, expected);

    let backwards = ReportOverQuotaRequest {
        from: Some(prost_types::Timestamp::default()),
        to: Some(prost_types::Timestamp::default()),
    };
    let status = client.report_over_quota(backwards).await.unwrap_err();
    let field = metadata_of(&status, METADATA_FIELD);
    assert_eq!(field.as_deref(), Some("to"));
}

#[tokio::test]
async fn a_shard_that_cannot_be_read_ends_the_report_by_name() {
    let world = World::start_sharded(4).await;
    let mut client = operator(&world).await;
    world.script(
        1,
        Arc::new(|command| match (command.shard, query_of(command)) {
            (3, Some(query::Body::OverQuota(_) | query::Body::Daily(_))) => Act::Silence,
            _ => over_quota(command),
        }),
    );
    let mut request = report();
    request.set_timeout(Duration::from_secs(1));
    let answers = client.report_over_quota(request).await.unwrap();
    let mut answers = answers.into_inner();
    let mut rows = 0;
    let status = loop {
        match answers.message().await {
            Ok(page) => rows += page.expect("an error before the end").sales.len(),
            Err(status) => break status,
        }
    };
    assert_eq!(rows, 4, "of the shards before it");
    assert!(status.message().contains("shard 3"), "{status:?}");
    assert!(reason_of(&status).is_some(), "{status:?}");

    let mut request = Request::new(ReportDailyRequest {
        program: "mask".into(),
        ..ReportDailyRequest::default()
    });
    request.set_timeout(Duration::from_secs(1));
    let answers = client.report_daily(request).await.unwrap();
    let status = answers.into_inner().message().await.unwrap_err();
    assert!(status.message().contains("shard 3"), "{status:?}");
}

/// Every shard counts the same two days; the even ones a third one, on a page of its own.
fn daily(command: &ShardCommand) -> Act {
    let Some(query::Body::Daily(page)) = query_of(command) else {
        return Act::Reply(answer(command));
    };
    assert_eq!((page.first_date, page.last_date), (20_200_309, 20_200_331));
    let row = |date, region: &str| DailyRow {
        date,
        site_type: 1,
        region: region.into(),
        counts: Some(storage::DayCounts {
            online_sales: 3,
            online_units: 5,
            denials: vec![0, 1, 0, 0, 2],
            ..storage::DayCounts::default()
        }),
    };
    let (days, next) = match (command.shard % 2, page.after.is_empty()) {
        (0, true) => (vec![row(20_200_309, "A"), row(20_200_310, "A")], "more"),
        (0, false) => (vec![row(20_200_310, "B")], ""),
        _ => (vec![row(20_200_309, "A"), row(20_200_310, "A")], ""),
    };
    Act::Reply(query_answer(query_reply::Body::Daily(DailyAnswer {
        days,
        next: Bytes::from_static(next.as_bytes()),
    })))
}

#[tokio::test]
async fn days_are_added_up_over_all_shards() {
    let world = World::start_sharded(10).await;
    let mut client = operator(&world).await;
    world.script(1, Arc::new(daily));
    let request = ReportDailyRequest {
        program: "mask".into(),
        first_date: "2020-03-09".into(),
        last_date: "2020-03-31".into(),
    };
    let answers = client.report_daily(request).await.unwrap();
    let mut answers = answers.into_inner();
    let mut days = Vec::new();
    while let Some(page) = answers.message().await.unwrap() {
        days.extend(page.days);
    }
    let rows: Vec<_> = days
        .iter()
        .map(|day| (&*day.date, &*day.region, day.online_sales, day.online_units))
        .collect();
    let expected = [
        ("2020-03-09", "A", 30, 50),
        ("2020-03-10", "A", 30, 50),
        ("2020-03-10", "B", 15, 25),
    ];
    assert_eq!(rows, expected);
    let denials: Vec<_> = days[0]
        .denials
        .iter()
        .map(|denial| (&*denial.reason, denial.count))
        .collect();
    let expected = [
        ("DENIAL_REASON_OVER_LIMIT", 10),
        ("DENIAL_REASON_PROGRAM_CLOSED", 20),
    ];
    assert_eq!(denials, expected);

    let unknown = ReportDailyRequest {
        program: "soap".into(),
        ..ReportDailyRequest::default()
    };
    let status = client.report_daily(unknown).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::UnknownProgram));
}
