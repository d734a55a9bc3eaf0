//! Three nodes in one process, spoken to as a gateway speaks to them.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::time::Duration;

use quorate_link::certs::CertificateAuthority;
use quorate_link::client::{ChannelOptions, TlsClient};
use quorate_link::env::Env;
use quorate_link::identity::Role;
use quorate_link::tls::TlsMaterial;
use quorate_node::{ClusterConfig, InitialNode, NodeConfig, Purpose, StorageTuning};
use quorate_proto::ids::NodeId;
use quorate_proto::internal::cluster_client::ClusterClient;
use quorate_proto::internal::shard_client::ShardClient;
use quorate_proto::internal::{
    CommandFrame, ProposeSystemRequest, ShardCommand, ShardReply, StatusRequest, shard_command,
    shard_reply,
};
use quorate_proto::storage::{
    CalendarWeek, Claims, Command, ProgramDefinition, PutProgramDefinition, RecordSale, Rule,
    SaleSite, SiteProfile, SystemCommand, command, outcome, rule, system_command,
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

pub(crate) const CLUSTER: &str = "test";
pub(crate) const SHARDS: u32 = 2;

pub(crate) struct Cluster {
    authority: CertificateAuthority,
    addresses: Vec<SocketAddr>,
    /// Where each node serves its measurements.
    pub(crate) metrics: Vec<SocketAddr>,
    pub(crate) stops: Vec<oneshot::Sender<()>>,
    pub(crate) env: Env,
    _dir: tempfile::TempDir,
}

fn material(authority: &CertificateAuthority, role: &Role) -> TlsMaterial {
    authority.material(&authority.issue(role, &[]).unwrap())
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let env = Env::system();
        let authority = CertificateAuthority::new(CLUSTER).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let addresses: Vec<SocketAddr> = (0..3).map(|_| free_address()).collect();
        let cluster = ClusterConfig {
            cluster_id: CLUSTER.to_owned(),
            shards: SHARDS,
            initial_nodes: (1..)
                .zip(&addresses)
                .map(|(id, address)| InitialNode {
                    node_id: NodeId::new(id),
                    address: address.to_string(),
                    zone: format!("zone-{id}"),
                })
                .collect(),
            purpose: Purpose::Production,
            clock: None,
        };
        let metrics: Vec<SocketAddr> = (0..3).map(|_| free_address()).collect();
        let mut stops = Vec::new();
        for (id, address) in (1u64..).zip(&addresses) {
            let config = NodeConfig {
                cluster: cluster.clone(),
                node_id: NodeId::new(id),
                listen: *address,
                advertise: address.to_string(),
                metrics_listen: Some(metrics[id as usize - 1]),
                zone: format!("zone-{id}"),
                data_dir: dir.path().join(format!("node-{id}")),
                bootstrap: true,
                tls: material(&authority, &Role::Node(NodeId::new(id))),
                storage: StorageTuning::default(),
                snapshot_bytes_per_second: None,
                log_keep_time: None,
            };
            let (ready, is_ready) = oneshot::channel();
            let (stop, stopped) = oneshot::channel();
            let node_env = env.clone();
            env.spawn("node", async move {
                quorate_node::run(config, node_env, ready, async {
                    let _ = stopped.await;
                })
                .await
                .unwrap();
            });
            is_ready.await.unwrap();
            stops.push(stop);
        }
        Self {
            authority,
            addresses,
            metrics,
            stops,
            env,
            _dir: dir,
        }
    }

    pub(crate) async fn channel(&self, node: usize) -> Channel {
        let tls = material(&self.authority, &Role::Gateway("test".to_owned()));
        TlsClient::new(&tls, &self.env)
            .unwrap()
            .connect(
                &self.addresses[node].to_string(),
                &format!("node-{}.quorate.internal", node + 1),
                ChannelOptions::default(),
            )
            .await
            .unwrap()
    }

    /// Asks every node to end.
    pub(crate) fn stop(self) {
        for stop in self.stops {
            let _ = stop.send(());
        }
    }

    /// Puts the program `mask`, once the system shard takes it.
    pub(crate) async fn put_program(&self) {
        let mut system = ClusterClient::new(self.channel(0).await);
        let request = ProposeSystemRequest {
            command: Some(program()),
        };
        let put = async {
            loop {
                match system.propose_system(request.clone()).await {
                    Ok(response) => {
                        let outcome = response.into_inner().outcome.unwrap();
                        if outcome.refused.is_empty() {
                            return;
                        }
                        println!("refused: {}", outcome.refused);
                    }
                    Err(status) => println!("not yet: {status}"),
                }
                self.env.sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = self.env.timeout(Duration::from_secs(10), put).await;
        in_time.unwrap();
    }

    /// The node that leads a shard and holds the program, once there is one.
    pub(crate) async fn leader_of(&self, shard: u32) -> usize {
        for _ in 0..200 {
            for node in 0..3 {
                let mut client = ClusterClient::new(self.channel(node).await);
                let status = client.status(StatusRequest {}).await.unwrap().into_inner();
                let leads = status.replicas.iter().any(|replica| {
                    replica.shard == shard
                        && replica.is_leader
                        && replica.program_versions.contains_key("mask")
                });
                if leads {
                    return node;
                }
            }
            self.env.sleep(Duration::from_millis(50)).await;
        }
        panic!("shard {shard} has no leader after 10 s");
    }
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn program() -> SystemCommand {
    SystemCommand {
        body: Some(system_command::Body::PutProgram(PutProgramDefinition {
            program: Some(ProgramDefinition {
                id: "mask".to_owned(),
                time_zone: "Asia/Seoul".to_owned(),
                rules: vec![Rule {
                    id: "two-a-week".to_owned(),
                    effective_from_ms: 0,
                    limit: 2,
                    sale_quantity_max: 10,
                    window: Some(rule::Window::CalendarWeek(CalendarWeek {})),
                    ..Rule::default()
                }],
                ..ProgramDefinition::default()
            }),
            expected_version: 0,
            proposed_at_ms: 0,
            immediate: true,
        })),
    }
}

/// A sale of one unit to the citizen at the very start of the ring: shard 1.
pub(crate) fn sale(correlation: u64) -> ShardCommand {
    let mut request_id = vec![1u8; 16];
    request_id[0] = u8::try_from(correlation).unwrap();
    ShardCommand {
        correlation,
        shard: 1,
        epoch: 0,
        time_left_ms: 5_000,
        body: Some(shard_command::Body::Write(Command {
            epoch: 0,
            body: Some(command::Body::Record(RecordSale {
                request_id: request_id.into(),
                citizen: vec![0u8; 16].into(),
                program: "mask".to_owned(),
                quantity: 1,
                site: Some(SaleSite {
                    code: "11841176".to_owned(),
                    site_type: 1,
                    region: "Seoul".to_owned(),
                    suspended: false,
                }),
                claims: Some(Claims {
                    birth_year: 1987,
                    id_digit: None,
                }),
                product: String::new(),
                proxy: None,
            })),
        })),
    }
}

pub(crate) async fn exchange(channel: Channel, commands: Vec<ShardCommand>) -> Vec<ShardReply> {
    let expected = commands.len();
    let (sender, queue) = mpsc::channel(1);
    let frame = CommandFrame {
        cluster_id: CLUSTER.to_owned(),
        commands,
    };
    sender.send(frame).await.unwrap();
    let mut client = ShardClient::new(channel);
    let stream = client.exchange(ReceiverStream::new(queue)).await.unwrap();
    let mut frames = stream.into_inner();
    let mut replies = Vec::new();
    while replies.len() < expected {
        replies.extend(frames.message().await.unwrap().unwrap().replies);
    }
    replies.sort_by_key(|reply| reply.correlation);
    replies
}

pub(crate) fn write(body: command::Body, shard: u32) -> ShardCommand {
    ShardCommand {
        correlation: u64::from(shard),
        shard,
        epoch: 0,
        time_left_ms: 5_000,
        body: Some(shard_command::Body::Write(Command {
            epoch: 0,
            body: Some(body),
        })),
    }
}

/// Sends a command to the shard that owns its site: the other one refuses.
pub(crate) async fn send(cluster: &Cluster, body: command::Body) -> outcome::Body {
    for shard in 1..=SHARDS {
        let leader = cluster.leader_of(shard).await;
        let command = write(body.clone(), shard);
        let replies = exchange(cluster.channel(leader).await, vec![command]).await;
        let Some(shard_reply::Body::Write(reply)) = &replies[0].body else {
            panic!("not decided: {replies:?}");
        };
        match reply.outcome.clone().unwrap().body.unwrap() {
            outcome::Body::Error(error) if error.kind == 3 => {}
            decided => return decided,
        }
    }
    panic!("no shard owns the site: {body:?}");
}

pub(crate) fn profile(code: &str) -> SiteProfile {
    SiteProfile {
        code: code.to_owned(),
        name: format!("Pharmacy {code}"),
        address: "1 Example-ro".to_owned(),
        site_type: 1,
        latitude: Some(37.5),
        longitude: Some(127.0),
        region: "Seoul".to_owned(),
    }
}
