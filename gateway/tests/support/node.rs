//! One scripted node: it speaks the protocol of nodes and decides what its script says.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex},
};

use futures_util::{Stream, StreamExt as _, stream};
use quorate_link::{ClientAuth, Env, Role, TlsServer, certs::CertificateAuthority};
use quorate_proto::{
    ids::NodeId,
    internal::{
        AuditStockRequest, AuditStockResponse, ClusterEvent, CommandFrame, DeliverStockRequest,
        DeliverStockResponse, DeviceAnswer, DeviceQuery, DigestRequest, DigestResponse, Leadership,
        ProposeSystemRequest, ProposeSystemResponse, QueryReply, Refusal, ReplyFrame, ShardCommand,
        ShardReply, SiteFrame, StatusRequest, StatusResponse, WatchRequest, WatchSitesRequest,
        WriteReply, cluster_server, query, query_reply, refusal, shard_command, shard_reply,
        shard_server,
    },
    storage::{self, ClusterView, command, outcome},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};
use tonic::{Request, Response, Status, Streaming, transport::Server};

use super::{DEVICE, SITE, device_key};

/// What a node does with one command.
#[expect(clippy::large_enum_variant, reason = "a few in a test")]
pub enum Act {
    Reply(shard_reply::Body),
    /// Nothing, ever.
    Silence,
    /// Ends the stream, and with it the connection.
    HangUp,
}

pub type Script = Arc<dyn Fn(&ShardCommand) -> Act + Send + Sync>;

/// Grants every sale and knows the one device.
pub fn well_behaved() -> Script {
    Arc::new(|command| Act::Reply(answer(command)))
}

pub fn always(act: fn() -> Act) -> Script {
    Arc::new(move |_| act())
}

pub fn refuse(kind: refusal::Kind, leader_node: u64) -> Act {
    Act::Reply(shard_reply::Body::Refusal(Refusal {
        kind: kind.into(),
        leader_node,
        detail: String::new(),
    }))
}

/// What everybody has been told so far: the view, and leaders by shard.
#[derive(Clone, Default)]
struct Told {
    view: Option<ClusterView>,
    leaders: BTreeMap<u32, (u64, u64)>,
}

/// The site feed: what everybody who comes is sent first, and those who have come.
#[derive(Default)]
struct Feed {
    greeting: Vec<SiteFrame>,
    listeners: Vec<mpsc::UnboundedSender<SiteFrame>>,
}

impl Feed {
    fn add(&mut self, listener: mpsc::UnboundedSender<SiteFrame>) {
        for frame in &self.greeting {
            let _ = listener.send(frame.clone());
        }
        self.listeners.push(listener);
    }
}

#[derive(Clone)]
struct Behaviour {
    feed: Arc<Mutex<Feed>>,
    script: Arc<Mutex<Script>>,
    received: Arc<Mutex<Vec<ShardCommand>>>,
    told: watch::Sender<Told>,
    /// Streams of commands ever accepted.
    accepted: watch::Sender<usize>,
    /// What `Status` and `Digest` answer; `None`: an error.
    status: Arc<Mutex<Option<StatusResponse>>>,
    digest: Arc<Mutex<Option<DigestResponse>>>,
    /// What `AuditStock` answers, first call first, the last one again and again; `None`: an error.
    audits: Arc<Mutex<VecDeque<Option<AuditStockResponse>>>>,
    proposals: Arc<Mutex<Vec<storage::SystemCommand>>>,
    env: Env,
}

/// See the module's documentation.
pub struct ScriptedNode {
    pub id: u64,
    pub address: String,
    behaviour: Behaviour,
}

