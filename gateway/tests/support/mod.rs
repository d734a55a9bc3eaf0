//! A gateway in front of scripted nodes: real sockets, real TLS, real frames; only the decisions are
//! scripted, so that every way in which a node can fail to answer can be produced at will.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "shared by several test programs, none of which uses all of it"
)]

pub mod node;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use quorate_gateway::{GatewayConfig, Listening, PublicConfig, TerminalsConfig};
use quorate_link::{
    ChannelOptions, Env, Role, TlsClient,
    certs::{CertificateAuthority, GATEWAY_SERVER_NAME},
};
use quorate_proto::{
    ring::even_split,
    storage::{ClusterView, NodeRecord, ProgramDefinition, ReplicaPlacement, ShardRecord},
    v1::{
        CheckRequest, CitizenId, GetChallengeRequest, OpenSessionRequest, RecordRequest,
        ration_client::RationClient, sessions_client::SessionsClient,
    },
};
use tokio::sync::oneshot;
use tonic::{Request, transport::Channel};

use node::{Script, ScriptedNode};

pub const CLUSTER: &str = "demo";
pub const SITE: &str = "11841176";
pub const DEVICE: &str = "till-1";

/// A synthetic number with a right check digit.
pub const CITIZEN: &str = "900101-1234568";

/// A gateway, its nodes, and one data shard that covers the ring.
pub struct World {
    pub authority: CertificateAuthority,
    pub nodes: Vec<ScriptedNode>,
    pub gateway: SocketAddr,
    /// Where the public asks.
    pub public: SocketAddr,
    pub env: Env,
    shards: u32,
    stop: Option<oneshot::Sender<()>>,
    running: oneshot::Receiver<Result<(), quorate_gateway::GatewayError>>,
}

pub fn device_key() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

impl World {
    /// Three nodes and a gateway; node 1 leads everything.
    pub async fn start() -> World {
        World::start_sharded(1).await
    }

    /// As [`World::start`], with so many data shards.
    pub async fn start_sharded(shards: u32) -> World {
        let world = World::start_with(shards).await;
        world.elect(1, 1);
        world
    }

    /// As [`World::start`], but nobody has heard of a leader yet.
    pub async fn start_leaderless() -> World {
        World::start_with(1).await
    }

    async fn start_with(shards: u32) -> World {
        let env = Env::system();
        let authority = CertificateAuthority::new(CLUSTER).unwrap();
        let mut nodes = Vec::new();
        for id in 1..=3 {
            nodes.push(ScriptedNode::start(id, &authority, &env).await);
        }
        let addresses: Vec<_> = nodes.iter().map(|node| node.address.clone()).collect();
        for node in &nodes {
            node.publish(Some(view(&addresses, shards)), vec![]);
        }

        let (ready, address) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ended, running) = oneshot::channel();
        let config = gateway_config(&authority, addresses);
        let task = quorate_gateway::run(config, env.clone(), ready, async {
            let _ = stopped.await;
        });
        drop(env.spawn("gateway", async move {
            let _ = ended.send(task.await);
        }));
        for node in &nodes {
            node.accepted().await;
        }
        let listening = address.await.unwrap();
        World {
            gateway: listening.terminals.unwrap(),
            public: listening.public.unwrap(),
            authority,
            nodes,
            shards,
            env,
            stop: Some(stop),
            running,
        }
    }

    /// Every node says that `node` leads every shard.
    pub fn elect(&self, node: u64, term: u64) {
        for scripted in &self.nodes {
            let leaders = (0..=self.shards).map(|shard| (shard, term, node));
            scripted.publish(None, leaders.collect());
        }
    }

    pub fn node(&self, id: u64) -> &ScriptedNode {
        self.nodes.iter().find(|node| node.id == id).unwrap()
    }

    pub fn script(&self, id: u64, script: Script) {
        self.node(id).set_script(script);
    }

    /// A connection as terminals have it.
    pub async fn terminal(&self) -> Channel {
        let ca = self.authority.cert_pem().as_bytes();
        let client = TlsClient::anonymous(ca, &self.env).unwrap();
        self.connect(&client).await
    }

    /// A connection with a certificate.
    pub async fn as_role(&self, role: Role) -> Channel {
        let issued = self.authority.issue(&role, &[]).unwrap();
        let material = self.authority.material(&issued);
        let client = TlsClient::new(&material, &self.env).unwrap();
        self.connect(&client).await
    }

    pub async fn connect(&self, client: &TlsClient) -> Channel {
        let address = self.gateway.to_string();
        let options = ChannelOptions {
            // A machine that runs every test at once is slow.
            connect_timeout: Duration::from_secs(20),
            ..ChannelOptions::default()
        };
        client
            .connect(&address, GATEWAY_SERVER_NAME, options)
            .await
            .unwrap()
    }

    /// Logs the terminal in.
    pub async fn token(&self) -> String {
        let mut sessions = SessionsClient::new(self.terminal().await);
        let challenge = sessions
            .get_challenge(GetChallengeRequest {
                site_code: SITE.into(),
                device_id: DEVICE.into(),
            })
            .await
            .unwrap()
            .into_inner()
            .challenge;
        let request = open_session(challenge, &device_key());
        sessions
            .open_session(request)
            .await
            .unwrap()
            .into_inner()
            .token
    }

    /// A logged-in terminal.
    pub async fn ration(&self) -> Terminal {
        Terminal {
            token: self.token().await,
            client: RationClient::new(self.terminal().await),
        }
    }

    /// Stops the gateway and waits for its end.
    pub async fn stop(mut self) -> Result<(), quorate_gateway::GatewayError> {
        drop(self.stop.take());
        (&mut self.running).await.unwrap()
    }
}

