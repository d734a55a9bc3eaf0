//! The client against gateways that fail on purpose: what is sent again and what is not, where it is sent,
//! and what the caller is told when no answer comes.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "scripted/gateway.rs"]
mod gateway;
#[path = "scripted/keeping.rs"]
mod keeping;
#[path = "scripted/operators.rs"]
mod operators;
#[path = "scripted/stock.rs"]
mod stock;

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use quorate_client::{
    AdminError, IMPORT_BATCH_SITES, ReadError, SessionError, Terminal, WriteError,
    model::{Decision, NationalId, Recorded, Sale, Site},
    new_request_id,
    retry::Budget,
};
use quorate_proto::{
    ids::{ProgramId, RequestId, SiteCode, SiteType},
    status::ErrorReason,
};

use gateway::{Act, Stage};

const TIME_LIMIT: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(700);

fn sale() -> Sale {
    let citizen = NationalId::new(NationalId::KR_RRN, "900101-1234568");
    Sale::new(citizen, ProgramId::parse("mask").unwrap(), 1)
}

async fn record(
    stage: &Stage,
    terminal: &Terminal,
    time_limit: Duration,
) -> (RequestId, Result<Recorded, WriteError>) {
    let request_id = new_request_id(&stage.env);
    let answer = terminal.record(request_id, &sale(), time_limit).await;
    (request_id, answer)
}

#[tokio::test]
async fn a_sale_is_sent_again_under_its_own_id_until_it_is_answered() {
    let stage = Stage::new();
    let script = vec![
        Act::Refuse(ErrorReason::ShardUnavailable),
        Act::Refuse(ErrorReason::OutcomeUnknown),
        Act::Refuse(ErrorReason::Overloaded),
    ];
    let (gateway, address) = stage.gateway(script, Act::Grant).await;
    let terminal = stage.terminal(&[address]);
    let (request_id, answer) = record(&stage, &terminal, TIME_LIMIT).await;
    assert_eq!(answer.unwrap().verdict.decision, Decision::Granted);
    assert_eq!(gateway.seen(), vec![request_id.to_string(); 4]);
    assert_eq!(gateway.logins(), 1);
}

