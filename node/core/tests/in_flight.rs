//! Rules that change while sales are under way: programs put between the commands of one batch, batches on
//! both sides of an instant at which a rule comes into force, replicas rebuilt from copied rows on the way.
//! Every verdict names the rule in force at its stamped time, by the program known when it was decided.
//!
//! The runs are fixed: the same seed always plays the same cases. A failure prints the shrunk case.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{collections::BTreeMap, num::NonZeroU32};

use common::{
    CLAIMS, DAY_MS, MONDAY_MS, NINE_MS, Rows, SHARD, Shard, citizen, mask, play_random, profile,
    program, recorded, request, rule, sale, site, void, voided,
};
use proptest::{
    collection::vec,
    prelude::{Strategy, any, prop_oneof},
};
use quorate_core::{
    View as _, keys,
    ledger::{CommandBody, Outcome, RecordSlip, Rule, RuleState},
};
use quorate_proto::{
    ids::{DeviceId, RuleId, ShardId},
    ring::RingRange,
};

/// Rules that a program may list, by number; each has a limit of its own.
const RULES: usize = 5;

#[derive(Clone, Copy, Debug)]
enum Act {
    Sell {
        who: u64,
        quantity: u32,
    },
    /// Of a request made so many ago.
    Void {
        back: u64,
    },
    Again {
        back: u64,
    },
    Slip {
        who: u64,
        age_ms: i64,
    },
    Check {
        who: u64,
    },
    /// Sets the state and the instant of one rule, in milliseconds from [`NINE_MS`].
    Put {
        rule: usize,
        state: RuleState,
        at_ms: i64,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let state = prop_oneof![
        4 => proptest::prelude::Just(RuleState::Active),
        1 => proptest::prelude::Just(RuleState::Shadow),
        1 => proptest::prelude::Just(RuleState::Withdrawn),
    ];
    prop_oneof![
        6 => (0..3u64, 1..=3u32).prop_map(|(who, quantity)| Act::Sell { who, quantity }),
        3 => (1..6u64).prop_map(|back| Act::Void { back }),
        2 => (1..9u64).prop_map(|back| Act::Again { back }),
        1 => (0..3u64, -5..30i64).prop_map(|(who, age_ms)| Act::Slip { who, age_ms }),
        1 => (0..3u64).prop_map(|who| Act::Check { who }),
        2 => (1..RULES, state, -5..40i64)
            .prop_map(|(rule, state, at_ms)| Act::Put { rule, state, at_ms }),
    ]
}

/// A program that can still change: its first rule stays, so there is always one in force.
#[derive(Clone, Debug)]
struct Plan {
    rules: Vec<Rule>,
    version: u64,
}

impl Plan {
    fn new() -> Self {
        let mut rules = vec![rule("r0", MONDAY_MS, 3, 3)];
        for number in 1..RULES {
            let mut later = rule(&format!("r{number}"), NINE_MS, 3 + number as u32, 3);
            later.state = RuleState::Withdrawn;
            rules.push(later);
        }
        Self { rules, version: 1 }
    }

    fn limit(&self, id: &RuleId) -> u32 {
        let found = self.rules.iter().find(|rule| rule.id == *id);
        found.unwrap().limit
    }

    /// What the plan would be after this change; `None`: two active rules would share an instant.
    fn changed(&self, number: usize, state: RuleState, at_ms: i64) -> Option<Self> {
        let mut next = self.clone();
        let wanted = RuleId::parse(&format!("r{number}")).unwrap();
        let changed = next.rules.iter_mut().find(|rule| rule.id == wanted)?;
        (changed.state, changed.effective_from_ms) = (state, NINE_MS + at_ms);
        next.rules.sort_by_key(|rule| rule.effective_from_ms);
        let active = next.rules.iter();
        let active: Vec<_> = active
            .filter(|rule| rule.state == RuleState::Active)
            .map(|rule| rule.effective_from_ms)
            .collect();
        next.version += 1;
        active
            .is_sorted_by(|one, other| one < other)
            .then_some(next)
    }