/// Where a gateway listens whose configuration was changed so. It is stopped again.
pub async fn listening_of(change: impl FnOnce(&mut GatewayConfig)) -> Listening {
    let authority = CertificateAuthority::new(CLUSTER).unwrap();
    let (ready, listening) = oneshot::channel();
    let mut config = gateway_config(&authority, vec!["127.0.0.1:1".to_owned()]);
    change(&mut config);
    let stop = oneshot::channel::<()>();
    let run = quorate_gateway::run(config, Env::system(), ready, async {
        let _ = stop.1.await;
    });
    let (listening, ended) = tokio::join!(
        async {
            let listening = listening.await.unwrap();
            drop(stop.0);
            listening
        },
        run
    );
    ended.unwrap();
    listening
}

pub struct Terminal {
    pub token: String,
    pub client: RationClient<Channel>,
}

impl Terminal {
    pub fn request<T>(&self, message: T, timeout: Duration) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(timeout);
        let header = format!("Bearer {}", self.token);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", header.parse().unwrap());
        request
    }
}

pub fn open_session(challenge: Bytes, key: &SigningKey) -> OpenSessionRequest {
    let signed = [b"quorate-session-v1", &challenge[..]].concat();
    OpenSessionRequest {
        site_code: SITE.into(),
        device_id: DEVICE.into(),
        signature: key.sign(&signed).to_bytes().to_vec().into(),
        challenge,
    }
}

pub fn citizen(number: &str) -> Option<CitizenId> {
    Some(CitizenId {
        scheme: "KR-RRN".into(),
        number: number.into(),
    })
}

pub fn record(request_id: &str) -> RecordRequest {
    RecordRequest {
        request_id: request_id.into(),
        citizen: citizen(CITIZEN),
        program: "mask".into(),
        quantity: 2,
        ..RecordRequest::default()
    }
}

pub fn check() -> CheckRequest {
    CheckRequest {
        citizen: citizen(CITIZEN),
        program: "mask".into(),
        quantity: 1,
        ..CheckRequest::default()
    }
}

pub fn gateway_config(authority: &CertificateAuthority, seeds: Vec<String>) -> GatewayConfig {
    let issued = authority.issue(&Role::Gateway("one".into()), &[]).unwrap();
    GatewayConfig {
        cluster_id: CLUSTER.into(),
        name: "one".into(),
        terminals: Some(TerminalsConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            pepper: [3; 32].into(),
            token_key: [4; 32].into(),
            sealing_keys: vec![[6; 32].into(), [7; 32].into()],
            session_lifetime: Duration::from_secs(3600),
        }),
        public: Some(PublicConfig::new("127.0.0.1:0".parse().unwrap())),
        seeds,
        tls: authority.material(&issued),
    }
}

pub fn view(addresses: &[String], shards: u32) -> ClusterView {
    let replicas: Vec<_> = (1..=3)
        .map(|node| ReplicaPlacement {
            replica: node,
            node,
        })
        .collect();
    let shard = |shard: u32, range_first: u64, range_last: u64| ShardRecord {
        shard,
        range_first,
        range_last,
        epoch: u64::from(shard),
        replicas: replicas.clone(),
        next_replica_id: 4,
        forming_replica: 0,
    };
    let ranges = (1..).zip(even_split(shards));
    let data = ranges.map(|(id, range)| shard(id, range.first().get(), range.last().get()));
    ClusterView {
        version: 1,
        cluster_id: CLUSTER.into(),
        nodes: (1..)
            .zip(addresses)
            .map(|(node_id, address)| NodeRecord {
                node_id,
                incarnation: 1,
                address: address.clone(),
                zone: String::new(),
            })
            .collect(),
        shards: std::iter::once(shard(0, 0, 0)).chain(data).collect(),
        programs: vec![ProgramDefinition {
            id: "mask".into(),
            time_zone: "Asia/Seoul".into(),
            version: 1,
            ..ProgramDefinition::default()
        }],
        ..ClusterView::default()
    }
}
