//! Slips that are handed in: every outcome, every rejection, and what a stuck shard holds up.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{collections::BTreeMap, sync::Arc};

use ed25519_dalek::{Signer as _, SigningKey};
use futures_util::{StreamExt as _, stream};
use prost_types::Timestamp;
use quorate_link::{SealingKey, SealingSecret};
use quorate_proto::{
    ids::RequestId,
    internal::{ShardCommand, refusal, shard_command},
    slip::signed_bytes,
    status::{ErrorReason, reason_of},
    storage::{self, command, outcome},
    v1::{
        Slip, SlipOutcome, SlipRejection, UploadSlipsRequest, UploadSlipsResponse, Warning,
        slips_client::SlipsClient,
    },
};
use support::{
    CITIZEN, DEVICE, SITE, World, device_key,
    node::{Act, answer, refuse, write_reply},
};
use tonic::Request;

/// The gateway's keys, as the world configures them: the second is the older one.
fn sealing(byte: u8) -> SealingKey {
    SealingSecret::from_bytes(&[byte; 32]).public().clone()
}

fn request_id(number: u8) -> RequestId {
    RequestId::from_bytes([number; 16]).unwrap()
}

/// An authentic slip. Its number is its sequence and its request id.
fn slip(world: &World, number: u8) -> Slip {
    sealed(world, number, CITIZEN, &sealing(6))
}

fn sealed(world: &World, number: u8, citizen: &str, key: &SealingKey) -> Slip {
    let id = request_id(number);
    let mut slip = Slip {
        site_code: SITE.into(),
        device_id: DEVICE.into(),
        sequence: number.into(),
        request_id: id.to_string(),
        program: "mask".into(),
        product: String::new(),
        quantity: 2,
        sold_at: Some(Timestamp {
            seconds: 1_583_886_300,
            nanos: 250_000_000,
        }),
        proxy_ground: "age".into(),
        sealing_key_id: key.id().to_owned(),
        sealed_citizen: key.seal("KR-RRN", citizen, id, &world.env).unwrap().into(),
        signature: Default::default(),
    };
    sign(&mut slip, &device_key());
    slip
}

fn sign(slip: &mut Slip, key: &SigningKey) {
    slip.signature = key.sign(&signed_bytes(slip)).to_bytes().to_vec().into();
}

/// An authentic slip with something changed before it was signed.
fn changed(world: &World, number: u8, change: impl FnOnce(&mut Slip)) -> Slip {
    let mut slip = slip(world, number);
    change(&mut slip);
    sign(&mut slip, &device_key());
    slip
}

async fn upload(world: &World, slips: Vec<Slip>) -> BTreeMap<u64, UploadSlipsResponse> {
    let messages = slips
        .into_iter()
        .map(|slip| UploadSlipsRequest { slip: Some(slip) });
    let mut request = Request::new(stream::iter(messages.collect::<Vec<_>>()));
    let bearer = format!("Bearer {}", world.token().await);
    let metadata = request.metadata_mut();
    metadata.insert("authorization", bearer.parse().unwrap());
    let mut client = SlipsClient::new(world.terminal().await);
    let answers = client.upload_slips(request).await.unwrap().into_inner();
    let answers: Vec<_> = answers.map(Result::unwrap).collect().await;
    let count = answers.len();
    let by_sequence: BTreeMap<_, _> = answers.into_iter().map(|a| (a.sequence, a)).collect();
    assert_eq!(by_sequence.len(), count, "each slip is answered once");
    by_sequence
}

fn slip_of(command: &ShardCommand) -> Option<storage::RecordSlip> {
    match command.body.clone()? {
        shard_command::Body::Write(write) => match write.body? {
            command::Body::RecordSlip(slip) => Some(slip),
            _ => None,
        },
        shard_command::Body::Query(_) => None,
    }
}

fn decided(outcome: storage::SlipOutcome) -> Act {
    Act::Reply(write_reply(outcome::Body::Slip(outcome)))
}

fn accepted() -> storage::SlipOutcome {
    storage::SlipOutcome {
        outcome: SlipOutcome::Accepted as u32,
        remaining: 1,
        ..storage::SlipOutcome::default()
    }
}

/// Node 1 answers slips as `decide` says, by sequence, and everything else as usual.
fn script(world: &World, decide: impl Fn(u64) -> Act + Send + Sync + 'static) {
    let script = move |command: &ShardCommand| match slip_of(command) {
        Some(slip) => decide(slip.sequence),
        None => Act::Reply(answer(command)),
    };
    world.script(1, Arc::new(script));
}

fn recorded(world: &World) -> Vec<storage::RecordSlip> {
    let received = world.node(1).received();
    received.iter().filter_map(slip_of).collect()
}