    /// The rule in force, found the long way.
    fn at(&self, at_ms: i64) -> RuleId {
        let mut active: Vec<_> = self.rules.iter().collect();
        active.retain(|rule| rule.state == RuleState::Active && rule.effective_from_ms <= at_ms);
        active
            .into_iter()
            .max_by_key(|rule| rule.effective_from_ms)
            .unwrap()
            .id
    }
}

/// A replica that received a snapshot: every row of the shard's ranges, and nothing else.
fn rebuilt(shard: &Shard) -> Shard {
    let mut rows = Rows::new();
    for (first, end) in keys::ranges(SHARD, Some(RingRange::FULL)) {
        shard
            .rows
            .scan(&first, &end, &mut |key, value| {
                assert!(rows.insert(key.to_vec(), value.to_vec()).is_none());
                Ok(())
            })
            .unwrap();
    }
    Shard {
        rows,
        now_ms: shard.now_ms,
    }
}

fn slip(id: u64, who: u64, sold_at_ms: i64) -> CommandBody {
    CommandBody::RecordSlip(RecordSlip {
        request_id: request(id),
        citizen: citizen(who),
        program: mask(),
        product: None,
        quantity: NonZeroU32::new(1).unwrap(),
        site: site(1),
        site_suspended: false,
        claims: CLAIMS,
        proxy_ground: None,
        sold_at_ms,
        device_id: DeviceId::parse("till-1").unwrap(),
        sequence: id,
    })
}

/// What was asked, and by which program it is decided.
#[derive(Clone, Debug)]
struct Asked {
    id: u64,
    who: u64,
    body: CommandBody,
    plan: Plan,
}

struct World {
    shard: Shard,
    plan: Plan,
    next_id: u64,
    /// By request id: who, and what was asked.
    asked: BTreeMap<u64, (u64, CommandBody)>,
    answered: BTreeMap<u64, Outcome>,
    slips: Vec<(u64, u64, RuleId)>,
}

impl World {
    fn ask(&mut self, who: u64, body: impl FnOnce(u64) -> CommandBody) -> Asked {
        self.next_id += 1;
        let (id, body) = (self.next_id, body(self.next_id));
        self.asked.insert(id, (who, body.clone()));
        let plan = self.plan.clone();
        Asked {
            id,
            who,
            body,
            plan,
        }
    }

    fn command(&mut self, act: Act) -> Option<Asked> {
        let now_ms = self.shard.now_ms;
        match act {
            Act::Sell { who, quantity } => Some(self.ask(who, |id| sale(id, who, quantity, 1))),
            Act::Void { back } => {
                let sale_id = self.next_id.checked_sub(back)?;
                let who = self.asked.get(&sale_id)?.0;
                Some(self.ask(who, |id| void(id, who, sale_id, 1)))
            }
            Act::Again { back } => {
                let id = self.next_id.checked_sub(back)?;
                let (who, body) = self.asked.get(&id)?.clone();
                let plan = self.plan.clone();
                Some(Asked {
                    id,
                    who,
                    body,
                    plan,
                })
            }
            Act::Slip { who, age_ms } => {
                let sold_at_ms = now_ms - age_ms;
                Some(self.ask(who, |id| slip(id, who, sold_at_ms)))
            }
            Act::Check { .. } | Act::Put { .. } => None,
        }
    }

    /// One batch at one instant, on this replica and on one that was rebuilt from its rows.
    fn batch(&mut self, acts: &[Act]) {
        let (mut bodies, mut expected) = (Vec::new(), Vec::new());
        for act in acts {
            if let Act::Put { rule, state, at_ms } = *act {
                let Some(plan) = self.plan.changed(rule, state, at_ms) else {
                    continue;
                };
                let put = program(&plan.rules, plan.version);
                bodies.push(CommandBody::PutProgram(put));
                expected.push(None);
                self.plan = plan;
            } else if let Some(asked) = self.command(*act) {
                bodies.push(asked.body.clone());
                expected.push(Some(asked));
            }
        }
        let mut replica = rebuilt(&self.shard);
        assert_eq!(replica.summary(), self.shard.summary());
        let outcomes = self.shard.batch(bodies.clone());
        assert_eq!(replica.batch(bodies), outcomes);
        assert_eq!(replica.rows, self.shard.rows);
        assert_eq!(replica.summary().digest, self.shard.summary().digest);
        for (asked, outcome) in expected.iter().zip(outcomes) {
            match asked {
                None => assert_eq!(outcome, Outcome::Done),
                Some(asked) => self.judge(asked, outcome),
            }
        }
        for act in acts {
            if let Act::Check { who } = act {
                let verdict = self.shard.check(*who, 1);
                let named = verdict.rule.unwrap();
                assert_eq!(named, self.plan.at(verdict.decided_at_ms));
                assert_eq!(verdict.limit, self.plan.limit(&named));
                assert_eq!(replica.check(*who, 1), verdict);
            }
        }
    }