impl ScriptedNode {
    pub async fn start(id: u64, authority: &CertificateAuthority, env: &Env) -> ScriptedNode {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let issued = authority.issue(&Role::Node(NodeId(id)), &[]).unwrap();
        let incoming = TlsServer::new(&authority.material(&issued), ClientAuth::Required, env)
            .unwrap()
            .incoming(listener);
        let behaviour = Behaviour {
            feed: Arc::default(),
            script: Arc::new(Mutex::new(well_behaved())),
            received: Arc::default(),
            told: watch::Sender::default(),
            accepted: watch::Sender::default(),
            status: Arc::default(),
            digest: Arc::default(),
            audits: Arc::default(),
            proposals: Arc::default(),
            env: env.clone(),
        };
        let serve = Server::builder()
            .add_service(shard_server::ShardServer::new(behaviour.clone()))
            .add_service(cluster_server::ClusterServer::new(behaviour.clone()))
            .serve_with_incoming(incoming);
        drop(env.spawn("scripted node", async move { serve.await.unwrap() }));
        ScriptedNode {
            id,
            address,
            behaviour,
        }
    }

    /// Tells everyone who watches. Leaders are (shard, term, node).
    pub fn publish(&self, view: Option<ClusterView>, leaders: Vec<(u32, u64, u64)>) {
        self.behaviour.told.send_modify(|told| {
            if view.is_some() {
                told.view = view;
            }
            for (shard, term, node) in leaders {
                told.leaders.insert(shard, (term, node));
            }
        });
    }

    /// What everybody who opens the site feed is sent first; those who have it open are sent it now.
    pub fn greet(&self, frames: Vec<SiteFrame>) {
        for frame in &frames {
            self.feed(frame);
        }
        self.behaviour.feed.lock().unwrap().greeting = frames;
    }

    /// Sends a piece of the site feed to everybody who has it open.
    pub fn feed(&self, frame: &SiteFrame) {
        let mut feed = self.behaviour.feed.lock().unwrap();
        feed.listeners
            .retain(|listener| listener.send(frame.clone()).is_ok());
    }

    /// Ends every site feed.
    pub fn cut_feeds(&self) {
        self.behaviour.feed.lock().unwrap().listeners.clear();
    }

    pub fn set_script(&self, script: Script) {
        *self.behaviour.script.lock().unwrap() = script;
    }

    pub fn set_status(&self, status: StatusResponse) {
        *self.behaviour.status.lock().unwrap() = Some(status);
    }

    pub fn set_digest(&self, digest: DigestResponse) {
        *self.behaviour.digest.lock().unwrap() = Some(digest);
    }

    /// What the next calls for an account of stock are answered with.
    pub fn set_audits(&self, audits: Vec<Option<AuditStockResponse>>) {
        *self.behaviour.audits.lock().unwrap() = audits.into();
    }

    /// Waits for the gateway's first stream of commands.
    pub async fn accepted(&self) {
        let mut accepted = self.behaviour.accepted.subscribe();
        accepted.wait_for(|count| *count > 0).await.unwrap();
    }

    /// Every command that arrived, queries of logins left out.
    pub fn received(&self) -> Vec<ShardCommand> {
        let received = self.behaviour.received.lock().unwrap();
        let is_login = |command: &&ShardCommand| {
            matches!(&command.body, Some(shard_command::Body::Query(query))
                if matches!(query.body, Some(query::Body::Device(_))))
        };
        received.iter().filter(|c| !is_login(c)).cloned().collect()
    }

    pub fn proposals(&self) -> Vec<storage::SystemCommand> {
        self.behaviour.proposals.lock().unwrap().clone()
    }
}

#[tonic::async_trait]
impl shard_server::Shard for Behaviour {
    type ExchangeStream = Pin<Box<dyn Stream<Item = Result<ReplyFrame, Status>> + Send>>;

