//! The laws of the pipeline, one a test.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{FutureExt as _, task::noop_waker_ref};
use quorate_proto::internal::{Query, Refusal};

use super::*;

const NOW: Duration = Duration::from_secs(100);
const DEADLINE: Duration = Duration::from_secs(105);

fn command() -> Outgoing {
    Outgoing {
        shard: ShardId(3),
        epoch: Epoch(7),
        deadline: DEADLINE,
        body: shard_command::Body::Query(Query::default()),
        bytes: 100,
    }
}

fn opened() -> (Pipeline, Generation) {
    let pipeline = Pipeline::new("demo");
    let generation = pipeline.attach(NOW);
    pipeline.open(generation);
    (pipeline, generation)
}

fn poll(pipeline: &Pipeline, generation: Generation) -> Poll<Option<CommandFrame>> {
    pipeline.poll_frame(generation, NOW, &mut Context::from_waker(noop_waker_ref()))
}

fn frame(pipeline: &Pipeline, generation: Generation) -> CommandFrame {
    match poll(pipeline, generation) {
        Poll::Ready(Some(frame)) => frame,
        other => panic!("no frame: {other:?}"),
    }
}

fn reply(correlation: u64) -> ShardReply {
    ShardReply {
        correlation,
        body: Some(Reply::Refusal(Refusal {
            detail: correlation.to_string(),
            ..Refusal::default()
        })),
    }
}

fn answer_of(waiting: &mut Waiting) -> Option<Result<String, Lost>> {
    let answer = waiting.answer().now_or_never()?;
    Some(answer.map(|reply| match reply {
        Reply::Refusal(refusal) => refusal.detail,
        other => panic!("another reply: {other:?}"),
    }))
}

#[test]
fn replies_in_any_order_find_their_callers() {
    let (pipeline, generation) = opened();
    let mut callers: Vec<_> = (0..3)
        .map(|_| pipeline.submit(command()).unwrap())
        .collect();
    let frame = frame(&pipeline, generation);
    assert_eq!(frame.cluster_id, "demo");
    let sent = &frame.commands[1];
    assert_eq!((sent.shard, sent.epoch, sent.time_left_ms), (3, 7, 5000));

    let correlations: Vec<u64> = frame.commands.iter().map(|c| c.correlation).collect();
    assert!(answer_of(&mut callers[0]).is_none());
    pipeline.deliver(generation, vec![reply(correlations[2])], NOW);
    pipeline.deliver(
        generation,
        vec![reply(correlations[0]), reply(correlations[1])],
        NOW,
    );
    for (caller, correlation) in callers.iter_mut().zip(correlations) {
        assert_eq!(answer_of(caller), Some(Ok(correlation.to_string())));
    }
}

#[test]
fn a_frame_takes_all_that_is_queued_within_its_bounds() {
    let (pipeline, generation) = opened();
    let mut callers = Vec::new();
    for _ in 0..limits::FRAME_COMMANDS_MAX + 1 {
        callers.push(pipeline.submit(command()).unwrap());
    }
    let full = frame(&pipeline, generation).commands.len();
    assert_eq!(full, limits::FRAME_COMMANDS_MAX);
    assert_eq!(frame(&pipeline, generation).commands.len(), 1);
    assert!(poll(&pipeline, generation).is_pending());

    for _ in 0..3 {
        let large = Outgoing {
            bytes: limits::FRAME_BYTES_TARGET / 2 + 1,
            ..command()
        };
        callers.push(pipeline.submit(large).unwrap());
    }
    assert_eq!(frame(&pipeline, generation).commands.len(), 2);
    assert_eq!(frame(&pipeline, generation).commands.len(), 1);
}

#[test]
fn what_was_never_in_a_frame_was_never_sent() {
    let (pipeline, generation) = opened();
    let mut sent = pipeline.submit(command()).unwrap();
    frame(&pipeline, generation);
    let mut queued = pipeline.submit(command()).unwrap();
    pipeline.close();
    assert_eq!(answer_of(&mut sent), Some(Err(Lost { maybe_sent: true })));
    assert_eq!(
        answer_of(&mut queued),
        Some(Err(Lost { maybe_sent: false }))
    );
    assert_eq!(pipeline.submit(command()).err(), Some(SubmitError::Closed));
}

#[test]
fn giving_up_in_the_queue_keeps_it_from_being_sent() {
    let (pipeline, generation) = opened();
    let first = pipeline.submit(command()).unwrap();
    let second = pipeline.submit(command()).unwrap();
    assert!(!pipeline.give_up(second));
    assert_eq!(frame(&pipeline, generation).commands.len(), 1);
    assert!(pipeline.give_up(first));
}

#[test]
fn what_is_past_its_deadline_is_not_sent() {
    let (pipeline, generation) = opened();
    let late = Outgoing {
        deadline: NOW,
        ..command()
    };
    let mut late = pipeline.submit(late).unwrap();
    assert!(poll(&pipeline, generation).is_pending());
    assert_eq!(answer_of(&mut late), Some(Err(Lost { maybe_sent: false })));
}

