//! Several gateways at once: one dies, a thousand sales race for the last unit, one request is sent fifty
//! times at once.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use quorate_client::new_request_id;
use quorate_harness::{
    cluster::{Cluster, ClusterOptions},
    history::{Call, Reply, Verdict},
    judge::judge,
    recorder::Recorder,
    with_cluster,
    workload::{Workload, WorkloadOptions},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_quorate");
const SALES: u64 = 300;
const SALES_TIME_MAX: Duration = Duration::from_secs(60);
const CITIZEN: u64 = 4_711;

fn two_gateways() -> ClusterOptions {
    ClusterOptions::new(PROGRAM).gateways(2)
}

#[test]
fn a_gateway_is_killed_under_load() {
    with_cluster(two_gateways(), async |cluster| {
        let workload = Workload::start(cluster, WorkloadOptions::new(5))?;
        workload.await_grants(SALES, SALES_TIME_MAX).await?;
        cluster.gateways[0].kill();
        workload.await_grants(SALES, SALES_TIME_MAX).await?;
        cluster.gateways[0].start(&[])?;
        cluster.gateways[1].kill();
        workload.await_grants(SALES, SALES_TIME_MAX).await?;
        cluster.gateways[1].start(&[])?;
        workload.await_grants(SALES, SALES_TIME_MAX).await?;
        let report = judge(cluster, &workload.finish().await?, true).await?;
        println!("{report}");
        Ok(())
    });
}

/// All at once, from `terminals` terminals that are spread over the gateways.
async fn at_once(
    cluster: &Cluster,
    recorder: &Arc<Recorder>,
    terminals: usize,
    calls: impl Iterator<Item = Call>,
) -> anyhow::Result<Vec<Reply>> {
    let terminals = (0..terminals)
        .map(|number| cluster.terminal(number))
        .collect::<anyhow::Result<Vec<_>>>()?;
    // Logged in before, so that the calls themselves meet.
    for terminal in &terminals {
        terminal.log_in(SALES_TIME_MAX).await?;
    }
    let calls = calls.enumerate().map(|(number, call)| {
        let terminal = &terminals[number % terminals.len()];
        let client = u32::try_from(number).expect("few calls");
        recorder.call(client, terminal, CITIZEN, call)
    });
    Ok(join_all(calls).await)
}

fn verdicts(replies: &[Reply]) -> Vec<&Verdict> {
    let mut verdicts = Vec::new();
    for reply in replies {
        match reply {
            Reply::Verdict(verdict) => verdicts.push(verdict),
            other => panic!("not answered: {other:?}"),
        }
    }
    verdicts
}

#[test]
fn a_thousand_sales_of_the_last_unit_give_one_grant() {
    with_cluster(two_gateways(), async |cluster| {
        let recorder = Arc::new(Recorder::new(cluster, Duration::from_secs(30)));
        let env = cluster.env.clone();
        let sell = |quantity| Call::Sell {
            request: new_request_id(&env),
            quantity,
        };
        let limit = cluster.limit();
        at_once(cluster, &recorder, 1, [sell(limit - 1)].into_iter()).await?;
        let replies = at_once(cluster, &recorder, 20, (0..1000).map(|_| sell(1))).await?;
        let granted = verdicts(&replies)
            .into_iter()
            .filter(|verdict| verdict.granted());
        assert_eq!(granted.count(), 1, "grants of the last unit");
        at_once(cluster, &recorder, 1, [Call::List].into_iter()).await?;
        let report = judge(cluster, &recorder.take(), true).await?;
        assert_eq!((report.grants, report.units_granted), (2, u64::from(limit)));
        Ok(())
    });
}

#[test]
fn one_request_sent_fifty_times_at_once_is_recorded_once() {
    with_cluster(two_gateways(), async |cluster| {
        let recorder = Arc::new(Recorder::new(cluster, Duration::from_secs(30)));
        let sale = Call::Sell {
            request: new_request_id(&cluster.env),
            quantity: 2,
        };
        // Two terminals at one site, each at its own gateway.
        let replies = at_once(cluster, &recorder, 2, (0..50).map(|_| sale)).await?;
        let answers = verdicts(&replies);
        assert_eq!(
            answers.iter().filter(|answer| !answer.repeated).count(),
            1,
            "decided anew"
        );
        let told: BTreeSet<_> = answers
            .iter()
            .map(|answer| {
                let purchases = answer
                    .purchases
                    .iter()
                    .map(|sale| (sale.request, sale.quantity));
                let purchases: Vec<_> = purchases.collect();
                let (remaining, at) = (answer.remaining, answer.decided_ms);
                (answer.denied, remaining, answer.limit, at, purchases)
            })
            .collect();
        assert_eq!(told.len(), 1, "different answers: {told:?}");
        at_once(cluster, &recorder, 1, [Call::List].into_iter()).await?;
        let report = judge(cluster, &recorder.take(), true).await?;
        assert_eq!((report.grants, report.units_granted), (1, 2));
        Ok(())
    });
}