    async fn exchange(
        &self,
        request: Request<Streaming<CommandFrame>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        self.accepted.send_modify(|count| *count += 1);
        let mut frames = request.into_inner();
        let (sender, receiver) = mpsc::unbounded_channel();
        let behaviour = self.clone();
        drop(self.env.spawn("scripted stream", async move {
            while let Some(Ok(frame)) = frames.next().await {
                assert_eq!(frame.cluster_id, super::CLUSTER);
                for command in frame.commands {
                    let script = behaviour.script.lock().unwrap().clone();
                    let act = script(&command);
                    let correlation = command.correlation;
                    behaviour.received.lock().unwrap().push(command);
                    match act {
                        Act::Silence => {}
                        Act::HangUp => {
                            let _ = sender.send(Err(Status::unavailable("scripted")));
                            return;
                        }
                        Act::Reply(body) => {
                            let reply = ShardReply {
                                correlation,
                                body: Some(body),
                            };
                            let replies = vec![reply];
                            let _ = sender.send(Ok(ReplyFrame { replies }));
                        }
                    }
                }
            }
        }));
        let replies = stream::unfold(receiver, |mut receiver| async {
            Some((receiver.recv().await?, receiver))
        });
        Ok(Response::new(Box::pin(replies)))
    }
}

#[tonic::async_trait]
impl cluster_server::Cluster for Behaviour {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<ClusterEvent, Status>> + Send>>;

    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let mut told = self.told.subscribe();
        told.mark_changed();
        let events = stream::unfold(told, |mut told| async {
            told.changed().await.ok()?;
            let now = told.borrow_and_update().clone();
            let leaderships = now.leaders.into_iter();
            let event = ClusterEvent {
                view: now.view,
                leaderships: leaderships
                    .map(|(shard, (term, leader_node))| Leadership {
                        shard,
                        term,
                        leader_node,
                    })
                    .collect(),
            };
            Some((Ok(event), told))
        });
        Ok(Response::new(Box::pin(events)))
    }

    async fn propose_system(
        &self,
        request: Request<ProposeSystemRequest>,
    ) -> Result<Response<ProposeSystemResponse>, Status> {
        let command = request.into_inner().command.unwrap();
        self.proposals.lock().unwrap().push(command);
        let outcome = storage::SystemOutcome {
            refused: String::new(),
            view_version: 1,
        };
        Ok(Response::new(ProposeSystemResponse {
            outcome: Some(outcome),
        }))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let status = self.status.lock().unwrap().clone();
        status
            .map(Response::new)
            .ok_or_else(|| Status::unavailable("scripted"))
    }

    type AuditStockStream = Pin<Box<dyn Stream<Item = Result<AuditStockResponse, Status>> + Send>>;

    async fn audit_stock(
        &self,
        _: Request<AuditStockRequest>,
    ) -> Result<Response<Self::AuditStockStream>, Status> {
        let mut audits = self.audits.lock().unwrap();
        let audit = match audits.len() {
            0 | 1 => audits.front().cloned().unwrap_or_default(),
            _ => audits.pop_front().flatten(),
        };
        let audit = audit.ok_or_else(|| Status::unavailable("scripted"))?;
        Ok(Response::new(Box::pin(stream::iter([Ok(audit)]))))
    }

    async fn deliver_stock(
        &self,
        _: Request<DeliverStockRequest>,
    ) -> Result<Response<DeliverStockResponse>, Status> {
        Err(Status::unavailable("scripted"))
    }

    type WatchSitesStream = Pin<Box<dyn Stream<Item = Result<SiteFrame, Status>> + Send>>;

    async fn watch_sites(
        &self,
        _: Request<WatchSitesRequest>,
    ) -> Result<Response<Self::WatchSitesStream>, Status> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.feed.lock().unwrap().add(sender);
        let frames = stream::unfold(receiver, |mut receiver| async {
            Some((receiver.recv().await?, receiver))
        });
        Ok(Response::new(Box::pin(frames.map(Ok))))
    }

    async fn digest(&self, _: Request<DigestRequest>) -> Result<Response<DigestResponse>, Status> {
        let digest = self.digest.lock().unwrap().clone();
        digest
            .map(Response::new)
            .ok_or_else(|| Status::unavailable("scripted"))
    }
}

