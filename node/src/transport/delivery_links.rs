//! Carries outbox rows to shards that other nodes lead.
//!
//! State owned: per node a queue and a connection. Whatever waits for a node when its turn comes goes as one
//! call. Calls overlap, so a shard that is stuck over there keeps no other waiting. A call that fails is not
//! repeated here: the courier sends the rows again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use quorate_core::codec;
use quorate_link::certs::node_server_name;
use quorate_link::client::{ChannelOptions, TlsClient};
use quorate_link::env::Env;
use quorate_proto::ids::NodeId;
use quorate_proto::internal;
use quorate_proto::internal::cluster_client::ClusterClient;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tonic::Request;
use tonic::transport::Channel;

use crate::limits;
use crate::shard::{Carrier, ShardDelivery};
use crate::system::AddressBook;

/// Queues to the other nodes.
pub(crate) struct DeliveryLinks {
    dialer: Arc<Dialer>,
    queues: Mutex<HashMap<NodeId, mpsc::Sender<Waiting>>>,
}

struct Dialer {
    cluster_id: String,
    addresses: Arc<AddressBook>,
    tls: TlsClient,
    env: Env,
}

/// A delivery, and who waits for its result.
struct Waiting {
    delivery: ShardDelivery,
    applied: oneshot::Sender<bool>,
}

impl DeliveryLinks {
    pub(crate) fn new(
        cluster_id: String,
        addresses: Arc<AddressBook>,
        tls: TlsClient,
        env: Env,
    ) -> Self {
        Self {
            dialer: Arc::new(Dialer {
                cluster_id,
                addresses,
                tls,
                env,
            }),
            queues: Mutex::default(),
        }
    }

    /// The queue to a node; its first use starts whoever empties it.
    fn queue(&self, node: NodeId) -> mpsc::Sender<Waiting> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let start = || {
            let (sender, queue) = mpsc::channel(limits::DELIVERIES_QUEUED);
            let run = run_link(Arc::clone(&self.dialer), node, queue);
            self.dialer.env.spawn("delivery link", run);
            sender
        };
        queues.entry(node).or_insert_with(start).clone()
    }
}

impl Carrier for DeliveryLinks {
    fn carry(&self, node: NodeId, delivery: ShardDelivery) -> BoxFuture<'static, bool> {
        let queue = self.queue(node);
        async move {
            let (applied, result) = oneshot::channel();
            // A full queue means that the node is behind: the courier rests and tries again.
            match queue.try_send(Waiting { delivery, applied }) {
                Ok(()) => result.await.unwrap_or(false),
                Err(_) => false,
            }
        }
        .boxed()
    }
}

/// Empties the queue to one node until the node stops.
async fn run_link(dialer: Arc<Dialer>, node: NodeId, mut queue: mpsc::Receiver<Waiting>) {
    let calls = Arc::new(Semaphore::new(limits::DELIVERY_CALLS_MAX));
    let mut connection: Option<(String, Channel)> = None;
    while let Some(first) = queue.recv().await {
        let Ok(call) = Arc::clone(&calls).acquire_owned().await else {
            return;
        };
        let mut waiting = vec![first];
        while waiting.len() < limits::DELIVERIES_PER_CALL {
            match queue.try_recv() {
                Ok(next) => waiting.push(next),
                Err(_) => break,
            }
        }
        let address = dialer.addresses.of(node).unwrap_or_default();
        if connection.as_ref().is_none_or(|(to, _)| *to != address) {
            connection = dialer.dial(node, &address).await;
        }
        let Some((_, channel)) = &connection else {
            // Whoever waits is told by the end of its channel.
            continue;
        };
        let sent = send(
            ClusterClient::new(channel.clone()),
            dialer.cluster_id.clone(),
            waiting,
        );
        let env = dialer.env.clone();
        dialer.env.spawn("delivery", async move {
            // Twice the time that the other side takes at most. Late, it may still be applied.
            let _ = env.timeout(2 * limits::DELIVERY_TIMEOUT, sent).await;
            drop(call);
        });
    }
}

impl Dialer {
    /// A connection, which comes back by itself when it breaks.
    async fn dial(&self, node: NodeId, address: &str) -> Option<(String, Channel)> {
        let options = ChannelOptions {
            connect_timeout: limits::CONNECT_TIMEOUT,
            ..ChannelOptions::default()
        };
        let connected = self
            .tls
            .connect(address, &node_server_name(node), options)
            .await;
        match connected {
            Ok(channel) => Some((address.to_owned(), channel)),
            Err(error) => {
                tracing::debug!(%node, %error, "cannot deliver");
                None
            }
        }
    }
}

async fn send(mut client: ClusterClient<Channel>, cluster_id: String, waiting: Vec<Waiting>) {
    let deliveries = waiting.iter().map(|waiting| {
        let ShardDelivery {
            shard,
            epoch,
            delivery,
        } = &waiting.delivery;
        internal::ShardDelivery {
            shard: shard.get(),
            epoch: epoch.get(),
            delivery: Some(codec::delivery_to_proto(delivery)),
        }
    });
    let request = internal::DeliverStockRequest {
        cluster_id,
        deliveries: deliveries.collect(),
    };
    match client.deliver_stock(Request::new(request)).await {
        Ok(response) => {
            let results = response.into_inner().applied;
            for (waiting, applied) in waiting.into_iter().zip(results) {
                // A courier that no longer waits has begun again.
                let _ = waiting.applied.send(applied);
            }
        }
        Err(status) => tracing::debug!(%status, "rows were not delivered"),
    }
}
