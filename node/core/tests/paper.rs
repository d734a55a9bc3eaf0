//! Paper against a model that fits on a screen: the slips of a few terminals handed in in any order and any
//! number of times, among online sales, attempts at the slips' own sales, voids and corrections, with pauses
//! up to the end of every retention time. Each slip is recorded exactly once, whatever happens; what a week
//! has left is its limit less the live sales; no later grant goes beyond it.
//!
//! The runs are fixed: the same seed always plays the same cases. A failure prints the shrunk case.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};

use common::{
    CLAIMS, DAY_MS, MONDAY_MS, NINE_MS, SHARD, Shard, citizen, mask, play_random, recorded,
    request, sale, site, void, voided,
};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
};
use quorate_core::{
    codec, keys,
    ledger::{
        CommandBody, Correction, DenialReason, OutboxKind, Outcome, RecordSlip, SlipOutcome,
        SlipRejection, SlipResult, VoidBy, VoidRefusal, VoidSale,
    },
};
use quorate_proto::ids::DeviceId;

const LIMIT: u32 = 4;
const SALE_MAX: u32 = 3;
const SLIPS: u64 = 6;
const CITIZENS: u64 = 2;
const MINUTE_MS: i64 = 60_000;
const AHEAD_MS: i64 = 5 * MINUTE_MS;
const RETENTION_MS: i64 = 35 * DAY_MS;

/// A sale written down at a counter; its number is its request id.
#[derive(Clone, Copy, Debug)]
struct Paper {
    who: u64,
    site: u64,
    quantity: u32,
    sold_at_ms: i64,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    HandIn {
        slip: u64,
    },
    /// The same sale, tried online before or after it was written down.
    TryOnline {
        slip: u64,
    },
    Sell {
        who: u64,
        site: u64,
        quantity: u32,
    },
    /// Of the sale with this place among all that were recorded.
    Undo {
        sale: usize,
        site: u64,
        by_administrator: bool,
    },
    Pass {
        ms: i64,
    },
}

fn paper() -> impl Strategy<Value = Paper> {
    let sold_at_ms = prop_oneof![
        4 => (-8 * DAY_MS..=0).prop_map(|ms| NINE_MS + ms),
        1 => Just(NINE_MS + AHEAD_MS),
        1 => Just(MONDAY_MS),
        1 => Just(MONDAY_MS - 1),
        1 => (0..9 * DAY_MS).prop_map(|ms| NINE_MS + ms),
    ];
    (0..CITIZENS, 1..3u64, 1..=5u32, sold_at_ms).prop_map(|(who, site, quantity, sold_at_ms)| {
        Paper {
            who,
            site,
            quantity,
            sold_at_ms,
        }
    })
}