/// What a node that leads and knows everything would say.
pub fn answer(command: &ShardCommand) -> shard_reply::Body {
    match command.body.clone().unwrap() {
        shard_command::Body::Write(write) => write_reply(match write.body.unwrap() {
            command::Body::Record(record) => {
                let remaining = 2u32.saturating_sub(record.quantity);
                outcome::Body::Record(storage::RecordOutcome {
                    verdict: Some(verdict(remaining)),
                    repeated_answer: false,
                })
            }
            command::Body::Void(_) => outcome::Body::Void(storage::VoidOutcome {
                quantity: 2,
                remaining: 2,
                decided_at_ms: 1,
                ..storage::VoidOutcome::default()
            }),
            command::Body::PutSites(put) => outcome::Body::PutSites(storage::PutSitesOutcome {
                added: u32::try_from(put.sites.len()).unwrap(),
                replaced: 0,
                unchanged: 0,
            }),
            command::Body::ChangeStock(_) => outcome::Body::Stock(storage::StockOutcome {
                stock: Some(stock()),
                ..storage::StockOutcome::default()
            }),
            command::Body::SuspendSite(_) => outcome::Body::Stock(Default::default()),
            command::Body::PutDevice(_) => outcome::Body::PutDevice(Default::default()),
            _ => outcome::Body::Done(storage::Done {}),
        }),
        shard_command::Body::Query(query) => query_answer(match query.body.unwrap() {
            query::Body::Check(_) => {
                query_reply::Body::Check(quorate_proto::internal::CheckAnswer {
                    verdict: Some(verdict(2)),
                })
            }
            query::Body::List(_) => query_reply::Body::List(Default::default()),
            query::Body::Device(device) => query_reply::Body::Device(find(&device)),
            query::Body::Stock(_) => query_reply::Body::Stock(Default::default()),
            query::Body::SiteSales(_) => query_reply::Body::SiteSales(Default::default()),
            query::Body::OverQuota(_) => query_reply::Body::OverQuota(Default::default()),
            query::Body::Daily(_) => query_reply::Body::Daily(Default::default()),
            query::Body::Shadow(_) => query_reply::Body::Shadow(Default::default()),
        }),
    }
}

fn find(query: &DeviceQuery) -> DeviceAnswer {
    if query.site_code != SITE {
        return DeviceAnswer::default();
    }
    DeviceAnswer {
        site: Some(storage::SiteProfile {
            code: SITE.into(),
            name: "보승약국".into(),
            address: "서울특별시 용산구".into(),
            site_type: 1,
            latitude: None,
            longitude: None,
            region: "서울특별시".into(),
        }),
        public_key: match query.device_id == DEVICE {
            true => device_key().verifying_key().to_bytes().to_vec().into(),
            false => Default::default(),
        },
    }
}

pub fn write_reply(body: outcome::Body) -> shard_reply::Body {
    shard_reply::Body::Write(WriteReply {
        outcome: Some(storage::Outcome { body: Some(body) }),
        term: 4,
        log_index: 5,
        ordinal: 6,
    })
}

pub fn query_answer(body: query_reply::Body) -> shard_reply::Body {
    shard_reply::Body::Query(QueryReply {
        term: 4,
        log_index: 5,
        body: Some(body),
    })
}

pub fn stock() -> storage::StockRecord {
    storage::StockRecord {
        received: 250,
        adjusted: -2,
        sold: 10,
        voided: 1,
        on_hand: 239,
        held: 40,
        last_received_ms: Some(1_583_883_600_000),
        updated_at_ms: 1_583_887_200_000,
        ..storage::StockRecord::default()
    }
}

fn verdict(remaining: u32) -> storage::Verdict {
    storage::Verdict {
        granted: true,
        remaining,
        limit: 2,
        window_start_ms: 1,
        window_end_ms: 2,
        rule_version: "r1".into(),
        decided_at_ms: 1,
        ..storage::Verdict::default()
    }
}
