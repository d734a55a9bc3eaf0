//! What gets in, what does not, and what is said about it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{sync::Arc, time::Duration};

use ed25519_dalek::SigningKey;
use quorate_proto::{
    internal::shard_command,
    status::{ErrorReason, METADATA_FIELD, metadata_of, reason_of},
    storage::command,
    v1::{
        Decision, GetChallengeRequest, ListSalesRequest, OpenSessionRequest, RecordRequest,
        VoidRequest, Warning, sessions_client::SessionsClient,
    },
};
use support::{CITIZEN, DEVICE, SITE, World, check, citizen, device_key, open_session, record};
use tonic::{Code, Request, Status};
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_client::HealthClient},
};

const ID: &str = "0190f3a2-7c1b-7d4e-8f00-1234567890ab";
const SECONDS: Duration = Duration::from_secs(4);

#[tokio::test]
async fn a_terminal_sells_checks_voids_and_lists() {
    let world = World::start().await;
    let mut terminal = world.ration().await;

    let request = terminal.request(record(ID), SECONDS);
    let response = terminal.client.record(request).await.unwrap().into_inner();
    assert_eq!(response.request_id, ID);
    let verdict = response.verdict.unwrap();
    assert_eq!(verdict.decision(), Decision::Granted);
    assert_eq!((verdict.remaining, verdict.limit), (0, 2));
    let position = verdict.position.unwrap();
    let proof = (
        position.shard,
        position.term,
        position.log_index,
        position.ordinal,
    );
    assert_eq!(proof, (1, 4, 5, 6));
    assert!(verdict.warnings.is_empty());

    // The shard learned the site from the session and the citizen as a key.
    let received = world.node(1).received().remove(0);
    assert_eq!(received.epoch, 1);
    assert!((3000..=4000).contains(&received.time_left_ms));
    let Some(shard_command::Body::Write(write)) = received.body else {
        panic!("not a write");
    };
    let Some(command::Body::Record(sale)) = write.body else {
        panic!("not a sale");
    };
    let site = sale.site.unwrap();
    assert_eq!((&*site.code, site.site_type), (SITE, 1));
    assert_eq!(
        (sale.citizen.len(), sale.claims.unwrap().birth_year),
        (16, 1990)
    );

    let request = terminal.request(check(), SECONDS);
    let response = terminal.client.check(request).await.unwrap().into_inner();
    assert_eq!(response.verdict.unwrap().remaining, 2);

    let void = VoidRequest {
        request_id: "0190f3a2-7c1b-7d4e-8f00-1234567890ac".into(),
        citizen: citizen(CITIZEN),
        program: "mask".into(),
        sale_request_id: ID.into(),
    };
    let request = terminal.request(void, SECONDS);
    let response = terminal.client.void(request).await.unwrap().into_inner();
    assert!(response.voided);

    let list = ListSalesRequest {
        citizen: citizen(CITIZEN),
        program: "mask".into(),
    };
    let request = terminal.request(list, SECONDS);
    let response = terminal.client.list_sales(request).await.unwrap();
    assert!(response.into_inner().purchases.is_empty());
}

#[tokio::test]
async fn a_wrong_check_digit_is_a_warning() {
    let world = World::start().await;
    let mut terminal = world.ration().await;
    let misread = RecordRequest {
        citizen: citizen("900101-1234567"),
        ..record(ID)
    };
    let request = terminal.request(misread, SECONDS);
    let response = terminal.client.record(request).await.unwrap().into_inner();
    let verdict = response.verdict.unwrap();
    assert_eq!(verdict.decision(), Decision::Granted);
    let warnings: Vec<_> = verdict.warnings().collect();
    assert_eq!(warnings, [Warning::IdChecksumMismatch]);
}

