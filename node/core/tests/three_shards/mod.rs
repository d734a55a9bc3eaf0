//! Three shards in memory, a careless courier between them, and what they must hold.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, num::NonZeroU32};

use quorate_core::{
    Overlay,
    audit::StockAudit,
    checkpoint, codec, keys,
    ledger::{
        self, AdoptRange, Batch, ChangeStock, Command, CommandBody, DeliverStock, OutboxKind,
        Outcome, RecordSlip, SlipResult, StockChange, StockChangeKind,
    },
};
use quorate_proto::{
    ids::{DeviceId, Epoch, ProductId, ShardId, SiteCode, SiteKey},
    ring::even_split,
};

use crate::common::{
    self, CLAIMS, EPOCH, MONDAY_MS, NINE_MS, Rows, mask, profile, program, request, rule, sale,
    site, void,
};

pub(crate) const SHARDS: u32 = 3;
pub(crate) const SITES: u64 = 4;
pub(crate) const CITIZENS: u64 = 12;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Sell {
        who: u64,
        site: u64,
        quantity: u32,
    },
    Slip {
        who: u64,
        site: u64,
        quantity: u32,
        age_min: i64,
    },
    /// Undoes one of the sales so far.
    Void {
        sale: usize,
    },
    Receive {
        site: u64,
        quantity: u32,
    },
    /// Puts a delivery on its way: it starts this many rows before what is known to be applied.
    Send {
        source: u32,
        target: u32,
        again: u64,
        rows: usize,
    },
    /// One of those on their way arrives; it may arrive again, and its answer may be lost.
    Arrive {
        index: usize,
        again: bool,
        heard: bool,
    },
    Acknowledge {
        source: u32,
    },
    Pass {
        minutes: i64,
    },
}

/// What a planted fault does before a delivery arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The test against the watermark is skipped.
    ForgetWatermark,
    /// The courier passes over a row.
    PassOver,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sold {
    id: u64,
    who: u64,
    site: u64,
    units: u64,
    online: bool,
    undone: bool,
}

pub(crate) struct World {
    pub(crate) shards: BTreeMap<u32, Rows>,
    pub(crate) now_ms: i64,
    pub(crate) fault: Fault,
    pub(crate) sales: Vec<Sold>,
    pub(crate) received: BTreeMap<u64, i64>,
    pub(crate) next_id: u64,
    /// By source and target: what the courier knows to be applied.
    pub(crate) confirmed: BTreeMap<(u32, u32), u64>,
    pub(crate) under_way: Vec<(u32, DeliverStock)>,
}

pub(crate) fn product() -> ProductId {
    mask().into()
}

pub(crate) fn owner(position: u64) -> u32 {
    let parts = even_split(SHARDS);
    let owns = |part: &quorate_proto::ring::RingRange| {
        part.contains(quorate_proto::ids::RingPosition(position))
    };
    parts.iter().position(owns).unwrap() as u32 + 1
}

pub(crate) fn site_key(number: u64) -> SiteKey {
    SiteKey::of(&site(number).code)
}

pub(crate) fn shard_of_site(code: &SiteCode) -> u32 {
    owner(SiteKey::of(code).position().get())
}

impl World {
    pub(crate) fn new(fault: Fault) -> Self {
        let mut world = Self {
            shards: (1..=SHARDS).map(|shard| (shard, Rows::new())).collect(),
            now_ms: MONDAY_MS,
            fault,
            sales: Vec::new(),
            received: BTreeMap::new(),
            next_id: 1,
            confirmed: BTreeMap::new(),
            under_way: Vec::new(),
        };
        for (shard, range) in (1..).zip(even_split(SHARDS)) {
            let adopt = AdoptRange {
                range,
                epoch: EPOCH,
            };
            world.apply(shard, CommandBody::AdoptRange(adopt));
            let rules = [rule("r1", MONDAY_MS, 4, 2)];
            world.apply(shard, CommandBody::PutProgram(program(&rules, 1)));
        }
        world.now_ms = NINE_MS;
        // One site is never imported: its stock is kept all the same.
        for number in 1..SITES {
            let shard = shard_of_site(&site(number).code);
            world.apply(
                shard,
                CommandBody::PutSites(vec![profile(number, "Pharmacy")]),
            );
        }
        world
    }

