//! Carries a shard's outbox to the shards of its sites.
//!
//! Runs on the shard's leader. Rows are read in order, handed to the target of each, and acknowledged up to
//! the first that is not known to be applied. State owned: none that must survive: a new leader starts at the
//! acknowledged row, and targets pass over what they have. So every row is applied exactly once, whoever dies.
//!
//! Woken by rows, not by a clock: an idle shard costs nothing. Rows that come within
//! [`limits::COURIER_PAUSE`] travel together. A target that does not answer keeps its own rows waiting.

mod load;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use quorate_core::CoreError;
use quorate_core::ledger::{self, Command, CommandBody, DeliverStock};
use quorate_core::planted::{self, Bug};
use quorate_link::env::Env;
use quorate_proto::ids::{Epoch, NodeId, ShardId, SiteKey};
use quorate_proto::ring::RingRange;
use quorate_proto::shard_map::ShardInfo;
use tokio::sync::watch;

use self::load::{Load, Next};
use super::host::Host;
use crate::limits;
use crate::metrics::Metrics;
use crate::raft::Group;
use crate::system::View;

/// One delivery and the shard it goes to.
#[derive(Clone, Debug)]
pub(crate) struct ShardDelivery {
    pub(crate) shard: ShardId,
    pub(crate) epoch: Epoch,
    pub(crate) delivery: DeliverStock,
}

/// The way to shards that other nodes lead.
pub(crate) trait Carrier: Send + Sync + 'static {
    /// Hands a delivery to a node; true once it is known to be applied. Gives up by itself.
    fn carry(&self, node: NodeId, delivery: ShardDelivery) -> BoxFuture<'static, bool>;
}

/// What couriers work with.
#[derive(Clone)]
pub(crate) struct CourierParts {
    pub(crate) this: NodeId,
    pub(crate) host: Arc<Host>,
    pub(crate) carrier: Arc<dyn Carrier>,
    pub(crate) view: watch::Receiver<Option<Arc<View>>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) env: Env,
}

/// Starts a courier for every replica here, also for those that are created later.
pub(crate) async fn run_couriers(parts: CourierParts) {
    let mut leaders = parts.host.leaders();
    let mut served: BTreeSet<ShardId> = BTreeSet::new();
    loop {
        leaders.borrow_and_update();
        for group in parts.host.groups() {
            if group.shard() != ShardId::SYSTEM && served.insert(group.shard()) {
                let courier = Courier {
                    parts: parts.clone(),
                    group,
                };
                parts.env.spawn("courier", courier.run());
            }
        }
        if leaders.changed().await.is_err() {
            return;
        }
    }
}

/// Applies a delivery through the shard's own log, if this node leads it. False: it is not known to be applied.
pub(crate) async fn deliver_here(host: &Host, delivery: ShardDelivery, env: &Env) -> bool {
    let Some(desk) = host.desk(delivery.shard) else {
        return false;
    };
    let bytes = limits::DELIVERED_ROW_BYTES * (delivery.delivery.rows.len() + 1);
    let command = Command {
        epoch: delivery.epoch,
        body: CommandBody::DeliverStock(delivery.delivery),
    };
    desk.apply(command, bytes, limits::DELIVERY_TIMEOUT, env)
        .await
}

struct Courier {
    parts: CourierParts,
    group: Arc<Group>,
}

/// Something that was under way has ended.
enum Event {
    Delivered {
        target: ShardId,
        through: u64,
        applied: bool,
    },
    Rested(ShardId),
    Acknowledged {
        applied: bool,
        /// Age of the oldest row that it acknowledged.
        age: Duration,
    },
    /// Rows have been waiting for as long as they should.
    Gathered,
}

/// Why a round of carrying has ended.
enum Ended {
    /// Another node leads, or the map has changed: begin again.
    Again,
    /// The replica has stopped.
    Stopped,
}

impl Courier {
    async fn run(self) {
        let mut leadership = self.group.leadership();
        loop {
            match leadership
                .wait_for(|now| now.here || now.failure.is_some())
                .await
            {
                Ok(now) if now.here => {}
                _ => return,
            }
            match self.carry().await {
                Ok(Ended::Again) => {}
                Ok(Ended::Stopped) => return,
                Err(error) => {
                    self.parts.host.failure().raise(error);
                    return;
                }
            }
        }
    }