#[tokio::test]
async fn bad_input_is_named_by_reason_and_field() {
    let world = World::start().await;
    let mut terminal = world.ration().await;
    type Change = fn(&mut RecordRequest);
    use ErrorReason as R;
    let cases: [(Change, R, &str); 13] = [
        (|r| r.citizen = None, R::InvalidCitizenId, "citizen"),
        (
            |r| r.citizen = citizen("90010112"),
            R::InvalidCitizenId,
            "citizen.number",
        ),
        (
            |r| r.citizen = citizen("9001011234a68"),
            R::InvalidCitizenId,
            "citizen.number",
        ),
        (
            |r| r.citizen = citizen("900230-1234567"),
            R::InvalidCitizenId,
            "citizen.number",
        ),
        (
            |r| r.citizen = citizen("990101-3234567"),
            R::InvalidCitizenId,
            "citizen.number",
        ),
        (
            |r| r.citizen.as_mut().unwrap().scheme = "XX".into(),
            R::InvalidCitizenId,
            "citizen.scheme",
        ),
        (|r| r.quantity = 0, R::InvalidQuantity, "quantity"),
        (|r| r.request_id.clear(), R::InvalidRequestId, "request_id"),
        (
            |r| r.request_id = "17".into(),
            R::InvalidRequestId,
            "request_id",
        ),
        (
            |r| r.request_id = "00000000-0000-0000-0000-000000000000".into(),
            R::InvalidRequestId,
            "request_id",
        ),
        (|r| r.program.clear(), R::UnknownProgram, "program"),
        (|r| r.program = "Mask".into(), R::UnknownProgram, "program"),
        (|r| r.program = "m".repeat(33), R::UnknownProgram, "program"),
    ];
    for (change, reason, field) in cases {
        let mut message = record(ID);
        change(&mut message);
        let request = terminal.request(message, SECONDS);
        let status = terminal.client.record(request).await.unwrap_err();
        assert_eq!(reason_of(&status), Some(reason), "{status:?}");
        let named = metadata_of(&status, METADATA_FIELD);
        assert_eq!(named.as_deref(), Some(field), "{status:?}");
    }
    assert!(world.node(1).received().is_empty(), "no shard was bothered");
}

#[tokio::test]
async fn a_message_that_is_too_large_gets_our_reason() {
    let world = World::start().await;
    let mut terminal = world.ration().await;
    let large = RecordRequest {
        program: "m".repeat(65 << 10),
        ..record(ID)
    };
    let request = terminal.request(large, SECONDS);
    let status = terminal.client.record(request).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::MessageTooLarge));
    assert_eq!(status.code(), Code::ResourceExhausted);
}

fn with_token<T>(message: T, header: &str) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("authorization", header.parse().unwrap());
    request
}

#[tokio::test]
async fn only_a_session_of_this_cluster_opens_the_ration() {
    let world = World::start().await;
    let mut terminal = world.ration().await;
    let status = terminal.client.record(record(ID)).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::SessionMissing));
    for header in ["Basic abc", "Bearer"] {
        let request = with_token(record(ID), header);
        let status = terminal.client.record(request).await.unwrap_err();
        assert_eq!(reason_of(&status), Some(ErrorReason::SessionMissing));
    }
    let mut forged = terminal.token.clone();
    forged.replace_range(20..21, if &forged[20..21] == "A" { "B" } else { "A" });
    for token in [&*forged, "v4.local.AAAA", "rubbish"] {
        let request = with_token(record(ID), &format!("Bearer {token}"));
        let status = terminal.client.record(request).await.unwrap_err();
        assert_eq!(reason_of(&status), Some(ErrorReason::SessionInvalid));
    }
    assert!(world.node(1).received().is_empty());
}

async fn challenge(world: &World) -> (SessionsClient<tonic::transport::Channel>, bytes::Bytes) {
    let mut sessions = SessionsClient::new(world.terminal().await);
    let request = GetChallengeRequest {
        site_code: SITE.into(),
        device_id: DEVICE.into(),
    };
    let response = sessions.get_challenge(request).await.unwrap();
    (sessions, response.into_inner().challenge)
}