fn act() -> impl Strategy<Value = Act> {
    let ms = prop_oneof![
        2 => 0..3i64,
        1 => Just(AHEAD_MS - 1),
        1 => 0..DAY_MS,
        1 => 0..9 * DAY_MS,
        1 => (-1..=1i64).prop_map(|ms| RETENTION_MS + ms),
    ];
    prop_oneof![
        8 => (0..SLIPS).prop_map(|slip| Act::HandIn { slip }),
        1 => (0..SLIPS).prop_map(|slip| Act::TryOnline { slip }),
        3 => (0..CITIZENS, 1..3u64, 1..=SALE_MAX)
            .prop_map(|(who, site, quantity)| Act::Sell { who, site, quantity }),
        2 => (0..8usize, 1..3u64, any::<bool>())
            .prop_map(|(sale, site, by_administrator)| Act::Undo { sale, site, by_administrator }),
        2 => ms.prop_map(|ms| Act::Pass { ms }),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Sold {
    id: u64,
    paper: Paper,
    online: bool,
    recorded_ms: i64,
    undone: bool,
}

impl Sold {
    /// Before this instant a repeat could still be taken for a new sale.
    fn remembered_until(&self) -> i64 {
        self.recorded_ms.max(self.paper.sold_at_ms) + RETENTION_MS
    }
}

/// The whole truth, in the order in which it was recorded.
struct Model {
    slips: Vec<Paper>,
    sold: Vec<Sold>,
    /// By request id: when it was denied.
    denied: BTreeMap<u64, i64>,
    next_id: u64,
}

fn week(at_ms: i64) -> i64 {
    (at_ms - MONDAY_MS).div_euclid(7 * DAY_MS)
}

impl Model {
    /// What is remembered of one citizen: the oldest that is, and all behind it.
    fn remembered(&self, who: u64, now_ms: i64) -> impl Iterator<Item = &Sold> {
        let theirs = self.sold.iter().filter(move |sold| sold.paper.who == who);
        theirs.skip_while(move |sold| sold.remembered_until() <= now_ms)
    }

    fn known(&self, id: u64, who: u64, now_ms: i64) -> Option<&Sold> {
        self.remembered(who, now_ms).find(|sold| sold.id == id)
    }

    fn units(&self, who: u64, at_ms: i64, now_ms: i64) -> u32 {
        let live = self.remembered(who, now_ms).filter(|sold| !sold.undone);
        live.filter(|sold| week(sold.paper.sold_at_ms) == week(at_ms))
            .map(|sold| sold.paper.quantity)
            .sum()
    }

    fn remaining(&self, who: u64, at_ms: i64, now_ms: i64) -> u32 {
        LIMIT.saturating_sub(self.units(who, at_ms, now_ms))
    }

    fn add(&mut self, shard: &Shard, id: u64, paper: Paper, online: bool) {
        let listed = shard.list(paper.who);
        let stored: Vec<_> = listed
            .iter()
            .filter(|sale| sale.request_id == request(id))
            .collect();
        assert_eq!(stored.len(), 1, "recorded once");
        self.denied.remove(&id);
        self.sold.push(Sold {
            id,
            paper,
            online,
            recorded_ms: stored[0].recorded_at_ms,
            undone: false,
        });
    }
}

fn hand_in(model: &mut Model, shard: &mut Shard, slip: u64) {
    let (paper, now_ms) = (model.slips[slip as usize], shard.now_ms);
    let closed = paper.sold_at_ms < MONDAY_MS;
    let left = model.remaining(paper.who, paper.sold_at_ms, now_ms);
    // Before the first rule there is no ration to exceed.
    let over_by = if closed {
        0
    } else {
        paper.quantity.saturating_sub(left)
    };
    let known = model.known(slip, paper.who, now_ms).copied();
    let outcome = match shard.one(CommandBody::RecordSlip(RecordSlip {
        request_id: request(slip),
        citizen: citizen(paper.who),
        program: mask(),
        product: None,
        quantity: NonZeroU32::new(paper.quantity).unwrap(),
        site: site(paper.site),
        site_suspended: false,
        claims: CLAIMS,
        proxy_ground: None,
        sold_at_ms: paper.sold_at_ms,
        device_id: DeviceId::parse("till-1").unwrap(),
        sequence: slip + 1,
    })) {
        Outcome::Slip(outcome) => outcome,
        other => panic!("not a slip's outcome: {other:?}"),
    };
    let expected = if known.is_some() {
        SlipResult::Duplicate
    } else if paper.sold_at_ms <= now_ms - RETENTION_MS {
        SlipResult::Rejected(SlipRejection::TooOld)
    } else if paper.sold_at_ms > now_ms + AHEAD_MS {
        SlipResult::Rejected(SlipRejection::InTheFuture)
    } else if over_by > 0 {
        SlipResult::OverQuotaRecorded
    } else {
        SlipResult::Accepted
    };
    let SlipOutcome {
        result, remaining, ..
    } = outcome;
    assert_eq!(result, expected);
    if matches!(result, SlipResult::Accepted | SlipResult::OverQuotaRecorded) {
        assert_eq!(outcome.over_by, over_by);
        let too_large = (paper.quantity > SALE_MAX).then_some(DenialReason::QuantityTooLarge);
        let closed = closed.then_some(DenialReason::ProgramClosed);
        assert_eq!(outcome.irregularity, closed.or(too_large));
        model.add(shard, slip, paper, false);
    }
    assert_eq!(remaining, model.remaining(paper.who, now_ms, now_ms));
}

fn sell(model: &mut Model, shard: &mut Shard, id: u64, paper: Paper) {
    let now_ms = shard.now_ms;
    let Paper {
        who,
        site,
        quantity,
        ..
    } = paper;
    let known = model.known(id, who, now_ms).is_some();
    let denied_at = model.denied.get(&id).copied();
    let denied_before = denied_at.is_some_and(|at_ms| at_ms > now_ms - RETENTION_MS);
    let record = recorded(shard.one(sale(id, who, quantity, site)));
    let verdict = record.verdict;
    assert_eq!(record.repeated, known || denied_before);
    if record.repeated {
        assert_eq!(verdict.denied.is_none(), known);
        return;
    }
    let at_ms = verdict.decided_at_ms;
    assert!((now_ms..now_ms + 100).contains(&at_ms));
    let left = model.remaining(who, at_ms, now_ms);
    let granted = quantity <= left;
    assert_eq!(verdict.denied.is_none(), granted, "{left} were left");
    assert_eq!(
        verdict.remaining,
        if granted { left - quantity } else { left }
    );
    if granted {
        let paper = Paper {
            sold_at_ms: at_ms,
            ..paper
        };
        model.add(shard, id, paper, true);
    } else {
        model.denied.insert(id, at_ms);
    }
}

fn undo(model: &mut Model, shard: &mut Shard, index: usize, at_site: u64, by_administrator: bool) {
    model.next_id += 1;
    let (id, now_ms) = (model.next_id, shard.now_ms);
    let Some(sold) = model.sold.get(index).copied() else {
        return;
    };
    let who = sold.paper.who;
    let body = if by_administrator {
        CommandBody::VoidSale(VoidSale {
            request_id: request(id),
            citizen: citizen(who),
            program: mask(),
            sale_request_id: request(sold.id),
            by: VoidBy::Administrator(Correction {
                case_number: "2020-117".to_owned(),
                reason: "mistyped ID".to_owned(),
                operator: "ops".to_owned(),
            }),
            claims: CLAIMS,
        })
    } else {
        void(id, who, sold.id, at_site)
    };
    let outcome = voided(shard.one(body));
    let at_ms = outcome.decided_at_ms;
    assert!((now_ms..now_ms + 100).contains(&at_ms));
    let day = |at_ms: i64| (at_ms - MONDAY_MS).div_euclid(DAY_MS);
    let refused = if model.known(sold.id, who, now_ms).is_none() {
        Some(VoidRefusal::SaleNotFound)
    } else if !by_administrator && sold.paper.site != at_site {
        Some(VoidRefusal::OtherSite)
    } else if sold.undone {
        Some(VoidRefusal::AlreadyVoided)
    } else if !by_administrator && day(sold.paper.sold_at_ms) != day(at_ms) {
        Some(VoidRefusal::TooLate)
    } else {
        None
    };
    assert_eq!(outcome.refused, refused);
    model.sold[index].undone |= refused.is_none();
    assert_eq!(outcome.remaining, model.remaining(who, at_ms, now_ms));
}

/// What the shard holds is what happened.
fn judge(model: &Model, shard: &Shard) {
    let now_ms = shard.now_ms;
    let sum = |wanted: &dyn Fn(&&Sold) -> bool| {
        let sold = model.sold.iter().filter(wanted);
        sold.fold((0, 0), |(sales, units), sold| {
            (sales + 1_u64, units + u64::from(sold.paper.quantity))
        })
    };
    let (totals, summary) = (shard.facts().totals().clone(), shard.summary());
    assert_eq!(sum(&|s| s.online), (totals.grants, totals.units_granted));
    assert_eq!(sum(&|s| !s.online), (totals.slips, totals.units_on_slips));
    assert_eq!(sum(&|s| s.undone), (totals.voids, totals.units_voided));
    let counted = summary.records.grants + totals.grants_retired;
    assert_eq!(counted, model.sold.len() as u64);
    assert_eq!(summary.records.records_over_limit, 0);
    for who in 0..CITIZENS {
        let check = shard.check(who, 1);
        let left = model.remaining(who, check.decided_at_ms, now_ms);
        assert_eq!(check.remaining, left);
        let remembered = model.remembered(who, now_ms);
        let remembered: BTreeSet<_> = remembered.map(|sold| request(sold.id)).collect();
        let listed: Vec<_> = shard.list(who).iter().map(|sale| sale.request_id).collect();
        assert_eq!(listed.len(), remembered.len());
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), remembered);
    }
    // Every site hears of every sale once.
    let mut told = BTreeSet::new();
    for seq in 1..=shard.facts().outbox_rows() {
        let row = codec::decode_outbox_row(&shard.rows[&keys::outbox(SHARD, seq)]).unwrap();
        if row.kind == OutboxKind::Sold {
            assert!(told.insert(row.request_id), "told twice: {row:?}");
        }
    }
    assert_eq!(told.len(), model.sold.len());
}

