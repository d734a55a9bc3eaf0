//! What a terminal hears when nodes fail in every way they can.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use quorate_proto::{
    internal::{refusal::Kind, shard_command},
    status::{ErrorReason, METADATA_REQUEST_ID, metadata_of, reason_of, retry_after_of},
    storage::{self, command, command_error, outcome},
};
use support::{
    World, check,
    node::{Act, always, answer, refuse, write_reply},
    record,
};

const ID: &str = "0190f3a2-7c1b-7d4e-8f00-1234567890ab";
const SECONDS: Duration = Duration::from_secs(4);

fn request_ids(world: &World, node: u64) -> Vec<Vec<u8>> {
    let received = world.node(node).received().into_iter();
    received
        .filter_map(|command| match command.body? {
            shard_command::Body::Write(write) => match write.body? {
                command::Body::Record(record) => Some(record.request_id.to_vec()),
                _ => None,
            },
            shard_command::Body::Query(_) => None,
        })
        .collect()
}

#[tokio::test]
async fn a_hint_is_followed() {
    let world = World::start().await;
    let mut terminal = world.ration().await;
    world.script(1, always(|| refuse(Kind::NotLeader, 2)));
    let request = terminal.request(record(ID), SECONDS);
    let response = terminal.client.record(request).await.unwrap().into_inner();
    assert_eq!(response.request_id, ID);
    assert_eq!(request_ids(&world, 1), request_ids(&world, 2));
}

#[tokio::test]
async fn a_lost_stream_is_made_good_under_the_same_request_id() {
    let world = World::start().await;
    let mut terminal = world.ration().await;
    let times = Arc::new(AtomicUsize::new(0));
    world.script(
        1,
        Arc::new(move |command| match times.fetch_add(1, Ordering::Relaxed) {
            0 => Act::HangUp,
            _ => Act::Reply(answer(command)),
        }),
    );
    let request = terminal.request(record(ID), SECONDS);
    terminal.client.record(request).await.unwrap();
    let ids = request_ids(&world, 1);
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_new_leader_is_asked_while_the_old_one_is_silent() {
    let world = World::start().await;
    let terminal = world.ration().await;
    world.script(1, always(|| Act::Silence));
    let request = terminal.request(record(ID), SECONDS);
    let mut client = terminal.client.clone();
    let (response, ()) = tokio::join!(client.record(request), async {
        world.env.sleep(Duration::from_millis(300)).await;
        world.elect(3, 2);
    });
    response.unwrap();
    assert_eq!(
        request_ids(&world, 1).len(),
        1,
        "a silent leader is asked once"
    );
    assert_eq!(request_ids(&world, 3).len(), 1);
}

#[tokio::test]
async fn silence_to_the_end_is_an_unknown_outcome_and_says_which() {
    let world = World::start().await;
    let mut terminal = world.ration().await;
    world.script(1, always(|| Act::Silence));
    let timeout = Duration::from_millis(1500);
    let request = terminal.request(record(ID), timeout);
    let status = terminal.client.record(request).await.unwrap_err();
    assert_eq!(
        reason_of(&status),
        Some(ErrorReason::OutcomeUnknown),
        "{status:?}"
    );
    let named = metadata_of(&status, METADATA_REQUEST_ID);
    assert_eq!(named.as_deref(), Some(ID));

    // A check has no outcome that could be unknown.
    let request = terminal.request(check(), timeout);
    let status = terminal.client.check(request).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::DeadlinePassed));
}