#[tokio::test]
async fn an_authentic_slip_reaches_its_citizens_shard_as_it_was_written() {
    let world = World::start().await;
    script(&world, |_| decided(accepted()));
    let answers = upload(&world, vec![slip(&world, 7)]).await;
    let answer = &answers[&7];
    assert_eq!(answer.outcome(), SlipOutcome::Accepted, "{answer:?}");
    assert_eq!(answer.request_id, request_id(7).to_string());
    assert_eq!(answer.remaining, 1);
    assert_eq!(answer.position.as_ref().unwrap().log_index, 5);
    assert!(answer.warnings.is_empty());

    let command = recorded(&world).remove(0);
    assert_eq!(command.request_id, [7; 16].as_slice());
    assert_eq!(command.citizen.len(), 16);
    assert_eq!((&*command.program, command.quantity), ("mask", 2));
    assert_eq!(command.claims.unwrap().birth_year, 1990);
    assert_eq!(command.sold_at_ms, 1_583_886_300_250);
    assert_eq!((&*command.device_id, command.sequence), (DEVICE, 7));
    assert_eq!(command.proxy_ground, "age");
    let site = command.site.unwrap();
    assert_eq!((&*site.code, site.site_type), (SITE, 1));
}

#[tokio::test]
async fn every_outcome_of_a_shard_is_passed_on() {
    let world = World::start().await;
    let rejections = [
        SlipRejection::TooOld,
        SlipRejection::InTheFuture,
        SlipRejection::UnknownProgram,
        SlipRejection::UnknownProduct,
        SlipRejection::InvalidQuantity,
        SlipRejection::RequestIdConflict,
    ];
    script(&world, move |sequence| {
        let outcome = |outcome: SlipOutcome| storage::SlipOutcome {
            outcome: outcome as u32,
            ..storage::SlipOutcome::default()
        };
        decided(match sequence {
            1 => outcome(SlipOutcome::Duplicate),
            2 => storage::SlipOutcome {
                over_by: 1,
                irregularity: 2,
                ..outcome(SlipOutcome::OverQuotaRecorded)
            },
            other => storage::SlipOutcome {
                rejection: rejections[other as usize - 3] as u32,
                ..outcome(SlipOutcome::Rejected)
            },
        })
    });
    let slips = (1..=8).map(|number| slip(&world, number)).collect();
    let answers = upload(&world, slips).await;
    assert_eq!(answers[&1].outcome(), SlipOutcome::Duplicate);
    let over = &answers[&2];
    assert_eq!(over.outcome(), SlipOutcome::OverQuotaRecorded);
    assert_eq!((over.over_by, over.irregularity), (1, 2));
    for (sequence, rejection) in (3..).zip(rejections) {
        let answer = &answers[&sequence];
        assert_eq!(answer.outcome(), SlipOutcome::Rejected);
        assert_eq!(answer.rejection(), rejection);
        assert!(!answer.detail.is_empty(), "{rejection:?}");
    }
}

#[tokio::test]
async fn what_is_not_authentic_or_not_readable_never_reaches_a_shard() {
    use SlipRejection as R;
    let world = World::start().await;
    script(&world, |_| decided(accepted()));
    let unsigned = |change: fn(&mut Slip), number| {
        let mut slip = slip(&world, number);
        change(&mut slip);
        slip
    };
    let moved = {
        let from = slip(&world, 99);
        changed(&world, 9, |slip| slip.sealed_citizen = from.sealed_citizen)
    };
    let by_another_key = {
        let mut slip = slip(&world, 6);
        sign(&mut slip, &SigningKey::from_bytes(&[9; 32]));
        slip
    };
    let cases = vec![
        (changed(&world, 1, |slip| slip.sold_at = None), R::Malformed),
        (
            changed(&world, 2, |slip| slip.request_id = "x".into()),
            R::Malformed,
        ),
        (
            changed(&world, 3, |slip| slip.site_code = "P-0002".into()),
            R::ForeignDevice,
        ),
        (
            changed(&world, 4, |slip| slip.device_id = "till-9".into()),
            R::ForeignDevice,
        ),
        (unsigned(|slip| slip.quantity = 1, 5), R::BadSignature),
        (by_another_key, R::BadSignature),
        (
            unsigned(|slip| slip.signature.truncate(63), 7),
            R::BadSignature,
        ),
        (sealed(&world, 8, CITIZEN, &sealing(8)), R::UnreadableId),
        (moved, R::UnreadableId),
        (
            sealed(&world, 10, "901301-1234568", &sealing(6)),
            R::InvalidId,
        ),
        (
            changed(&world, 11, |slip| slip.quantity = 0),
            R::InvalidQuantity,
        ),
        (
            changed(&world, 12, |slip| slip.program = "MASK".into()),
            R::UnknownProgram,
        ),
        (
            changed(&world, 13, |slip| slip.product = "KF 94".into()),
            R::UnknownProduct,
        ),
    ];
    let mut slips: Vec<_> = cases.iter().map(|(slip, _)| slip.clone()).collect();
    // One good one in the middle of them.
    slips.insert(6, slip(&world, 50));
    let answers = upload(&world, slips).await;
    for (slip, rejection) in cases {
        let answer = &answers[&slip.sequence];
        assert_eq!(answer.outcome(), SlipOutcome::Rejected, "{answer:?}");
        assert_eq!(answer.rejection(), rejection, "{answer:?}");
        assert_eq!(answer.request_id, slip.request_id);
        assert!(!answer.detail.is_empty() && !answer.detail.contains("9013"));
    }
    assert_eq!(answers[&50].outcome(), SlipOutcome::Accepted);
    let reached: Vec<_> = recorded(&world).iter().map(|slip| slip.sequence).collect();
    assert_eq!(reached, [50]);
}