fn play(slips: &[Paper], acts: &[Act]) {
    let mut shard = Shard::new(LIMIT, SALE_MAX);
    let mut model = Model {
        slips: slips.to_vec(),
        sold: Vec::new(),
        denied: BTreeMap::new(),
        next_id: 1000,
    };
    for act in acts {
        match *act {
            Act::HandIn { slip } => hand_in(&mut model, &mut shard, slip),
            Act::TryOnline { slip } => {
                let paper = model.slips[slip as usize];
                // Beyond the retention time an id may name something new, as may a quantity that no sale has.
                let forgotten = model.sold.iter().any(|sold| sold.id == slip)
                    && model.known(slip, paper.who, shard.now_ms).is_none();
                let written_later = paper.sold_at_ms > shard.now_ms;
                if !forgotten && !written_later && paper.quantity <= SALE_MAX {
                    sell(&mut model, &mut shard, slip, paper);
                }
            }
            Act::Sell {
                who,
                site,
                quantity,
            } => {
                model.next_id += 1;
                let paper = Paper {
                    who,
                    site,
                    quantity,
                    sold_at_ms: 0,
                };
                let id = model.next_id;
                sell(&mut model, &mut shard, id, paper);
            }
            Act::Undo {
                sale,
                site,
                by_administrator,
            } => undo(&mut model, &mut shard, sale, site, by_administrator),
            Act::Pass { ms } => shard.now_ms += ms,
        }
        judge(&model, &shard);
    }
}

#[test]
fn paper_is_recorded_exactly_once_whatever_happens() {
    let case = (vec(paper(), SLIPS as usize), vec(act(), 1..40));
    play_random([(31, 2000), (32, 2000)], &case, |(slips, acts)| {
        play(slips, acts);
    });
}
