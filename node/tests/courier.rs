//! Sales reach the stock of their sites, each once, while the node that leads is stopped.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_proto::ids::{ShardId, SiteCode, SiteKey};
use quorate_proto::internal::cluster_client::ClusterClient;
use quorate_proto::internal::{
    Query, ShardCommand, StatusRequest, StockQuery, query, query_reply, shard_command, shard_reply,
};
use quorate_proto::ring::even_split;
use quorate_proto::storage::{
    Claims, Command, PutSites, RecordSale, SaleSite, VoidSale, command, outcome,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use support::{Cluster, SHARDS, exchange, profile, send};

const SITES: usize = 6;
const SALES: u32 = 120;
const CLAIMS: Claims = Claims {
    birth_year: 1987,
    id_digit: None,
};

/// Spread over the ring.
fn citizen(number: u32) -> [u8; 16] {
    let mut key = [7; 16];
    let position = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key[..8].copy_from_slice(&position.to_be_bytes());
    key
}

fn request_id(number: u32, kind: u8) -> Vec<u8> {
    let mut id = vec![kind; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    id
}

fn shard_at(position: u64) -> u32 {
    let parts = even_split(SHARDS);
    let owns = |part: &quorate_proto::ring::RingRange| {
        part.contains(quorate_proto::ids::RingPosition(position))
    };
    parts.iter().position(owns).unwrap() as u32 + 1
}

fn code(number: u32) -> String {
    format!("P-{}", number as usize % SITES)
}

fn sale(number: u32) -> command::Body {
    command::Body::Record(RecordSale {
        request_id: request_id(number, 1).into(),
        citizen: citizen(number).to_vec().into(),
        program: "mask".to_owned(),
        quantity: 1 + number % 2,
        site: Some(SaleSite {
            code: code(number),
            site_type: 1,
            region: "Seoul".to_owned(),
            suspended: false,
        }),
        claims: Some(CLAIMS),
        product: String::new(),
        proxy: None,
    })
}

fn void(number: u32) -> command::Body {
    command::Body::Void(VoidSale {
        request_id: request_id(number, 2).into(),
        citizen: citizen(number).to_vec().into(),
        program: "mask".to_owned(),
        sale_request_id: request_id(number, 1).into(),
        site_code: code(number),
        correction: None,
        claims: Some(CLAIMS),
    })
}

impl Cluster {
    /// Asks whichever node of `alive` leads the shard, until one answers.
    async fn ask(
        &self,
        shard: u32,
        alive: &[usize],
        body: &shard_command::Body,
    ) -> shard_reply::Body {
        let asking = async {
            loop {
                for node in alive {
                    let command = ShardCommand {
                        correlation: 1,
                        shard,
                        epoch: 0,
                        time_left_ms: 5_000,
                        body: Some(body.clone()),
                    };
                    let replies = exchange(self.channel(*node).await, vec![command]).await;
                    match replies[0].body.clone().unwrap() {
                        shard_reply::Body::Refusal(_) => {}
                        answered => return answered,
                    }
                }
                self.env.sleep(Duration::from_millis(50)).await;
            }
        };
        let answered = self.env.timeout(Duration::from_secs(20), asking).await;
        answered.expect("a shard answers")
    }

    async fn write(&self, number: u32, alive: &[usize], body: command::Body) -> outcome::Body {
        let position = u64::from_be_bytes(citizen(number)[..8].try_into().unwrap());
        let write = shard_command::Body::Write(Command {
            epoch: 0,
            body: Some(body),
        });
        match self.ask(shard_at(position), alive, &write).await {
            shard_reply::Body::Write(reply) => reply.outcome.unwrap().body.unwrap(),
            other => panic!("not decided: {other:?}"),
        }
    }

    /// Sold and voided units of every site.
    async fn stock(&self, alive: &[usize]) -> BTreeMap<String, (u64, u64, i64)> {
        let mut stock = BTreeMap::new();
        for number in 0..SITES as u32 {
            let code = code(number);
            let site = SiteKey::of(&SiteCode::parse(&code).unwrap());
            let query = shard_command::Body::Query(Query {
                body: Some(query::Body::Stock(StockQuery {
                    site_code: code.clone(),
                })),
            });
            let reply = self
                .ask(shard_at(site.position().get()), alive, &query)
                .await;
            let shard_reply::Body::Query(reply) = reply else {
                panic!("no answer");
            };
            let Some(query_reply::Body::Stock(answer)) = reply.body else {
                panic!("no stock");
            };
            assert_eq!(answer.site.unwrap().code, code);
            if let Some(product) = answer.products.first() {
                assert_eq!(product.product, "mask");
                let kept = product.stock.unwrap();
                stock.insert(code, (kept.sold, kept.voided, kept.on_hand));
            }
        }
        stock
    }

    /// Rows that are not acknowledged, at the leaders.
    async fn pending(&self, alive: &[usize]) -> u64 {
        let mut pending = 0;
        for node in alive {
            let mut client = ClusterClient::new(self.channel(*node).await);
            let status = client.status(StatusRequest {}).await.unwrap().into_inner();
            let led = status.replicas.iter().filter(|replica| replica.is_leader);
            pending += led.map(|replica| replica.outbox_pending).sum::<u64>();
        }
        pending
    }
}

/// What a collector reads.
async fn ask_metrics(address: std::net::SocketAddr, path: &str) -> String {
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sale_and_void_reaches_its_site_once_while_a_leader_is_stopped() {
    let mut cluster = Cluster::start().await;
    cluster.put_program().await;
    for number in 0..SITES as u32 {
        let put = PutSites {
            sites: vec![profile(&code(number))],
        };
        send(&cluster, command::Body::PutSites(put)).await;
    }
    let mut alive = vec![0, 1, 2];
    let mut expected: BTreeMap<String, (u64, u64, i64)> = BTreeMap::new();
    for number in 0..SALES {
        if number == SALES / 2 {
            // The node that leads shard 1 goes in the middle of it: what it was carrying, the next one carries.
            let leader = cluster.leader_of(ShardId(1).get()).await;
            let _ = cluster.stops.remove(leader).send(());
            alive.retain(|node| *node != leader);
        }
        let outcome = cluster.write(number, &alive, sale(number)).await;
        let outcome::Body::Record(record) = outcome else {
            panic!("no sale: {outcome:?}");
        };
        assert!(record.verdict.unwrap().granted);
        let units = u64::from(1 + number % 2);
        let counted = expected.entry(code(number)).or_default();
        counted.0 += units;
        if number % 5 == 0 {
            let outcome = cluster.write(number, &alive, void(number)).await;
            let outcome::Body::Void(void) = outcome else {
                panic!("no void: {outcome:?}");
            };
            assert_eq!(void.refusal, 0);
            counted.1 += units;
        }
        counted.2 = counted.1 as i64 - counted.0 as i64;
    }

    let settled = async {
        while cluster.stock(&alive).await != expected || cluster.pending(&alive).await != 0 {
            cluster.env.sleep(Duration::from_millis(50)).await;
        }
    };
    let in_time = cluster.env.timeout(Duration::from_secs(15), settled).await;
    let stock = cluster.stock(&alive).await;
    assert!(in_time.is_ok(), "{stock:?} is not {expected:?}");

    let mut acknowledged = 0;
    for node in alive {
        let answer = ask_metrics(cluster.metrics[node], "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(
            answer.contains("quorate_node_outbox_pending_rows 0"),
            "{answer}"
        );
        let name = "quorate_node_outbox_lag_seconds_count ";
        let line = answer.lines().find(|line| line.starts_with(name)).unwrap();
        acknowledged += line[name.len()..].parse::<u64>().unwrap();
        let nothing = ask_metrics(cluster.metrics[node], "/").await;
        assert!(nothing.starts_with("HTTP/1.1 404"), "{nothing}");
    }
    assert!(acknowledged > 0, "the leaders measured how old rows were");
    cluster.stop();
}
