//! Replies as a node would send them, and as none should.
#![allow(clippy::unwrap_used, reason = "tests")]

use quorate_proto::internal::{QueryReply, Refusal, WriteReply, refusal::Kind};

use super::*;

const SHARD: ShardId = ShardId(3);

fn refusal(kind: Kind, leader_node: u64) -> Reply {
    Reply::Refusal(Refusal {
        kind: kind.into(),
        leader_node,
        detail: String::new(),
    })
}

fn not_answered(reply: Reply) -> (Attempt, Option<NodeId>) {
    match heard(reply, SHARD).unwrap() {
        Heard::NotAnswered { attempt, hint } => (attempt, hint),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_refusal_is_an_attempt() {
    let cases = [
        (Kind::NotLeader, 0, Attempt::NotLeader { hinted: false }),
        (Kind::NotLeader, 2, Attempt::NotLeader { hinted: true }),
        (Kind::WrongShard, 0, Attempt::WrongShard),
        (Kind::Busy, 0, Attempt::Busy),
        (Kind::DeadlinePassed, 0, Attempt::DeadlinePassed),
        (Kind::OutcomeUnknown, 0, Attempt::OutcomeUnknown),
        (Kind::Malformed, 0, Attempt::Malformed),
        (Kind::Unspecified, 0, Attempt::OutcomeUnknown),
    ];
    for (kind, leader, expected) in cases {
        let hint = (leader != 0).then_some(NodeId(leader));
        assert_eq!(not_answered(refusal(kind, leader)), (expected, hint));
    }
    let newer_kind = Reply::Refusal(Refusal {
        kind: 99,
        ..Refusal::default()
    });
    assert_eq!(not_answered(newer_kind).0, Attempt::OutcomeUnknown);
}

fn error_reply(kind: command_error::Kind) -> Reply {
    let error = storage::CommandError {
        kind: kind.into(),
        detail: String::new(),
    };
    Reply::Query(QueryReply {
        body: Some(query_reply::Body::Error(error)),
        ..QueryReply::default()
    })
}

#[test]
fn errors_of_the_question_are_rejections_and_a_moved_key_is_not() {
    use command_error::Kind;
    let cases = [
        (Kind::RequestIdConflict, Rejection::RequestIdConflict),
        (Kind::UnknownProgram, Rejection::UnknownProgram),
        (Kind::QuantityTooLarge, Rejection::QuantityTooLarge),
        (Kind::TooMany, Rejection::TooMany),
    ];
    for (kind, expected) in cases {
        match heard(error_reply(kind), SHARD).unwrap() {
            Heard::Rejected(rejection) => assert_eq!(rejection, expected),
            other => panic!("{other:?}"),
        }
    }
    let moved = not_answered(error_reply(Kind::WrongShard));
    assert_eq!(moved.0, Attempt::WrongShard);
    assert!(heard(error_reply(Kind::Unspecified), SHARD).is_err());
}

#[test]
fn an_answer_carries_its_position() {
    let reply = Reply::Write(WriteReply {
        outcome: Some(storage::Outcome {
            body: Some(outcome::Body::Done(storage::Done {})),
        }),
        term: 4,
        log_index: 5,
        ordinal: 6,
    });
    match heard(reply, SHARD).unwrap() {
        Heard::Answer(Wire::Outcome(outcome::Body::Done(_)), position) => {
            let (term, log_index, ordinal) = (4, 5, 6);
            let expected = Position {
                shard: SHARD,
                term,
                log_index,
                ordinal,
            };
            assert_eq!(position, expected);
        }
        other => panic!("{other:?}"),
    }
    let empty = Reply::Write(WriteReply::default());
    assert_eq!(
        heard(empty, SHARD).unwrap_err(),
        BadAnswer::Missing("outcome")
    );
}

fn stored_sale() -> storage::Sale {
    storage::Sale {
        request_id: Bytes::from_static(&[7; 16]),
        quantity: 2,
        site_code: "A".into(),
        site_type: 1,
        sold_at_ms: 10,
        ..storage::Sale::default()
    }
}

#[test]
fn a_sale_is_voided_by_the_attempt_that_was_not_refused() {
    let attempt = |refusal, decided_at_ms| storage::VoidAttempt {
        refusal,
        decided_at_ms,
        ..storage::VoidAttempt::default()
    };
    assert_eq!(sale(stored_sale()).unwrap().voided_at_ms, None);
    let refused_then_done = storage::Sale {
        void_attempts: vec![attempt(2, 20), attempt(0, 30)],
        ..stored_sale()
    };
    assert_eq!(sale(refused_then_done).unwrap().voided_at_ms, Some(30));
}

#[test]
fn contradictions_are_found() {
    let granted = |granted, reason| {
        verdict(Some(storage::Verdict {
            granted,
            reason,
            ..storage::Verdict::default()
        }))
    };
    assert_eq!(granted(true, 0).unwrap().denied, None);
    let over = DenialReason::OverLimit;
    assert_eq!(granted(false, over as u32).unwrap().denied, Some(over));
    assert!(granted(true, 1).is_err(), "granted with a reason");
    assert!(granted(false, 0).is_err(), "denied without one");
    assert!(granted(false, 99).is_err(), "a reason nobody knows");
    assert!(verdict(None).is_err());

    let short_id = storage::Sale {
        request_id: Bytes::from_static(&[7; 15]),
        ..stored_sale()
    };
    assert_eq!(sale(short_id).unwrap_err(), BadAnswer::Value("request id"));
    let no_type = storage::Sale {
        site_type: 0,
        ..stored_sale()
    };
    assert_eq!(sale(no_type).unwrap_err(), BadAnswer::Value("site type"));
}

#[test]
fn news_leave_out_what_is_not_known() {
    let event = internal::ClusterEvent {
        view: Some(storage::ClusterView::default()),
        leaderships: [(1, 0), (2, 3)]
            .map(|(shard, leader_node)| internal::Leadership {
                shard,
                term: 9,
                leader_node,
            })
            .to_vec(),
    };
    let (news, error) = news(event);
    assert!(news.view.is_none() && error.is_some(), "an empty view");
    let leader = Leader {
        term: 9,
        node: NodeId(3),
    };
    assert_eq!(news.leaders, [(ShardId(2), leader)]);
}