#[tokio::test]
async fn a_node_that_does_not_know_is_asked_again_until_it_does() {
    let world = World::start().await;
    let mut terminal = world.ration().await;
    let times = Arc::new(AtomicUsize::new(0));
    world.script(
        1,
        Arc::new(move |command| match times.fetch_add(1, Ordering::Relaxed) {
            0 => refuse(Kind::OutcomeUnknown, 0),
            1 => refuse(Kind::NotLeader, 0),
            _ => Act::Reply(answer(command)),
        }),
    );
    let request = terminal.request(record(ID), SECONDS);
    terminal.client.record(request).await.unwrap();
    assert_eq!(request_ids(&world, 1).len(), 3);

    // What may have been recorded stays unknown, whatever is heard afterwards.
    let times = Arc::new(AtomicUsize::new(0));
    world.script(
        1,
        Arc::new(move |_| match times.fetch_add(1, Ordering::Relaxed) {
            0 => refuse(Kind::OutcomeUnknown, 0),
            _ => refuse(Kind::NotLeader, 0),
        }),
    );
    let request = terminal.request(record(ID), Duration::from_millis(1500));
    let status = terminal.client.record(request).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::OutcomeUnknown));
}

#[tokio::test]
async fn without_a_leader_nothing_was_done() {
    let world = World::start().await;
    let mut terminal = world.ration().await;
    for node in 1..=3 {
        world.script(node, always(|| refuse(Kind::NotLeader, 0)));
    }
    let request = terminal.request(record(ID), Duration::from_millis(1500));
    let status = terminal.client.record(request).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::ShardUnavailable));
    assert!(retry_after_of(&status).is_some());
    let asked = request_ids(&world, 1).len();
    assert!(
        (2..=30).contains(&asked),
        "asked {asked} times in a second and a half"
    );
}

#[tokio::test]
async fn a_call_waits_for_the_election() {
    let world = World::start().await;
    let terminal = world.ration().await;
    world.script(1, always(|| refuse(Kind::NotLeader, 0)));
    let request = terminal.request(record(ID), SECONDS);
    let mut client = terminal.client.clone();
    let (response, ()) = tokio::join!(client.record(request), async {
        world.env.sleep(Duration::from_millis(200)).await;
        world.elect(2, 2);
    });
    response.unwrap();
    assert_eq!(request_ids(&world, 2).len(), 1);
}

#[tokio::test]
async fn a_full_shard_is_tried_thrice_and_sheds() {
    let world = World::start().await;
    let mut terminal = world.ration().await;
    world.script(1, always(|| refuse(Kind::Busy, 0)));
    let request = terminal.request(record(ID), SECONDS);
    let status = terminal.client.record(request).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::Overloaded));
    assert!(retry_after_of(&status).is_some());
    assert_eq!(request_ids(&world, 1).len(), 3);
}

#[tokio::test]
async fn what_the_shard_finds_wrong_is_not_asked_twice() {
    let world = World::start().await;
    let mut terminal = world.ration().await;
    fn error(kind: command_error::Kind) -> Act {
        Act::Reply(write_reply(outcome::Body::Error(storage::CommandError {
            kind: kind.into(),
            detail: String::new(),
        })))
    }
    use command_error::Kind;
    let cases: [(fn() -> Act, ErrorReason); 3] = [
        (
            || error(Kind::RequestIdConflict),
            ErrorReason::RequestIdConflict,
        ),
        (|| error(Kind::UnknownProgram), ErrorReason::UnknownProgram),
        (
            || error(Kind::QuantityTooLarge),
            ErrorReason::InvalidQuantity,
        ),
    ];
    for (asked, (act, reason)) in cases.into_iter().enumerate() {
        world.script(1, always(act));
        let request = terminal.request(record(ID), SECONDS);
        let status = terminal.client.record(request).await.unwrap_err();
        assert_eq!(reason_of(&status), Some(reason));
        assert_eq!(request_ids(&world, 1).len(), asked + 1);
    }
}

#[tokio::test]
async fn a_key_that_moved_is_looked_up_again() {
    let world = World::start().await;
    let mut terminal = world.ration().await;
    let times = Arc::new(AtomicUsize::new(0));
    world.script(
        1,
        Arc::new(move |command| match times.fetch_add(1, Ordering::Relaxed) {
            0 => refuse(Kind::WrongShard, 0),
            _ => Act::Reply(answer(command)),
        }),
    );
    let request = terminal.request(record(ID), SECONDS);
    terminal.client.record(request).await.unwrap();
    assert_eq!(request_ids(&world, 1).len(), 2);
}