#[tokio::test]
async fn what_the_table_calls_final_is_not_sent_again() {
    let stage = Stage::new();
    for reason in ErrorReason::ALL.iter().copied() {
        let over = matches!(
            reason,
            ErrorReason::SessionExpired | ErrorReason::SessionInvalid
        );
        if reason.retryable() || over {
            continue;
        }
        let (gateway, address) = stage.gateway(vec![], Act::Refuse(reason)).await;
        let terminal = stage.terminal(&[address]);
        let (_, answer) = record(&stage, &terminal, TIME_LIMIT).await;
        assert!(answer.is_err());
        assert_eq!(gateway.seen().len(), 1, "{reason:?}");
    }
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_passed_over() {
    let stage = Stage::new();
    let (gateway, address) = stage.gateway(vec![], Act::Grant).await;
    let terminal = stage.terminal(&[stage.nobody().await, stage.nobody().await, address]);
    for _ in 0..3 {
        let (_, answer) = record(&stage, &terminal, TIME_LIMIT).await;
        answer.unwrap();
    }
    assert_eq!(gateway.seen().len(), 3);
}

#[tokio::test]
async fn without_any_gateway_nothing_was_recorded() {
    let stage = Stage::new();
    let terminal = stage.terminal(&[stage.nobody().await]);
    let (_, answer) = record(&stage, &terminal, SHORT).await;
    let error = answer.unwrap_err();
    assert!(
        matches!(error, WriteError::Session(SessionError::Unavailable(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_session_that_is_over_is_replaced_once() {
    let stage = Stage::new();
    let expired = || Act::Refuse(ErrorReason::SessionExpired);
    let (gateway, address) = stage.gateway(vec![expired()], Act::Grant).await;
    let (request_id, answer) = record(&stage, &stage.terminal(&[address]), TIME_LIMIT).await;
    answer.unwrap();
    assert_eq!(gateway.seen(), vec![request_id.to_string(); 2]);
    assert_eq!(gateway.logins(), 2);

    let (gateway, address) = stage.gateway(vec![], expired()).await;
    let (_, answer) = record(&stage, &stage.terminal(&[address]), TIME_LIMIT).await;
    assert!(matches!(answer, Err(WriteError::Rejected(_))));
    assert_eq!(gateway.logins(), 2);
}

#[tokio::test]
async fn many_calls_share_one_login() {
    let stage = Stage::new();
    let (gateway, address) = stage.gateway(vec![], Act::Grant).await;
    let terminal = stage.terminal(&[address]);
    let answers: Vec<_> = stream::iter(0..200)
        .map(|_| record(&stage, &terminal, TIME_LIMIT))
        .buffer_unordered(100)
        .collect()
        .await;
    assert!(answers.iter().all(|(_, answer)| answer.is_ok()));
    assert_eq!(gateway.logins(), 1);
}

#[tokio::test]
async fn a_gateway_that_hangs_leaves_a_sale_unknown_and_a_check_unanswered() {
    let stage = Stage::new();
    let (_, address) = stage.gateway(vec![], Act::Hang).await;
    let terminal = stage.terminal(&[address]);
    let (sent, answer) = record(&stage, &terminal, SHORT).await;
    assert!(
        matches!(answer, Err(WriteError::OutcomeUnknown { request_id, .. }) if request_id == sent)
    );
    let answer = terminal.check(&sale(), SHORT).await;
    assert!(matches!(answer, Err(ReadError::Unavailable(_))));
}

#[tokio::test]
async fn a_doubt_is_not_forgotten() {
    let stage = Stage::new();
    let script = vec![Act::Refuse(ErrorReason::OutcomeUnknown)];
    // Every later attempt is certain to have done nothing; the first may have recorded it.
    let afterwards = Act::Refuse(ErrorReason::ShardUnavailable);
    let (gateway, address) = stage.gateway(script, afterwards).await;
    let (_, answer) = record(&stage, &stage.terminal(&[address]), SHORT).await;
    assert!(matches!(answer, Err(WriteError::OutcomeUnknown { .. })));
    assert!(gateway.seen().len() > 1);

    let (_, address) = stage
        .gateway(vec![], Act::Refuse(ErrorReason::ShardUnavailable))
        .await;
    let (_, answer) = record(&stage, &stage.terminal(&[address]), SHORT).await;
    assert!(matches!(answer, Err(WriteError::Unavailable(_))));
}

#[tokio::test]
async fn the_service_says_when_to_come_back() {
    let stage = Stage::new();
    let asked = Duration::from_millis(400);
    let script = vec![Act::RefuseFor(ErrorReason::Overloaded, asked)];
    let (_, address) = stage.gateway(script, Act::Grant).await;
    let terminal = stage.terminal(std::slice::from_ref(&address));
    let start = stage.env.monotonic();
    record(&stage, &terminal, TIME_LIMIT).await.1.unwrap();
    assert!(stage.env.monotonic() - start >= asked);

    // Beyond the deadline nobody waits: the caller hears at once.
    let hour = Duration::from_secs(3600);
    let afterwards = Act::RefuseFor(ErrorReason::Overloaded, hour);
    let (_, address) = stage.gateway(vec![], afterwards).await;
    let terminal = stage.terminal(&[address]);
    let start = stage.env.monotonic();
    let (_, answer) = record(&stage, &terminal, TIME_LIMIT).await;
    let Err(WriteError::Unavailable(outage)) = answer else {
        panic!("nothing was done: {answer:?}");
    };
    assert_eq!(outage.retry_after, Some(hour));
    assert!(stage.env.monotonic() - start < TIME_LIMIT / 2);
}

#[tokio::test]
async fn an_outage_is_not_made_worse() {
    let stage = Stage::new();
    let (gateway, address) = stage
        .gateway(vec![], Act::Refuse(ErrorReason::Overloaded))
        .await;
    let terminal = stage.terminal(&[address]);
    let calls = 500;
    let answers: Vec<_> = stream::iter(0..calls)
        .map(|_| record(&stage, &terminal, SHORT))
        .buffer_unordered(100)
        .collect()
        .await;
    assert!(answers.iter().all(|(_, answer)| answer.is_err()));
    let allowed = calls + calls / 10 + Budget::BURST as usize;
    let seen = gateway.seen().len();
    assert!((calls..=allowed).contains(&seen), "{seen} of {allowed}");
}

#[tokio::test]
async fn a_stranger_cannot_log_in() {
    let (stage, other) = (Stage::new(), Stage::new());
    let (_, address) = other.gateway(vec![], Act::Grant).await;
    // The gateway's certificate is of another authority: to this terminal, nobody is there.
    let terminal = stage.terminal(&[address]);
    let answer = terminal.log_in(SHORT).await;
    assert!(matches!(answer, Err(SessionError::Unavailable(_))));
}

#[tokio::test]
async fn an_import_goes_on_where_its_stream_broke() {
    let stage = Stage::new();
    let sites = sites(2 * IMPORT_BATCH_SITES + 1);
    let broken = Act::Refuse(ErrorReason::ShardUnavailable);
    let script = vec![Act::Grant, broken];
    let (gateway, address) = stage.gateway(script, Act::Grant).await;
    let operator = stage.operator(&[stage.nobody().await, address]);
    let mut progress = Vec::new();
    let changes = operator
        .import_sites(&sites, TIME_LIMIT, |done| progress.push(done))
        .await
        .unwrap();
    assert_eq!(changes.added as usize, sites.len());
    let batches = [0, IMPORT_BATCH_SITES, 2 * IMPORT_BATCH_SITES];
    let code = |index: usize| sites[index].code.to_string();
    let [first, second, third] = batches.map(code);
    assert_eq!(gateway.seen(), [first, second.clone(), second, third]);
    assert_eq!(
        progress,
        [IMPORT_BATCH_SITES, 2 * IMPORT_BATCH_SITES, sites.len()]
    );
}

#[tokio::test]
async fn an_import_that_is_refused_stops_and_says_where() {
    let stage = Stage::new();
    let sites = sites(2 * IMPORT_BATCH_SITES);
    let refused = Act::Refuse(ErrorReason::InvalidField);
    let (gateway, address) = stage.gateway(vec![Act::Grant], refused).await;
    let error = stage
        .operator(&[address])
        .import_sites(&sites, TIME_LIMIT, |_| {})
        .await
        .unwrap_err();
    assert_eq!(error.sites_done, IMPORT_BATCH_SITES);
    assert!(matches!(error.source, AdminError::Rejected(_)), "{error}");
    assert_eq!(gateway.seen().len(), 2);
}

fn sites(count: usize) -> Vec<Site> {
    let site = |number| Site {
        code: SiteCode::parse(&format!("{number}")).unwrap(),
        name: "a shop".to_owned(),
        address: "a street".to_owned(),
        site_type: SiteType::PHARMACY,
        coordinates: None,
        region: String::new(),
    };
    (0..count).map(site).collect()
}