    pub(crate) fn apply(&mut self, shard: u32, body: CommandBody) -> Outcome {
        let batch = Batch {
            time_ms: self.now_ms,
            commands: vec![Command {
                epoch: Epoch(0),
                body,
            }],
        };
        let logged = codec::decode_batch(&codec::encode_batch(&batch)).unwrap();
        assert_eq!(logged, batch);
        let rows = self.shards.get_mut(&shard).unwrap();
        let mut overlay = Overlay::new(rows);
        let outcomes = ledger::apply_batch(&mut overlay, ShardId(shard), &logged).unwrap();
        for (key, value) in overlay.into_writes() {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        outcomes[0].clone()
    }

    pub(crate) fn audit(&self, shard: u32) -> StockAudit {
        let summary = checkpoint::summarize(&self.shards[&shard], ShardId(shard)).unwrap();
        summary.stock
    }

    pub(crate) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn act(&mut self, act: Act) {
        match act {
            Act::Sell {
                who,
                site,
                quantity,
            } => {
                let id = self.id();
                let shard = owner(common::citizen(who).position().get());
                let outcome = self.apply(shard, sale(id, who, quantity, site));
                if common::recorded(outcome).verdict.denied.is_none() {
                    self.sold(id, who, site, quantity, true);
                }
            }
            Act::Slip {
                who,
                site,
                quantity,
                age_min,
            } => {
                let id = self.id();
                let slip = RecordSlip {
                    request_id: request(id),
                    citizen: common::citizen(who),
                    program: mask(),
                    product: None,
                    quantity: NonZeroU32::new(quantity).unwrap(),
                    site: common::site(site),
                    site_suspended: false,
                    claims: CLAIMS,
                    proxy_ground: None,
                    sold_at_ms: self.now_ms - age_min * 60_000,
                    device_id: DeviceId::parse("till-1").unwrap(),
                    sequence: id,
                };
                let shard = owner(common::citizen(who).position().get());
                let outcome = self.apply(shard, CommandBody::RecordSlip(slip));
                let Outcome::Slip(slip) = outcome else {
                    panic!("no slip: {outcome:?}");
                };
                assert!(!matches!(slip.result, SlipResult::Rejected(_)), "{slip:?}");
                self.sold(id, who, site, quantity, false);
            }
            Act::Void { sale } => {
                let count = self.sales.len();
                let Some(sold) = self.sales.get(sale % count.max(1)).copied() else {
                    return;
                };
                let id = self.id();
                let shard = owner(common::citizen(sold.who).position().get());
                let outcome = self.apply(shard, void(id, sold.who, sold.id, sold.site));
                if common::voided(outcome).refused.is_none() {
                    assert!(sold.online || !sold.undone);
                    self.sales[sale % count].undone = true;
                }
            }
            Act::Receive { site, quantity } => {
                let change = ChangeStock {
                    site_code: common::site(site).code,
                    change: StockChange {
                        request_id: request(self.id()),
                        at_ms: 0,
                        device_id: None,
                        kind: StockChangeKind::Received(product(), quantity),
                    },
                };
                let shard = shard_of_site(&common::site(site).code);
                self.apply(shard, CommandBody::ChangeStock(change));
                if site < SITES {
                    *self.received.entry(site).or_default() += i64::from(quantity);
                }
            }
            Act::Send {
                source,
                target,
                again,
                rows,
            } => self.send(source, target, again, rows),
            Act::Arrive {
                index,
                again,
                heard,
            } => self.arrive(index, again, heard),
            Act::Acknowledge { source } => {
                let seq = self.done_through(source);
                self.apply(source, CommandBody::AcknowledgeOutbox { seq });
            }
            Act::Pass { minutes } => self.now_ms += minutes * 60_000,
        }
    }

    pub(crate) fn sold(&mut self, id: u64, who: u64, site: u64, quantity: u32, online: bool) {
        self.sales.push(Sold {
            id,
            who,
            site,
            units: quantity.into(),
            online,
            undone: false,
        });
    }

    pub(crate) fn known(&self, source: u32, target: u32) -> u64 {
        self.confirmed.get(&(source, target)).copied().unwrap_or(0)
    }

    /// A delivery as a courier makes it, perhaps one that begins at an old position.
    pub(crate) fn send(&mut self, source: u32, target: u32, again: u64, rows: usize) {
        let view = &self.shards[&source];
        let facts = ledger::facts(view, ShardId(source)).unwrap();
        let after = self.known(source, target).saturating_sub(again);
        let after = after.max(facts.outbox_trimmed());
        let outbox = ledger::outbox_rows(view, ShardId(source), after, 1000).unwrap();
        let mut mine: Vec<_> = outbox
            .into_iter()
            .filter(|row| shard_of_site(&row.row.site_code) == target)
            .collect();
        let through = match mine.get(rows) {
            Some(next) => next.seq - 1,
            None => facts.outbox_rows(),
        };
        mine.truncate(rows);
        if self.fault == Fault::PassOver && mine.len() > 1 {
            mine.remove(0);
        }
        let delivery = DeliverStock {
            source: ShardId(source),
            through,
            rows: mine,
        };
        self.under_way.push((target, delivery));
    }

    pub(crate) fn arrive(&mut self, index: usize, again: bool, heard: bool) {
        if self.under_way.is_empty() {
            return;
        }
        let index = index % self.under_way.len();
        let (target, delivery) = match again {
            true => self.under_way[index].clone(),
            false => self.under_way.swap_remove(index),
        };
        let source = delivery.source;
        if self.fault == Fault::ForgetWatermark {
            let key = keys::watermark(ShardId(target), source);
            self.shards.get_mut(&target).unwrap().remove(&key);
        }
        let through = delivery.through;
        let outcome = self.apply(target, CommandBody::DeliverStock(delivery));
        assert_eq!(outcome, Outcome::Done);
        if heard {
            let known = self.confirmed.entry((source.get(), target)).or_default();
            *known = (*known).max(through);
        }
    }

    /// Every row up to here is known to be applied.
    pub(crate) fn done_through(&self, source: u32) -> u64 {
        let view = &self.shards[&source];
        let facts = ledger::facts(view, ShardId(source)).unwrap();
        let after = facts.outbox_acknowledged();
        let rows = ledger::outbox_rows(view, ShardId(source), after, 1000).unwrap();
        let waiting = rows
            .iter()
            .find(|row| row.seq > self.known(source, shard_of_site(&row.row.site_code)));
        waiting.map_or(facts.outbox_rows(), |row| row.seq - 1)
    }

    /// Sold and voided units by site: as the model knows them, less what is on its way.
    pub(crate) fn expected(&self) -> BTreeMap<u64, (i64, i64)> {
        let mut expected: BTreeMap<u64, (i64, i64)> = BTreeMap::new();
        for sold in &self.sales {
            let place = expected.entry(sold.site).or_default();
            place.0 += sold.units as i64;
            place.1 += if sold.undone { sold.units as i64 } else { 0 };
        }
        let mut on_the_way: BTreeMap<SiteKey, (i64, i64)> = BTreeMap::new();
        let mut in_records: BTreeMap<SiteKey, (i64, i64)> = BTreeMap::new();
        for source in 1..=SHARDS {
            let audit = self.audit(source);
            for ((code, _), units) in &audit.sold {
                let place = in_records.entry(SiteKey::of(code)).or_default();
                place.0 += units.sold as i64;
                place.1 += units.voided as i64;
            }
            for row in &audit.rows {
                let target = shard_of_site(&row.row.site_code);
                let told = self.audit(target).watermarks;
                let told = told.iter().find(|(from, _)| *from == ShardId(source));
                if row.seq > told.map_or(0, |(_, seq)| *seq) {
                    let site = SiteKey::of(&row.row.site_code);
                    let place = on_the_way.entry(site).or_default();
                    match row.row.kind {
                        OutboxKind::Sold => place.0 += i64::from(row.row.quantity),
                        OutboxKind::Voided => place.1 += i64::from(row.row.quantity),
                    }
                }
            }
        }
        for (site, place) in &mut expected {
            let records = in_records
                .get(&site_key(*site))
                .copied()
                .unwrap_or_default();
            assert_eq!(records, *place, "the records of site {site}");
            let less = on_the_way
                .get(&site_key(*site))
                .copied()
                .unwrap_or_default();
            *place = (place.0 - less.0, place.1 - less.1);
        }
        expected
    }

    /// The identity, at every site and at any time.
    pub(crate) fn check(&self) -> Result<(), String> {
        let expected = self.expected();
        for number in 1..=SITES {
            let shard = shard_of_site(&site(number).code);
            let stock = self.audit(shard).stock;
            let kept = stock.iter().find(|it| it.site == site_key(number));
            let kept = kept.map(|it| it.stock).unwrap_or_default();
            let (sold, voided) = expected.get(&number).copied().unwrap_or_default();
            let received = self.received.get(&number).copied().unwrap_or(0);
            let found = (kept.sold as i64, kept.voided as i64, kept.on_hand());
            let must = (sold, voided, received - sold + voided);
            if found != must {
                return Err(format!(
                    "site {number} has {found:?}, and must have {must:?}"
                ));
            }
        }
        Ok(())
    }

    /// The courier at its best: everything arrives and is acknowledged.
    pub(crate) fn settle(&mut self) {
        while !self.under_way.is_empty() {
            self.arrive(0, false, true);
        }
        for source in 1..=SHARDS {
            for target in 1..=SHARDS {
                self.send(source, target, 0, usize::MAX);
                self.arrive(0, false, true);
            }
            let seq = self.done_through(source);
            self.apply(source, CommandBody::AcknowledgeOutbox { seq });
            let facts = ledger::facts(&self.shards[&source], ShardId(source)).unwrap();
            assert_eq!(facts.outbox_acknowledged(), facts.outbox_rows());
        }
    }
}
