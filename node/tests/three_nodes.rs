//! Sales on three nodes: recorded once, denied beyond the limit, refused by a follower.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use quorate_proto::{internal::shard_reply, storage::outcome};
use support::{Cluster, exchange, sale};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_is_recorded_once_and_the_third_unit_is_denied() {
    let cluster = Cluster::start().await;
    cluster.put_program().await;
    let leader = cluster.leader_of(1).await;

    let replies = exchange(
        cluster.channel(leader).await,
        vec![sale(1), sale(1), sale(2), sale(3)],
    )
    .await;
    let granted: Vec<(bool, bool)> = replies
        .iter()
        .map(|reply| {
            let Some(shard_reply::Body::Write(write)) = &reply.body else {
                panic!("not decided: {reply:?}");
            };
            let Some(outcome::Body::Record(record)) = &write.outcome.as_ref().unwrap().body else {
                panic!("no sale: {write:?}");
            };
            (
                record.verdict.as_ref().unwrap().granted,
                record.repeated_answer,
            )
        })
        .collect();
    assert_eq!(
        granted,
        [(true, false), (true, true), (true, false), (false, false)]
    );

    // It hears who leads with the leader's next message.
    let follower = (leader + 1) % 3;
    let mut told = 0;
    for correlation in 4..204 {
        let replies = exchange(cluster.channel(follower).await, vec![sale(correlation)]).await;
        let Some(shard_reply::Body::Refusal(refusal)) = &replies[0].body else {
            panic!("a follower decided: {replies:?}");
        };
        told = refusal.leader_node;
        if told != 0 {
            break;
        }
        cluster.env.sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(told, leader as u64 + 1);
    cluster.stop();
}
