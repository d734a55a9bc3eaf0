//! What a gateway is told of sites: all of them first, then every change, whoever leads.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_proto::internal::cluster_client::ClusterClient;
use quorate_proto::internal::{SiteFrame, SiteState, WatchSitesRequest};
use quorate_proto::storage::{
    ChangeStock, PutSites, StockChange, SuspendSite, command, outcome, stock_change,
};
use support::{CLUSTER, Cluster, SHARDS, profile, send};
use tonic::Code;

/// What one subscriber knows of every shard.
#[derive(Default)]
struct Told {
    sites: BTreeMap<String, SiteState>,
    snapshots_ended: BTreeMap<u32, u64>,
}

impl Told {
    fn take(&mut self, frame: SiteFrame) {
        assert!(frame.clock_ms > 0 && frame.term > 0, "{frame:?}");
        for site in frame.sites {
            let code = site.profile.as_ref().unwrap().code.clone();
            self.sites.insert(code, site);
        }
        if frame.snapshot_end {
            self.snapshots_ended.insert(frame.shard, frame.term);
        }
    }
}

fn change(code: &str, id: u8, product: &str, change: stock_change::Change) -> command::Body {
    command::Body::ChangeStock(ChangeStock {
        site_code: code.to_owned(),
        change: Some(StockChange {
            request_id: vec![id; 16].into(),
            product: product.to_owned(),
            change: Some(change),
            at_ms: 0,
            device_id: "till-1".to_owned(),
        }),
    })
}

/// Takes frames until `done` says so.
async fn listen(
    cluster: &Cluster,
    frames: &mut tonic::Streaming<SiteFrame>,
    told: &mut Told,
    done: impl Fn(&Told) -> bool,
) {
    let heard = async {
        while !done(told) {
            told.take(frames.message().await.unwrap().unwrap());
        }
    };
    let in_time = cluster.env.timeout(Duration::from_secs(10), heard).await;
    in_time.expect("the frames came in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_site_is_told_and_then_every_change() {
    let cluster = Cluster::start().await;
    cluster.put_program().await;
    let codes: Vec<String> = (0..40).map(|number| format!("P-{number}")).collect();
    for code in &codes {
        let put = PutSites {
            sites: vec![profile(code)],
        };
        send(&cluster, command::Body::PutSites(put)).await;
    }
    let request = WatchSitesRequest {
        cluster_id: CLUSTER.to_owned(),
    };
    let leader = cluster.leader_of(1).await;
    let mut client = ClusterClient::new(cluster.channel(leader).await);
    let stranger = client
        .watch_sites(WatchSitesRequest {
            cluster_id: "other".to_owned(),
        })
        .await;
    assert_eq!(stranger.unwrap_err().code(), Code::FailedPrecondition);

    let mut frames = client
        .watch_sites(request.clone())
        .await
        .unwrap()
        .into_inner();
    let mut told = Told::default();
    listen(&cluster, &mut frames, &mut told, |told| {
        told.snapshots_ended.contains_key(&1)
    })
    .await;
    let mine: Vec<String> = told.sites.keys().cloned().collect();
    assert!(!mine.is_empty() && mine.len() <= codes.len());
    let code = mine[0].as_str();

    let received = change(code, 1, "kf-mask", stock_change::Change::Received(250));
    for repeated in [false, true] {
        let outcome::Body::Stock(stock) = send(&cluster, received.clone()).await else {
            panic!("no stock");
        };
        assert_eq!(stock.repeated_answer, repeated);
        assert_eq!(stock.stock.unwrap().on_hand, 250);
    }
    let notice = stock_change::Change::Notice("tickets from 08:30".to_owned());
    send(&cluster, change(code, 2, "", notice)).await;
    let suspend = SuspendSite {
        site_code: code.to_owned(),
        suspended: true,
    };
    send(&cluster, command::Body::SuspendSite(suspend)).await;
    listen(&cluster, &mut frames, &mut told, |told| {
        let site = &told.sites[code];
        let stock = site.products.first().and_then(|product| product.stock);
        site.suspended
            && site.notice == "tickets from 08:30"
            && stock.is_some_and(|stock| stock.on_hand == 250)
    })
    .await;
    assert_eq!(told.sites[code].products[0].product, "kf-mask");

    // Nothing changes: the node says so, again and again.
    let quiet = frames.message().await.unwrap().unwrap();
    assert!(quiet.sites.is_empty() && !quiet.snapshot_start);

    // Together the nodes tell of every site, each shard by its leader alone.
    let mut all = Told::default();
    for node in 0..3 {
        let mut client = ClusterClient::new(cluster.channel(node).await);
        let mut frames = client
            .watch_sites(request.clone())
            .await
            .unwrap()
            .into_inner();
        let mut led = Vec::new();
        for shard in 1..=SHARDS {
            if cluster.leader_of(shard).await == node {
                led.push(shard);
            }
        }
        listen(&cluster, &mut frames, &mut all, |told| {
            led.iter()
                .all(|shard| told.snapshots_ended.contains_key(shard))
        })
        .await;
    }
    assert_eq!(all.sites.len(), codes.len());
    assert!(
        all.sites[code].suspended,
        "a snapshot tells what was changed before it"
    );
    cluster.stop();
}