#[tokio::test]
async fn a_session_needs_the_devices_own_key() {
    let world = World::start().await;
    let (mut sessions, challenge) = challenge(&world).await;
    let good = open_session(challenge, &device_key());
    let response = sessions.open_session(good.clone()).await.unwrap();
    let response = response.into_inner();
    assert_eq!(
        (&*response.site_name, &*response.site_type),
        ("보승약국", "01")
    );

    let stranger = SigningKey::from_bytes(&[6; 32]);
    let cases: [(OpenSessionRequest, ErrorReason); 5] = [
        (
            open_session(good.challenge.clone(), &stranger),
            ErrorReason::UnknownDevice,
        ),
        (
            OpenSessionRequest {
                signature: bytes::Bytes::new(),
                ..good.clone()
            },
            ErrorReason::UnknownDevice,
        ),
        (
            OpenSessionRequest {
                device_id: "till-2".into(),
                ..good.clone()
            },
            ErrorReason::InvalidField,
        ),
        (
            OpenSessionRequest {
                site_code: "B".into(),
                ..good.clone()
            },
            ErrorReason::InvalidField,
        ),
        (
            OpenSessionRequest {
                challenge: bytes::Bytes::from_static(b"rubbish"),
                ..good
            },
            ErrorReason::InvalidField,
        ),
    ];
    for (request, reason) in cases {
        let status = sessions.open_session(request).await.unwrap_err();
        assert_eq!(reason_of(&status), Some(reason), "{status:?}");
    }
}

#[tokio::test]
async fn an_unknown_site_is_said() {
    let world = World::start().await;
    let mut sessions = SessionsClient::new(world.terminal().await);
    let request = GetChallengeRequest {
        site_code: "B".into(),
        device_id: DEVICE.into(),
    };
    let response = sessions.get_challenge(request).await.unwrap();
    let request = OpenSessionRequest {
        site_code: "B".into(),
        ..open_session(response.into_inner().challenge, &device_key())
    };
    let status = sessions.open_session(request).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::UnknownSite));
}

async fn health(world: &World) -> Result<ServingStatus, Status> {
    let mut health = HealthClient::new(world.terminal().await);
    let request = HealthCheckRequest {
        service: "quorate.v1.Ration".into(),
    };
    let response = health.check(request).await?.into_inner();
    Ok(match response.status {
        1 => ServingStatus::Serving,
        2 => ServingStatus::NotServing,
        _ => ServingStatus::Unknown,
    })
}

#[tokio::test]
async fn it_is_healthy_once_every_shard_has_had_a_leader() {
    let world = World::start_leaderless().await;
    assert_eq!(health(&world).await.unwrap(), ServingStatus::NotServing);
    world.elect(2, 1);
    for _ in 0..100 {
        if health(&world).await.unwrap() == ServingStatus::Serving {
            return;
        }
        world.env.sleep(Duration::from_millis(20)).await;
    }
    panic!("never healthy");
}

#[tokio::test]
async fn it_describes_what_it_serves_and_nothing_else() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let world = World::start().await;
    let mut client = ServerReflectionClient::new(world.terminal().await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let requests = futures_util::stream::iter([request]);
    let mut answers = client
        .server_reflection_info(requests)
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("not a list: {answer:?}");
    };
    let mut names: Vec<_> = list.service.into_iter().map(|s| s.name).collect();
    names.sort();
    let expected = [
        "grpc.health.v1.Health",
        "quorate.admin.v1.Admin",
        "quorate.v1.Ration",
        "quorate.v1.Sessions",
        "quorate.v1.Slips",
        "quorate.v1.Stock",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn stopping_lets_calls_end() {
    let world = World::start().await;
    let mut terminal = world.ration().await;
    #[expect(clippy::disallowed_methods, reason = "a slow node")]
    let answered = Arc::new(|command: &_| {
        std::thread::sleep(Duration::from_millis(200));
        support::node::Act::Reply(support::node::answer(command))
    });
    world.script(1, answered);
    let request = terminal.request(record(ID), SECONDS);
    let mut client = terminal.client.clone();
    let env = world.env.clone();
    let call = client.record(request);
    let stop = async {
        env.sleep(Duration::from_millis(50)).await;
        world.stop().await
    };
    let (response, stopped) = tokio::join!(call, stop);
    response.unwrap();
    stopped.unwrap();
    let request = terminal.request(record(ID), Duration::from_secs(1));
    assert!(terminal.client.record(request).await.is_err());
}
