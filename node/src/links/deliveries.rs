//! Carries outbox rows to shards that other nodes lead.
//!
//! State owned: a queue per node. Whatever waits for a node when its turn comes goes as one
//! call. Calls overlap, so a shard that is stuck over there keeps no other waiting. A call that fails is not
//! repeated here: the courier sends the rows again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use quorate_core::codec;
use quorate_link::env::Env;
use quorate_proto::ids::NodeId;
use quorate_proto::internal::{self, DeliverStockRequest};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::Calls;
use crate::limits;
use crate::shard::{Carrier, ShardDelivery};

/// Queues to the other nodes.
pub(crate) struct DeliveryLinks {
    parts: Arc<Parts>,
    queues: Mutex<BTreeMap<NodeId, mpsc::Sender<Waiting>>>,
}

/// What a link is made with.
struct Parts {
    cluster_id: String,
    calls: Arc<dyn Calls>,
    env: Env,
}

/// A delivery, and who waits for its result.
struct Waiting {
    delivery: ShardDelivery,
    applied: oneshot::Sender<bool>,
}

impl DeliveryLinks {
    pub(crate) fn new(cluster_id: String, calls: Arc<dyn Calls>, env: Env) -> Self {
        Self {
            parts: Arc::new(Parts {
                cluster_id,
                calls,
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
            let run = run_link(Arc::clone(&self.parts), node, queue);
            self.parts.env.spawn("delivery link", run);
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
async fn run_link(parts: Arc<Parts>, node: NodeId, mut queue: mpsc::Receiver<Waiting>) {
    let calls = Arc::new(Semaphore::new(limits::DELIVERY_CALLS_MAX));
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
        let sent = send(Arc::clone(&parts), node, waiting);
        let env = parts.env.clone();
        parts.env.spawn("delivery", async move {
            // Twice the time that the other side takes at most. Late, it may still be applied.
            let _ = env.timeout(2 * limits::DELIVERY_TIMEOUT, sent).await;
            drop(call);
        });
    }
}

/// Whoever waits is told the result, or by the end of its channel that there is none.
async fn send(parts: Arc<Parts>, node: NodeId, waiting: Vec<Waiting>) {
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
    let request = DeliverStockRequest {
        cluster_id: parts.cluster_id.clone(),
        deliveries: deliveries.collect(),
    };
    match parts.calls.deliver_stock(node, request).await {
        Ok(response) => {
            for (waiting, applied) in waiting.into_iter().zip(response.applied) {
                // A courier that no longer waits has begun again.
                let _ = waiting.applied.send(applied);
            }
        }
        Err(error) => tracing::debug!(%error, "rows were not delivered"),
    }
}