#[tokio::test]
async fn an_older_sealing_key_still_opens_and_a_wrong_check_digit_is_a_warning() {
    let world = World::start().await;
    script(&world, |_| decided(accepted()));
    let older = sealed(&world, 1, CITIZEN, &sealing(7));
    let mistyped = sealed(&world, 2, "900101-1234567", &sealing(6));
    let answers = upload(&world, vec![older, mistyped]).await;
    assert_eq!(answers[&1].outcome(), SlipOutcome::Accepted);
    assert_eq!(answers[&2].outcome(), SlipOutcome::Accepted);
    let warnings: Vec<_> = answers[&2].warnings().collect();
    assert_eq!(warnings, [Warning::IdChecksumMismatch]);
}

#[tokio::test]
async fn a_slip_that_cannot_be_decided_holds_up_no_other() {
    let world = World::start().await;
    script(&world, |sequence| match sequence {
        1 => Act::Silence,
        2 => refuse(refusal::Kind::Malformed, 0),
        _ => decided(accepted()),
    });
    let slips = (1..=40).map(|number| slip(&world, number)).collect();
    let answers = upload(&world, slips).await;
    assert_eq!(answers.len(), 40);
    for stuck in [1, 2] {
        let answer = &answers[&stuck];
        assert_eq!(answer.outcome(), SlipOutcome::NotDecided);
        assert!(!answer.detail.is_empty());
    }
    let rest = answers.range(3..);
    assert!(
        rest.into_iter()
            .all(|(_, a)| a.outcome() == SlipOutcome::Accepted)
    );
}

#[tokio::test]
async fn an_empty_message_is_answered_and_the_stream_goes_on() {
    let world = World::start().await;
    script(&world, |_| decided(accepted()));
    let messages = vec![
        UploadSlipsRequest { slip: None },
        UploadSlipsRequest {
            slip: Some(slip(&world, 1)),
        },
    ];
    let mut request = Request::new(stream::iter(messages));
    let bearer = format!("Bearer {}", world.token().await);
    let metadata = request.metadata_mut();
    metadata.insert("authorization", bearer.parse().unwrap());
    let mut client = SlipsClient::new(world.terminal().await);
    let answers = client.upload_slips(request).await.unwrap().into_inner();
    let mut outcomes: Vec<_> = answers
        .map(|answer| answer.unwrap().outcome())
        .collect()
        .await;
    outcomes.sort_unstable();
    assert_eq!(outcomes, [SlipOutcome::Accepted, SlipOutcome::Rejected]);
}

#[tokio::test]
async fn a_stream_needs_a_session_and_small_messages() {
    let world = World::start().await;
    let mut client = SlipsClient::new(world.terminal().await);
    let nobody = Request::new(stream::iter(Vec::<UploadSlipsRequest>::new()));
    let status = client.upload_slips(nobody).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::SessionMissing));

    let large = changed(&world, 1, |slip| slip.program = "x".repeat(70_000));
    let message = UploadSlipsRequest { slip: Some(large) };
    let mut request = Request::new(stream::iter(vec![message]));
    let bearer = format!("Bearer {}", world.token().await);
    let metadata = request.metadata_mut();
    metadata.insert("authorization", bearer.parse().unwrap());
    let mut answers = client.upload_slips(request).await.unwrap().into_inner();
    let status = answers.next().await.unwrap().unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::MessageTooLarge));
}

#[tokio::test]
async fn a_login_brings_the_sealing_key() {
    let world = World::start().await;
    let mut sessions =
        quorate_proto::v1::sessions_client::SessionsClient::new(world.terminal().await);
    let challenge = sessions
        .get_challenge(quorate_proto::v1::GetChallengeRequest {
            site_code: SITE.into(),
            device_id: DEVICE.into(),
        })
        .await
        .unwrap()
        .into_inner()
        .challenge;
    let opened = sessions
        .open_session(support::open_session(challenge, &device_key()))
        .await
        .unwrap()
        .into_inner();
    let key = opened.sealing_key.unwrap();
    assert_eq!(key.public_key, sealing(6).public().as_slice());
    assert_eq!(key.id, sealing(6).id());
}