    /// Carries for as long as this node leads and the ring is divided as it is now.
    async fn carry(&self) -> Result<Ended, CoreError> {
        let mut leadership = self.group.leadership();
        let mut view = self.parts.view.clone();
        let Ok(Some(map)) = view
            .wait_for(Option::is_some)
            .await
            .map(|view| view.clone())
        else {
            return Ok(Ended::Stopped);
        };
        let division = division(&map);
        let mut outbox = self.group.state().books().outbox();
        let mut load = Load::new(outbox.borrow().acknowledged);
        let mut proposed = load.done_through();
        let mut acknowledging = false;
        let mut gathering = false;
        let mut under_way: FuturesUnordered<BoxFuture<'_, Event>> = FuturesUnordered::new();
        loop {
            let bounds = *outbox.borrow_and_update();
            if !gathering && bounds.newest > load.read_through() && load.room() > 0 {
                gathering = true;
                let gathered = self.parts.env.sleep(limits::COURIER_PAUSE);
                under_way.push(gathered.map(|()| Event::Gathered).boxed());
            }
            if !acknowledging && load.done_through() > proposed {
                acknowledging = true;
                proposed = load.done_through();
                under_way.push(self.acknowledge(proposed).boxed());
            }
            let untrimmed = bounds.acknowledged > bounds.trimmed;
            tokio::select! {
                biased;
                changed = leadership.wait_for(|now| !now.here) => {
                    let stopped = changed.is_err();
                    return Ok(if stopped { Ended::Stopped } else { Ended::Again });
                }
                changed = view.changed() => {
                    let now = view.borrow_and_update().clone();
                    match now {
                        _ if changed.is_err() => return Ok(Ended::Stopped),
                        Some(now) if self::division(&now) != division => return Ok(Ended::Again),
                        _ => continue,
                    }
                }
                Some(event) = under_way.next(), if !under_way.is_empty() => match event {
                    Event::Gathered => {
                        gathering = false;
                        self.read(&mut load, &map)?;
                    }
                    Event::Delivered { target, through, applied: true } => {
                        load.applied(target, through);
                    }
                    Event::Delivered { target, through, .. } if planted::is(Bug::OutboxLost) => {
                        load.applied(target, through);
                    }
                    Event::Delivered { target, .. } => {
                        let pause = pause_after(load.failed(target));
                        let rested = self.parts.env.sleep(pause);
                        under_way.push(rested.map(move |()| Event::Rested(target)).boxed());
                    }
                    Event::Rested(target) => load.rested(target),
                    Event::Acknowledged { applied, age } => {
                        acknowledging = false;
                        match applied {
                            true => self.parts.metrics.outbox_acknowledged(age),
                            // Proposed again with the next rows, or when the shard has been idle.
                            false => proposed = self.group.state().books().outbox().borrow().acknowledged,
                        }
                    }
                },
                changed = outbox.changed() => {
                    if changed.is_err() {
                        return Ok(Ended::Stopped);
                    }
                }
                // Nothing is sold here any more: the rows that are done must go all the same.
                () = self.parts.env.sleep(limits::OUTBOX_TRIM_INTERVAL), if untrimmed => {
                    if !acknowledging {
                        acknowledging = true;
                        under_way.push(self.acknowledge(load.done_through()).boxed());
                    }
                }
            }
            for next in load.deliveries() {
                under_way.push(self.deliver(&map, next).boxed());
            }
        }
    }

    /// Reads the next rows of the outbox and hands them to their targets.
    fn read(&self, load: &mut Load, map: &View) -> Result<(), CoreError> {
        let (after, max) = (load.read_through(), load.room());
        let shard = self.group.shard();
        let rows = self
            .group
            .state()
            .read(|view, _| ledger::outbox_rows(view, shard, after, max))?;
        for row in rows {
            let position = SiteKey::of(&row.row.site_code).position();
            let target = map.map.shard_at(position).map(|info| info.shard);
            // The shard map covers the ring.
            let target = target.ok_or_else(|| {
                CoreError::Law(format!("no shard of the map owns the position {position}"))
            })?;
            load.take(row, target);
        }
        Ok(())
    }

    async fn deliver(&self, map: &View, next: Next) -> Event {
        let (target, through) = (next.target, next.through);
        let applied = match map.map.shard(target) {
            Some(info) => self.hand_over(info, next).await,
            None => false,
        };
        Event::Delivered {
            target,
            through,
            applied,
        }
    }

    async fn hand_over(&self, info: &ShardInfo, next: Next) -> bool {
        let Some(node) = self.leader_of(info, next.failures) else {
            return false;
        };
        let delivery = ShardDelivery {
            shard: info.shard,
            epoch: info.epoch,
            delivery: DeliverStock {
                source: self.group.shard(),
                through: next.through,
                rows: next.rows,
            },
        };
        if node == self.parts.this {
            deliver_here(&self.parts.host, delivery, &self.parts.env).await
        } else {
            self.parts.carrier.carry(node, delivery).await
        }
    }

    /// The node that leads a shard, as far as is known here; otherwise one of its nodes after the other.
    fn leader_of(&self, info: &ShardInfo, failures: u32) -> Option<NodeId> {
        let leaders = self.parts.host.leaders();
        let known = leaders.borrow().get(&info.shard).map(|(_, node)| *node);
        // A leader that failed again and again may be one of the past.
        if let Some(node) = known
            && failures.is_multiple_of(2)
        {
            return Some(node);
        }
        let replicas = info.replicas.len().max(1);
        let nodes = info.replicas.iter().map(|(_, node)| *node);
        nodes.cycle().nth(failures as usize % replicas)
    }

    async fn acknowledge(&self, seq: u64) -> Event {
        let env = &self.parts.env;
        let (from, age) = (
            env.monotonic(),
            self.group.state().books().lag(env.monotonic()),
        );
        let command = Command {
            epoch: Epoch(0),
            body: CommandBody::AcknowledgeOutbox { seq },
        };
        let applied = match self.parts.host.desk(self.group.shard()) {
            Some(desk) => {
                let bytes = limits::DELIVERED_ROW_BYTES;
                desk.apply(command, bytes, limits::DELIVERY_TIMEOUT, env)
                    .await
            }
            None => false,
        };
        if !applied {
            env.sleep(limits::DELIVERY_PAUSE_MIN).await;
        }
        Event::Acknowledged {
            applied,
            age: age + (env.monotonic() - from),
        }
    }
}

/// Which shard owns what: as long as this stays, a site stays where it is.
fn division(view: &View) -> Vec<(ShardId, Option<RingRange>, Epoch)> {
    let shards = view.map.shards().iter();
    shards
        .map(|info| (info.shard, info.range, info.epoch))
        .collect()
}

/// The rest after so many failures in a row.
fn pause_after(failures: u32) -> Duration {
    let doubled = failures.saturating_sub(1).min(16);
    let pause = limits::DELIVERY_PAUSE_MIN.saturating_mul(1 << doubled);
    pause.min(limits::DELIVERY_PAUSE_MAX)
}