    fn judge(&mut self, asked: &Asked, outcome: Outcome) {
        let first = self.answered.get(&asked.id).cloned();
        match (&asked.body, &outcome) {
            (CommandBody::RecordSale(_), Outcome::Record(record)) => {
                assert_eq!(record.repeated, first.is_some());
                if let Some(first) = first {
                    let first = recorded(first).verdict;
                    assert_eq!(record.verdict, first, "whatever the rules are by now");
                    return;
                }
                let (verdict, now_ms) = (&record.verdict, self.shard.now_ms);
                assert!((now_ms..now_ms + 100).contains(&verdict.decided_at_ms));
                let named = verdict.rule.unwrap();
                assert_eq!(named, asked.plan.at(verdict.decided_at_ms));
                assert_eq!(verdict.limit, asked.plan.limit(&named));
            }
            (CommandBody::RecordSlip(command), Outcome::Slip(_)) => {
                if first.is_none() {
                    let named = asked.plan.at(command.sold_at_ms);
                    self.slips.push((asked.id, asked.who, named));
                }
            }
            (CommandBody::VoidSale(_), Outcome::Void(void)) => {
                // One that found no sale is decided anew.
                if let Some(first) = first.map(voided).filter(|_| void.repeated) {
                    assert_eq!(
                        (void.refused, void.remaining),
                        (first.refused, first.remaining)
                    );
                }
            }
            other => panic!("not the outcome of the command: {other:?}"),
        }
        self.answered.entry(asked.id).or_insert(outcome);
    }
}

fn play(batches: &[(i64, bool, Vec<Act>)]) {
    let plan = Plan::new();
    let mut shard = Shard::with_rules(&plan.rules);
    shard.one(CommandBody::PutSites(vec![profile(1, "one")]));
    // A neighbour's rows in the same store are no part of a snapshot.
    let foreign = keys::facts(ShardId(2));
    shard.rows.insert(foreign.clone(), b"foreign".to_vec());
    let mut world = World {
        shard,
        plan,
        next_id: 0,
        asked: BTreeMap::new(),
        answered: BTreeMap::new(),
        slips: Vec::new(),
    };
    assert!(!rebuilt(&world.shard).rows.contains_key(&foreign));
    world.shard.rows.remove(&foreign);
    for (pause_ms, moves, acts) in batches {
        if *moves {
            world.shard = rebuilt(&world.shard);
        }
        world.shard.now_ms += pause_ms;
        world.batch(acts);
    }
    for (id, who, rule) in &world.slips {
        let listed = world.shard.list(*who);
        let stored = listed.iter().find(|sale| sale.request_id == request(*id));
        assert_eq!(stored.unwrap().rule, Some(*rule));
    }
    assert_eq!(world.shard.summary().records.records_over_limit, 0);
}

#[test]
fn every_verdict_names_the_rule_in_force_at_its_time() {
    let acts = vec(act(), 1..10);
    let pause = prop_oneof![6 => 0..6i64, 1 => 0..DAY_MS];
    let case = vec((pause, any::<bool>(), acts), 1..12);
    play_random([(41, 1500), (42, 1500)], &case, |batches| play(batches));
}

/// Undoing sales in a loop stamps each sale a little later than now: over the instant of the next rule, too.
#[test]
fn a_stamp_beyond_the_instant_is_decided_by_the_later_rule() {
    let rules = [
        rule("two", MONDAY_MS, 2, 2),
        rule("five", NINE_MS + 2, 5, 2),
    ];
    let mut shard = Shard::with_rules(&rules);
    let mut decided = Vec::new();
    for turn in 0..4 {
        let outcomes = shard.batch(vec![
            sale(2 * turn, 7, 2, 1),
            void(2 * turn + 1, 7, 2 * turn, 1),
        ]);
        let verdict = recorded(outcomes[0].clone()).verdict;
        let named = verdict.rule.unwrap().to_string();
        decided.push((verdict.decided_at_ms - NINE_MS, verdict.limit, named));
    }
    let expected = [(0, 2, "two"), (1, 2, "two"), (2, 5, "five"), (3, 5, "five")];
    assert!(
        decided
            .iter()
            .map(|(ms, limit, rule)| (*ms, *limit, rule.as_str()))
            .eq(expected),
        "{decided:?}"
    );
}