#[test]
fn an_old_stream_takes_and_delivers_nothing() {
    let (pipeline, old) = opened();
    let mut before = pipeline.submit(command()).unwrap();
    let correlation = frame(&pipeline, old).commands[0].correlation;
    pipeline.close();
    assert_eq!(answer_of(&mut before), Some(Err(Lost { maybe_sent: true })));

    let new = pipeline.attach(NOW);
    assert_eq!(
        pipeline.submit(command()).err(),
        Some(SubmitError::Closed),
        "not before the node accepted the stream"
    );
    pipeline.open(old);
    assert!(!pipeline.is_open());
    pipeline.open(new);
    let mut after = pipeline.submit(command()).unwrap();
    assert!(matches!(poll(&pipeline, old), Poll::Ready(None)));
    let fresh = frame(&pipeline, new).commands[0].correlation;
    assert_ne!(fresh, correlation, "correlations are not used twice");
    pipeline.deliver(old, vec![reply(fresh)], NOW);
    assert!(answer_of(&mut after).is_none());
    pipeline.deliver(new, vec![reply(fresh)], NOW);
    assert!(answer_of(&mut after).is_some());
}

fn of_shard(shard: usize) -> Outgoing {
    Outgoing {
        shard: ShardId(u32::try_from(shard).unwrap()),
        ..command()
    }
}

#[test]
fn the_pipeline_is_bounded() {
    let (pipeline, generation) = opened();
    let mut callers = Vec::new();
    for n in 0..limits::IN_FLIGHT_PER_NODE_MAX {
        let shard = n / limits::IN_FLIGHT_PER_SHARD_MAX;
        callers.push(pipeline.submit(of_shard(shard)).unwrap());
    }
    frame(&pipeline, generation);
    assert_eq!(pipeline.submit(of_shard(9)).err(), Some(SubmitError::Full));
    pipeline.deliver(generation, vec![reply(0)], NOW);
    assert!(pipeline.submit(of_shard(9)).is_ok());
}

#[test]
fn a_shard_that_does_not_answer_leaves_room_for_others() {
    let (pipeline, generation) = opened();
    let fill = || {
        let submit = || pipeline.submit(of_shard(1)).ok();
        std::iter::from_fn(submit).collect::<Vec<_>>()
    };
    let callers = fill();
    assert_eq!(callers.len(), limits::IN_FLIGHT_PER_SHARD_MAX);
    assert!(pipeline.submit(of_shard(2)).is_ok());

    // Room comes back with an answer, with a caller that gave up in the queue, and with the end of the
    // stream; a caller that gave up later leaves its command on its way.
    frame(&pipeline, generation);
    pipeline.deliver(generation, vec![reply(0)], NOW);
    assert_eq!(fill().len(), 1, "dropped at once, still in the queue");
    drop(callers);
    while poll(&pipeline, generation).is_ready() {}
    let room = limits::IN_FLIGHT_PER_SHARD_MAX - (limits::FRAME_COMMANDS_MAX - 1);
    assert_eq!(fill().len(), room);
    let overdue = DEADLINE + limits::OVERDUE_GRACE + Duration::from_millis(1);
    pipeline.drop_overdue(overdue);
    while poll(&pipeline, generation).is_ready() {}
    assert_eq!(fill().len(), limits::IN_FLIGHT_PER_SHARD_MAX);
    pipeline.close();
    pipeline.open(pipeline.attach(NOW));
    assert_eq!(fill().len(), limits::IN_FLIGHT_PER_SHARD_MAX);
}

#[test]
fn a_stream_is_dead_when_something_is_overdue_and_nothing_comes() {
    let (pipeline, generation) = opened();
    let mut callers: Vec<_> = (0..2)
        .map(|_| pipeline.submit(command()).unwrap())
        .collect();
    frame(&pipeline, generation);
    let overdue = DEADLINE + limits::OVERDUE_GRACE + Duration::from_millis(1);
    assert!(!pipeline.drop_overdue(DEADLINE), "within its time");
    pipeline.deliver(generation, vec![reply(0)], overdue);
    assert!(!pipeline.drop_overdue(overdue), "other replies come");
    assert_eq!(
        answer_of(&mut callers[1]),
        Some(Err(Lost { maybe_sent: true })),
        "but the overdue one is forgotten"
    );

    let (pipeline, generation) = opened();
    let _waiting = pipeline.submit(command()).unwrap();
    frame(&pipeline, generation);
    assert!(pipeline.drop_overdue(overdue));
}

#[test]
fn a_waiting_stream_is_woken_by_a_command_and_by_the_end() {
    struct Count(AtomicUsize);
    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (pipeline, generation) = opened();
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(count.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(pipeline.poll_frame(generation, NOW, &mut cx).is_pending());
    let _waiting = pipeline.submit(command()).unwrap();
    let _another = pipeline.submit(command()).unwrap();
    assert_eq!(count.0.load(Ordering::Relaxed), 1, "once is enough");
    assert!(pipeline.poll_frame(generation, NOW, &mut cx).is_ready());
    assert!(pipeline.poll_frame(generation, NOW, &mut cx).is_pending());
    pipeline.close();
    assert_eq!(count.0.load(Ordering::Relaxed), 2);
}
